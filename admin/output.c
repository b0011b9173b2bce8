/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned text for people; what came from outside is printed escaped. */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* Control bytes would reach the terminal; UTF-8 passes. */
static void add_clean(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addc(out, (unsigned char)*text < ' ' || *text == 0x7f
				      ? '?'
				      : *text);
}

static void add_value(struct buf *out, const json_t *value)
{
	size_t i;
	json_t *one;

	switch (json_typeof(value)) {
	case JSON_STRING:
		add_clean(out, json_string_value(value));
		break;
	case JSON_INTEGER:
		buf_addf(out, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		break;
	case JSON_REAL:
		buf_addf(out, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_adds(out, "yes");
		break;
	case JSON_FALSE:
		buf_adds(out, "no");
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, one)
		{
			buf_adds(out, i ? ", " : "");
			add_value(out, one);
		}
		break;
	case JSON_OBJECT:
	case JSON_NULL:
		break;
	}
}

/* "ssh.address": the field `address` of the object `ssh`. */
static const json_t *field_of(const json_t *object, const char *field)
{
	const char *dot = strchr(field, '.');
	CLEANUP(freep) char *first = NULL;

	if (!dot)
		return json_object_get(object, field);
	first = strndup(field, (size_t)(dot - field));
	if (!first)
		out_of_memory();
	return field_of(json_object_get(object, first), dot + 1);
}

char *show_text(const json_t *object, const char *field)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	const json_t *value = field_of(object, field);
	char *out;

	if (value)
		add_value(&text, value);
	out = text.len ? buf_take(&text) : strdup("");
	if (!out)
		out_of_memory();
	return out;
}

/* Columns on a terminal: bytes that begin a character. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_padded(const char *text, size_t width, bool is_last)
{
	size_t n = width_of(text);

	fputs(text, stdout);
	if (!is_last)
		printf("%*s", (int)(width > n ? width - n + 2 : 2), "");
}

static void print_row(const json_t *object, const struct column *columns,
		      size_t n, const size_t *widths)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(freep) char *text = NULL;

		text = object ? show_text(object, columns[i].field)
			      : strdup(columns[i].title);
		if (!text)
			out_of_memory();
		print_padded(*text ? text : "-", widths[i], i == n - 1);
	}
	fputc('\n', stdout);
}

void show_table(const json_t *list, const struct column *columns, size_t n,
		const char *empty)
{
	CLEANUP(freep) size_t *widths = calloc(n, sizeof *widths);
	json_t *object;
	size_t i;

	if (!widths)
		out_of_memory();
	if (!json_array_size(list)) {
		puts(empty);
		return;
	}
	for (size_t col = 0; col < n; col++)
		widths[col] = width_of(columns[col].title);
	json_array_foreach(list, i, object)
	{
		for (size_t col = 0; col < n; col++) {
			CLEANUP(freep)
			char *text = show_text(object, columns[col].field);

			if (width_of(text) > widths[col])
				widths[col] = width_of(text);
		}
	}
	print_row(NULL, columns, n, widths);
	json_array_foreach(list, i, object)
	{
		print_row(object, columns, n, widths);
	}
}

void show_lines(const json_t *object, const struct column *columns, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		if (width_of(columns[i].title) > width)
			width = width_of(columns[i].title);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(freep) char *text = show_text(object, columns[i].field);

		if (!*text)
			continue;
		printf("%s:%*s%s\n", columns[i].title,
		       (int)(width - width_of(columns[i].title) + 2), "", text);
	}
}
