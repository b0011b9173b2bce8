/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finished pack responses, found by key and counted; kept_bytes.h has them.
 *
 * An entry is writing, then complete or failed. A failed one leaves the table
 * at once, so that the next request begins anew; a complete one leaves it when
 * room is needed and nobody holds it. Bytes count until the file is gone; those
 * of a pack that was lent count as if they were copied, since one that was
 * removed takes its room on disk until the entry goes.
 * Limits: PACK_CACHE_ENTRIES entries, half of `max_bytes` for one of them.
 * Lock order: `lock` of the cache is the only one; no file is written while it
 * is held.
 */
#include "git/pack_cache.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "git/kept_bytes.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Each complete entry costs a mapping; the kernel allows some 65,000. */
#define PACK_CACHE_ENTRIES 4096
#define N_BUCKETS	   1024
enum entry_state { ENTRY_WRITING, ENTRY_COMPLETE, ENTRY_FAILED };

struct pack_cache_entry {
	struct pack_cache *cache;
	struct pack_cache_key key;
	enum entry_state state;
	bool is_listed; /* in the table and in the order of use */
	uint32_t n_users;
	struct kept_bytes bytes;
	uint64_t reserved; /* counted in the cache; at least bytes.size */
	pthread_cond_t grown;
	struct pack_cache_entry *next_in_bucket;
	struct pack_cache_entry *newer, *older;
};

struct pack_cache {
	pthread_mutex_t lock;
	char *dir;
	uint64_t max_bytes;
	uint64_t bytes;
	uint64_t n_entries;
	uint64_t hits, misses, joined;
	struct pack_cache_entry *buckets[N_BUCKETS];
	struct pack_cache_entry *newest, *oldest;
};

struct pack_cache *pack_cache_new(const char *dir, uint64_t max_bytes,
				  struct err *e)
{
	struct pack_cache *c = calloc(1, sizeof *c);

	if (!c || !(c->dir = strdup(dir))) {
		free(c);
		err_nomem(e);
		return NULL;
	}
	c->max_bytes = max_bytes;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static struct pack_cache_entry **bucket_of(struct pack_cache *c,
					   const struct pack_cache_key *key)
{
	uint32_t h;

	memcpy(&h, key->digest, sizeof h);
	return &c->buckets[h % N_BUCKETS];
}

static void use_unlink(struct pack_cache *c, struct pack_cache_entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		c->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		c->oldest = entry->newer;
	entry->newer = entry->older = NULL;
}

static void use_link(struct pack_cache *c, struct pack_cache_entry *entry)
{
	entry->older = c->newest;
	entry->newer = NULL;
	if (c->newest)
		c->newest->newer = entry;
	else
		c->oldest = entry;
	c->newest = entry;
}

static void entry_list(struct pack_cache *c, struct pack_cache_entry *entry)
{
	struct pack_cache_entry **bucket = bucket_of(c, &entry->key);

	entry->next_in_bucket = *bucket;
	*bucket = entry;
	use_link(c, entry);
	entry->is_listed = true;
	c->n_entries++;
}

static void entry_unlist(struct pack_cache *c, struct pack_cache_entry *entry)
{
	struct pack_cache_entry **at = bucket_of(c, &entry->key);

	if (!entry->is_listed)
		return;
	while (*at != entry)
		at = &(*at)->next_in_bucket;
	*at = entry->next_in_bucket;
	use_unlink(c, entry);
	entry->is_listed = false;
	c->n_entries--;
}

static void entry_destroy(struct pack_cache *c, struct pack_cache_entry *entry)
{
	entry_unlist(c, entry);
	c->bytes -= entry->reserved;
	kept_close(&entry->bytes);
	pthread_cond_destroy(&entry->grown);
	free(entry);
}

struct pack_cache *pack_cache_free(struct pack_cache *c)
{
	if (!c)
		return NULL;
	while (c->newest)
		entry_destroy(c, c->newest);
	pthread_mutex_destroy(&c->lock);
	free(c->dir);
	free(c);
	return NULL;
}

/* The least recently used entry that nobody holds is gone afterwards. */
static bool evict_one(struct pack_cache *c)
{
	struct pack_cache_entry *entry = c->oldest;

	while (entry && entry->n_users)
		entry = entry->newer;
	if (!entry)
		return false;
	entry_destroy(c, entry);
	return true;
}

static struct pack_cache_entry *entry_new(struct pack_cache *c,
					  const struct pack_cache_key *key)
{
	struct pack_cache_entry *entry;
	pthread_condattr_t attr;

	while (c->n_entries >= PACK_CACHE_ENTRIES) {
		if (!evict_one(c))
			return NULL;
	}
	entry = calloc(1, sizeof *entry);
	if (!entry)
		return NULL;
	entry->cache = c;
	entry->key = *key;
	entry->bytes = (struct kept_bytes)KEPT_BYTES_INIT;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&entry->grown, &attr);
	pthread_condattr_destroy(&attr);
	entry_list(c, entry);
	return entry;
}

static struct pack_cache_entry *entry_find(struct pack_cache *c,
					   const struct pack_cache_key *key)
{
	struct pack_cache_entry *entry = *bucket_of(c, key);

	while (entry &&
	       memcmp(entry->key.digest, key->digest, sizeof key->digest) != 0)
		entry = entry->next_in_bucket;
	return entry;
}

/* The entry to use; one whose file was damaged is forgotten. */
static struct pack_cache_entry *entry_find_good(struct pack_cache *c,
						const struct pack_cache_key *k)
{
	struct pack_cache_entry *entry = entry_find(c, k);

	if (!entry || !guarded_map_is_damaged(&entry->bytes.lent))
		return entry;
	entry_unlist(c, entry);
	if (!entry->n_users)
		entry_destroy(c, entry);
	return NULL;
}

struct pack_cache_entry *pack_cache_get(struct pack_cache *c,
					const struct pack_cache_key *key,
					bool *is_writer_out)
{
	struct pack_cache_entry *entry;

	*is_writer_out = false;
	if (!c->max_bytes)
		return NULL;
	pthread_mutex_lock(&c->lock);
	entry = entry_find_good(c, key);
	if (entry) {
		*(entry->state == ENTRY_WRITING ? &c->joined : &c->hits) += 1;
		use_unlink(c, entry);
		use_link(c, entry);
	} else {
		c->misses++;
		entry = entry_new(c, key);
		*is_writer_out = entry != NULL;
	}
	if (entry)
		entry->n_users++;
	pthread_mutex_unlock(&c->lock);
	return entry;
}

void pack_cache_put(struct pack_cache_entry *entry)
{
	struct pack_cache *c;

	if (!entry)
		return;
	c = entry->cache;
	pthread_mutex_lock(&c->lock);
	if (!--entry->n_users && !entry->is_listed)
		entry_destroy(c, entry);
	pthread_mutex_unlock(&c->lock);
}

static void entry_fail(struct pack_cache_entry *entry)
{
	struct pack_cache *c = entry->cache;

	pthread_mutex_lock(&c->lock);
	entry->state = ENTRY_FAILED;
	entry_unlist(c, entry);
	pthread_cond_broadcast(&entry->grown);
	pthread_mutex_unlock(&c->lock);
}

/* Count `n` more bytes for the entry, at the cost of old ones. */
static int entry_reserve(struct pack_cache_entry *entry, size_t n,
			 struct err *e)
{
	struct pack_cache *c = entry->cache;
	int result = 0;

	pthread_mutex_lock(&c->lock);
	if (n > c->max_bytes / 2 - entry->bytes.size) {
		result = err_set(e, ERR_LIMIT,
				 "the response is too large for the cache");
	} else {
		while (n > c->max_bytes - c->bytes && !result) {
			if (!evict_one(c))
				result = err_set(e, ERR_LIMIT,
						 "the cache is full");
		}
	}
	if (!result) {
		c->bytes += n;
		entry->reserved += n;
	}
	pthread_mutex_unlock(&c->lock);
	return result;
}

void pack_cache_lend(struct pack_cache_entry *entry, struct guarded_map *map)
{
	struct pack_cache *c = entry->cache;

	pthread_mutex_lock(&c->lock);
	if (entry->state == ENTRY_WRITING && !entry->bytes.size &&
	    !entry->bytes.is_lent) {
		entry->bytes.lent = *map;
		entry->bytes.is_lent = true;
		*map = (struct guarded_map){ 0 };
	}
	pthread_mutex_unlock(&c->lock);
	guarded_map_close(map);
}

static int entry_extend(struct pack_cache_entry *entry, struct span data,
			struct err *e)
{
	if (entry->state != ENTRY_WRITING)
		return err_set(e, ERR_CLOSED, "the cache entry was given up");
	if (entry_reserve(entry, data.len, e) < 0)
		return -1;
	return kept_append(&entry->bytes, entry->cache->dir, data, e);
}

int pack_cache_append(struct pack_cache_entry *entry, struct span data,
		      struct err *e)
{
	struct pack_cache *c = entry->cache;

	if (!data.len)
		return 0;
	/* Only the writer changes state, fd and size, so it may read them
	 * without the lock. */
	if (entry_extend(entry, data, e) < 0) {
		if (entry->state == ENTRY_WRITING)
			entry_fail(entry);
		return -1;
	}
	pthread_mutex_lock(&c->lock);
	entry->bytes.size += data.len;
	pthread_cond_broadcast(&entry->grown);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void pack_cache_finish(struct pack_cache_entry *entry, bool is_complete)
{
	struct pack_cache *c = entry->cache;
	struct err ignored;

	if (entry->state != ENTRY_WRITING)
		return;
	if (!is_complete) {
		entry_fail(entry);
		return;
	}
	pthread_mutex_lock(&c->lock);
	if (kept_seal(&entry->bytes, &ignored) < 0) {
		entry->state = ENTRY_FAILED;
		entry_unlist(c, entry);
	} else {
		entry->state = ENTRY_COMPLETE;
	}
	pthread_cond_broadcast(&entry->grown);
	pthread_mutex_unlock(&c->lock);
}

static int read_locked(struct pack_cache_entry *entry, uint64_t offset,
		       struct span *out, struct err *e)
{
	if (offset < entry->bytes.size)
		return kept_read(&entry->bytes, offset, out, e);
	if (entry->state == ENTRY_COMPLETE)
		return 0;
	if (entry->state == ENTRY_FAILED)
		return err_set(e, ERR_CLOSED, "the response was given up");
	return err_set(e, ERR_TIMEOUT, "the response did not grow in time");
}

int pack_cache_read(struct pack_cache_entry *entry, uint64_t offset,
		    int wait_ms, struct span *out, struct err *e)
{
	struct pack_cache *c = entry->cache;
	int64_t until = clock_ms() + (wait_ms > 0 ? wait_ms : 0);
	struct timespec t = { until / 1000, until % 1000 * 1000000 };
	int result = 0;

	*out = span_of(NULL, 0);
	pthread_mutex_lock(&c->lock);
	while (entry->state == ENTRY_WRITING && offset >= entry->bytes.size &&
	       !result)
		result = pthread_cond_timedwait(&entry->grown, &c->lock, &t);
	result = read_locked(entry, offset, out, e);
	pthread_mutex_unlock(&c->lock);
	return result;
}

void pack_cache_stats(struct pack_cache *c, struct pack_cache_stats *out)
{
	pthread_mutex_lock(&c->lock);
	*out = (struct pack_cache_stats){
		.hits = c->hits,
		.misses = c->misses,
		.joined = c->joined,
		.bytes = c->bytes,
		.entries = c->n_entries,
	};
	pthread_mutex_unlock(&c->lock);
}
