/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked for, held against what the server has. */
#include "admin/flux.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "store/names.h"

#include <ctype.h>
#include <string.h>

#define KUBERNETES_NAME_MAX 253
#define DIGEST_SHOWN	    8 /* digits that part names cut short */

static char *copy(const char *text)
{
	char *out = strdup(text);

	if (!out)
		out_of_memory();
	return out;
}

static char *taken(struct buf *b)
{
	char *out = b->len ? buf_take(b) : copy("");

	if (!out)
		out_of_memory();
	return out;
}

static const char *option(const struct flux *f, const char *name,
			  const char *fallback)
{
	const char *value = cli_local(f->c, name);

	return value ? value : fallback;
}

/* -- names ---------------------------------------------------------------- */

char *flux_fill(const char *template, const char *repo)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	const char *slash = strrchr(repo, '/');

	while (*template) {
		if (!strncmp(template, "{name}", 6)) {
			buf_adds(&out, repo);
			template += 6;
		} else if (!strncmp(template, "{basename}", 10)) {
			buf_adds(&out, slash ? slash + 1 : repo);
			template += 10;
		} else {
			buf_addc(&out, *template ++);
		}
	}
	return taken(&out);
}

bool flux_is_kubernetes_name(const char *name)
{
	size_t n = strlen(name);

	return n && n <= KUBERNETES_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n &&
	       isalnum((unsigned char)name[0]) &&
	       isalnum((unsigned char)name[n - 1]);
}

/* Kubernetes knows no capitals and no "_". */
char *flux_kubernetes_name(const char *name)
{
	char *out = copy(name);
	size_t n = strlen(out);

	for (char *p = out; *p; p++) {
		*p = (char)tolower((unsigned char)*p);
		if (!isalnum((unsigned char)*p) && *p != '.')
			*p = '-';
	}
	while (n && !isalnum((unsigned char)out[n - 1]))
		out[--n] = '\0';
	return out;
}

/* All below "tenants" is "tenants"; what does not fit becomes "-", once. */
static void add_fit(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || *text == '.')
			buf_addc(out, *text);
		else if (out->len && out->data[out->len - 1] != '-')
			buf_addc(out, '-');
	}
	while (out->len && out->data[out->len - 1] == '-')
		buf_truncate(out, out->len - 1);
}

char *flux_object_name(const struct flux *f, const char *name)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	CLEANUP(buf_fini) struct buf all = BUF_INIT;
	unsigned char digest[SHA256_SIZE];

	buf_adds(&out, "flux-");
	add_fit(&out, strcmp(f->repo, "**") ? f->repo : "all");
	if (name && (strcmp(f->namespace, FLUX_DEFAULT) != 0 ||
		     strcmp(name, FLUX_DEFAULT) != 0)) {
		buf_addc(&out, '-');
		add_fit(&out, f->namespace);
		buf_addc(&out, '-');
		add_fit(&out, name);
	}
	if (out.len <= OBJECT_NAME_MAX)
		return taken(&out);
	buf_addf(&all, "%s\n%s\n%s", f->repo, f->namespace, name ? name : "");
	sha256(all.data, all.len, digest);
	buf_truncate(&out, OBJECT_NAME_MAX - DIGEST_SHOWN - 1);
	buf_addc(&out, '-');
	buf_addhex(&out, digest, DIGEST_SHOWN / 2);
	return taken(&out);
}

/* -- addresses ------------------------------------------------------------ */

char *flux_ssh_host(const char *url)
{
	const char *host, *at, *end;

	if (strncmp(url, "ssh://", 6) != 0)
		return NULL;
	host = url + 6;
	end = host + strcspn(host, "/");
	at = memchr(host, '@', (size_t)(end - host));
	if (at)
		host = at + 1;
	return strndup(host, (size_t)(end - host));
}

/* What is bound to every address is localhost from here. */
static char *reachable(const char *bound)
{
	const char *port = strrchr(bound, ':');
	char *out;

	if (!port || (strncmp(bound, "0.0.0.0:", 8) != 0 &&
		      strncmp(bound, "[::]:", 5) != 0))
		return copy(bound);
	if (asprintf(&out, "localhost%s", port) < 0)
		out_of_memory();
	return out;
}

/* The first name, else where `door` is bound. NULL after saying that there is
 * neither. */
static char *address_of(const struct flux *f, const char *door)
{
	const char *name = json_string_value(
		json_array_get(json_object_get(f->status, "names"), 0));
	const char *bound = json_string_value(
		json_object_get(json_object_get(f->status, door), "address"));

	if (name)
		return copy(name);
	if (bound) {
		complain("warning: this server has no name; %s stands in",
			 bound);
		hint("set name = NAME.NAMESPACE.svc.cluster.local in [server], "
		     "or give --ssh-hostname or --url");
		return reachable(bound);
	}
	complain("this server has no name and no %s door here", door);
	hint("give --ssh-hostname or --url, or set name in [server]");
	return NULL;
}

/* A name's port is SSH's; HTTP is on 80 of the same Service. */
static void drop_port(char *host)
{
	char *colon = strrchr(host, ':');

	if (colon && colon > host && colon[-1] != ':' &&
	    strspn(colon + 1, "0123456789") == strlen(colon + 1))
		*colon = '\0';
}

static int ask_host(struct flux *f)
{
	const char *given = cli_local(f->c, "--ssh-hostname");
	const char *url = cli_local(f->c, "--url");

	if (given && f->is_http) {
		complain("--ssh-hostname belongs to SSH, and --http was asked "
			 "for");
		return CLI_USAGE;
	}
	if (given) {
		f->host = copy(given);
	} else if (url && (f->host = flux_ssh_host(url))) {
		return CLI_DONE;
	} else if (url) {
		f->host = copy("");
	} else {
		f->host = address_of(f, f->is_http ? "http" : "ssh");
		if (f->host && f->is_http &&
		    json_array_size(json_object_get(f->status, "names")))
			drop_port(f->host);
	}
	return f->host ? CLI_DONE : CLI_REFUSED;
}

static char *url_of(const struct flux *f, const char *repo)
{
	const char *given = cli_local(f->c, "--url");
	char *url;

	if (given)
		return flux_fill(given, repo);
	if (asprintf(&url, "%s%s/%s", f->is_http ? "http://" : "ssh://git@",
		     f->host, repo) < 0)
		out_of_memory();
	return url;
}

/* -- repositories --------------------------------------------------------- */

static int get(struct flux *f, const char *path, json_t **out)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	int result;

	result = api_call(
		f->c, &(struct api_request){ .method = "GET", .path = path },
		&a);
	if (!result && !a.json)
		return complain("the server answered no JSON");
	if (!result)
		*out = json_incref(a.json);
	return result;
}

static char *branch_of(const json_t *repo)
{
	const char *head = json_string_value(json_object_get(repo, "head"));
	const char *branch = json_string_value(json_object_get(repo, "branch"));

	if (head && !strncmp(head, "refs/heads/", 11))
		return copy(head + 11);
	return copy(branch ? branch : "main");
}

static int fill_target(struct flux *f, const json_t *repo,
		       struct flux_target *t)
{
	const char *name = cli_local(f->c, "--name");
	CLEANUP(freep) char *base = NULL;

	t->repo = json_string_value(json_object_get(repo, "name"));
	base = flux_fill("{basename}", t->repo);
	if (name)
		t->name = flux_fill(name, t->repo);
	else
		t->name = f->is_pattern ? flux_kubernetes_name(base)
					: copy(FLUX_DEFAULT);
	if (!flux_is_kubernetes_name(t->name))
		return complain("'%s' is no name for an object of Kubernetes",
				t->name);
	t->branch = cli_local(f->c, "--branch")
			    ? copy(cli_local(f->c, "--branch"))
			    : branch_of(repo);
	t->url = url_of(f, t->repo);
	t->path = flux_fill(option(f, "--path", "./"), t->repo);
	t->is_public = json_is_true(json_object_get(repo, "public"));
	return CLI_DONE;
}

static int ask_targets(struct flux *f)
{
	size_t n = json_array_size(f->repos), i;
	json_t *repo;

	f->targets = calloc(n ? n : 1, sizeof *f->targets);
	if (!f->targets)
		out_of_memory();
	json_array_foreach(f->repos, i, repo)
	{
		const char *name =
			json_string_value(json_object_get(repo, "name"));
		int result;

		if (f->is_pattern ? !pattern_matches(f->repo, name)
				  : strcmp(f->repo, name) != 0)
			continue;
		result = fill_target(f, repo, &f->targets[f->n_targets++]);
		if (result)
			return result;
	}
	if (f->n_targets || f->is_pattern)
		return CLI_DONE;
	complain("there is no repo '%s'", f->repo);
	hint("headwater repo create %s", f->repo);
	return CLI_REFUSED;
}

static int ask_server(struct flux *f)
{
	CLEANUP(json_decrefp) json_t *repos = NULL;
	CLEANUP(json_decrefp) json_t *hooks = NULL;
	int result = get(f, "/v1/status", &f->status);

	if (!result)
		result = get(f, "/v1/repos", &repos);
	if (!result)
		result = get(f, "/v1/hooks", &hooks);
	if (result)
		return result;
	f->repos = json_incref(json_object_get(repos, "repos"));
	f->hooks = json_incref(json_object_get(hooks, "hooks"));
	return CLI_DONE;
}

static bool are_public(const struct flux *f)
{
	for (size_t i = 0; i < f->n_targets; i++)
		if (!f->targets[i].is_public)
			return false;
	return f->n_targets > 0;
}

static int ask_secret_ref(struct flux *f)
{
	CLEANUP(freep) char *made = NULL;
	const char *given = cli_local(f->c, "--secret-ref");

	if (!given && f->is_http && are_public(f))
		return CLI_DONE; /* anybody may read it */
	if (!given && f->is_pattern) {
		made = flux_object_name(f, NULL);
		f->secret_ref = flux_kubernetes_name(made);
	} else {
		f->secret_ref = copy(given ? given
				     : cli_local(f->c, "--name")
					     ? cli_local(f->c, "--name")
					     : FLUX_DEFAULT);
	}
	if (!flux_is_kubernetes_name(f->secret_ref))
		return complain("'%s' is no name for a Secret", f->secret_ref);
	return CLI_DONE;
}

int flux_ask(struct flux *f, struct cli *c)
{
	int result;

	*f = (struct flux){ .c = c, .repo = c->names[0] };
	f->is_pattern = strchr(f->repo, '*');
	f->namespace = option(f, "--namespace", FLUX_DEFAULT);
	f->is_http = cli_local(c, "--http") ||
		     !strncmp(option(f, "--url", ""), "http", 4);
	f->documents = json_array();
	if (!flux_is_kubernetes_name(f->namespace)) {
		complain("'%s' is no name for a namespace", f->namespace);
		return CLI_USAGE;
	}
	result = ask_server(f);
	if (!result)
		result = ask_host(f);
	if (!result)
		result = ask_targets(f);
	return result ? result : ask_secret_ref(f);
}

void flux_fini(struct flux *f)
{
	for (size_t i = 0; i < f->n_targets; i++) {
		free(f->targets[i].name);
		free(f->targets[i].branch);
		free(f->targets[i].url);
		free(f->targets[i].path);
	}
	free(f->targets);
	free(f->secret_ref);
	free(f->host);
	free(f->hook);
	free(f->hook_type);
	free(f->receiver);
	free(f->token_name);
	json_decref(f->status);
	json_decref(f->repos);
	json_decref(f->hooks);
	json_decref(f->documents);
}
