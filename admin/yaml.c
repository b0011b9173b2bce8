/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cautious subset: a text stands bare only where no reader could take it
 * for anything else, several lines are a literal block where that gives every
 * byte back, all other texts are quoted.
 */
#include "admin/yaml.h"

#include "base/attr.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define INDENT 2

static void add_node(struct buf *out, json_t *value, int depth);

/* Texts that some reader of YAML takes for a boolean, null or a number. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = {
		"true", "false", "yes",	 "no",	"on",  "off",
		"y",	"n",	 "null", "nan", "inf", "e",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

/* "1m0s": a number with its unit, which no number ends in. */
static bool is_duration(const char *text)
{
	if (!isdigit((unsigned char)*text))
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789");
		size_t units = strspn(text + n, "hms");

		if (!n || !units)
			return false;
		text += n + units;
	}
	return true;
}

static bool is_plain(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_./:@-";
	size_t n = strlen(text);

	if (is_duration(text))
		return true;
	return n &&
	       (isalpha((unsigned char)*text) || !strncmp(text, "./", 2)) &&
	       strspn(text, safe) == n && text[n - 1] != ':' &&
	       !is_reserved(text);
}

/* Characters that YAML wants escaped; the others stand as they are. */
static size_t escape_length(const unsigned char *p, unsigned *code)
{
	if (*p < ' ' || *p == 0x7f || *p == '"' || *p == '\\') {
		*code = *p;
		return 1;
	}
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0xa0) { /* C1 */
		*code = p[1];
		return 2;
	}
	if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
		*code = 0x2028u + (p[2] - 0xa8u); /* line separators */
		return 3;
	}
	if (p[0] == 0xef && ((p[1] == 0xbb && p[2] == 0xbf) ||
			     (p[1] == 0xbf && p[2] >= 0xbe))) {
		*code = p[1] == 0xbb ? 0xfeffu : 0xff00u + p[2] + 0x40u;
		return 3;
	}
	return 0;
}

static void add_quoted(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned code;

	buf_addc(out, '"');
	while (*p) {
		size_t n = escape_length(p, &code);

		if (!n)
			buf_addc(out, (char)*p++);
		else if (*p == '"' || *p == '\\')
			buf_addf(out, "\\%c", *p);
		else if (*p == '\n')
			buf_adds(out, "\\n");
		else
			buf_addf(out, "\\u%04X", code);
		p += n;
	}
	buf_addc(out, '"');
}

/* Lines that a literal block gives back byte for byte. */
static bool is_block(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);
	unsigned code;

	if (!strchr(text, '\n') || *text == ' ' || *text == '\n' ||
	    (n > 1 && text[n - 1] == '\n' && text[n - 2] == '\n'))
		return false;
	for (; *p; p++)
		if (*p != '\n' && *p != '"' && *p != '\\' &&
		    escape_length(p, &code))
			return false;
	return true;
}

static void add_indent(struct buf *out, int depth)
{
	for (int i = 0; i < depth * INDENT; i++)
		buf_addc(out, ' ');
}

static void add_block(struct buf *out, const char *text, int depth)
{
	struct span rest = span_str(text), line;

	buf_adds(out, text[strlen(text) - 1] == '\n' ? "|\n" : "|-\n");
	while (span_word(&rest, '\n', &line)) {
		if (line.len)
			add_indent(out, depth);
		buf_addspan(out, line);
		buf_addc(out, '\n');
	}
}

static void add_text(struct buf *out, const char *text, int depth)
{
	if (is_block(text)) {
		add_block(out, text, depth);
		return;
	}
	if (is_plain(text))
		buf_adds(out, text);
	else
		add_quoted(out, text);
	buf_addc(out, '\n');
}

/* What follows "key:" or "-". */
static void add_value(struct buf *out, json_t *value, int depth)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		buf_addc(out, ' ');
		add_text(out, json_string_value(value), depth);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_adds(out, json_is_true(value) ? " true\n" : " false\n");
		break;
	case JSON_INTEGER:
		buf_addf(out, " %" JSON_INTEGER_FORMAT "\n",
			 json_integer_value(value));
		break;
	case JSON_OBJECT:
		buf_adds(out, json_object_size(value) ? "\n" : " {}\n");
		add_node(out, value, depth);
		break;
	case JSON_ARRAY:
		buf_adds(out, json_array_size(value) ? "\n" : " []\n");
		add_node(out, value, depth);
		break;
	case JSON_REAL: /* nothing of ours holds one */
	case JSON_NULL:
		buf_adds(out, " null\n");
		break;
	}
}

static void add_key(struct buf *out, const char *key)
{
	if (is_plain(key))
		buf_adds(out, key);
	else
		add_quoted(out, key);
	buf_addc(out, ':');
}

/* An item that is a mapping begins on the line of its dash. */
static void add_item(struct buf *out, json_t *item, int depth)
{
	const char *key;
	json_t *value;
	bool is_first = true;

	buf_addc(out, '-');
	if (!json_is_object(item) || !json_object_size(item)) {
		add_value(out, item, depth + 1);
		return;
	}
	json_object_foreach(item, key, value)
	{
		if (is_first)
			buf_addc(out, ' ');
		else
			add_indent(out, depth + 1);
		is_first = false;
		add_key(out, key);
		add_value(out, value, depth + 2);
	}
}

static void add_node(struct buf *out, json_t *value, int depth)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, one)
		{
			add_indent(out, depth);
			add_item(out, one, depth);
		}
		return;
	}
	json_object_foreach(value, key, one)
	{
		add_indent(out, depth);
		add_key(out, key);
		add_value(out, one, depth + 1);
	}
}

void yaml_add(struct buf *out, json_t *value)
{
	add_node(out, value, 0);
}

/* Some readers take more than LF for the end of a line: there, what follows
 * would be no comment. */
void yaml_add_comment(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned code;

	while (*p) {
		buf_adds(out, "# ");
		while (*p && *p != '\n') {
			size_t n = *p == '"' || *p == '\\'
					   ? 0
					   : escape_length(p, &code);

			buf_addc(out, n ? '?' : (char)*p);
			p += n ? n : 1;
		}
		buf_addc(out, '\n');
		p += *p == '\n';
	}
}
