/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pack's index: which objects it holds and where, in the order of ids.
 *
 * Opening checks the size, the fan-out and the checksum, so a flipped byte or
 * a cut is found there; every access after that is bounded all the same, as
 * the file may change under the mapping (map_guard.h).
 * Format: gitformat-pack(5), idx version 2 with its 64-bit offsets, and 1.
 * Positions: 0 to count - 1, in the order of ids.
 * Threads: any, once open.
 */
#pragma once

#include "base/attr.h"
#include "git/map_guard.h"
#include "git/oid.h"

struct err;

struct pack_index {
	struct guarded_map map;
	char *path;
	enum oid_kind kind;
	uint32_t count;
	uint32_t version;
	/* All of these point into the mapping. */
	const unsigned char *fanout;
	const unsigned char *ids;
	const unsigned char *offsets;
	const unsigned char *crcs;  /* NULL in version 1 */
	const unsigned char *large; /* 64-bit offsets */
	const unsigned char *pack_checksum;
	uint32_t id_stride;
	uint32_t offset_stride;
	uint32_t n_large;
};

/* ERR_NOT_FOUND, ERR_CORRUPT; both name the file. */
int pack_index_open(const char *path, enum oid_kind kind,
		    struct pack_index *out, struct err *e) MUST_CHECK;
void pack_index_close(struct pack_index *x);

bool pack_index_find(const struct pack_index *x, const struct oid *id,
		     uint32_t *pos_out);

/* `pos` must be below the count. */
void pack_index_id(const struct pack_index *x, uint32_t pos, struct oid *out);
/* ERR_CORRUPT where it leads out of the table of large offsets. */
int pack_index_offset(const struct pack_index *x, uint32_t pos,
		      uint64_t *offset_out, struct err *e) MUST_CHECK;
/* Of the entry as it stands in the pack; false in version 1. */
bool pack_index_crc32(const struct pack_index *x, uint32_t pos,
		      uint32_t *crc_out);
