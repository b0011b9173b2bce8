/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mapped pack. The order of entries is made by whoever needs it first: two
 * threads may both make it, one of the two is kept.
 */
#include "git/pack_file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/pack_index.h"
#include "git/pack_order.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PACK_SUFFIX	".pack"
#define PACK_VERSION_2	2
#define PACK_VERSION_3	3
#define ENTRY_MORE	0x80
#define ENTRY_SIZE_BITS 4

struct pack {
	atomic_uint n_refs;
	char *path;
	enum oid_kind kind;
	struct guarded_map map;
	struct pack_index index;
	_Atomic(struct pack_order *) order;
	_Atomic(enum pack_sum) sum;
};

/* "X.pack" -> "X" + suffix, malloc'ed; NULL out of memory. */
static char *beside(const char *path, const char *suffix)
{
	size_t n = strlen(path);
	char *name;

	if (n > strlen(PACK_SUFFIX) &&
	    !strcmp(path + n - strlen(PACK_SUFFIX), PACK_SUFFIX))
		n -= strlen(PACK_SUFFIX);
	return asprintf(&name, "%.*s%s", (int)n, path, suffix) < 0 ? NULL
								   : name;
}

/* Do pack and index belong together? */
static int check_header(const struct pack *p, struct err *e)
{
	struct span s = span_of(p->map.data, p->map.len);
	uint32_t version, count;

	if (p->map.len < PACK_HEADER_SIZE + oid_size(p->kind))
		return err_set(e, ERR_CORRUPT, "%s is cut short", p->path);
	if (!span_skip(&s, "PACK") || !span_u32be(&s, &version) ||
	    !span_u32be(&s, &count))
		return err_set(e, ERR_CORRUPT, "%s is no pack", p->path);
	if (version != PACK_VERSION_2 && version != PACK_VERSION_3)
		return err_set(e, ERR_CORRUPT, "%s has the unknown version %u",
			       p->path, version);
	if (count != p->index.count)
		return err_set(e, ERR_CORRUPT,
			       "%s has %u objects, its index %u", p->path,
			       count, p->index.count);
	if (memcmp(p->map.data + pack_end(p), p->index.pack_checksum,
		   oid_size(p->kind)) != 0)
		return err_set(e, ERR_CORRUPT,
			       "%s is cut short or damaged: its trailer is not "
			       "what its index says",
			       p->path);
	return 0;
}

static struct pack *pack_free(struct pack *p)
{
	if (!p)
		return NULL;
	pack_order_free(atomic_load(&p->order));
	pack_index_close(&p->index);
	guarded_map_close(&p->map);
	free(p->path);
	free(p);
	return NULL;
}

DEFINE_FREEP(pack)

struct pack *pack_open(const char *path, enum oid_kind kind, struct err *e)
{
	CLEANUP(pack_freep) struct pack *p = calloc(1, sizeof *p);
	CLEANUP(freep) char *index = beside(path, ".idx");

	if (p)
		p->path = strdup(path);
	if (!p || !p->path || !index) {
		err_nomem(e);
		return NULL;
	}
	atomic_init(&p->n_refs, 1);
	p->kind = kind;
	if (pack_index_open(index, kind, &p->index, e) < 0 ||
	    guarded_map_open(path, &p->map, e) < 0 || check_header(p, e) < 0)
		return NULL;
	return TAKE(p);
}

struct pack *pack_get(struct pack *p)
{
	atomic_fetch_add(&p->n_refs, 1);
	return p;
}

struct pack *pack_put(struct pack *p)
{
	if (p && atomic_fetch_sub(&p->n_refs, 1) == 1)
		pack_free(p);
	return NULL;
}

int pack_set_path(struct pack *p, const char *path, struct err *e)
{
	char *copy = strdup(path), *index = beside(path, ".idx");

	if (!copy || !index) {
		free(copy);
		free(index);
		return err_nomem(e);
	}
	free(p->path);
	free(p->index.path);
	p->path = copy;
	p->index.path = index;
	return 0;
}

const char *pack_path(const struct pack *p)
{
	return p->path;
}

uint32_t pack_count(const struct pack *p)
{
	return p->index.count;
}

struct span pack_bytes(const struct pack *p)
{
	return span_of(p->map.data, p->map.len);
}

uint64_t pack_end(const struct pack *p)
{
	return p->map.len - oid_size(p->kind);
}

bool pack_is_damaged(const struct pack *p)
{
	return guarded_map_is_damaged(&p->map) ||
	       guarded_map_is_damaged(&p->index.map);
}

enum pack_sum pack_sum(const struct pack *p)
{
	return atomic_load_explicit(&p->sum, memory_order_relaxed);
}

void pack_set_sum(struct pack *p, enum pack_sum sum)
{
	atomic_store_explicit(&p->sum, sum, memory_order_relaxed);
}

bool pack_is_current(const struct pack *p)
{
	return !pack_is_damaged(p) &&
	       !guarded_map_is_replaced(&p->map, p->path) &&
	       !guarded_map_is_replaced(&p->index.map, p->index.path);
}

int pack_map_again(const struct pack *p, struct guarded_map *out, struct err *e)
{
	if (guarded_map_open(p->path, out, e) < 0)
		return -1;
	if (out->dev == p->map.dev && out->ino == p->map.ino &&
	    out->len == p->map.len)
		return 0;
	guarded_map_close(out);
	return err_set(e, ERR_NOT_FOUND, "%s is another file now", p->path);
}

int pack_check(const struct pack *p, struct err *e)
{
	struct guarded_map now;
	struct err ignored;
	bool is_shorter;

	if (pack_is_damaged(p))
		return err_set(e, ERR_CORRUPT,
			       "%s or its index lost bytes while it was read",
			       p->path);
	if (!guarded_map_is_replaced(&p->map, p->path))
		return 0;
	/* Another file of that name is no harm; this one, shorter, is. */
	if (guarded_map_open(p->path, &now, &ignored) < 0)
		return 0;
	is_shorter = now.dev == p->map.dev && now.ino == p->map.ino &&
		     now.len < p->map.len;
	guarded_map_close(&now);
	if (is_shorter)
		return err_set(e, ERR_CORRUPT, "%s shrank while it was read",
			       p->path);
	return 0;
}

bool pack_find(const struct pack *p, const struct oid *id, uint32_t *pos_out)
{
	return pack_index_find(&p->index, id, pos_out);
}

void pack_id(const struct pack *p, uint32_t pos, struct oid *out)
{
	pack_index_id(&p->index, pos, out);
}

int pack_offset(const struct pack *p, uint32_t pos, uint64_t *offset_out,
		struct err *e)
{
	return pack_index_offset(&p->index, pos, offset_out, e);
}

bool pack_crc32(const struct pack *p, uint32_t pos, uint32_t *crc_out)
{
	return pack_index_crc32(&p->index, pos, crc_out);
}

const struct pack_order *pack_order(struct pack *p, struct err *e)
{
	struct pack_order *mine, *theirs = atomic_load(&p->order);
	CLEANUP(freep) char *rev = NULL;

	if (theirs)
		return theirs;
	rev = beside(p->path, ".rev");
	if (!rev) {
		err_nomem(e);
		return NULL;
	}
	mine = pack_order_new(&p->index, pack_end(p), rev, e);
	if (!mine)
		return NULL;
	if (atomic_compare_exchange_strong(&p->order, &theirs, mine))
		return mine;
	pack_order_free(mine);
	return theirs;
}

size_t pack_memory(const struct pack *p)
{
	size_t n = sizeof *p;

	if (atomic_load(&p->order))
		n += (size_t)p->index.count *
		     (sizeof(uint32_t) + sizeof(uint64_t));
	return n;
}

/* Type and size: three bits and four, then seven of the size in each. */
static bool take_head(struct span *s, struct pack_entry *out)
{
	unsigned shift = ENTRY_SIZE_BITS;
	uint8_t c;

	if (!span_u8(s, &c))
		return false;
	out->type = c >> ENTRY_SIZE_BITS & 7;
	out->size = c & 0xf;
	for (; c & ENTRY_MORE; shift += 7) {
		if (!span_u8(s, &c) || shift > 60 ||
		    (shift == 60 && (c & 0x70)))
			return false;
		out->size |= (uint64_t)(c & 0x7f) << shift;
	}
	return true;
}

/* The distance to the base; each further byte counts from one up. */
static bool take_distance(struct span *s, uint64_t *out)
{
	uint64_t distance;
	uint8_t c;

	if (!span_u8(s, &c))
		return false;
	distance = c & 0x7f;
	while (c & ENTRY_MORE) {
		if (distance >= UINT64_MAX >> 8 || !span_u8(s, &c))
			return false;
		distance = (distance + 1) << 7 | (c & 0x7f);
	}
	*out = distance;
	return true;
}

static int entry_damaged(uint64_t offset, const char *how, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the entry at %llu %s",
		       (unsigned long long)offset, how);
}

static int take_base(struct span *s, enum oid_kind kind, struct pack_entry *out,
		     struct err *e)
{
	uint64_t distance;
	struct span id;

	if (out->type == OBJECT_REF_DELTA) {
		if (!span_take(s, oid_size(kind), &id))
			return entry_damaged(out->offset, "is cut short", e);
		out->base_id = oid_from_bytes(id.data, id.len);
		return 0;
	}
	if (!take_distance(s, &distance) || !distance ||
	    distance > out->offset - PACK_HEADER_SIZE)
		return entry_damaged(out->offset,
				     "has its base out of the pack", e);
	out->base_offset = out->offset - distance;
	return 0;
}

int pack_entry_parse(struct span bytes, uint64_t offset, enum oid_kind kind,
		     struct pack_entry *out, struct err *e)
{
	struct span skipped;

	*out = (struct pack_entry){ .offset = offset };
	if (offset < PACK_HEADER_SIZE || offset >= bytes.len ||
	    !span_take(&bytes, (size_t)offset, &skipped))
		return entry_damaged(offset, "is out of the pack", e);
	if (!take_head(&bytes, out))
		return entry_damaged(offset, "has a malformed size", e);
	switch (out->type) {
	case OBJECT_COMMIT:
	case OBJECT_TREE:
	case OBJECT_BLOB:
	case OBJECT_TAG:
		break;
	case OBJECT_OFS_DELTA:
	case OBJECT_REF_DELTA:
		if (take_base(&bytes, kind, out, e) < 0)
			return -1;
		break;
	default:
		return entry_damaged(offset, "is of an unknown type", e);
	}
	out->data = bytes;
	return 0;
}

int pack_entry(const struct pack *p, uint64_t offset, struct pack_entry *out,
	       struct err *e)
{
	struct span bytes = span_of(p->map.data, (size_t)pack_end(p));

	if (pack_entry_parse(bytes, offset, p->kind, out, e) < 0)
		return err_wrap(e, "%s is damaged", p->path);
	return 0;
}
