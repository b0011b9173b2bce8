/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of `headwater` share: how options are read, how answers are
 * shown. The exit codes are headwater(1)'s.
 */
#pragma once

#include "admin/api.h"
#include "base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct err;

enum { CLI_DONE = 0, CLI_REFUSED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

#define CLI_DEFAULT_SOCKET "/var/lib/headwater/run/admin.sock"
#define CLI_NAMES_MAX	   64

struct cli {
	const char *socket;
	const char *data; /* --data: without a daemon; NULL otherwise */
	bool is_json;
	/* set by options_parse() */
	json_t *fields;
	const char *names[CLI_NAMES_MAX];
	size_t n_names;
};

enum cli_option_kind {
	OPTION_SWITCH, /* the field is true */
	OPTION_TEXT,
	OPTION_LIST,  /* may be repeated */
	OPTION_FILE,  /* the field is the content of FILE, "-" standard input */
	OPTION_LOCAL, /* for the verb itself; not sent: see cli_local() */
};

struct cli_option {
	const char *name;  /* "--public-key" */
	const char *field; /* of the request */
	enum cli_option_kind kind;
};

struct cli_command {
	const char *group; /* "repo"; NULL: the verb stands alone */
	const char *verb;
	const char *usage;
	const char *help;
	const struct cli_option *options;
	size_t n_options;
	size_t min_names, max_names;
	int (*run)(struct cli *c);
};

/* Fill fields and names. CLI_DONE, or CLI_USAGE or CLI_REFUSED after saying
 * why. */
int options_parse(struct cli *c, const struct cli_command *command, int argc,
		  char **argv) MUST_CHECK;

/* A local option's value, NULL where it was not given; a local switch is "". */
const char *cli_local(const struct cli *c, const char *name);

/* What the options say to the server; the caller drops the reference. */
json_t *cli_body(const struct cli *c);

/* A column or line: a JSON field and what it is called. */
struct column {
	const char *title;
	const char *field; /* "ssh.address" looks inside objects */
};

/* An aligned table of the objects in `list`; a sentence where it is empty. */
void show_table(const json_t *list, const struct column *columns, size_t n,
		const char *empty);
/* "Title:  value" lines, in the order of `columns`; absent ones left out. */
void show_lines(const json_t *object, const struct column *columns, size_t n);
/* The text of a field, for people; "" where absent. Malloc'ed. */
char *show_text(const json_t *object, const char *field);

/* "headwater: MESSAGE" on standard error. Returns CLI_REFUSED. */
int complain(const char *format, ...) PRINTF_LIKE(1, 2);
void hint(const char *format, ...) PRINTF_LIKE(1, 2);

NORETURN void out_of_memory(void);

/* "VERB NAME": PUT with the options' fields (`?replace=true` with the local
 * option --replace), GET one, GET all, DELETE. */
int put_object(struct cli *c, const char *kind,
	       void (*show)(struct cli *c, const struct api_answer *a));
int get_object(struct cli *c, const char *kind,
	       void (*show)(struct cli *c, const struct api_answer *a));
int list_objects(struct cli *c, const char *kind,
		 void (*show)(struct cli *c, const struct api_answer *a));
int delete_object(struct cli *c, const char *kind);
/* "set NAME KEY=VALUE...": PATCH. */
int set_object(struct cli *c, const char *kind);

/* POST `path` and say what each hook answered; CLI_REFUSED where one has not
 * heard. */
int fire(struct cli *c, const char *path);

/* care.c: `repo maintain`, `repo check` */
int run_maintain(struct cli *c);
int run_check(struct cli *c);

/* -- verbs, by file ------------------------------------------------------- */

struct command_table {
	const struct cli_command *commands;
	size_t n;
};

extern const struct command_table repo_commands, key_commands, token_commands,
	hook_commands, server_commands, backup_commands, completion_commands,
	flux_commands, ping_commands;

/* main.c: all of them, in the order of the help. */
extern const struct command_table *const command_tables[];
extern const size_t n_command_tables;
