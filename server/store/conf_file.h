/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader and writer of configuration in git's grammar.
 *
 * Format: git-config(1), "Syntax", byte for byte as `git config --list` reads
 * it: sections with quoted subsections and the old dotted form, comments,
 * continuation lines, quotes and escapes, keys without a value. Sections
 * without keys are kept, too. Refused, each with its line: include and
 * includeIf, NUL, keys before the first section, sections without a name.
 * Limits: CONF_* below.
 * Threads: a parsed file is immutable.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <stddef.h>

struct err;
struct mistakes;

#define CONF_FILE_MAX  ((size_t)8 << 20) /* bytes: ten thousand objects */
#define CONF_LINES_MAX 250000
#define CONF_VALUE_MAX                                                      \
	((size_t)16 << 10)		/* bytes; the longest RSA key is 3k \
					 */
#define CONF_NAME_MAX ((size_t)1 << 10) /* bytes of a section or a key */

struct conf_entry {
	const char *key;   /* lower case */
	const char *value; /* NULL: none was written, which means true */
	unsigned line;
};

struct conf_section {
	const char *name;	/* lower case, up to the first dot */
	const char *subsection; /* as written; NULL where there is none */
	unsigned line;
	size_t first, n; /* of the file's entries */
	size_t begin;	 /* offset of its "[" */
	size_t end;	 /* behind its last entry */
};

struct conf_file {
	char *path; /* as given: for mistakes */
	struct conf_section *sections;
	size_t n_sections;
	struct conf_entry *entries;
	size_t n_entries;
	struct arena arena;
};

/*
 * Parse `text`, which was read from `path`. Mistakes are added to `m` and what
 * is whole is returned nevertheless; NULL only where nothing could be read at
 * all, with a mistake saying why. Nothing returned points into `text`.
 */
struct conf_file *conf_file_parse(const char *path, struct span text,
				  struct mistakes *m) MUST_CHECK;
struct conf_file *conf_file_free(struct conf_file *f);

/* -- writing: conf_write.c ------------------------------------------------ */

/*
 * Append `[name "subsection"]` and a line break. ERR_MALFORMED where the
 * grammar cannot hold the subsection (a line break, a NUL).
 */
int conf_write_section(struct buf *b, const char *name, const char *subsection,
		       struct err *e) MUST_CHECK;

/* Append one key of it. Whatever the value is, reading gives exactly it and
 * never another key or section; ERR_LIMIT past CONF_VALUE_MAX. */
int conf_write_entry(struct buf *b, const char *key, const char *value,
		     struct err *e) MUST_CHECK;

/*
 * Append `text` with the section `name` "subsection" replaced by `section`
 * (complete lines), added at the end where there is none, and removed where
 * `section` is empty. All else, comments too, stays as it is. `f` is what
 * conf_file_parse() made of `text`.
 */
void conf_rewrite(struct buf *b, struct span text, const struct conf_file *f,
		  const char *name, const char *subsection,
		  struct span section);
