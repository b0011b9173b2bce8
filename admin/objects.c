/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that repositories, keys, tokens and hooks have in common. */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <string.h>

/* "repos" without its "s": what people call one of them. */
static int singular_length(const char *kind)
{
	return (int)strlen(kind) - 1;
}

int put_object(struct cli *c, const char *kind,
	       void (*show)(struct cli *c, const struct api_answer *a))
{
	CLEANUP(json_decrefp) json_t *body = cli_body(c);
	CLEANUP(freep) char *path = NULL;
	bool replace = cli_local(c, "--replace");

	path = api_path(kind, c->names[0], replace ? "?replace=true" : "");
	return api_show(c,
			&(struct api_request){
				.method = "PUT", .path = path, .body = body },
			show);
}

int get_object(struct cli *c, const char *kind,
	       void (*show)(struct cli *c, const struct api_answer *a))
{
	CLEANUP(freep) char *path = api_path(kind, c->names[0], "");

	return api_show(c,
			&(struct api_request){ .method = "GET", .path = path },
			show);
}

int list_objects(struct cli *c, const char *kind,
		 void (*show)(struct cli *c, const struct api_answer *a))
{
	CLEANUP(freep) char *path = NULL;

	if (asprintf(&path, "/v1/%s", kind) < 0)
		out_of_memory();
	return api_show(c,
			&(struct api_request){ .method = "GET", .path = path },
			show);
}

int delete_object(struct cli *c, const char *kind)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep)
	char *path = api_path(kind, c->names[0], "?if-exists=true");
	int result;

	result = api_call(
		c, &(struct api_request){ .method = "DELETE", .path = path },
		&a);
	if (result || c->is_json)
		return result;
	/* The bare 204 says it is gone; a 200 that it never was there. */
	printf("%.*s '%s' %s\n", singular_length(kind), kind, c->names[0],
	       a.status == 204 ? "deleted" : "was not there");
	return CLI_DONE;
}

/* "protect-branch" is the field "protect_branch". */
static char *field_name(const char *key, size_t len)
{
	char *field = strndup(key, len);

	if (!field)
		out_of_memory();
	for (char *p = field; *p; p++)
		if (*p == '-')
			*p = '_';
	return field;
}

/* "KEY=" unsets, twice makes a list, a dot means git's own configuration. */
static int set_one(json_t *body, const char *word)
{
	const char *equals = strchr(word, '=');
	CLEANUP(freep) char *field = NULL;
	json_t *target = body, *value, *before;

	if (!equals || equals == word) {
		complain("'%s' is not KEY=VALUE", word);
		return CLI_USAGE;
	}
	if (memchr(word, '.', (size_t)(equals - word))) {
		field = strndup(word, (size_t)(equals - word));
		target = json_object_get(body, "git_config");
		if (!target) {
			target = json_object();
			json_object_set_new(body, "git_config", target);
		}
	} else {
		field = field_name(word, (size_t)(equals - word));
	}
	value = equals[1] ? json_string(equals + 1) : json_null();
	if (!field || !value)
		return complain("'%s' is not UTF-8", word);
	before = json_object_get(target, field);
	if (json_is_array(before)) {
		json_array_append_new(before, value);
	} else if (before && !json_is_null(before)) {
		json_object_set_new(target, field,
				    json_pack("[O, o]", before, value));
	} else {
		json_object_set_new(target, field, value);
	}
	return CLI_DONE;
}

int set_object(struct cli *c, const char *kind)
{
	CLEANUP(json_decrefp) json_t *body = json_object();
	CLEANUP(freep) char *path = api_path(kind, c->names[0], "");

	for (size_t i = 1; i < c->n_names; i++) {
		int result = set_one(body, c->names[i]);

		if (result)
			return result;
	}
	return api_show(c,
			&(struct api_request){
				.method = "PATCH", .path = path, .body = body },
			NULL);
}
