/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of git's configuration grammar. A value that could be read in any
 * other way stands in quotes, its line breaks as escapes, so one entry is
 * always one line.
 */
#include "store/conf_file.h"

#include "base/err.h"

#include <string.h>

int conf_write_section(struct buf *b, const char *name, const char *subsection,
		       struct err *e)
{
	if (!subsection) {
		buf_addf(b, "[%s]\n", name);
		return buf_check(b, e);
	}
	if (strchr(subsection, '\n'))
		return err_set(e, ERR_MALFORMED,
			       "a line break cannot stand in a section name");
	if (strlen(subsection) > CONF_NAME_MAX / 2)
		return err_set(e, ERR_LIMIT, "the section name is too long");
	buf_addf(b, "[%s \"", name);
	for (const char *at = subsection; *at; at++) {
		if (*at == '"' || *at == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *at);
	}
	buf_adds(b, "\"]\n");
	return buf_check(b, e);
}

/* True where the bytes mean themselves without quotes. */
static bool is_plain(const char *value)
{
	size_t n = strlen(value);

	if (!n || value[0] == ' ' || value[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c < ' ' || c == 0x7f || strchr("#;\"\\", c))
			return false;
	}
	return true;
}

static void add_quoted(struct buf *b, const char *value)
{
	buf_addc(b, '"');
	for (; *value; value++) {
		switch (*value) {
		case '\n':
			buf_adds(b, "\\n");
			break;
		case '\t':
			buf_adds(b, "\\t");
			break;
		case '\b':
			buf_adds(b, "\\b");
			break;
		case '"':
		case '\\':
			buf_addc(b, '\\');
			FALLTHROUGH;
		default:
			buf_addc(b, *value);
		}
	}
	buf_addc(b, '"');
}

int conf_write_entry(struct buf *b, const char *key, const char *value,
		     struct err *e)
{
	if (strlen(value) > CONF_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "a value has at most %zu bytes",
			       CONF_VALUE_MAX);
	buf_addf(b, "\t%s = ", key);
	if (is_plain(value))
		buf_adds(b, value);
	else
		add_quoted(b, value);
	buf_addc(b, '\n');
	return buf_check(b, e);
}

/* -- rewriting ------------------------------------------------------------ */

static bool is_named(const struct conf_section *s, const char *name,
		     const char *subsection)
{
	if (strcmp(s->name, name) != 0 || !s->subsection != !subsection)
		return false;
	return !subsection || !strcmp(s->subsection, subsection);
}

/* Where the section ends, a comment behind its header included. */
static size_t end_of(struct span text, const struct conf_section *s)
{
	size_t at = s->end;

	if (s->n) /* the last entry took its line break */
		return at;
	while (at < text.len && strchr(" \t\r", text.data[at]))
		at++;
	if (at < text.len && text.data[at] != '\n' && text.data[at] != '#' &&
	    text.data[at] != ';')
		return at;
	while (at < text.len && text.data[at] != '\n')
		at++;
	return at < text.len ? at + 1 : at;
}

static void add_part(struct buf *b, struct span text, size_t from, size_t to)
{
	if (to > from)
		buf_addspan(b, span_of(text.data + from, to - from));
}

static void end_line(struct buf *b)
{
	if (b->len && b->data[b->len - 1] != '\n')
		buf_addc(b, '\n');
}

void conf_rewrite(struct buf *b, struct span text, const struct conf_file *f,
		  const char *name, const char *subsection, struct span section)
{
	size_t done = 0;
	bool is_placed = false;

	for (size_t i = 0; i < f->n_sections; i++) {
		const struct conf_section *s = &f->sections[i];

		if (!is_named(s, name, subsection))
			continue;
		add_part(b, text, done, s->begin);
		done = end_of(text, s);
		if (is_placed || !section.len)
			continue;
		end_line(b);
		buf_addspan(b, section);
		is_placed = true;
	}
	add_part(b, text, done, text.len);
	if (is_placed || !section.len)
		return;
	end_line(b);
	buf_addspan(b, section);
}
