/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files beside a pack: its index, its reverse index, and of a cruft pack
 * the times of its objects.
 *
 * The same pack gives the same bytes as `git index-pack`. Nothing is synced;
 * whoever publishes a pack does that when all of it is there.
 * Format: gitformat-pack(5), idx version 2, .rev and .mtimes version 1.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;

struct pack_index_entry {
	uint64_t offset; /* of the entry in the pack */
	uint32_t crc32;	 /* of its bytes there, header to end */
	unsigned char id[OID_SHA1_SIZE];
};

/* Into the order of ids. */
void pack_index_sort(struct pack_index_entry *entries, uint32_t n);

/*
 * Write a new file `path` (mode 0444 less the umask) for the `n` sorted
 * entries of the pack that ends in `trailer`. On failure no file is left.
 */
int pack_index_write(const char *path, enum oid_kind kind,
		     const struct pack_index_entry *sorted, uint32_t n,
		     const unsigned char *trailer, struct err *e) MUST_CHECK;
int pack_rev_write(const char *path, enum oid_kind kind,
		   const struct pack_index_entry *sorted, uint32_t n,
		   const unsigned char *trailer, struct err *e) MUST_CHECK;

/* `mtimes` are seconds since 1970, in the order of the ids. */
int pack_mtimes_write(const char *path, enum oid_kind kind,
		      const uint32_t *mtimes, uint32_t n,
		      const unsigned char *trailer, struct err *e) MUST_CHECK;
