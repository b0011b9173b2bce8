/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that were lately the bases of deltas, by where they lie.
 *
 * Limits: `max` bytes of objects, the ones used longest ago go first; an object
 * of more than half of that is not kept.
 * Threads: one at a time.
 */
#pragma once

#include "git/object.h"

struct pack;
struct base_entry;

struct base_cache {
	struct base_entry **table;
	size_t n_buckets; /* a power of two */
	struct base_entry *newest;
	struct base_entry *oldest;
	size_t bytes;
	size_t max;
};

/* No memory is held before the first put. */
void base_cache_init(struct base_cache *c, size_t max);
void base_cache_fini(struct base_cache *c);
/* Forget everything: packs it knew may go. */
void base_cache_clear(struct base_cache *c);

/* The object, borrowed until the next put; NULL where it is not kept. */
const struct object *base_cache_get(struct base_cache *c, const struct pack *p,
				    uint64_t offset);

/* Take over `o`, which is empty afterwards: kept or freed. */
void base_cache_put(struct base_cache *c, const struct pack *p, uint64_t offset,
		    struct object *o);
