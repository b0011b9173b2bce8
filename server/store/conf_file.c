/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: one character at a time as git does it, so that the same bytes
 * mean the same. After a mistake it goes on with the next line; keys under a
 * header that could not be read are passed over, since nobody knows whose they
 * are.
 */
#include "store/conf_file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "store/mistakes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Sections, keys and values take a few times the file they come from. */
#define CONF_ARENA_MAX ((size_t)64 << 20)

struct reader {
	struct span text;
	size_t at;
	unsigned line; /* of the next character */
	bool is_done;

	struct conf_file *file;
	struct mistakes *mistakes;
	struct conf_section *section; /* NULL: before the first, or unknown */
	bool is_lost;		      /* the last header could not be read */
	size_t sections_cap, entries_cap;
	struct buf word; /* the name or value being read */
};

DEFINE_FREEP(conf_file)

/* -- characters ----------------------------------------------------------- */

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(int c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

static char lower(int c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The next character; CR LF is LF, and so is the end. */
static int next(struct reader *r)
{
	int c;

	if (r->at >= r->text.len) {
		r->is_done = true;
		return '\n';
	}
	c = r->text.data[r->at++];
	if (c == '\r' && r->at < r->text.len && r->text.data[r->at] == '\n')
		c = r->text.data[r->at++];
	if (c == '\n')
		r->line++;
	return c;
}

static void skip_line(struct reader *r)
{
	while (next(r) != '\n')
		;
}

/* A mistake in `line`; what is left of the line ending in `c` is skipped. */
static int fail(struct reader *r, unsigned line, int c, const char *what)
{
	mistake_add(r->mistakes, r->file->path, line, "%s", what);
	if (c != '\n')
		skip_line(r);
	return -1;
}

/* -- what was read -------------------------------------------------------- */

static char *keep_word(struct reader *r)
{
	return r->word.failed
		       ? NULL
		       : arena_strdup(&r->file->arena, buf_span(&r->word));
}

/* Room for one more of an array that is `n` long. */
static void *grow(void *array, size_t n, size_t *cap, size_t size)
{
	void *grown;

	if (n < *cap)
		return array;
	grown = reallocarray(array, *cap ? *cap * 2 : 64, size);
	if (grown)
		*cap = *cap ? *cap * 2 : 64;
	return grown;
}

static int no_memory(struct reader *r)
{
	mistake_add(r->mistakes, r->file->path, r->line,
		    "out of memory, or names and values too long");
	r->at = r->text.len;
	return -1;
}

/* A section that the word names. */
static int add_section(struct reader *r, unsigned line, size_t begin)
{
	struct conf_file *f = r->file;
	struct conf_section *grown;
	char *name = keep_word(r);
	char *dot = name ? strchr(name, '.') : NULL;

	grown = grow(f->sections, f->n_sections, &r->sections_cap,
		     sizeof *grown);
	if (!grown || !name)
		return no_memory(r);
	f->sections = grown;
	if (dot)
		*dot++ = '\0';
	r->section = &f->sections[f->n_sections++];
	*r->section = (struct conf_section){
		.name = name,
		.subsection = dot,
		.line = line,
		.first = f->n_entries,
		.begin = begin,
		.end = r->at,
	};
	return 0;
}

static int add_entry(struct reader *r, const char *key, const char *value,
		     unsigned line)
{
	struct conf_file *f = r->file;
	struct conf_entry *grown;

	grown = grow(f->entries, f->n_entries, &r->entries_cap, sizeof *grown);
	if (!grown)
		return no_memory(r);
	f->entries = grown;
	f->entries[f->n_entries++] = (struct conf_entry){ key, value, line };
	r->section->n++;
	r->section->end = r->at;
	return 0;
}

/* -- sections ------------------------------------------------------------- */

/* From the white space before the quotes to the bracket behind them. */
static int read_subsection(struct reader *r, unsigned line)
{
	int c;

	do {
		c = next(r);
		if (c == '\n')
			return fail(r, line, c, "a section header ends with ]");
	} while (is_space(c));
	if (c != '"')
		return fail(r, line, c,
			    "a section header is [name] or [name \"sub\"]");
	buf_addc(&r->word, '.');
	while ((c = next(r)) != '"') {
		if (c == '\\')
			c = next(r);
		if (c == '\n')
			return fail(r, line, c,
				    "the quotes of the section header are "
				    "not closed");
		buf_addc(&r->word, (char)c);
	}
	c = next(r);
	if (c != ']')
		return fail(r, line, c, "a section header ends with ]");
	return 0;
}

/* Section and subsection into the word, joined by the first dot. */
static int read_header(struct reader *r, unsigned line)
{
	int c;

	buf_clear(&r->word);
	while ((c = next(r)) != ']') {
		if (c == '\n')
			return fail(r, line, c, "a section header ends with ]");
		if (is_space(c))
			return read_subsection(r, line);
		if (!is_name(c) && c != '.')
			return fail(r, line, c,
				    "a section name consists of letters, "
				    "digits, - and .");
		buf_addc(&r->word, lower(c));
	}
	return 0;
}

static int judge_header(struct reader *r, unsigned line)
{
	struct span name = buf_span(&r->word), first;

	if (!span_word(&name, '.', &first) || !first.len)
		mistake_add(r->mistakes, r->file->path, line,
			    "the section has no name");
	else if (span_is(first, "include") || span_is(first, "includeif"))
		mistake_add(r->mistakes, r->file->path, line,
			    "include is not supported: name the file with "
			    "--config");
	else if (r->word.len > CONF_NAME_MAX)
		mistake_add(r->mistakes, r->file->path, line,
			    "a section name has at most %zu bytes",
			    CONF_NAME_MAX);
	else
		return 0;
	return -1;
}

static void read_section(struct reader *r)
{
	unsigned line = r->line;
	size_t begin = r->at - 1;

	r->section = NULL;
	r->is_lost = true;
	if (read_header(r, line) < 0 || judge_header(r, line) < 0)
		return;
	r->is_lost = add_section(r, line, begin) < 0;
}

/* -- keys and values ------------------------------------------------------ */

/* What a backslash and `c` stand for; 0 for nothing. */
static char unescaped(int c)
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
		return (char)c;
	default:
		return '\0';
	}
}

/* What stands behind a backslash: a character, or a line that goes on. */
static int read_escape(struct reader *r)
{
	unsigned line = r->line;
	int c = next(r);

	if (c == '\n')
		return 0;
	if (!unescaped(c))
		return fail(r, line, c,
			    "only \\\\ \\\" \\n \\t and \\b are escapes; a "
			    "backslash is written \\\\");
	buf_addc(&r->word, unescaped(c));
	return 0;
}

/* The value into the word, up to the end of its line. White space within it
 * stays as it is, at its ends it goes. */
static int read_value(struct reader *r, unsigned line)
{
	bool in_quotes = false, in_comment = false;
	size_t len = 0; /* of the word, without white space at its end */
	int c;

	buf_clear(&r->word);
	while ((c = next(r)) != '\n') {
		if (in_comment || (!in_quotes && is_space(c) && !r->word.len))
			continue;
		if (!in_quotes && (c == ';' || c == '#')) {
			in_comment = true;
			continue;
		}
		if (c == '"') {
			in_quotes = !in_quotes;
			len = r->word.len;
			continue;
		}
		if (c == '\\') {
			if (read_escape(r) < 0)
				return -1;
			len = r->word.len;
			continue;
		}
		buf_addc(&r->word, (char)c);
		if (in_quotes || !is_space(c))
			len = r->word.len;
	}
	if (in_quotes)
		return fail(r, line, c,
			    "the quotes of the value are not "
			    "closed in its line");
	buf_truncate(&r->word, len);
	return 0;
}

/* The key that begins with `c` into the word. Returns what follows it. */
static int read_key(struct reader *r, int c)
{
	buf_clear(&r->word);
	for (; is_name(c); c = next(r))
		buf_addc(&r->word, lower(c));
	while (c == ' ' || c == '\t')
		c = next(r);
	return c;
}

static int judge_key(struct reader *r, unsigned line, int c)
{
	if (!r->section && !r->is_lost)
		return fail(r, line, c, "a key stands under a [section]");
	if (r->word.len > CONF_NAME_MAX)
		return fail(r, line, c, "the key is too long");
	if (c != '=' && c != '\n')
		return fail(r, line, c,
			    "a line is KEY = VALUE, [section], or a comment "
			    "that begins with # or ;");
	return 0;
}

static void read_entry(struct reader *r, int c)
{
	unsigned line = r->line;
	char *key, *value = NULL;

	c = read_key(r, c);
	if (judge_key(r, line, c) < 0)
		return;
	key = keep_word(r);
	if (c == '=') {
		if (read_value(r, line) < 0)
			return;
		if (r->word.len > CONF_VALUE_MAX) {
			mistake_add(r->mistakes, r->file->path, line,
				    "a value has at most %zu bytes",
				    CONF_VALUE_MAX);
			return;
		}
		value = keep_word(r);
	}
	if (!key || (c == '=' && !value))
		no_memory(r);
	else if (r->section)
		add_entry(r, key, value, line);
}

/* -- files ---------------------------------------------------------------- */

static void read_all(struct reader *r)
{
	bool in_comment = false;
	int c;

	while (c = next(r), !r->is_done) {
		if (c == '\n')
			in_comment = false;
		if (in_comment || is_space(c))
			continue;
		if (c == '#' || c == ';')
			in_comment = true;
		else if (c == '[')
			read_section(r);
		else if (is_letter(c))
			read_entry(r, c);
		else
			fail(r, r->line, c,
			     "a line is KEY = VALUE, [section], or a comment "
			     "that begins with # or ;");
	}
}

/* False, with a mistake, where the text is not worth reading. */
static bool is_text(const char *path, struct span text, struct mistakes *m)
{
	unsigned line = 1;

	if (text.len > CONF_FILE_MAX) {
		mistake_add(m, path, 0, "the file has more than %zu bytes",
			    CONF_FILE_MAX);
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		line += text.data[i] == '\n';
		if (!text.data[i]) {
			mistake_add(m, path, line,
				    "a NUL byte: this is not a text file");
			return false;
		}
	}
	if (line > CONF_LINES_MAX) {
		mistake_add(m, path, 0, "the file has more than %d lines",
			    CONF_LINES_MAX);
		return false;
	}
	return true;
}

struct conf_file *conf_file_parse(const char *path, struct span text,
				  struct mistakes *m)
{
	CLEANUP(conf_file_freep) struct conf_file *f = NULL;
	struct reader r = { .text = text, .line = 1, .mistakes = m };

	if (!is_text(path, text, m))
		return NULL;
	f = calloc(1, sizeof *f);
	if (f)
		arena_init(&f->arena, CONF_ARENA_MAX);
	if (f)
		f->path = strdup(path);
	if (!f || !f->path) {
		mistake_add(m, path, 0, "out of memory");
		return NULL;
	}
	r.file = f;
	buf_init_max(&r.word, text.len + 1);
	if (span_starts(text, "\xef\xbb\xbf")) /* a byte order mark, as git */
		r.at = 3;
	read_all(&r);
	buf_fini(&r.word);
	return TAKE(f);
}

struct conf_file *conf_file_free(struct conf_file *f)
{
	if (!f)
		return NULL;
	free(f->path);
	free(f->sections);
	free(f->entries);
	arena_fini(&f->arena);
	free(f);
	return NULL;
}
