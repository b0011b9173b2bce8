/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How object_reader.c and object_chain.c share a reader; no one else's.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/base_cache.h"
#include "git/objects_view.h"

#include <zlib.h>

struct libdeflate_decompressor;

/* One delta on the way down. */
struct link {
	struct pack *pack; /* NULL: the object is loose */
	uint64_t offset;
	uint64_t size; /* inflated */
	struct span data;
};

/* Where a chain ends: a whole object. */
struct root {
	struct link at;
	enum object_type type;
	const struct object *cached; /* instead of an entry; borrowed */
	struct oid loose;	     /* the object, where `at.pack` is NULL */
};

/* Entries that were found damaged, and have another copy tried in their place
 * as bases; more than these in one reader are not worked around. */
#define AVOID_MAX 16

struct object_reader {
	struct objects *objects;
	struct objects *newer; /* the last one that was needed, or NULL */
	struct libdeflate_decompressor *inflater; /* made at first use */
	z_stream stream; /* for the first bytes of a delta */
	bool has_stream;
	size_t taken; /* bytes the last entry's stream took in its pack */
	struct base_cache cache;
	uint32_t last_pack; /* where the last object was found */
	struct link *chain; /* from what is wanted to the root, without it */
	size_t n_chain;
	size_t chain_cap;
	struct link failed; /* the entry the last ERR_CORRUPT is of */
	struct link avoid[AVOID_MAX];
	size_t n_avoid;
};

/* Write down the chain that begins at pack and offset of `l`. */
int chain_descend(struct object_reader *r, struct link l, struct root *root,
		  struct err *e) MUST_CHECK;

/* Apply what chain_descend() wrote down; the result has `max` bytes at most.
 * Afterwards `taken` is of the entry it began at, 0 where that was cached. */
int chain_ascend(struct object_reader *r, const struct root *root, size_t max,
		 struct object *out, struct err *e) MUST_CHECK;

/* The size that the delta at `l` results in. */
int chain_size(struct object_reader *r, const struct link *l,
	       uint64_t *size_out, struct err *e) MUST_CHECK;

/* The loose object, from whichever directory has it. ERR_NOT_FOUND. */
int reader_loose(const struct object_reader *r, const struct oid *id,
		 size_t max, struct object *out, struct err *e) MUST_CHECK;

/* Note the entry that failed, unless it is `top` itself or there are too many:
 * then false, and trying again is of no use. */
bool chain_avoid(struct object_reader *r, const struct link *top);

/* The root was to be loose and `e` says why it could not be read: where it is
 * not there, its delta is damaged. -1. */
int chain_no_base(struct object_reader *r, struct err *e);

/* ERR_CORRUPT with the file and the place; noted as `failed`. -1. */
int entry_damaged(struct object_reader *r, const struct link *l,
		  const char *how, struct err *e);
