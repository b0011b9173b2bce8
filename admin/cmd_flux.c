/* SPDX-License-Identifier: Apache-2.0 */
/* headwater flux ...: what Flux needs to be told, before Flux exists. */
#include "admin/flux.h"

#include "admin/yaml.h"
#include "base/cleanup.h"

#include <stdarg.h>
#include <string.h>

void flux_add(struct flux *f, json_t *document)
{
	if (!document || json_array_append_new(f->documents, document) < 0)
		out_of_memory();
}

void flux_comment(struct flux *f, const char *format, ...)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	flux_add(f, json_string(buf_str(&text)));
}

/* -- printing ------------------------------------------------------------- */

/* A List, which kubectl takes like the documents one by one. */
static void print_json(const struct flux *f)
{
	CLEANUP(json_decrefp)
	json_t *list = json_pack("{s:s, s:s, s:[]}", "apiVersion", "v1", "kind",
				 "List", "items");
	CLEANUP(freep) char *text = NULL;
	json_t *one;
	size_t i;

	json_array_foreach(f->documents, i, one)
	{
		if (json_is_object(one))
			json_array_append(json_object_get(list, "items"), one);
		else
			complain("%s", json_string_value(one));
	}
	text = json_dumps(list, JSON_COMPACT);
	if (!text)
		out_of_memory();
	puts(text);
}

static int print_all(const struct flux *f)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	json_t *one;
	size_t i;

	if (f->c->is_json) {
		print_json(f);
		return CLI_DONE;
	}
	json_array_foreach(f->documents, i, one)
	{
		if (json_is_string(one)) {
			yaml_add_comment(&out, json_string_value(one));
			continue;
		}
		buf_adds(&out, "---\n");
		yaml_add(&out, one);
	}
	if (out.failed)
		out_of_memory();
	fputs(buf_str(&out), stdout);
	return fflush(stdout) ? complain("standard output is gone") : CLI_DONE;
}

/* -- verbs ---------------------------------------------------------------- */

static int add_secrets(struct flux *f)
{
	int result;

	if (cli_local(f->c, "--create-namespace"))
		flux_add(f, flux_namespace(f->namespace));
	result = flux_git_secret(f);
	return result ? result : flux_token_secret(f);
}

/* Names that are made of a repository's, which may be no name there. */
static int check_names(const struct flux *f, const struct flux_target *t)
{
	const struct {
		const char *what, *template;
	} names[] = {
		{ "Receiver", f->receiver },
		{ "service account", cli_local(f->c, "--service-account") },
		{ "namespace", cli_local(f->c, "--target-namespace") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(freep) char *name = NULL;

		if (!names[i].template)
			continue;
		name = flux_fill(names[i].template, t->repo);
		if (flux_is_kubernetes_name(name))
			continue;
		complain("repository %s: Kubernetes allows no %s called '%s'",
			 t->repo, names[i].what, name);
		hint("small letters, digits, - and . are allowed");
		return CLI_REFUSED;
	}
	return CLI_DONE;
}

static int add_sync(struct flux *f)
{
	int result;

	if (!f->n_targets)
		return complain("no repository matches %s yet", f->repo);
	for (size_t i = 0; i < f->n_targets; i++) {
		const struct flux_target *t = &f->targets[i];

		result = check_names(f, t);
		if (result)
			return result;
		if (!cli_local(f->c, "--source"))
			flux_add(f, flux_git_repository(f, t));
		flux_add(f, flux_kustomization(f, t));
		flux_add(f, flux_receiver(f, t));
	}
	return CLI_DONE;
}

enum flux_part { PART_SECRETS = 1, PART_SYNC = 2 };

static int run_parts(struct cli *c, unsigned parts)
{
	CLEANUP(flux_fini) struct flux f;
	int result = flux_ask(&f, c);

	if (!result)
		result = flux_find_hook(&f);
	if (!result && parts & PART_SECRETS) {
		flux_comment(&f, "For kubectl apply, never for git: it holds "
				 "private keys.");
		result = add_secrets(&f);
	}
	if (!result && parts & PART_SYNC)
		result = add_sync(&f);
	return result ? result : print_all(&f);
}

static int run_secrets(struct cli *c)
{
	return run_parts(c, PART_SECRETS);
}

static int run_sync(struct cli *c)
{
	return run_parts(c, PART_SYNC);
}

static int run_all(struct cli *c)
{
	return run_parts(c, PART_SECRETS | PART_SYNC);
}

/* -- bootstrap ------------------------------------------------------------ */

/* A word as sh reads it back. */
static void add_word(struct buf *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_./:@=,+-";

	if (out->len)
		buf_addc(out, ' ');
	if (*word && strspn(word, safe) == strlen(word)) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (; *word; word++)
		buf_adds(out,
			 *word == '\'' ? "'\\''" : (char[]){ *word, '\0' });
	buf_addc(out, '\'');
}

static void add_option(json_t *words, const char *name, const char *value)
{
	if (value)
		json_array_append_new(words,
				      json_sprintf("%s=%s", name, value));
}

/* The domain of NAME.NAMESPACE.svc.DOMAIN, where Flux must be told it; NULL
 * for the usual one. */
static const char *domain_of(const struct flux *f)
{
	const char *given = cli_local(f->c, "--cluster-domain");
	const char *svc = strstr(f->host, ".svc.");

	if (given)
		return given;
	if (!svc || strchr(svc, ':') || !strcmp(svc, ".svc.cluster.local"))
		return NULL;
	return svc + strlen(".svc.");
}

static bool is_in_cluster(const char *host)
{
	const char *svc = strstr(host, ".svc");

	return svc && strchr(".:", svc[4]); /* or the end */
}

/* Where the CLI reaches us: a port-forward, if we are inside the cluster. */
static char *outer_url(const struct flux *f, const struct flux_target *t)
{
	char *url;

	if (cli_local(f->c, "--url"))
		return flux_fill(cli_local(f->c, "--url"), t->repo);
	if (asprintf(&url, "ssh://git@%s/%s",
		     is_in_cluster(f->host) ? "localhost:2222" : f->host,
		     t->repo) < 0)
		out_of_memory();
	return url;
}

static json_t *bootstrap_words(const struct flux *f,
			       const struct flux_target *t, const char *url)
{
	json_t *words = json_pack("[s, s, s]", "flux", "bootstrap", "git");
	CLEANUP(freep) char *outer = flux_ssh_host(url);

	add_option(words, "--url", url);
	if (*f->host && (!outer || strcmp(outer, f->host) != 0))
		add_option(words, "--ssh-hostname", f->host);
	add_option(words, "--branch", t->branch);
	add_option(words, "--path", t->path);
	if (strcmp(f->namespace, FLUX_DEFAULT) != 0)
		add_option(words, "--namespace", f->namespace);
	add_option(words, "--cluster-domain", domain_of(f));
	add_option(words, "--interval", cli_local(f->c, "--interval"));
	return words;
}

/* What must be there before, for people: not part of the command. */
static void say_before(const struct flux *f, const char *url)
{
	CLEANUP(freep) char *outer = flux_ssh_host(url);
	CLEANUP(freep) char *service = strndup(f->host, strcspn(f->host, "."));
	const char *rest = strchr(f->host, '.');

	if (!service)
		out_of_memory();
	hint("first: headwater flux secrets %s --create-namespace | kubectl "
	     "apply -f -",
	     f->repo);
	if (outer && !strncmp(outer, "localhost:", 10) && rest &&
	    is_in_cluster(f->host))
		hint("and: kubectl -n %.*s port-forward service/%s %s:22",
		     (int)strcspn(rest + 1, "."), rest + 1, service,
		     outer + 10);
	hint("and: headwater known-hosts %s >> ~/.ssh/known_hosts; the "
	     "ssh-agent has a key that may write %s",
	     outer ? outer : f->host, f->repo);
}

static int run_bootstrap(struct cli *c)
{
	CLEANUP(flux_fini) struct flux f;
	CLEANUP(json_decrefp) json_t *words = NULL;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	CLEANUP(freep) char *url = NULL;
	CLEANUP(freep) char *text = NULL;
	json_t *word;
	size_t i;
	int result = flux_ask(&f, c);

	if (result)
		return result;
	if (f.is_pattern || f.is_http) {
		complain("flux bootstrap pushes to one repository, over SSH");
		return CLI_USAGE;
	}
	url = outer_url(&f, &f.targets[0]);
	words = bootstrap_words(&f, &f.targets[0], url);
	json_array_foreach(words, i, word)
	{
		add_word(&line, json_string_value(word));
	}
	if (c->is_json)
		text = json_dumps(words, JSON_COMPACT);
	puts(c->is_json && text ? text : buf_str(&line));
	if (!c->is_json)
		say_before(&f, url);
	return fflush(stdout) ? complain("standard output is gone") : CLI_DONE;
}

#define VALUE(name)                         \
	{                                   \
		name, "value", OPTION_LOCAL \
	}
#define SWITCH(name)                     \
	{                                \
		name, NULL, OPTION_LOCAL \
	}

static const struct cli_option options[] = {
	VALUE("--namespace"),
	VALUE("--name"),
	VALUE("--secret-ref"),
	VALUE("--url"),
	VALUE("--ssh-hostname"),
	VALUE("--branch"),
	VALUE("--tag"),
	VALUE("--tag-semver"),
	VALUE("--ref-name"),
	VALUE("--commit"),
	VALUE("--path"),
	VALUE("--interval"),
	VALUE("--source"),
	VALUE("--target-namespace"),
	VALUE("--service-account"),
	VALUE("--cluster-domain"),
	VALUE("--key"),
	VALUE("--identity"),
	VALUE("--hook"),
	VALUE("--type"),
	VALUE("--service"),
	SWITCH("--create-namespace"),
	SWITCH("--http"),
	SWITCH("--write"),
	SWITCH("--rotate"),
	SWITCH("--wait"),
	SWITCH("--recurse-submodules"),
};

#define COMMON "REPO [--namespace NS] [--name NAME] "
#define SECRET_OPTIONS                                                   \
	"[--create-namespace] [--secret-ref NAME] [--write] [--rotate] " \
	"[--identity FILE] [--key NAME] [--hook NAME] [--type TYPE] "    \
	"[--service HOST[:PORT]] [--http] [--url URL] "                  \
	"[--ssh-hostname HOST[:PORT]]"
#define SYNC_OPTIONS                                                          \
	"[--branch NAME] [--tag NAME] [--tag-semver RANGE] [--ref-name REF] " \
	"[--commit ID] [--path DIR] [--interval TIME] [--source NAME] "       \
	"[--target-namespace NS] [--service-account NAME] [--wait] "          \
	"[--recurse-submodules]"

static const struct cli_command commands[] = {
	{ "flux", "secrets", COMMON SECRET_OPTIONS,
	  "what to apply and never commit", options, ARRAY_SIZE(options), 1, 1,
	  run_secrets },
	{ "flux", "sync",
	  COMMON "[--secret-ref NAME] [--hook NAME] [--http] [--url URL] "
		 "[--ssh-hostname HOST[:PORT]] " SYNC_OPTIONS,
	  "what may be committed", options, ARRAY_SIZE(options), 1, 1,
	  run_sync },
	{ "flux", "bootstrap",
	  "REPO [--url URL] [--ssh-hostname HOST[:PORT]] [--branch NAME] "
	  "[--path DIR] [--namespace NS] [--cluster-domain DOMAIN] "
	  "[--interval TIME]",
	  "the flux bootstrap command", options, ARRAY_SIZE(options), 1, 1,
	  run_bootstrap },
	{ "flux", "all", COMMON SECRET_OPTIONS " " SYNC_OPTIONS,
	  "both, in the order that kubectl applies", options,
	  ARRAY_SIZE(options), 1, 1, run_all },
};

const struct command_table flux_commands = { commands, ARRAY_SIZE(commands) };
