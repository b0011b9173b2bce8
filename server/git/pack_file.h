/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pack, mapped whole, with its index; and how an entry of a pack reads.
 *
 * Counted, immutable, readable after it was unlinked. Opening checks that pack
 * and index belong together (count, trailer, size). Entries are checked as they
 * are touched; nothing here inflates, that is object_reader's.
 *
 * A pack that shrinks under us reads as zeroes from there on (map_guard.h).
 * Whoever sends bytes straight from pack_bytes() therefore
 *   1. compares what it copies with pack_crc32() where there is one, or all of
 *      a pack with its trailer, once (pack_sum()), and
 *   2. calls pack_check() after the last byte was taken and before it sends
 *      the trailer (or whatever makes the receiver believe),
 * and fails the request where either says so. Inflated data needs neither: its
 * checksum stands in the stream.
 * Format: gitformat-pack(5), versions 2 and 3; .rev version 1.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/object.h"

struct err;
struct pack;

#define PACK_HEADER_SIZE 12

/* `path` ends in ".pack"; the index stands beside it. ERR_NOT_FOUND where one
 * of both is missing, ERR_CORRUPT naming the damaged one. */
struct pack *pack_open(const char *path, enum oid_kind kind,
		       struct err *e) MUST_CHECK;
struct pack *pack_get(struct pack *p);
struct pack *pack_put(struct pack *p);
/* Its files have this name now; only before other threads know the pack. */
int pack_set_path(struct pack *p, const char *path, struct err *e) MUST_CHECK;

const char *pack_path(const struct pack *p);
uint32_t pack_count(const struct pack *p);
/* All of the file: header, entries, trailer. */
struct span pack_bytes(const struct pack *p);
/* Where the entries end and the trailer begins. */
uint64_t pack_end(const struct pack *p);

/* ERR_CORRUPT where the file lost pages or bytes while it was mapped. */
int pack_check(const struct pack *p, struct err *e) MUST_CHECK;
/* The first half of it, without a system call: did a page go missing? */
bool pack_is_damaged(const struct pack *p);
/* Another mapping of the same file, for who keeps it longer than the pack.
 * ERR_NOT_FOUND where its name is gone or another file's. */
struct guarded_map;
int pack_map_again(const struct pack *p, struct guarded_map *out,
		   struct err *e) MUST_CHECK;
/* What is known of the pack's own checksum, by whoever read all of it. One that
 * is wrong is for good, as long as the pack is open. */
enum pack_sum { PACK_SUM_UNKNOWN, PACK_SUM_RIGHT, PACK_SUM_WRONG };
enum pack_sum pack_sum(const struct pack *p);
void pack_set_sum(struct pack *p, enum pack_sum sum);

/* Is the mapping still of the file that has the name, or that has none? */
bool pack_is_current(const struct pack *p);

/* By position in the index (0 to count - 1, in the order of ids). */
bool pack_find(const struct pack *p, const struct oid *id, uint32_t *pos_out);
void pack_id(const struct pack *p, uint32_t pos, struct oid *out);
int pack_offset(const struct pack *p, uint32_t pos, uint64_t *offset_out,
		struct err *e) MUST_CHECK;
/* Of the entry's bytes, header to end; false where the index has none. */
bool pack_crc32(const struct pack *p, uint32_t pos, uint32_t *crc_out);

/*
 * The entries in the order of the pack ("rank" 0 to count - 1). Made when first
 * asked for (from the .rev file where it is good), shared, kept with the pack.
 */
struct pack_order {
	uint32_t count;
	const uint32_t *pos;	/* of the entry of a rank, in the index */
	const uint64_t *offset; /* of the entry of a rank; offset[count] is the
				   end of the last: strictly ascending */
};
const struct pack_order *pack_order(struct pack *p, struct err *e) MUST_CHECK;
/* The rank of the entry that begins at `offset`; false where none does. */
bool pack_rank(const struct pack_order *o, uint64_t offset, uint32_t *rank_out);

/* The head of one entry. */
struct pack_entry {
	enum object_type type; /* one of the four, or one of the two deltas */
	uint64_t offset;
	uint64_t size;	      /* inflated; of a delta, the delta's own */
	uint64_t base_offset; /* OFS_DELTA */
	struct oid base_id;   /* REF_DELTA */
	struct span data;     /* the deflated stream and what follows it */
};

/* Read the head at `offset`: in an open pack, or in any bytes that begin with a
 * pack's first (and end before its trailer). ERR_CORRUPT. */
int pack_entry(const struct pack *p, uint64_t offset, struct pack_entry *out,
	       struct err *e) MUST_CHECK;
int pack_entry_parse(struct span bytes, uint64_t offset, enum oid_kind kind,
		     struct pack_entry *out, struct err *e) MUST_CHECK;

/* Bytes of memory held beside the mappings. */
size_t pack_memory(const struct pack *p);
