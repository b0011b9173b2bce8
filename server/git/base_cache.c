/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of lists, and one list through all entries by last use. */
#include "git/base_cache.h"

#include <stdlib.h>

#define BUCKETS 4096

/* What an entry costs beside its bytes, so that empty objects cost too. */
#define ENTRY_BYTES (sizeof(struct base_entry) + 32)

struct base_entry {
	const struct pack *pack;
	uint64_t offset;
	struct object object;
	struct base_entry *chain; /* the next in its bucket */
	struct base_entry *newer;
	struct base_entry *older;
};

void base_cache_init(struct base_cache *c, size_t max)
{
	*c = (struct base_cache){ .max = max };
}

static struct base_entry **bucket_of(const struct base_cache *c,
				     const struct pack *p, uint64_t offset)
{
	uint64_t h = (offset ^ (uint64_t)(uintptr_t)p << 7) *
		     UINT64_C(0x9e3779b97f4a7c15);

	return &c->table[(size_t)(h >> 32) & (c->n_buckets - 1)];
}

static void list_remove(struct base_cache *c, struct base_entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		c->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		c->oldest = entry->newer;
}

static void list_add(struct base_cache *c, struct base_entry *entry)
{
	entry->newer = NULL;
	entry->older = c->newest;
	if (c->newest)
		c->newest->newer = entry;
	else
		c->oldest = entry;
	c->newest = entry;
}

static void entry_remove(struct base_cache *c, struct base_entry *entry)
{
	struct base_entry **at = bucket_of(c, entry->pack, entry->offset);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	list_remove(c, entry);
	c->bytes -= entry->object.size + ENTRY_BYTES;
	object_fini(&entry->object);
	free(entry);
}

void base_cache_clear(struct base_cache *c)
{
	while (c->oldest)
		entry_remove(c, c->oldest);
}

void base_cache_fini(struct base_cache *c)
{
	base_cache_clear(c);
	free(c->table);
	c->table = NULL;
}

static struct base_entry *entry_find(const struct base_cache *c,
				     const struct pack *p, uint64_t offset)
{
	struct base_entry *entry;

	if (!c->table)
		return NULL;
	entry = *bucket_of(c, p, offset);
	while (entry && (entry->pack != p || entry->offset != offset))
		entry = entry->chain;
	return entry;
}

const struct object *base_cache_get(struct base_cache *c, const struct pack *p,
				    uint64_t offset)
{
	struct base_entry *entry = entry_find(c, p, offset);

	if (!entry)
		return NULL;
	list_remove(c, entry);
	list_add(c, entry);
	return &entry->object;
}

void base_cache_put(struct base_cache *c, const struct pack *p, uint64_t offset,
		    struct object *o)
{
	struct base_entry *entry = NULL, **bucket;

	if (!c->table) {
		c->table = calloc(BUCKETS, sizeof(struct base_entry *));
		c->n_buckets = BUCKETS;
	}
	if (c->table && o->size + ENTRY_BYTES <= c->max / 2 &&
	    !entry_find(c, p, offset))
		entry = calloc(1, sizeof *entry);
	if (!entry) {
		object_fini(o);
		return;
	}
	entry->pack = p;
	entry->offset = offset;
	entry->object = *o;
	*o = (struct object){ 0 };
	bucket = bucket_of(c, p, offset);
	entry->chain = *bucket;
	*bucket = entry;
	list_add(c, entry);
	c->bytes += entry->object.size + ENTRY_BYTES;
	while (c->bytes > c->max)
		entry_remove(c, c->oldest);
}
