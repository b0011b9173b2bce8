/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finished pack responses, kept so that the next identical fetch is a copy.
 *
 * Keyed by content (wants, haves, depth, filter, byte-changing capabilities),
 * so a push invalidates nothing; who may ask is decided before the look-up,
 * every time. A miss that is already being computed is joined, not repeated.
 * Owns: unlinked files in `dir` (O_TMPFILE), so a crash leaves nothing; and
 * mappings of packs that are answers as they lie.
 * Limits: never grows past `max_bytes`; least recently used goes first. One
 * response takes half of it at most.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/digest.h"
#include "base/span.h"

#include <stdint.h>

struct err;
struct guarded_map;
struct pack_cache;
struct pack_cache_entry;

struct pack_cache_key {
	unsigned char digest[SHA256_SIZE];
};

struct pack_cache *pack_cache_new(const char *dir, uint64_t max_bytes,
				  struct err *e) MUST_CHECK;
struct pack_cache *pack_cache_free(struct pack_cache *c);

/*
 * Look up or begin. `*is_writer_out` tells the caller to produce the bytes with
 * pack_cache_append() and end with pack_cache_finish() (also on failure);
 * otherwise it reads with pack_cache_read(). NULL where the cache cannot help
 * (no room): produce without it.
 */
struct pack_cache_entry *pack_cache_get(struct pack_cache *c,
					const struct pack_cache_key *key,
					bool *is_writer_out);
void pack_cache_put(struct pack_cache_entry *entry);

/*
 * What is going to be appended lies in `map`, from its beginning: nothing is
 * copied, pack_cache_append() only says how far it is good. A pack that is sent
 * as it lies is then read from one file by all, and its pages are shared.
 * To be called before the first append; takes `map` over, in any case.
 */
void pack_cache_lend(struct pack_cache_entry *entry, struct guarded_map *map);

/* -1 where there is no room on disk or in the cache, or the response is too
 * large: the entry is dropped, whoever reads it goes on without it, and so
 * should the caller; no reason to fail the response. */
int pack_cache_append(struct pack_cache_entry *entry, struct span data,
		      struct err *e) MUST_CHECK;
void pack_cache_finish(struct pack_cache_entry *entry, bool is_complete);

/*
 * The bytes from `offset` on that are there, waiting for the writer up to
 * `wait_ms`: number in `out->len`; 0 at the end of a complete entry.
 * ERR_TIMEOUT where none came in time, ERR_CLOSED where the writer gave up (the
 * reader then produces the rest itself: the bytes for a key are always the
 * same). ERR_CORRUPT where a file that was lent lost bytes; what was read of it
 * may be zeroes then, and the last bytes are not given.
 * `out` is valid until pack_cache_put().
 */
int pack_cache_read(struct pack_cache_entry *entry, uint64_t offset,
		    int wait_ms, struct span *out, struct err *e) MUST_CHECK;

struct pack_cache_stats {
	uint64_t hits, misses, joined, bytes, entries;
};
void pack_cache_stats(struct pack_cache *c, struct pack_cache_stats *out);
