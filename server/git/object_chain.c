/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delta's chain is written down link by link until something whole is met: an
 * entry that is no delta, or a base that is still in the cache. Then it is
 * applied upwards, each result going to the cache once the next one is made.
 * No recursion; a chain that is a cycle ends at CHAIN_MAX.
 */
#include "git/object_chain.h"

#include "base/cleanup.h"
#include "git/delta.h"
#include "git/loose.h"

#include <libdeflate.h>

/* git repacks at a depth of 50, and allows 4,095; more than this is a cycle or
 * meant to hurt. */
#define CHAIN_MAX 10000

/* Results of deltas that are worth a copy, as bases of what is read next. */
#define KEEP_COPY_MAX ((size_t)1 << 20)

int entry_damaged(struct object_reader *r, const struct link *l,
		  const char *how, struct err *e)
{
	r->failed = *l;
	return err_set(e, ERR_CORRUPT, "%s is damaged: the entry at %llu %s",
		       pack_path(l->pack), (unsigned long long)l->offset, how);
}

static int too_large(const struct link *l, size_t max, struct err *e)
{
	return err_set(e, ERR_LIMIT,
		       "the entry at %llu of %s has more than %zu bytes",
		       (unsigned long long)l->offset, pack_path(l->pack), max);
}

/* Inflate all of an entry into `*out`, malloc'ed. */
static int inflate_entry(struct object_reader *r, const struct link *l,
			 size_t max, unsigned char **out, struct err *e)
{
	CLEANUP(freep) unsigned char *data = NULL;
	enum libdeflate_result result;
	size_t n_out;

	if (l->size > max)
		return too_large(l, max, e);
	if (l->size / DEFLATE_RATIO_MAX > l->data.len)
		return entry_damaged(r, l, "claims a false size", e);
	data = malloc((size_t)l->size + 1);
	if (!data)
		return err_nomem(e);
	/* 11 KB, which a reader that only waits for wants does without. */
	if (!r->inflater)
		r->inflater = libdeflate_alloc_decompressor();
	if (!r->inflater)
		return err_nomem(e);
	result = libdeflate_zlib_decompress_ex(
		r->inflater, l->data.data, l->data.len, data, (size_t)l->size,
		&r->taken, &n_out);
	if (result != LIBDEFLATE_SUCCESS || n_out != l->size)
		return entry_damaged(r, l, "does not inflate", e);
	*out = TAKE(data);
	return 0;
}

/* Inflate the first bytes of an entry. Returns how many. */
static int inflate_head(struct object_reader *r, const struct link *l,
			unsigned char head[DELTA_HEADER_MAX], struct err *e)
{
	union {
		const unsigned char *in;
		unsigned char *out;
	} data = { l->data.data };
	int rc;

	rc = r->has_stream ? inflateReset(&r->stream) : inflateInit(&r->stream);
	if (rc != Z_OK)
		return err_nomem(e);
	r->has_stream = true;
	r->stream.next_in = data.out; /* zlib does not write there */
	r->stream.avail_in =
		(uInt)(l->data.len < UINT32_MAX ? l->data.len : UINT32_MAX);
	r->stream.next_out = head;
	r->stream.avail_out = DELTA_HEADER_MAX;
	rc = inflate(&r->stream, Z_SYNC_FLUSH);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return entry_damaged(r, l, "does not inflate", e);
	return (int)(DELTA_HEADER_MAX - r->stream.avail_out);
}

int chain_size(struct object_reader *r, const struct link *l,
	       uint64_t *size_out, struct err *e)
{
	unsigned char head[DELTA_HEADER_MAX];
	uint64_t base_size;
	struct span s;
	int n;

	n = inflate_head(r, l, head, e);
	if (n < 0)
		return -1;
	s = span_of(head, (size_t)n);
	if (delta_header(&s, &base_size, size_out, e) < 0)
		return entry_damaged(r, l, "is no delta", e);
	return 0;
}

static int chain_push(struct object_reader *r, const struct link *l,
		      struct err *e)
{
	size_t cap = r->chain_cap ? 2 * r->chain_cap : 64;
	struct link *chain;

	if (r->n_chain == CHAIN_MAX)
		return entry_damaged(r, l, "ends a chain of too many deltas",
				     e);
	if (r->n_chain == r->chain_cap) {
		chain = reallocarray(r->chain, cap, sizeof *chain);
		if (!chain)
			return err_nomem(e);
		r->chain = chain;
		r->chain_cap = cap;
	}
	r->chain[r->n_chain++] = *l;
	return 0;
}

static bool is_avoided(const struct object_reader *r, const struct pack *p,
		       uint64_t offset)
{
	for (size_t i = 0; i < r->n_avoid; i++) {
		if (r->avoid[i].pack == p && r->avoid[i].offset == offset)
			return true;
	}
	return false;
}

bool chain_avoid(struct object_reader *r, const struct link *top)
{
	const struct link *l = &r->failed;

	if (!l->pack || r->n_avoid == AVOID_MAX ||
	    (l->pack == top->pack && l->offset == top->offset) ||
	    is_avoided(r, l->pack, l->offset))
		return false;
	r->avoid[r->n_avoid++] = *l;
	return true;
}

/* Move `l` to a copy of the object `id` in a pack, or to none: loose. */
static int move_to_copy(struct object_reader *r, const struct oid *id,
			struct link *l, struct err *e)
{
	const struct objects *o = r->objects;
	uint32_t pos;

	for (uint32_t i = 0; i < o->n_packs; i++) {
		if (!pack_find(o->packs[i], id, &pos))
			continue;
		if (pack_offset(o->packs[i], pos, &l->offset, e) < 0)
			return -1;
		l->pack = o->packs[i];
		if (!is_avoided(r, l->pack, l->offset))
			return 0;
	}
	l->pack = NULL;
	return 0;
}

/* Move `l` to the base of a REF_DELTA: in its own pack, else anywhere. */
static int find_base(struct object_reader *r, const struct oid *id,
		     struct link *l, struct err *e)
{
	uint32_t pos;

	if (pack_find(l->pack, id, &pos))
		return pack_offset(l->pack, pos, &l->offset, e);
	return move_to_copy(r, id, l, e);
}

/* `l` is damaged: move it to another copy of the same object. */
static int replace(struct object_reader *r, struct link *l, struct oid *id_out,
		   struct err *e)
{
	const struct pack_order *order = pack_order(l->pack, e);
	uint32_t rank;

	if (!order)
		return -1;
	if (!pack_rank(order, l->offset, &rank))
		return entry_damaged(r, l, "is none", e);
	pack_id(l->pack, order->pos[rank], id_out);
	return move_to_copy(r, id_out, l, e);
}

static bool is_delta(enum object_type type)
{
	return type == OBJECT_OFS_DELTA || type == OBJECT_REF_DELTA;
}

int chain_descend(struct object_reader *r, struct link l, struct root *root,
		  struct err *e)
{
	struct pack_entry entry;

	*root = (struct root){ 0 };
	r->n_chain = 0;
	r->failed = (struct link){ 0 };
	while (l.pack) {
		if (is_avoided(r, l.pack, l.offset)) {
			if (replace(r, &l, &root->loose, e) < 0)
				return -1;
			continue;
		}
		root->cached = base_cache_get(&r->cache, l.pack, l.offset);
		if (root->cached) {
			root->type = root->cached->type;
			break;
		}
		if (pack_entry(l.pack, l.offset, &entry, e) < 0) {
			r->failed = l;
			return -1;
		}
		l.size = entry.size;
		l.data = entry.data;
		root->type = entry.type;
		if (!is_delta(entry.type))
			break;
		if (chain_push(r, &l, e) < 0)
			return -1;
		if (entry.type == OBJECT_OFS_DELTA) {
			l.offset = entry.base_offset;
		} else {
			root->loose = entry.base_id;
			if (find_base(r, &entry.base_id, &l, e) < 0)
				return -1;
		}
	}
	root->at = l;
	return 0;
}

int chain_no_base(struct object_reader *r, struct err *e)
{
	if (e->code != ERR_NOT_FOUND || !r->n_chain)
		return -1;
	return entry_damaged(r, &r->chain[r->n_chain - 1],
			     "is a delta without a base", e);
}

/* The root's bytes into `own`, unless they are cached. */
static int root_read(struct object_reader *r, const struct root *root,
		     size_t max, struct object *own, struct err *e)
{
	r->taken = 0;
	if (root->cached)
		return 0;
	if (!root->at.pack) {
		if (reader_loose(r, &root->loose, max, own, e) < 0)
			return chain_no_base(r, e);
		return 0;
	}
	if (inflate_entry(r, &root->at, max, &own->data, e) < 0)
		return -1;
	own->type = root->type;
	own->size = (size_t)root->at.size;
	return 0;
}

/* Apply the delta `l` to `base`. */
static int link_apply(struct object_reader *r, const struct link *l,
		      const struct object *base, size_t max, struct object *out,
		      struct err *e)
{
	CLEANUP(freep) unsigned char *delta = NULL;
	CLEANUP(freep) unsigned char *data = NULL;
	struct span whole, rest;
	uint64_t base_size, size;

	if (inflate_entry(r, l, OBJECT_SIZE_MAX, &delta, e) < 0)
		return -1;
	whole = rest = span_of(delta, (size_t)l->size);
	if (delta_header(&rest, &base_size, &size, e) < 0)
		return entry_damaged(r, l, "is no delta", e);
	if (size > max)
		return too_large(l, max, e);
	data = malloc((size_t)size + 1);
	if (!data)
		return err_nomem(e);
	if (delta_apply(span_of(base->data, base->size), whole, data,
			(size_t)size, e) < 0)
		return entry_damaged(r, l, "is a false delta", e);
	*out = (struct object){ base->type, TAKE(data), (size_t)size };
	return 0;
}

/* Give up an object that was a base: to the cache, where it lies in a pack. */
static void keep(struct object_reader *r, const struct link *at,
		 struct object *base)
{
	if (at->pack && base->data)
		base_cache_put(&r->cache, at->pack, at->offset, base);
	else
		object_fini(base);
}

static bool copy_object(const struct object *from, struct object *out)
{
	*out = *from;
	out->data = malloc(from->size + 1);
	if (!out->data)
		return false;
	if (from->size)
		memcpy(out->data, from->data, from->size);
	return true;
}

/* The result of a delta is likely a base of what is read next. */
static void keep_copy(struct object_reader *r, const struct link *at,
		      const struct object *o)
{
	struct object copy;

	if (o->size <= KEEP_COPY_MAX && o->size <= r->cache.max / 16 &&
	    copy_object(o, &copy))
		base_cache_put(&r->cache, at->pack, at->offset, &copy);
}

/* What was asked for lies in the cache. */
static int copy_cached(const struct object *cached, size_t max,
		       struct object *out, struct err *e)
{
	if (cached->size > max)
		return err_set(e, ERR_LIMIT, "it has more than %zu bytes", max);
	return copy_object(cached, out) ? 0 : err_nomem(e);
}

int chain_ascend(struct object_reader *r, const struct root *root, size_t max,
		 struct object *out, struct err *e)
{
	size_t n = r->n_chain;
	struct link at = root->at; /* of `own` */
	struct object own = { 0 }, next;
	const struct object *base = root->cached ? root->cached : &own;

	if (root_read(r, root, n ? OBJECT_SIZE_MAX : max, &own, e) < 0)
		return -1;
	if (!n && root->cached)
		return copy_cached(root->cached, max, out, e);
	for (size_t i = n; i-- > 0;) {
		if (link_apply(r, &r->chain[i], base, i ? OBJECT_SIZE_MAX : max,
			       &next, e) < 0) {
			object_fini(&own);
			return -1;
		}
		keep(r, &at, &own);
		own = next;
		base = &own;
		at = r->chain[i];
	}
	if (n)
		keep_copy(r, &at, &own);
	*out = own;
	return 0;
}
