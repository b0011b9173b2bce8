/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed-refs file: as text that is searched and rewritten, and as an
 * array of refs for a snapshot.
 *
 * Format: git-pack-refs(1): a header with the traits "peeled", "fully-peeled"
 * and "sorted", lines "HEX SP NAME LF" in the order of the names' bytes, and
 * below a tag "^HEX LF", what it peels to.
 * Limits: PACKED_REFS_MAX bytes.
 * Threads: a text belongs to one; an array is immutable and counted.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/files.h"
#include "git/refs.h"

struct err;
struct object_reader;

#define PACKED_REFS_MAX ((size_t)1 << 30)

enum packed_trait { PACKED_PEELED = 1, PACKED_FULLY_PEELED = 2 };

/* The file's lines behind its header, in order. */
struct packed_text {
	struct buf file; /* as read; empty where there is no file */
	struct span lines;
	unsigned traits; /* of enum packed_trait */
};

/* One ref with the bytes it takes in the file, "^" line included. */
struct packed_line {
	struct span name;
	struct oid id;
	struct oid peeled; /* len 0: there is no such line */
	struct span bytes;
};

int packed_text_read(const char *git_dir, enum oid_kind kind,
		     struct packed_text *out, struct err *e) MUST_CHECK;
void packed_text_fini(struct packed_text *t);

/* Take the next ref off the front of `lines`: 1; 0 at the end; -1, ERR_CORRUPT.
 */
int packed_line_take(struct span *lines, enum oid_kind kind,
		     struct packed_line *out, struct err *e) MUST_CHECK;

/* The offset in `lines` of the first ref whose name is >= `name`; bisects. */
size_t packed_text_bound(const struct packed_text *t, struct span name);

/* 1 and the line of exactly this name; 0; -1. */
int packed_text_find(const struct packed_text *t, enum oid_kind kind,
		     struct span name, struct packed_line *out,
		     struct err *e) MUST_CHECK;

/* What a line without "^" says about what it peels to. */
bool packed_is_known_unpeeled(unsigned traits, struct span name);

/* What a new file begins with. */
#define PACKED_REFS_HEADER "# pack-refs with: peeled fully-peeled sorted \n"
void packed_line_add(struct buf *b, struct span name, const struct oid *id,
		     const struct oid *peeled);

/* -- as an array ---------------------------------------------------------- */

struct packed_refs {
	/* set once, then read-only */
	struct file_sig sig;
	struct buf names; /* the file, names closed by NUL */
	struct ref *refs; /* sorted by name, each once */
	size_t n;
	size_t n_broken;
	_Atomic size_t n_owners;
};

/* As refs_load() says. */
struct packed_refs *packed_refs_load(const char *git_dir, enum oid_kind kind,
				     struct object_reader *reader,
				     struct packed_refs *previous,
				     struct err *e) MUST_CHECK;
struct packed_refs *packed_refs_get(struct packed_refs *p);
struct packed_refs *packed_refs_put(struct packed_refs *p);

/* The first index whose name is >= `name`. */
size_t packed_refs_bound(const struct packed_refs *p, struct span name);

/* Is the object there, and what does it peel to? 1 and the peeled id (len 0:
 * no tag); 0 where it is absent; -1. */
int ref_object_look(struct object_reader *reader, const struct oid *id,
		    struct oid *peeled_out, struct err *e) MUST_CHECK;
