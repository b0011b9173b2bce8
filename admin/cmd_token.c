/* SPDX-License-Identifier: Apache-2.0 */
/* headwater token ... */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <string.h>

static const struct column list_columns[] = {
	{ "NAME", "name" },
	{ "READ", "read" },
	{ "DECLARED", "declared" },
};

static void show_list(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "tokens"), list_columns,
		   ARRAY_SIZE(list_columns),
		   "There is no token yet: headwater token create NAME "
		   "--read PATTERN");
}

/* Into the file, or on standard output, and nowhere else. */
static int hand_over(struct cli *c, const char *token)
{
	const char *file = cli_local(c, "--out");
	struct err e;

	if (!file || !strcmp(file, "-")) {
		puts(token);
		return CLI_DONE;
	}
	if (file_replace(file, token, strlen(token), 0600, &e) < 0)
		return complain("%s", e.message);
	printf("token '%s' created: %s\n", c->names[0], file);
	return CLI_DONE;
}

static int run_create(struct cli *c)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(json_decrefp) json_t *body = cli_body(c);
	CLEANUP(freep) char *path = NULL;
	const char *token;
	int result;

	path = api_path("tokens", c->names[0],
			cli_local(c, "--replace") ? "?replace=true" : "");
	result = api_call(c,
			  &(struct api_request){
				  .method = "PUT", .path = path, .body = body },
			  &a);
	if (result)
		return result;
	if (c->is_json) {
		puts(buf_str(&a.text));
		return CLI_DONE;
	}
	token = json_string_value(json_object_get(a.json, "token"));
	if (token)
		return hand_over(c, token);
	fprintf(stderr,
		"token '%s' is there already; it was shown when it was made "
		"(--replace makes a new one)\n",
		c->names[0]);
	return CLI_DONE;
}

static int run_list(struct cli *c)
{
	return list_objects(c, "tokens", show_list);
}

static int run_delete(struct cli *c)
{
	return delete_object(c, "tokens");
}

static const struct cli_option create_options[] = {
	{ "--read", "read", OPTION_LIST },
	{ "--out", "file", OPTION_LOCAL },
	{ "--replace", NULL, OPTION_LOCAL },
};

static const struct cli_command commands[] = {
	{ "token", "create",
	  "NAME [--read PATTERN]... [--out FILE] [--replace]",
	  "make a token for reading over HTTP", create_options,
	  ARRAY_SIZE(create_options), 1, 1, run_create },
	{ "token", "list", "", "all tokens", NULL, 0, 0, 0, run_list },
	{ "token", "delete", "NAME", "let it in no longer", NULL, 0, 1, 1,
	  run_delete },
};

const struct command_table token_commands = { commands, ARRAY_SIZE(commands) };
