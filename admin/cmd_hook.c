/* SPDX-License-Identifier: Apache-2.0 */
/* headwater hook ... */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"

#include <string.h>

static const struct column list_columns[] = {
	{ "NAME", "name" },
	{ "REPO", "repo" },
	{ "TYPE", "type" },
	{ "TARGET", "target" },
	{ "STATE", "delivery.state" },
	{ "LAST ANSWER", "delivery.last_answer" },
};

static const struct column show_columns[] = {
	{ "Name", "name" },
	{ "Repositories", "repo" },
	{ "Type", "type" },
	{ "URL", "url" },
	{ "Receiver", "receiver" },
	{ "Service", "service" },
	{ "Target", "target" },
	{ "Signed", "has_secret" },
	{ "Branches", "branch" },
	{ "Tags", "tag" },
	{ "State", "delivery.state" },
	{ "Last tried", "delivery.last_time" },
	{ "Last answer", "delivery.last_answer" },
	{ "Attempts", "delivery.attempts" },
	{ "Next attempt", "delivery.next_attempt" },
	{ "Declared in", "declared_in" },
	{ "Problem", "problem" },
};

static const struct column log_columns[] = {
	{ "TIME", "time" },	  { "ID", "id" },
	{ "KIND", "event.kind" }, { "REPO", "event.repo" },
	{ "REF", "event.ref" },	  { "AFTER", "event.after" },
	{ "TRY", "attempt" },	  { "ANSWER", "answer" },
};

static void show_list(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "hooks"), list_columns,
		   ARRAY_SIZE(list_columns),
		   "There is no hook yet: headwater hook create NAME "
		   "--repo PATTERN --receiver NAMESPACE/NAME");
}

static void show_hook(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_lines(a->json, show_columns, ARRAY_SIZE(show_columns));
}

static void show_made(struct cli *c, const struct api_answer *a)
{
	CLEANUP(freep) char *target = show_text(a->json, "target");

	printf("hook '%s' %s: %s\n", c->names[0],
	       a->status == 201 ? "created" : "is there already", target);
}

/* Flux signs with the Secret's exact bytes, so a newline at the end counts;
 * it is hardly ever meant. */
static void warn_of_newline(const struct cli *c)
{
	const json_t *secret = json_object_get(c->fields, "secret");
	size_t n = json_string_length(secret);

	if (n && json_string_value(secret)[n - 1] == '\n')
		fputs("headwater: warning: the secret ends in a newline, which "
		      "is part of it (printf writes files without one)\n",
		      stderr);
}

static int run_create(struct cli *c)
{
	const json_t *secret = json_object_get(c->fields, "secret");

	if (secret && !json_string_length(secret))
		return complain("the secret is empty: anybody could sign "
				"with it");
	warn_of_newline(c);
	return put_object(c, "hooks", show_made);
}

static int run_list(struct cli *c)
{
	return list_objects(c, "hooks", show_list);
}

static int run_show(struct cli *c)
{
	return get_object(c, "hooks", show_hook);
}

static int run_set(struct cli *c)
{
	return set_object(c, "hooks");
}

static int run_delete(struct cli *c)
{
	return delete_object(c, "hooks");
}

static void show_log(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "deliveries"), log_columns,
		   ARRAY_SIZE(log_columns), "It has not been called yet.");
}

static int run_log(struct cli *c)
{
	CLEANUP(freep)
	char *path = api_path("hooks", c->names[0], "/deliveries");

	return api_show(c,
			&(struct api_request){ .method = "GET", .path = path },
			show_log);
}

/* What each hook answered; 1 where one has not heard. */
int fire(struct cli *c, const char *path)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	json_t *one;
	size_t i;
	int result;

	result = api_call(
		c, &(struct api_request){ .method = "POST", .path = path }, &a);
	if (result)
		return result;
	if (c->is_json)
		puts(buf_str(&a.text));
	json_array_foreach(json_object_get(a.json, "answers"), i, one)
	{
		CLEANUP(freep) char *hook = show_text(one, "hook");
		CLEANUP(freep) char *target = show_text(one, "target");
		CLEANUP(freep) char *answer = show_text(one, "answer");

		if (!c->is_json)
			printf("%s: %s %s\n", hook, target, answer);
		if (!json_is_true(json_object_get(one, "heard")))
			result = CLI_REFUSED;
	}
	return result;
}

static int run_test(struct cli *c)
{
	CLEANUP(freep) char *path = api_path("hooks", c->names[0], "/test");

	return fire(c, path);
}

static int run_redeliver(struct cli *c)
{
	CLEANUP(freep) char *tail = NULL;
	CLEANUP(freep) char *path = NULL;

	if (asprintf(&tail, "/deliveries/%s/redeliver",
		     c->n_names > 1 ? c->names[1] : "newest") < 0)
		out_of_memory();
	path = api_path("hooks", c->names[0], tail);
	return fire(c, path);
}

/* The exact bytes, and nothing behind them. */
static int hand_over(const char *file, const void *secret, size_t n)
{
	struct err e;

	if (file && strcmp(file, "-"))
		return file_replace(file, secret, n, 0600, &e) < 0
			       ? complain("%s", e.message)
			       : CLI_DONE;
	fwrite(secret, 1, n, stdout);
	return fflush(stdout) ? complain("standard output is gone") : CLI_DONE;
}

static int run_secret(struct cli *c)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *path = api_path("hooks", c->names[0], "/secret");
	CLEANUP(freep) void *secret = NULL;
	const char *encoded;
	int result;
	size_t n;

	result = api_call(
		c, &(struct api_request){ .method = "GET", .path = path }, &a);
	if (result)
		return result;
	if (c->is_json) {
		fputs(buf_str(&a.text), stdout);
		return CLI_DONE;
	}
	encoded = json_string_value(json_object_get(a.json, "secret_base64"));
	secret = encoded ? base64_decode(encoded, strlen(encoded), &n) : NULL;
	if (!secret)
		return complain("the server's answer holds no secret");
	return hand_over(cli_local(c, "--out"), secret, n);
}

static const struct cli_option secret_options[] = {
	{ "--out", "file", OPTION_LOCAL },
};

static const struct cli_option create_options[] = {
	{ "--repo", "repo", OPTION_LIST },
	{ "--url", "url", OPTION_TEXT },
	{ "--receiver", "receiver", OPTION_TEXT },
	{ "--service", "service", OPTION_TEXT },
	{ "--type", "type", OPTION_TEXT },
	{ "--secret-file", "secret", OPTION_FILE },
	{ "--no-secret", "no_secret", OPTION_SWITCH },
	{ "--bearer-file", "bearer", OPTION_FILE },
	{ "--ca-file", "ca", OPTION_FILE },
	{ "--branch", "branch", OPTION_LIST },
	{ "--tag", "tag", OPTION_LIST },
	{ "--replace", NULL, OPTION_LOCAL },
};

static const struct cli_command commands[] = {
	{ "hook", "create",
	  "NAME --repo PATTERN (--url URL | --receiver NAMESPACE/NAME "
	  "[--service HOST[:PORT]]) "
	  "[--type generic-hmac|generic|github|gitea|gitlab] "
	  "[--secret-file FILE | --no-secret] [--bearer-file FILE] "
	  "[--ca-file FILE] [--branch PATTERN]... [--tag PATTERN]... "
	  "[--replace]",
	  "call somebody after pushes", create_options,
	  ARRAY_SIZE(create_options), 1, 1, run_create },
	{ "hook", "list", "", "all hooks", NULL, 0, 0, 0, run_list },
	{ "hook", "show", "NAME", "one hook", NULL, 0, 1, 1, run_show },
	{ "hook", "set", "NAME KEY=VALUE...", "change it", NULL, 0, 2,
	  CLI_NAMES_MAX, run_set },
	{ "hook", "delete", "NAME", "call it no longer", NULL, 0, 1, 1,
	  run_delete },
	{ "hook", "secret", "NAME [--out FILE]",
	  "what it signs with, for its receiver", secret_options,
	  ARRAY_SIZE(secret_options), 1, 1, run_secret },
	{ "hook", "test", "NAME", "call it now and say what it answered", NULL,
	  0, 1, 1, run_test },
	{ "hook", "log", "NAME", "its last calls", NULL, 0, 1, 1, run_log },
	{ "hook", "redeliver", "NAME [ID]", "repeat a call of its log", NULL, 0,
	  1, 2, run_redeliver },
};

const struct command_table hook_commands = { commands, ARRAY_SIZE(commands) };
