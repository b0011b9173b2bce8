/* SPDX-License-Identifier: Apache-2.0 */
/* A command line becomes the fields of a request, by the command's table. */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>

/* Keys, secrets and certificates: anything larger is a mistake. */
#define FILE_OPTION_MAX ((size_t)1 << 20)
#define LOCAL_PREFIX	"\001" /* in front of fields that are not sent */

static int usage(const struct cli_command *command, const char *why,
		 const char *what)
{
	fprintf(stderr, "headwater: %s%s\nusage: headwater %s%s%s %s\n", why,
		what, command->group ? command->group : "",
		command->group ? " " : "", command->verb, command->usage);
	return CLI_USAGE;
}

static int read_all(FILE *in, struct buf *out)
{
	char piece[4096];
	size_t n;

	while ((n = fread(piece, 1, sizeof piece, in)))
		buf_add(out, piece, n);
	return ferror(in) || out->failed ? -1 : 0;
}

static int read_file(const char *path, struct buf *out)
{
	CLEANUP(fclosep) FILE *file = NULL;
	bool is_stdin = !strcmp(path, "-");

	if (!is_stdin) {
		file = fopen(path, "re");
		if (!file)
			return complain("%s: %s", path, strerror(errno));
	}
	if (read_all(is_stdin ? stdin : file, out) < 0)
		return complain("%s: it cannot be read, or is larger than "
				"%zu bytes",
				path, FILE_OPTION_MAX);
	return CLI_DONE;
}

/* Text goes as it is; other bytes in base64, under FIELD_base64. */
static int set_file(struct cli *c, const char *field, const char *path)
{
	CLEANUP(buf_fini) struct buf content;
	CLEANUP(freep) char *encoded = NULL;
	CLEANUP(freep) char *name = NULL;
	json_t *text;
	int result;

	buf_init_max(&content, FILE_OPTION_MAX);
	result = read_file(path, &content);
	if (result)
		return result;
	text = json_stringn(buf_str(&content), content.len);
	if (text && memchr(buf_str(&content), '\0', content.len)) {
		json_decref(text);
		text = NULL;
	}
	if (text) {
		json_object_set_new(c->fields, field, text);
		return CLI_DONE;
	}
	encoded = base64_encode(content.data, content.len);
	if (!encoded || asprintf(&name, "%s_base64", field) < 0)
		out_of_memory();
	json_object_set_new(c->fields, name, json_string(encoded));
	return CLI_DONE;
}

static int set_text(struct cli *c, const char *field, const char *value)
{
	if (json_object_set_new(c->fields, field, json_string(value)) < 0)
		return complain("the value of %s is not UTF-8", field);
	return CLI_DONE;
}

static int add_to_list(struct cli *c, const char *field, const char *value)
{
	json_t *list = json_object_get(c->fields, field);
	json_t *one = json_string(value);

	if (!one)
		return complain("the value of %s is not UTF-8", field);
	if (!list) {
		list = json_array();
		json_object_set_new(c->fields, field, list);
	}
	json_array_append_new(list, one);
	return CLI_DONE;
}

static int set_local(struct cli *c, const char *name, const char *value)
{
	CLEANUP(freep) char *field = NULL;

	if (asprintf(&field, LOCAL_PREFIX "%s", name) < 0)
		out_of_memory();
	return set_text(c, field, value);
}

static const struct cli_option *option_find(const struct cli_command *command,
					    const char *name, size_t len)
{
	for (size_t i = 0; i < command->n_options; i++)
		if (strlen(command->options[i].name) == len &&
		    !strncmp(command->options[i].name, name, len))
			return &command->options[i];
	return NULL;
}

/* A local option without a field is a switch. */
static bool takes_value(const struct cli_option *o)
{
	return o->kind != OPTION_SWITCH &&
	       (o->kind != OPTION_LOCAL || o->field);
}

static int apply(struct cli *c, const struct cli_option *o, const char *value)
{
	switch (o->kind) {
	case OPTION_SWITCH:
		json_object_set_new(c->fields, o->field, json_true());
		return CLI_DONE;
	case OPTION_TEXT:
		return set_text(c, o->field, value);
	case OPTION_LIST:
		return add_to_list(c, o->field, value);
	case OPTION_FILE:
		return set_file(c, o->field, value);
	case OPTION_LOCAL:
		return set_local(c, o->name, value ? value : "");
	}
	return CLI_USAGE;
}

/* One option at argv[*i], "--name value" or "--name=value". */
static int take_option(struct cli *c, const struct cli_command *command,
		       int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *o = option_find(command, word, len);
	const char *value = equals ? equals + 1 : NULL;

	if (!o)
		return usage(command, "there is no option ", word);
	if (!takes_value(o)) {
		if (equals)
			return usage(command, "no value belongs to ", o->name);
		return apply(c, o, NULL);
	}
	if (!value && *i + 1 < argc)
		value = argv[++*i];
	if (!value)
		return usage(command, "a value is missing after ", word);
	return apply(c, o, value);
}

int options_parse(struct cli *c, const struct cli_command *command, int argc,
		  char **argv)
{
	bool only_names = false;

	for (int i = 0; i < argc; i++) {
		int result;

		if (!only_names && !strcmp(argv[i], "--")) {
			only_names = true;
			continue;
		}
		if (only_names || strncmp(argv[i], "--", 2)) {
			if (c->n_names >= command->max_names ||
			    c->n_names >= CLI_NAMES_MAX)
				return usage(command, "what is ", argv[i]);
			if (!*argv[i])
				return usage(command, "a name is empty", "");
			c->names[c->n_names++] = argv[i];
			continue;
		}
		result = take_option(c, command, argc, argv, &i);
		if (result)
			return result;
	}
	if (c->n_names < command->min_names)
		return usage(command, "a name is missing", "");
	return CLI_DONE;
}

const char *cli_local(const struct cli *c, const char *name)
{
	CLEANUP(freep) char *field = NULL;

	if (asprintf(&field, LOCAL_PREFIX "%s", name) < 0)
		out_of_memory();
	return json_string_value(json_object_get(c->fields, field));
}

json_t *cli_body(const struct cli *c)
{
	json_t *body = json_object();
	const char *key;
	json_t *value;

	if (!body)
		out_of_memory();
	json_object_foreach(c->fields, key, value)
	{
		if (*key != *LOCAL_PREFIX)
			json_object_set(body, key, value);
	}
	return body;
}
