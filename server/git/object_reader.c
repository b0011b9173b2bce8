/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an id to what it names.
 *
 * Any copy will do: the pack that had the last object is asked first. Where a
 * copy turns out damaged, the next is tried: other packs, loose, packs that
 * came since the view was opened.
 */
#include "git/objects.h"

#include "base/cleanup.h"
#include "git/loose.h"
#include "git/object_chain.h"

#include <libdeflate.h>

#define TAG_DEPTH_MAX 1000
#define TAG_SIZE_MAX  ((size_t)64 << 20)

/* What is asked for, and the answer. */
struct query {
	const struct oid *id;
	size_t max;
	struct object *out; /* NULL: type and size only */
	enum object_type type;
	uint64_t size;
};

struct object_reader *object_reader_new(struct objects *o, size_t cache_bytes,
					struct err *e)
{
	struct object_reader *r = calloc(1, sizeof *r);

	if (!r) {
		err_nomem(e);
		return NULL;
	}
	r->objects = objects_get(o);
	base_cache_init(&r->cache, cache_bytes);
	return r;
}

struct object_reader *object_reader_free(struct object_reader *r)
{
	if (!r)
		return NULL;
	base_cache_fini(&r->cache);
	libdeflate_free_decompressor(r->inflater);
	if (r->has_stream)
		inflateEnd(&r->stream);
	objects_put(r->newer);
	objects_put(r->objects);
	free(r->chain);
	free(r);
	return NULL;
}

/* Compare the entry that was just inflated with its index, where that knows:
 * the deflated data has a checksum of its own, type and base have not. */
static int check_crc(struct object_reader *r, const struct link *l,
		     uint32_t pos, struct err *e)
{
	struct span bytes = pack_bytes(l->pack);
	uint32_t crc;
	size_t n;

	if (!r->taken || !pack_crc32(l->pack, pos, &crc))
		return 0;
	n = (size_t)(l->data.data - bytes.data) + r->taken - (size_t)l->offset;
	if (libdeflate_crc32(0, bytes.data + l->offset, n) == crc)
		return 0;
	return entry_damaged(r, l, "has a wrong checksum", e);
}

static int query_loose(const struct object_reader *r, struct query *q,
		       struct err *e)
{
	struct err first = { ERR_NOT_FOUND, "it is not loose" };

	for (size_t i = 0; i < r->objects->n_sources; i++) {
		const char *dir = r->objects->sources[i].dir;
		int rc;

		rc = q->out ? loose_read(dir, q->id, q->max, q->out, e)
			    : loose_info(dir, q->id, &q->type, &q->size, e);
		if (!rc)
			return 0;
		if (e->code != ERR_NOT_FOUND && first.code == ERR_NOT_FOUND)
			first = *e;
	}
	*e = first;
	return -1;
}

int reader_loose(const struct object_reader *r, const struct oid *id,
		 size_t max, struct object *out, struct err *e)
{
	struct query q = { .id = id, .max = max, .out = out };

	return query_loose(r, &q, e);
}

/* Type and size of the root; for the size of a delta its own head is asked. */
static int root_info(struct object_reader *r, const struct root *root,
		     struct query *q, struct err *e)
{
	struct query loose = { .id = &root->loose };

	q->type = root->type;
	q->size = root->cached ? root->cached->size : root->at.size;
	if (root->at.pack)
		return 0;
	if (query_loose(r, &loose, e) < 0)
		return chain_no_base(r, e);
	q->type = loose.type;
	q->size = loose.size;
	return 0;
}

/* The copy whose entry is `l`, and `pos` in the index. */
static int read_entry(struct object_reader *r, const struct link *l,
		      uint32_t pos, struct query *q, struct err *e)
{
	const struct link *top;
	struct root root;

	if (chain_descend(r, *l, &root, e) < 0)
		return -1;
	top = r->n_chain ? &r->chain[0] : &root.at;
	if (!q->out) {
		if (root_info(r, &root, q, e) < 0)
			return -1;
		return r->n_chain ? chain_size(r, top, &q->size, e) : 0;
	}
	if (chain_ascend(r, &root, q->max, q->out, e) < 0)
		return -1;
	/* It is another copy where this one is known to be damaged. */
	if (top->pack != l->pack || top->offset != l->offset ||
	    check_crc(r, top, pos, e) == 0)
		return 0;
	object_fini(q->out);
	return -1;
}

/* The copy at `pos` of `pack`; where a base of it is damaged, with another copy
 * of that base. */
static int read_packed(struct object_reader *r, struct pack *pack, uint32_t pos,
		       struct query *q, struct err *e)
{
	struct link l = { .pack = pack };
	int rc;

	if (pack_offset(pack, pos, &l.offset, e) < 0)
		return -1;
	do
		rc = read_entry(r, &l, pos, q, e);
	while (rc < 0 && e->code == ERR_CORRUPT && chain_avoid(r, &l));
	return rc;
}

/* Is another copy worth a try? Keeps the first reason in `why`. */
static bool is_worth_more(const struct err *e, struct err *why)
{
	if (e->code != ERR_CORRUPT && e->code != ERR_NOT_FOUND)
		return false;
	if (why->code == ERR_OK && e->code == ERR_CORRUPT)
		*why = *e;
	return true;
}

/* In the packs of `view` but `skip`. 1 found, 0 not or not whole, -1. */
static int query_packs(struct object_reader *r, const struct objects *view,
		       uint32_t skip, struct query *q, struct err *why,
		       struct err *e)
{
	uint32_t pos;

	for (uint32_t i = 0; i < view->n_packs; i++) {
		if (i == skip || !pack_find(view->packs[i], q->id, &pos))
			continue;
		if (read_packed(r, view->packs[i], pos, q, e) == 0) {
			if (view == r->objects)
				r->last_pack = i;
			return 1;
		}
		if (!is_worth_more(e, why))
			return -1;
	}
	return 0;
}

/* In packs that came since. The cache knows packs by address, so it is emptied
 * before the view that holds them goes. */
static int query_newer(struct object_reader *r, struct query *q,
		       struct err *why, struct err *e)
{
	struct objects *newer = objects_newer(r->objects, e);

	if (!newer)
		return e->code == ERR_OK ? 0 : -1;
	if (newer != r->newer) {
		base_cache_clear(&r->cache);
		objects_put(r->newer);
		r->newer = newer;
	} else {
		objects_put(newer);
	}
	return query_packs(r, newer, UINT32_MAX, q, why, e);
}

/* Everywhere but in the pack `skip`. */
static int query_rest(struct object_reader *r, uint32_t skip, struct query *q,
		      struct err *why, struct err *e)
{
	int rc;

	rc = query_packs(r, r->objects, skip, q, why, e);
	if (!rc) {
		rc = query_loose(r, q, e) == 0;
		if (!rc && !is_worth_more(e, why))
			return -1;
	}
	if (!rc)
		rc = query_newer(r, q, why, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (why->code == ERR_OK)
		return objects_not_found(r->newer ? r->newer : r->objects,
					 q->id, e);
	*e = *why;
	return -1;
}

static int query_run(struct object_reader *r, struct query *q, struct err *e)
{
	struct err why = { 0 };
	uint32_t last = r->last_pack, pos;

	if (last >= r->objects->n_packs)
		return query_rest(r, UINT32_MAX, q, &why, e);
	if (pack_find(r->objects->packs[last], q->id, &pos)) {
		if (read_packed(r, r->objects->packs[last], pos, q, e) == 0)
			return 0;
		if (!is_worth_more(e, &why))
			return -1;
	}
	return query_rest(r, last, q, &why, e);
}

int object_read(struct object_reader *r, const struct oid *id, size_t max,
		struct object *out, struct err *e)
{
	struct query q = { .id = id, .max = max, .out = out };

	*out = (struct object){ 0 };
	return query_run(r, &q, e);
}

int object_read_at(struct object_reader *r, const struct object_at *at,
		   const struct oid *id, size_t max, struct object *out,
		   struct err *e)
{
	struct query q = { .id = id, .max = max, .out = out };
	struct err why = { 0 };

	*out = (struct object){ 0 };
	if (at->pack >= r->objects->n_packs)
		return query_run(r, &q, e);
	if (read_packed(r, r->objects->packs[at->pack], at->pos, &q, e) == 0)
		return 0;
	if (!is_worth_more(e, &why))
		return -1;
	return query_rest(r, at->pack, &q, &why, e);
}

int object_info(struct object_reader *r, const struct oid *id,
		enum object_type *type_out, uint64_t *size_out, struct err *e)
{
	struct query q = { .id = id };

	if (query_run(r, &q, e) < 0)
		return -1;
	*type_out = q.type;
	*size_out = q.size;
	return 0;
}

/* The next link of a chain of tags, into `id`. */
static int peel_once(struct object_reader *r, struct oid *id, struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	struct tag_view tag;
	struct object o;
	int rc;

	if (object_read(r, id, TAG_SIZE_MAX, &o, e) < 0)
		return -1;
	rc = tag_parse(span_of(o.data, o.size), r->objects->kind, &tag, e);
	object_fini(&o);
	if (rc < 0)
		return err_wrap(e, "object %s", oid_hex(id, hex));
	*id = tag.target;
	return 0;
}

int object_peel(struct object_reader *r, const struct oid *id,
		struct oid *id_out, enum object_type *type_out, struct err *e)
{
	struct oid at = *id;
	uint64_t size;

	for (int i = 0; i <= TAG_DEPTH_MAX; i++) {
		if (object_info(r, &at, type_out, &size, e) < 0)
			return -1;
		if (*type_out != OBJECT_TAG) {
			*id_out = at;
			return 0;
		}
		if (peel_once(r, &at, e) < 0)
			return -1;
	}
	return err_set(e, ERR_LIMIT, "more than %d tags of tags",
		       TAG_DEPTH_MAX);
}
