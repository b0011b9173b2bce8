/* SPDX-License-Identifier: Apache-2.0 */
/* The hook that calls the Receiver, and the Secret both sign with. */
#include "admin/flux.h"

#include "base/cleanup.h"
#include "store/names.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

/* Does the hook speak for what was asked for? */
static bool is_about(const struct flux *f, const json_t *hook)
{
	const json_t *patterns = json_object_get(hook, "repo");
	const json_t *one;
	size_t i;

	json_array_foreach(patterns, i, one)
	{
		const char *pattern = json_string_value(one);

		if (!strcmp(pattern, f->repo) ||
		    (!f->is_pattern && pattern_matches(pattern, f->repo)))
			return true;
	}
	return false;
}

/* NAME where the hook's receiver is "NAMESPACE/NAME" of our namespace. */
static const char *receiver_of(const struct flux *f, const json_t *hook)
{
	const char *receiver = text_of(hook, "receiver");
	size_t n = strlen(f->namespace);

	if (!receiver || strncmp(receiver, f->namespace, n) != 0 ||
	    receiver[n] != '/')
		return NULL;
	return receiver + n + 1;
}

/* As Flux's Receivers call it; NULL where they have no such type. */
static const char *receiver_type(const char *type)
{
	return strcmp(type, "gitea") ? type : NULL;
}

static char *copy_or(const char *text, const char *fallback)
{
	char *out = strdup(text ? text : fallback);

	if (!out)
		out_of_memory();
	return out;
}

static int take_hook(struct flux *f, json_t *hook, const char *receiver)
{
	const char *type = text_of(hook, "type");

	f->hook_there = hook;
	f->hook = copy_or(text_of(hook, "name"), "");
	f->receiver = copy_or(receiver, "");
	if (!receiver_type(type ? type : "generic-hmac")) {
		complain("hook '%s' is of the type %s, which no Receiver takes",
			 f->hook, type);
		hint("headwater hook set %s type=generic-hmac", f->hook);
		return CLI_REFUSED;
	}
	f->hook_type = copy_or(type, "generic-hmac");
	return CLI_DONE;
}

static int invent_hook(struct flux *f, const char *given)
{
	const char *name = cli_local(f->c, "--name");

	f->hook = given ? copy_or(given, "")
			: flux_object_name(f, name ? name : FLUX_DEFAULT);
	if (f->is_pattern && !given && !name) {
		free(f->hook);
		f->hook = flux_object_name(f, NULL);
	}
	f->hook_type = copy_or(cli_local(f->c, "--type"), "generic-hmac");
	if (!receiver_type(f->hook_type)) {
		complain("no Receiver takes hooks of the type %s",
			 f->hook_type);
		return CLI_USAGE;
	}
	f->receiver =
		copy_or(name, f->is_pattern ? "{basename}" : FLUX_DEFAULT);
	return CLI_DONE;
}

static int find_hook(struct flux *f)
{
	const char *given = cli_local(f->c, "--hook");
	json_t *hook;
	size_t i;

	json_array_foreach(f->hooks, i, hook)
	{
		const char *receiver = receiver_of(f, hook);

		if (given && strcmp(given, text_of(hook, "name")) != 0)
			continue;
		if (receiver && is_about(f, hook))
			return take_hook(f, hook, receiver);
		if (!given)
			continue;
		complain("hook '%s' calls no Receiver of the namespace %s for "
			 "%s",
			 given, f->namespace, f->repo);
		return CLI_REFUSED;
	}
	return invent_hook(f, given);
}

int flux_find_hook(struct flux *f)
{
	CLEANUP(freep) char *base = NULL;
	int result = find_hook(f);

	if (result)
		return result;
	base = flux_kubernetes_name(f->hook);
	if (asprintf(&f->token_name, "%s-token", base) < 0)
		out_of_memory();
	return CLI_DONE;
}

static int make_hook(struct flux *f)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *path = api_path("hooks", f->hook, "");
	CLEANUP(json_decrefp) json_t *body = NULL;
	const char *service = cli_local(f->c, "--service");

	if (f->hook_there)
		return CLI_DONE;
	body = json_pack("{s:[s], s:o, s:s}", "repo", f->repo, "receiver",
			 json_sprintf("%s/%s", f->namespace, f->receiver),
			 "type", f->hook_type);
	if (service)
		json_object_set_new(body, "service", json_string(service));
	return api_call(f->c,
			&(struct api_request){
				.method = "PUT", .path = path, .body = body },
			&a);
}

/* The Secret's bytes are the hook's, to the last newline. */
static int add_secret(struct flux *f, const json_t *answer)
{
	const char *text = text_of(answer, "secret");
	const char *encoded = text_of(answer, "secret_base64");
	json_t *secret = flux_secret(f->token_name, f->namespace);

	json_object_set_new(
		json_object_get(secret, "metadata"), "labels",
		json_pack("{s:s}", "reconcile.fluxcd.io/watch", "Enabled"));
	if (text)
		json_object_set_new(secret, "stringData",
				    json_pack("{s:s}", "token", text));
	else
		json_object_set_new(secret, "data",
				    json_pack("{s:s?}", "token", encoded));
	flux_add(f, secret);
	return CLI_DONE;
}

int flux_token_secret(struct flux *f)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *path = api_path("hooks", f->hook, "/secret");
	int result = make_hook(f);

	if (!result)
		result = api_call(
			f->c,
			&(struct api_request){ .method = "GET", .path = path },
			&a);
	return result ? result : add_secret(f, a.json);
}
