/* SPDX-License-Identifier: Apache-2.0 */
/* headwater repo ... */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

static const struct column list_columns[] = {
	{ "NAME", "name" },	    { "PUBLIC", "public" },
	{ "HEAD", "head" },	    { "REFS", "refs" },
	{ "DECLARED", "declared" }, { "DESCRIPTION", "description" },
};

static const struct column show_columns[] = {
	{ "Name", "name" },
	{ "Description", "description" },
	{ "Public", "public" },
	{ "Branch", "branch" },
	{ "HEAD", "head" },
	{ "Refs", "refs" },
	{ "Bytes", "bytes" },
	{ "Quota", "quota" },
	{ "Protected branches", "protect_branch" },
	{ "Protected paths", "protect_path" },
	{ "Hooks", "hooks" },
	{ "SSH", "ssh_urls" },
	{ "HTTP", "http_urls" },
	{ "Declared in", "declared_in" },
	{ "Problem", "problem" },
};

static void show_list(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "repos"), list_columns,
		   ARRAY_SIZE(list_columns),
		   "There is no repository yet: headwater repo create NAME");
}

static void show_repo(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_lines(a->json, show_columns, ARRAY_SIZE(show_columns));
}

static void show_made(struct cli *c, const struct api_answer *a)
{
	CLEANUP(freep) char *url = show_text(a->json, "ssh_urls");

	printf("repository '%s' %s\n", c->names[0],
	       a->status == 201 ? "created" : "is there already");
	if (*url)
		printf("push to %s\n", url);
}

static int seed(struct cli *c, const char *file)
{
	CLEANUP(freep) char *path = api_path("repos", c->names[0], "/seed");
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *note = NULL;
	int result = transfer_put(c, path, file, &a);

	if (result || c->is_json)
		return result;
	note = show_text(a.json, "note");
	if (*note)
		puts(note);
	return CLI_DONE;
}

static int run_create(struct cli *c)
{
	const char *file = cli_local(c, "--seed");
	int result = put_object(c, "repos", show_made);

	return result || !file ? result : seed(c, file);
}

static int run_list(struct cli *c)
{
	return list_objects(c, "repos", show_list);
}

static int run_show(struct cli *c)
{
	return get_object(c, "repos", show_repo);
}

static int run_set(struct cli *c)
{
	return set_object(c, "repos");
}

static int run_delete(struct cli *c)
{
	if (!cli_local(c, "--yes")) {
		complain("'%s' and all its history would be gone for ever",
			 c->names[0]);
		hint("say it with --yes");
		return CLI_USAGE;
	}
	return delete_object(c, "repos");
}

static int run_export(struct cli *c)
{
	CLEANUP(freep) char *path = api_path("repos", c->names[0], "/bundle");

	return transfer_get(c, path, c->names[1]);
}

static const struct cli_option create_options[] = {
	{ "--public", "public", OPTION_SWITCH },
	{ "--branch", "branch", OPTION_TEXT },
	{ "--description", "description", OPTION_TEXT },
	{ "--quota", "quota", OPTION_TEXT },
	{ "--protect-branch", "protect_branch", OPTION_LIST },
	{ "--protect-path", "protect_path", OPTION_LIST },
	{ "--seed", "file", OPTION_LOCAL },
	{ "--replace", NULL, OPTION_LOCAL },
};

static const struct cli_option delete_options[] = {
	{ "--yes", NULL, OPTION_LOCAL },
};

static const struct cli_command commands[] = {
	{ "repo", "create",
	  "NAME [--public] [--branch main] [--description TEXT] "
	  "[--seed FILE] [--quota SIZE] [--protect-branch PATTERN]... "
	  "[--protect-path PATTERN]... [--replace]",
	  "make a repository", create_options, ARRAY_SIZE(create_options), 1, 1,
	  run_create },
	{ "repo", "list", "", "all repositories", NULL, 0, 0, 0, run_list },
	{ "repo", "show", "NAME", "one repository", NULL, 0, 1, 1, run_show },
	{ "repo", "set", "NAME KEY=VALUE...", "change its settings", NULL, 0, 2,
	  CLI_NAMES_MAX, run_set },
	{ "repo", "delete", "NAME --yes", "delete it with its history",
	  delete_options, ARRAY_SIZE(delete_options), 1, 1, run_delete },
	{ "repo", "maintain", "[NAME]...",
	  "pack it, remove what is unreachable for long", NULL, 0, 0,
	  CLI_NAMES_MAX, run_maintain },
	{ "repo", "check", "[NAME]...", "look at every object and ref", NULL, 0,
	  0, CLI_NAMES_MAX, run_check },
	{ "repo", "export", "NAME FILE", "write it to FILE as a git bundle",
	  NULL, 0, 2, 2, run_export },
};

const struct command_table repo_commands = { commands, ARRAY_SIZE(commands) };
