/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headwater completion bash|zsh: a script made from the tables of verbs, so
 * that it cannot know less or more than the program. zsh runs bash's.
 */
#include "admin/cli.h"

#include <string.h>

static const char head[] = "_headwater() {\n"
			   "    local cur=${COMP_WORDS[COMP_CWORD]} words= i\n"
			   "    local -a said=()\n"
			   "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
			   "        case ${COMP_WORDS[i]} in\n"
			   "        --socket | --data) ((i++)) ;;\n"
			   "        -*) ;;\n"
			   "        *) said+=(\"${COMP_WORDS[i]}\") ;;\n"
			   "        esac\n"
			   "    done\n"
			   "    case \"${said[0]} ${said[1]}\" in\n";

static const char tail[] =
	"    esac\n"
	"    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"}\n"
	"complete -o default -F _headwater headwater\n";

/* Each group once, each verb that stands alone. */
static void print_first(void)
{
	const char *group = "";

	fputs("    ' ') words='--socket --data --json --help", stdout);
	for (size_t t = 0; t < n_command_tables; t++) {
		for (size_t i = 0; i < command_tables[t]->n; i++) {
			const struct cli_command *c =
				&command_tables[t]->commands[i];

			if (c->group && !strcmp(c->group, group))
				continue;
			group = c->group ? c->group : "";
			printf(" %s", c->group ? c->group : c->verb);
		}
	}
	fputs("' ;;\n", stdout);
}

static void print_verbs(const struct command_table *t)
{
	const char *group = NULL;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->commands[i].group)
			continue;
		if (!group)
			printf("    '%s ') words='", t->commands[i].group);
		printf("%s%s", group ? " " : "", t->commands[i].verb);
		group = t->commands[i].group;
	}
	if (group)
		fputs("' ;;\n", stdout);
}

static void print_options(const struct cli_command *c)
{
	if (c->group)
		printf("    '%s %s') words='--help", c->group, c->verb);
	else
		printf("    '%s '*) words='--help", c->verb);
	for (size_t i = 0; i < c->n_options; i++)
		printf(" %s", c->options[i].name);
	fputs("' ;;\n", stdout);
}

static int run_completion(struct cli *c)
{
	bool is_zsh = !strcmp(c->names[0], "zsh");

	if (!is_zsh && strcmp(c->names[0], "bash") != 0) {
		complain("there is none for '%s'", c->names[0]);
		hint("bash and zsh are known");
		return CLI_USAGE;
	}
	if (is_zsh)
		fputs("autoload -U +X bashcompinit && bashcompinit\n", stdout);
	fputs(head, stdout);
	print_first();
	for (size_t t = 0; t < n_command_tables; t++) {
		print_verbs(command_tables[t]);
		for (size_t i = 0; i < command_tables[t]->n; i++)
			print_options(&command_tables[t]->commands[i]);
	}
	fputs(tail, stdout);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
	{ NULL, "completion", "bash|zsh", "a script for the shell", NULL, 0, 1,
	  1, run_completion },
};

const struct command_table completion_commands = { commands,
						   ARRAY_SIZE(commands) };
