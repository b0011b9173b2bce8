/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headwater, the admin program: a table of verbs, each one call of the admin
 * API. Everything it can do, `curl --unix-socket` can.
 */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

const struct command_table *const command_tables[] = {
	&server_commands, &ping_commands,   &repo_commands,
	&key_commands,	  &token_commands,  &hook_commands,
	&flux_commands,	  &backup_commands, &completion_commands,
};
const size_t n_command_tables = ARRAY_SIZE(command_tables);

static void print_usage(FILE *out)
{
	fputs("usage: headwater [--socket PATH | --data DIR] [--json] VERB "
	      "...\n\n",
	      out);
	for (size_t t = 0; t < n_command_tables; t++) {
		for (size_t i = 0; i < command_tables[t]->n; i++) {
			const struct cli_command *c =
				&command_tables[t]->commands[i];
			const char *group = c->group ? c->group : "";

			fprintf(out, "  %s%s%-*s  %s\n", group,
				*group ? " " : "",
				(int)(18 - strlen(group) - !!*group), c->verb,
				c->help);
		}
	}
	fputs("\n`headwater VERB --help` says more, headwater(1) all.\n"
	      "Exit codes: 0 done, 1 refused, 2 usage, 3 the server cannot be "
	      "reached.\n",
	      out);
}

static bool is_group(const char *word)
{
	for (size_t t = 0; t < n_command_tables; t++)
		for (size_t i = 0; i < command_tables[t]->n; i++)
			if (command_tables[t]->commands[i].group &&
			    !strcmp(command_tables[t]->commands[i].group, word))
				return true;
	return false;
}

/* The command that `words` begin with; how many of them named it. */
static const struct cli_command *find(int n, char **words, int *used_out)
{
	const char *group = n > 1 && is_group(words[0]) ? words[0] : NULL;
	const char *verb = group ? words[1] : words[0];

	*used_out = group ? 2 : 1;
	for (size_t t = 0; t < n_command_tables; t++) {
		for (size_t i = 0; i < command_tables[t]->n; i++) {
			const struct cli_command *c =
				&command_tables[t]->commands[i];

			if (!strcmp(c->verb, verb) &&
			    (group ? c->group && !strcmp(c->group, group)
				   : !c->group))
				return c;
		}
	}
	return NULL;
}

static int unknown(int n, char **words)
{
	complain("there is no verb '%s%s%s'", words[0],
		 n > 1 && is_group(words[0]) ? " " : "",
		 n > 1 && is_group(words[0]) ? words[1] : "");
	hint("headwater --help lists them");
	return CLI_USAGE;
}

/* An option with a value that stands anywhere: take both words out. */
static const char *take_valued(int *argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < *argc; i++) {
		const char *value = NULL;
		int n = 1;

		if (!strcmp(argv[i], "--"))
			return NULL;
		if (!strncmp(argv[i], name, len) && argv[i][len] == '=') {
			value = argv[i] + len + 1;
		} else if (!strcmp(argv[i], name) && i + 1 < *argc) {
			value = argv[i + 1];
			n = 2;
		}
		if (!value)
			continue;
		memmove(argv + i, argv + i + n,
			(size_t)(*argc - i - n) * sizeof *argv);
		*argc -= n;
		return value;
	}
	return NULL;
}

static bool take_switch(int *argc, char **argv, const char *name)
{
	for (int i = 0; i < *argc && strcmp(argv[i], "--"); i++) {
		if (strcmp(argv[i], name))
			continue;
		memmove(argv + i, argv + i + 1,
			(size_t)(*argc - i - 1) * sizeof *argv);
		*argc -= 1;
		return true;
	}
	return false;
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct cli_command *command;
	bool wants_help = take_switch(&argc, argv, "--help");
	int used, result;

	if (!argc) {
		print_usage(wants_help ? stdout : stderr);
		return wants_help ? CLI_DONE : CLI_USAGE;
	}
	command = find(argc, argv, &used);
	if (wants_help && command) {
		printf("usage: headwater %s%s%s %s\n%s\n",
		       command->group ? command->group : "",
		       command->group ? " " : "", command->verb, command->usage,
		       command->help);
		return CLI_DONE;
	}
	if (wants_help && is_group(argv[0])) {
		print_usage(stdout);
		return CLI_DONE;
	}
	if (!command)
		return unknown(argc, argv);
	result = options_parse(c, command, argc - used, argv + used);
	return result ? result : command->run(c);
}

int main(int argc, char **argv)
{
	struct cli c = { .socket = getenv("HEADWATER_SOCKET"),
			 .fields = json_object() };
	const char *socket;
	int result;

	argc--;
	argv++;
	if (argc && !strcmp(argv[0], "--version")) {
		puts("headwater " HEADWATER_VERSION);
		return CLI_DONE;
	}
	socket = take_valued(&argc, argv, "--socket");
	if (socket)
		c.socket = socket;
	else if (!c.socket || !*c.socket)
		c.socket = CLI_DEFAULT_SOCKET;
	c.data = take_valued(&argc, argv, "--data");
	c.is_json = take_switch(&argc, argv, "--json");
	result = run(&c, argc, argv);
	json_decref(c.fields);
	return result;
}
