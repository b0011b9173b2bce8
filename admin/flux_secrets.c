/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the GitRepository logs in with.
 *
 * A private key is printed and kept nowhere, so what was printed may have been
 * lost: as long as a key has never logged in it may be asked for again. The
 * one that was printed before stays valid as the previous key until the new
 * one comes, so that a second look breaks nothing.
 */
#include "admin/flux.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/keygen.h"
#include "store/names.h"

#include <ctype.h>
#include <string.h>

#define PRIVATE_KEY_MAX ((size_t)64 << 10)

struct pair {
	struct buf private;
	struct buf public;
};

static void pair_fini(struct pair *p)
{
	buf_fini(&p->private);
	buf_fini(&p->public);
}

static const char *text_of(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

/* The object called `name` of the list at `path`, a new reference; NULL where
 * there is none. */
static int find(struct flux *f, const char *kind, const char *name,
		json_t **out)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *path = NULL;
	json_t *one;
	int result;
	size_t i;

	*out = NULL;
	if (asprintf(&path, "/v1/%s", kind) < 0)
		out_of_memory();
	result = api_call(
		f->c, &(struct api_request){ .method = "GET", .path = path },
		&a);
	json_array_foreach(json_object_get(a.json, kind), i, one)
	{
		if (!result && !strcmp(text_of(one, "name"), name))
			*out = json_incref(one);
	}
	return result;
}

/* -- known_hosts ---------------------------------------------------------- */

static int add_lines(struct flux *f, const char *path, struct buf *out)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	json_t *line;
	size_t i;
	int result;

	result = api_call(
		f->c, &(struct api_request){ .method = "GET", .path = path },
		&a);
	json_array_foreach(json_object_get(a.json, "lines"), i, line)
	{
		if (!result)
			buf_addf(out, "%s\n", json_string_value(line));
	}
	return result;
}

/* "host" or "[host]:port", as known_hosts writes `host`. */
static void add_pattern(struct buf *out, const char *host)
{
	const char *colon = strrchr(host, ':');

	if (!colon || !strcmp(colon, ":22"))
		buf_addf(out, "%.*s",
			 colon ? (int)(colon - host) : (int)strlen(host), host);
	else if (host[0] == '[')
		buf_adds(out, host);
	else
		buf_addf(out, "[%.*s]:%s", (int)(colon - host), host,
			 colon + 1);
}

static bool has_pattern(const char *lines, const char *pattern)
{
	size_t n = strlen(pattern);

	for (const char *at = lines; (at = strstr(at, pattern)); at += n)
		if ((at == lines || strchr(",\n", at[-1])) &&
		    strchr(", ", at[n]))
			return true;
	return false;
}

static int add_host(struct flux *f, const char *host, struct buf *out)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	CLEANUP(buf_fini) struct buf pattern = BUF_INIT;

	add_pattern(&pattern, host);
	if (has_pattern(buf_str(out), buf_str(&pattern)))
		return CLI_DONE;
	buf_adds(&path, "/v1/known-hosts?host0=");
	for (; *host; host++)
		buf_addf(&path, isalnum((unsigned char)*host) ? "%c" : "%%%02X",
			 (unsigned char)*host);
	return add_lines(f, buf_str(&path), out);
}

/* Under every name there is, and under that of each URL. */
static int known_hosts(struct flux *f, struct buf *out)
{
	int result = CLI_DONE;

	if (json_array_size(json_object_get(f->status, "names")))
		result = add_lines(f, "/v1/known-hosts", out);
	if (!result && *f->host)
		result = add_host(f, f->host, out);
	for (size_t i = 0; !result && i < f->n_targets; i++) {
		CLEANUP(freep) char *host = flux_ssh_host(f->targets[i].url);

		if (host)
			result = add_host(f, host, out);
	}
	return result;
}

/* -- SSH ------------------------------------------------------------------ */

/* Type and base64; comments do not tell keys apart. */
static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, " ");

	n += a[n] ? 1 + strcspn(a + n + 1, " ") : 0;
	return !strncmp(a, b, n) && (!b[n] || b[n] == ' ');
}

static int make_pair(const struct flux *f, const char *name, struct pair *p)
{
	const char *file = cli_local(f->c, "--identity");
	struct err e;

	if (!file && keygen_ed25519(name, &p->private, &p->public, &e) < 0)
		return complain("%s", e.message);
	if (file &&
	    (file_read(strcmp(file, "-") ? file : "/dev/stdin", PRIVATE_KEY_MAX,
		       &p->private, &e) < 0 ||
	     keygen_public_of(buf_span(&p->private), &p->public, &e) < 0))
		return complain("%s: %s", file, e.message);
	return CLI_DONE;
}

/* May the key that is there do what is asked? */
static bool reaches(const struct flux *f, const json_t *key)
{
	static const char *const fields[] = { "write", "read" };
	size_t n = cli_local(f->c, "--write") ? 1 : 2;

	for (size_t k = 0; k < n; k++) {
		const json_t *one;
		size_t i;

		json_array_foreach(json_object_get(key, fields[k]), i, one)
		{
			const char *pattern = json_string_value(one);

			if (!strcmp(pattern, f->repo) ||
			    (!f->is_pattern &&
			     pattern_matches(pattern, f->repo)))
				return true;
		}
	}
	return false;
}

/* The line that the new key replaces: the last one that was used. */
static const char *replaced(const json_t *key)
{
	if (!text_of(key, "last_login") && text_of(key, "previous_last_login"))
		return text_of(key, "previous_key");
	return text_of(key, "public_key");
}

static int put_key(struct flux *f, const char *name, const json_t *there,
		   const struct pair *p)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(json_decrefp)
	json_t *body = json_pack("{s:s}", "public_key", buf_str(&p->public));
	CLEANUP(freep)
	char *path = api_path("keys", name, there ? "?replace=true" : "");
	const char *rights = cli_local(f->c, "--write") ? "write" : "read";

	if (!there)
		json_object_set_new(body, rights, json_pack("[s]", f->repo));
	else if (!same_key(replaced(there), buf_str(&p->public)))
		json_object_set_new(body, "previous_key",
				    json_string(replaced(there)));
	return api_call(f->c,
			&(struct api_request){
				.method = "PUT", .path = path, .body = body },
			&a);
}

static int add_ssh_secret(struct flux *f, const struct pair *p)
{
	CLEANUP(buf_fini) struct buf hosts = BUF_INIT;
	json_t *secret;
	int result = known_hosts(f, &hosts);

	if (result)
		return result;
	secret = flux_secret(f->secret_ref, f->namespace);
	json_object_set_new(secret, "stringData",
			    json_pack("{s:s, s:s, s:s}", "identity",
				      buf_str(&p->private), "identity.pub",
				      buf_str(&p->public), "known_hosts",
				      buf_str(&hosts)));
	flux_add(f, secret);
	return CLI_DONE;
}

/* True where the Secret must be left as it is; says why instead of it. */
static bool is_settled(struct flux *f, const char *name, const json_t *key,
		       const struct pair *given)
{
	const char *public = text_of(key, "public_key");

	if (given && public && same_key(public, buf_str(&given->public)))
		return false;
	if (json_is_true(json_object_get(key, "declared"))) {
		flux_comment(f,
			     "Secret %s/%s: key '%s' is declared in %s; its "
			     "private half is not ours to make.",
			     f->namespace, f->secret_ref, name,
			     text_of(key, "declared_in"));
		return true;
	}
	if (!text_of(key, "last_login") || cli_local(f->c, "--rotate"))
		return false;
	flux_comment(f,
		     "Secret %s/%s: key '%s' is in use (last login %s), and "
		     "private keys are not kept.\n--rotate makes a new one; "
		     "the old one ends when the new one first logs in.",
		     f->namespace, f->secret_ref, name,
		     text_of(key, "last_login"));
	return true;
}

static int ssh_secret(struct flux *f, const char *name)
{
	CLEANUP(pair_fini) struct pair p = { BUF_INIT, BUF_INIT };
	CLEANUP(json_decrefp) json_t *there = NULL;
	bool is_given = cli_local(f->c, "--identity");
	int result = find(f, "keys", name, &there);

	if (result)
		return result;
	if (there && !reaches(f, there)) {
		complain("key '%s' may not %s %s", name,
			 cli_local(f->c, "--write") ? "write" : "read",
			 f->repo);
		hint("name another with --key, or see `headwater key show %s`",
		     name);
		return CLI_REFUSED;
	}
	if (is_given && (result = make_pair(f, name, &p)))
		return result;
	if (there && is_settled(f, name, there, is_given ? &p : NULL))
		return CLI_DONE;
	if (!is_given && (result = make_pair(f, name, &p)))
		return result;
	if (!there || !text_of(there, "public_key") ||
	    !same_key(text_of(there, "public_key"), buf_str(&p.public)))
		result = put_key(f, name, there, &p);
	return result ? result : add_ssh_secret(f, &p);
}

/* -- HTTP ----------------------------------------------------------------- */

static int http_secret(struct flux *f, const char *name)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(json_decrefp)
	json_t *body = json_pack("{s:[s]}", "read", f->repo);
	bool is_new = cli_local(f->c, "--rotate");
	CLEANUP(freep)
	char *path = api_path("tokens", name, is_new ? "?replace=true" : "");
	json_t *secret;
	int result;

	result = api_call(f->c,
			  &(struct api_request){
				  .method = "PUT", .path = path, .body = body },
			  &a);
	if (result)
		return result;
	if (!text_of(a.json, "token")) {
		flux_comment(f,
			     "Secret %s/%s: token '%s' was shown when it was "
			     "made. --rotate makes a new one, which ends the "
			     "old one at once.",
			     f->namespace, f->secret_ref, name);
		return CLI_DONE;
	}
	secret = flux_secret(f->secret_ref, f->namespace);
	json_object_set_new(secret, "stringData",
			    json_pack("{s:s, s:s}", "username", "git",
				      "password", text_of(a.json, "token")));
	flux_add(f, secret);
	return CLI_DONE;
}

int flux_git_secret(struct flux *f)
{
	const char *given = cli_local(f->c, "--key");
	CLEANUP(freep) char *name = NULL;

	if (!f->secret_ref || cli_local(f->c, "--source"))
		return CLI_DONE;
	name = given ? strdup(given)
		     : flux_object_name(f,
					f->is_pattern ? NULL : f->secret_ref);
	if (!name)
		out_of_memory();
	return f->is_http ? http_secret(f, name) : ssh_secret(f, name);
}
