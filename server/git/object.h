/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four kinds of object and strict, allocation-free readers for three.
 *
 * The readers take what git itself would serve, also where fsck would frown;
 * what a push may bring is judged by fsck.h.
 * Format: gitformat-pack(5) for the type numbers; git's object text formats.
 * Ownership: spans and iterators borrow from the bytes they were given.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;

enum object_type {
	OBJECT_NONE = 0,
	OBJECT_COMMIT = 1,
	OBJECT_TREE = 2,
	OBJECT_BLOB = 3,
	OBJECT_TAG = 4,
	OBJECT_OFS_DELTA = 6, /* only inside a pack */
	OBJECT_REF_DELTA = 7, /* only inside a pack */
};

const char *object_type_name(enum object_type type);
/* OBJECT_NONE where it is none of the four. */
enum object_type object_type_parse(struct span name);

/* One inflated object. */
struct object {
	enum object_type type;
	unsigned char *data; /* malloc'ed, NULL where size is 0 */
	size_t size;
};

void object_fini(struct object *o);

struct commit_view {
	struct oid tree;
	struct span parents; /* the "parent ..." lines, for commit_parent() */
	int64_t date;	     /* committer's, seconds; 0 where unreadable */
};

/* ERR_CORRUPT naming what is missing. */
int commit_parse(struct span data, enum oid_kind kind, struct commit_view *out,
		 struct err *e) MUST_CHECK;
/* Take the next parent off the front; false at the end. */
bool commit_parent(struct span *parents, enum oid_kind kind, struct oid *out);

struct tree_entry {
	uint32_t mode;
	struct span name;
	struct oid id;
};

#define MODE_TYPE(mode)	   ((mode)&0170000)
#define MODE_IS_TREE(mode) (MODE_TYPE(mode) == 0040000)
/* A commit of another repository; git takes any odd type for one. */
#define MODE_IS_GITLINK(mode)                                 \
	(!MODE_IS_TREE(mode) && MODE_TYPE(mode) != 0100000 && \
	 MODE_TYPE(mode) != 0120000)

/* Take the next entry off the front of a tree: 1; at the end 0; -1 with
 * ERR_CORRUPT. */
int tree_next(struct span *tree, enum oid_kind kind, struct tree_entry *out,
	      struct err *e) MUST_CHECK;

struct tag_view {
	struct oid target;
	enum object_type type;
};

int tag_parse(struct span data, enum oid_kind kind, struct tag_view *out,
	      struct err *e) MUST_CHECK;
