/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why no circle can arise: a delta leans on the very copy of its base that its
 * own pack gave it (packs have no circles), or on a copy that goes out from an
 * earlier pack, or on the client. Along any chain the number of the pack never
 * grows, and within one pack the chain is the pack's own.
 */
#include "git/pack_reuse.h"

#include "base/err.h"

#include <libdeflate.h>
#include <stdlib.h>

int segments_add(struct segments *s, uint64_t start, uint64_t end, uint64_t out,
		 struct err *e)
{
	struct segment *last = s->n ? &s->items[s->n - 1] : NULL;

	if (last && last->end == start &&
	    last->out + (start - last->start) == out) {
		last->end = end;
		return 0;
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap + s->cap / 2 : 64;
		struct segment *items = realloc(s->items, cap * sizeof *items);

		if (!items)
			return err_nomem(e);
		s->items = items;
		s->cap = cap;
	}
	s->items[s->n++] = (struct segment){ start, end, out };
	return 0;
}

bool segments_find(const struct segments *s, uint64_t offset, uint64_t *out_out)
{
	size_t low = 0, high = s->n;
	const struct segment *at;

	/* Bases mostly lie in the segment that is being written. */
	if (s->n && s->items[s->n - 1].start <= offset)
		low = s->n - 1;
	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (s->items[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	if (low >= s->n)
		return false;
	at = &s->items[low];
	if (offset < at->start || offset >= at->end)
		return false;
	*out_out = at->out + (offset - at->start);
	return true;
}

size_t entry_head(unsigned char out[ENTRY_HEAD_MAX], enum object_type type,
		  uint64_t size, uint64_t distance, const struct oid *base)
{
	unsigned char back[10];
	size_t n = 0, n_back = 0;

	out[n] = (unsigned char)(((unsigned)type << 4) | (size & 15));
	for (size >>= 4; size; size >>= 7) {
		out[n++] |= 0x80;
		out[n] = size & 0x7f;
	}
	n++;
	if (type == OBJECT_REF_DELTA) {
		memcpy(out + n, base->id, base->len);
		return n + base->len;
	}
	if (type != OBJECT_OFS_DELTA)
		return n;
	back[n_back++] = distance & 0x7f;
	while (distance >>= 7)
		back[n_back++] = 0x80 | (--distance & 0x7f);
	while (n_back)
		out[n++] = back[--n_back];
	return n;
}

static void lean_on_out(const struct reuse_query *q, uint64_t base_out,
			const struct oid *base, struct reuse *out)
{
	out->kind = q->plan->has_ofs_delta ? REUSE_OFS : REUSE_REF;
	out->distance = q->at_out - base_out;
	out->base = *base;
}

/* Does the pack hold another copy of the object at `pos`? */
static bool has_twin(const struct pack *p, uint32_t pos)
{
	struct oid id, other;

	pack_id(p, pos, &id);
	if (pos) {
		pack_id(p, pos - 1, &other);
		if (oid_eq(&id, &other))
			return true;
	}
	if (pos + 1 >= pack_count(p))
		return false;
	pack_id(p, pos + 1, &other);
	return oid_eq(&id, &other);
}

/* The base is not known to go out from where the delta was made for: where is
 * the copy that travels? */
static int lean_on_id(const struct reuse_query *q, const struct oid *base,
		      struct reuse *out, struct err *e)
{
	const struct pack_plan *plan = q->plan;
	struct pack *pack = objects_pack(plan->objects, q->pack);
	struct object_at at;
	uint32_t number;
	uint64_t base_out;
	int found = objects_find(plan->objects, base, &at, e);

	out->kind = REUSE_NOT;
	if (found <= 0 || at.pack == OBJECT_LOOSE)
		return found < 0 ? -1 : 0;
	number = objects_number(plan->objects, &at);
	if (!object_set_has(&plan->send, number)) {
		if (object_set_has(&plan->known, number)) {
			out->kind = REUSE_REF;
			out->base = *base;
		}
		return 0;
	}
	if (at.pack > q->pack)
		return 0;
	if (at.pack == q->pack &&
	    (out->entry.type != OBJECT_REF_DELTA || has_twin(pack, at.pos)))
		return 0;
	if (segments_find(&q->packs[at.pack], at.offset, &base_out)) {
		lean_on_out(q, base_out, base, out);
	} else if (at.pack == q->pack) {
		/* It follows: only its id can be named. */
		out->kind = REUSE_REF;
		out->base = *base;
	}
	return 0;
}

static int decide_ofs(const struct reuse_query *q, struct reuse *out,
		      struct err *e)
{
	struct pack *pack = objects_pack(q->plan->objects, q->pack);
	const struct pack_entry *entry = &out->entry;
	uint32_t rank;
	uint64_t base_out;
	struct oid base;
	bool is_sent = segments_find(&q->packs[q->pack], entry->base_offset,
				     &base_out);

	if (is_sent && q->plan->has_ofs_delta) {
		out->distance = q->at_out - base_out;
		out->kind = out->distance == entry->offset - entry->base_offset
				    ? REUSE_COPY
				    : REUSE_OFS;
		return 0;
	}
	if (!pack_rank(q->order, entry->base_offset, &rank))
		return err_set(
			e, ERR_CORRUPT, "%s: the delta at %llu has no base",
			pack_path(pack), (unsigned long long)entry->offset);
	pack_id(pack, q->order->pos[rank], &base);
	if (!is_sent)
		return lean_on_id(q, &base, out, e);
	lean_on_out(q, base_out, &base, out);
	return 0;
}

static int decide_ref(const struct reuse_query *q, struct reuse *out,
		      struct err *e)
{
	if (lean_on_id(q, &out->entry.base_id, out, e) < 0)
		return -1;
	if (out->kind == REUSE_REF)
		out->kind = REUSE_COPY;
	return 0;
}

/* Are the bytes those the index was made for? */
static bool is_sound(const struct pack *p, uint32_t pos, struct span bytes)
{
	uint32_t crc;

	return !pack_crc32(p, pos, &crc) ||
	       libdeflate_crc32(0, bytes.data, bytes.len) == crc;
}

int reuse_decide(const struct reuse_query *q, struct reuse *out, struct err *e)
{
	struct pack *pack = objects_pack(q->plan->objects, q->pack);
	uint64_t start = q->order->offset[q->rank];
	uint64_t end = q->order->offset[q->rank + 1];
	struct span bytes = pack_bytes(pack);
	size_t head;

	*out = (struct reuse){ .kind = REUSE_COPY };
	if (pack_entry(pack, start, &out->entry, e) < 0)
		return -1;
	head = (size_t)(out->entry.data.data - bytes.data - start);
	out->is_delta = out->entry.type == OBJECT_OFS_DELTA ||
			out->entry.type == OBJECT_REF_DELTA;
	bytes = span_of(bytes.data + start, (size_t)(end - start));
	if (head >= bytes.len ||
	    !is_sound(pack, q->order->pos[q->rank], bytes)) {
		/* Perhaps another copy is whole: the reader finds it. */
		out->kind = REUSE_NOT;
		return 0;
	}
	out->stream = span_of(bytes.data + head, bytes.len - head);
	if (out->entry.type == OBJECT_OFS_DELTA)
		return decide_ofs(q, out, e);
	if (out->entry.type == OBJECT_REF_DELTA)
		return decide_ref(q, out, e);
	return 0;
}
