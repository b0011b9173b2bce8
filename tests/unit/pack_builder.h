/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs made by hand, right ones and wrong ones.
 *
 *	builder_begin(&b);
 *	base = builder_object(&b, OBJECT_BLOB, text, n);
 *	builder_ofs_delta(&b, base, &delta);
 *	builder_end(&b);
 *
 * The number of entries is filled in by builder_end() unless `b.count` was set.
 * Failures of the builder itself fail the test.
 */
#pragma once

#include "base/buf.h"
#include "git/object.h"

struct pack_builder {
	struct buf bytes;
	uint32_t n;
	uint32_t version;
	int64_t count; /* -1: what was added */
	int level;     /* of compression, 0 to 12 */
};

void builder_begin(struct pack_builder *b);
void builder_fini(struct pack_builder *b);

/* Each returns the offset of the new entry. */
uint64_t builder_object(struct pack_builder *b, enum object_type type,
			const void *data, size_t n);
uint64_t builder_text(struct pack_builder *b, enum object_type type,
		      const char *text);
uint64_t builder_ofs_delta(struct pack_builder *b, uint64_t base,
			   const struct buf *delta);
uint64_t builder_ref_delta(struct pack_builder *b, const struct oid *base,
			   const struct buf *delta);

/* The parts of an entry, for those that lie. */
uint64_t builder_head(struct pack_builder *b, unsigned type, uint64_t size);
void builder_distance(struct pack_builder *b, uint64_t distance);
void builder_deflate(struct pack_builder *b, const void *data, size_t n);

/* The head of the pack and its trailer. */
void builder_end(struct pack_builder *b);

/* Deltas. A copy is at most 0xffffff bytes. */
void delta_begin(struct buf *d, uint64_t base_size, uint64_t result_size);
void delta_copy(struct buf *d, uint32_t offset, uint32_t n);
void delta_insert(struct buf *d, const void *data, size_t n);
/* From `base` to `result`: all of it new bytes. */
void delta_whole(struct buf *d, size_t base_size, const char *result);

struct oid id_of(enum object_type type, const void *data, size_t n);
struct oid id_of_text(enum object_type type, const char *text);

/* A tree entry, appended to `tree`. */
void tree_add(struct buf *tree, const char *mode, const char *name,
	      const struct oid *id);
/* A commit of `tree` on `parent` (NULL: none), as text; the caller frees. */
char *commit_text(const struct oid *tree, const struct oid *parent,
		  const char *message);
