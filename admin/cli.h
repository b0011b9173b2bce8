/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of `headwater` share: how the server is reached, how options
 * are read, how answers are shown. The exit codes are headwater(1)'s.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

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

struct api_request {
	const char *method;
	const char *path; /* "/v1/repos/team%2Fapp?replace=true" */
	json_t *body;	  /* borrowed; NULL: none */
	FILE *upload;	  /* sent as it is, instead of `body` */
	FILE *download;	  /* a good answer goes there instead of `answer` */
};

struct api_answer {
	int status;
	struct buf text;
	json_t *json; /* NULL where it is none */
};

void api_answer_fini(struct api_answer *a);

/* CLI_DONE for 2xx. Otherwise the error has been shown. */
int api_call(struct cli *c, const struct api_request *r,
	     struct api_answer *answer_out) MUST_CHECK;

/* Call, and show: the JSON unchanged with --json, else by `show` (NULL:
 * nothing). */
int api_show(struct cli *c, const struct api_request *r,
	     void (*show)(struct cli *c,
			  const struct api_answer *a)) MUST_CHECK;

/* "/v1/KIND/NAME" with `name` percent-encoded and `tail` behind it; malloc'ed.
 * Never NULL. */
char *api_path(const char *kind, const char *name, const char *tail);

/* The two ways; ERR_CLOSED and ERR_NOT_FOUND mean "cannot be reached". */
int client_call(const char *socket, const struct api_request *r,
		struct api_answer *answer_out, struct err *e) MUST_CHECK;
int local_call(const char *data, const struct api_request *r,
	       struct api_answer *answer_out, struct err *e) MUST_CHECK;

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

/* "VERB NAME" for all kinds: PUT with the options' fields (`?replace=true` with
 * the local option --replace), GET one, GET all, DELETE. */
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

/* -- verbs, by file ------------------------------------------------------- */

struct command_table {
	const struct cli_command *commands;
	size_t n;
};

extern const struct command_table repo_commands, key_commands, token_commands,
	hook_commands, server_commands;
