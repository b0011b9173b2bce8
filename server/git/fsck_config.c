/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git's config grammar as git reads it from a blob, one pass, no recursion; the
 * memory it takes is bounded by the blob. Format: git-config(1), "Syntax".
 * The end of the input ends the last line, and CR LF is LF, as git has it.
 */
#include "git/fsck_checks.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <ctype.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct config_reader {
	struct span rest;
	bool is_at_end;
	struct buf stem;
	struct buf key;
	struct buf value;
};

/* The next character; LF, with is_at_end set, where there is none. */
static int next(struct config_reader *r)
{
	uint8_t c;

	if (!span_u8(&r->rest, &c)) {
		r->is_at_end = true;
		return '\n';
	}
	if (c == '\r' && r->rest.len && r->rest.data[0] == '\n')
		(void)span_u8(&r->rest, &c);
	return c;
}

static bool is_key_char(int c)
{
	return isalnum(c) || c == '-';
}

/* [section "subsection"], from the space on. */
static bool read_subsection(struct config_reader *r, int c)
{
	do {
		if (c == '\n')
			return false;
		c = next(r);
	} while (isspace(c));
	if (c != '"')
		return false;
	buf_addc(&r->stem, '.');
	while ((c = next(r)) != '"') {
		if (c == '\\')
			c = next(r);
		if (c == '\n')
			return false;
		buf_addc(&r->stem, (char)c);
	}
	return next(r) == ']';
}

/* From behind the "[". */
static bool read_section(struct config_reader *r)
{
	int c;

	buf_clear(&r->stem);
	for (;;) {
		c = next(r);
		if (r->is_at_end)
			return false;
		if (c == ']')
			return r->stem.len > 0;
		if (isspace(c))
			return read_subsection(r, c);
		if (!is_key_char(c) && c != '.')
			return false;
		buf_addc(&r->stem, (char)tolower(c));
	}
}

/* What a backslash makes of the next character; 0 where nothing. */
static int escaped(int c)
{
	switch (c) {
	case 't':
		return '\t';
	case 'b':
		return '\b';
	case 'n':
		return '\n';
	case '\\':
	case '"':
		return c;
	default:
		return 0;
	}
}

static bool read_escape(struct config_reader *r)
{
	int c = next(r);

	if (c == '\n')
		return true; /* the value goes on in the next line */
	c = escaped(c);
	if (c)
		buf_addc(&r->value, (char)c);
	return c != 0;
}

/* From behind the "=" to the end of the line. */
static bool read_value(struct config_reader *r)
{
	bool is_quoted = false, is_comment = false;
	size_t spaces = 0;
	int c;

	buf_clear(&r->value);
	while ((c = next(r)) != '\n') {
		if (is_comment)
			continue;
		if (isspace(c) && !is_quoted) {
			spaces += r->value.len > 0;
			continue;
		}
		if (!is_quoted && (c == ';' || c == '#')) {
			is_comment = true;
			continue;
		}
		for (; spaces; spaces--)
			buf_addc(&r->value, ' ');
		if (c == '\\') {
			if (!read_escape(r))
				return false;
		} else if (c == '"') {
			is_quoted = !is_quoted;
		} else {
			buf_addc(&r->value, (char)c);
		}
	}
	return !is_quoted;
}

/* A key and what follows; `c` is its first character. */
static bool read_pair(struct config_reader *r, int c, bool *has_value_out)
{
	buf_clear(&r->key);
	do {
		buf_addc(&r->key, (char)tolower(c));
		c = next(r);
	} while (!r->is_at_end && is_key_char(c));
	while (c == ' ' || c == '\t')
		c = next(r);
	*has_value_out = c == '=';
	if (c == '\n')
		return true;
	return c == '=' && read_value(r);
}

static void skip_line(struct config_reader *r)
{
	while (next(r) != '\n')
		;
}

static int read_all(struct config_reader *r,
		    int (*each)(void *arg, const char *stem, const char *key,
				const char *value, struct err *e),
		    void *arg, struct err *e)
{
	bool has_value;
	int c;

	while (c = next(r), !r->is_at_end) {
		if (isspace(c))
			continue;
		if (c == '#' || c == ';') {
			skip_line(r);
			continue;
		}
		if (c == '[') {
			if (!read_section(r))
				return 1;
			continue;
		}
		if (!isalpha(c) || !read_pair(r, c, &has_value))
			return 1;
		if (buf_check(&r->stem, e) < 0 || buf_check(&r->key, e) < 0 ||
		    buf_check(&r->value, e) < 0)
			return -1;
		if (each(arg, buf_str(&r->stem), buf_str(&r->key),
			 has_value ? buf_str(&r->value) : NULL, e) < 0)
			return -1;
	}
	return 0;
}

int fsck_config(struct span data,
		int (*each)(void *arg, const char *stem, const char *key,
			    const char *value, struct err *e),
		void *arg, struct err *e)
{
	struct config_reader r = { .rest = data,
				   .stem = BUF_INIT,
				   .key = BUF_INIT,
				   .value = BUF_INIT };
	int result;

	(void)span_skip(&r.rest, BYTE_ORDER_MARK);
	result = read_all(&r, each, arg, e);
	buf_fini(&r.stem);
	buf_fini(&r.key);
	buf_fini(&r.value);
	return result;
}
