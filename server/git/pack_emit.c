/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a pack: one pack's objects after the other, each in the order
 * in which they are stored, then the loose ones.
 *
 * Entries that are copied and lie side by side form a run, which goes out
 * straight from the mapping. A whole pack goes out as the file that it is, with
 * the trailer that it has.
 */
#include "git/pack_emit.h"

#include "base/digest.h"
#include "base/err.h"
#include "git/pack_out.h"
#include "git/pack_plan.h"
#include "git/pack_reuse.h"

#include <libdeflate.h>
#include <stdlib.h>

/* Objects are deflated anew where their base does not travel: most of the cost
 * of a shallow clone. Measured on one: two thirds of level 6's time, 1 % more
 * bytes. */
#define LEVEL 1
/* Below this share of its objects, a pack is not gone through from end to end:
 * the entries that travel are sorted instead. */
#define SPARSE 32

struct emitter {
	struct pack_plan *plan;
	struct pack_out out;
	struct segments *packs;
	struct libdeflate_compressor *compressor;
	/* of the pack that is gone through */
	uint32_t pack;
	uint32_t first; /* number of its first object */
	const struct pack_order *order;
	struct span run; /* to go out, from the mapping */
};

static int run_flush(struct emitter *m, struct err *e)
{
	struct span run = m->run;

	m->run = span_of(NULL, 0);
	return run.len ? pack_out_add(&m->out, run, e) : 0;
}

static int run_add(struct emitter *m, struct span bytes, struct err *e)
{
	if (m->run.len && m->run.data + m->run.len == bytes.data) {
		m->run.len += bytes.len;
	} else {
		if (run_flush(m, e) < 0)
			return -1;
		m->run = bytes;
	}
	return m->run.len >= PACK_PIECE_MAX ? run_flush(m, e) : 0;
}

/* -- what is noted of each entry ------------------------------------------- */

static void record_add(struct emitter *m, uint64_t at_out, const struct oid *id,
		       uint32_t crc, uint8_t depth)
{
	struct pack_record *r = m->plan->record;
	struct pack_index_entry *entry;

	if (!r)
		return;
	entry = &r->entries[r->n];
	r->depths[r->n++] = depth;
	entry->offset = at_out;
	entry->crc32 = crc;
	memcpy(entry->id, id->id, sizeof entry->id);
}

/* How many deltas lead to the entry that went out at `at_out`. */
static uint8_t record_depth(const struct pack_record *r, uint64_t at_out)
{
	uint32_t low = 0, high = r->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (r->entries[middle].offset <= at_out)
			low = middle;
		else
			high = middle;
	}
	return r->n ? r->depths[low] : 0;
}

/* The length of the chain that `u` would end; of a base that is named by its
 * id and follows, nothing is known yet. */
static unsigned depth_of(const struct emitter *m, const struct reuse *u,
			 uint64_t at_out)
{
	uint64_t distance = u->distance;

	if (!u->is_delta || u->kind == REUSE_NOT)
		return 0;
	if (u->kind == REUSE_REF || u->entry.type == OBJECT_REF_DELTA)
		if (u->kind != REUSE_OFS)
			return 1;
	if (u->kind == REUSE_COPY)
		distance = u->entry.offset - u->entry.base_offset;
	return 1u + record_depth(m->plan->record, at_out - distance);
}

static uint32_t crc_of(struct span head, struct span stream)
{
	uint32_t crc = libdeflate_crc32(0, head.data, head.len);

	return libdeflate_crc32(crc, stream.data, stream.len);
}

/* Deflate and add, behind a head. */
static int add_deflated(struct emitter *m, const struct oid *id,
			const struct object *o, struct err *e)
{
	unsigned char head[ENTRY_HEAD_MAX];
	size_t n_head = entry_head(head, o->type, o->size, 0, NULL);
	size_t bound, n;
	unsigned char *data;
	int result, level = m->plan->level ? m->plan->level : LEVEL;

	if (!m->compressor)
		m->compressor = libdeflate_alloc_compressor(level);
	if (!m->compressor)
		return err_nomem(e);
	bound = libdeflate_zlib_compress_bound(m->compressor, o->size);
	data = malloc(bound);
	if (!data)
		return err_nomem(e);
	n = libdeflate_zlib_compress(m->compressor, o->size ? o->data : head,
				     o->size, data, bound);
	record_add(m, m->out.offset, id,
		   crc_of(span_of(head, n_head), span_of(data, n)), 0);
	result = pack_out_add(&m->out, span_of(head, n_head), e);
	if (!result)
		result = pack_out_add(&m->out, span_of(data, n), e);
	free(data);
	return result;
}

static int emit_anew(struct emitter *m, uint32_t number, struct err *e)
{
	CLEANUP(object_fini) struct object o = { 0 };
	char hex[OID_MAX_HEX + 1];
	struct object_at at;
	struct oid id;

	object_numbers_at(&m->plan->numbers, number, &at, &id);
	if (object_read_at(m->plan->reader, &at, &id, OBJECT_SIZE_MAX, &o, e) <
	    0)
		return err_wrap(e, "object %s", oid_hex(&id, hex));
	m->plan->stats.n_deflated++;
	return add_deflated(m, &id, &o, e);
}

/* An entry that is copied, with another head or its own. */
static void note_entry(struct emitter *m, uint32_t rank, const struct reuse *r,
		       uint32_t crc)
{
	uint64_t at_out = m->out.offset + m->run.len;
	struct oid id;

	pack_id(objects_pack(m->plan->objects, m->pack), m->order->pos[rank],
		&id);
	record_add(m, at_out, &id, crc, (uint8_t)depth_of(m, r, at_out));
}

static uint32_t crc_in_pack(const struct emitter *m, uint32_t rank,
			    struct span bytes)
{
	uint32_t crc;

	if (pack_crc32(objects_pack(m->plan->objects, m->pack),
		       m->order->pos[rank], &crc))
		return crc;
	return libdeflate_crc32(0, bytes.data, bytes.len);
}

/* The stored stream behind another head. */
static int emit_with_head(struct emitter *m, uint32_t rank,
			  const struct reuse *r, struct err *e)
{
	unsigned char head[ENTRY_HEAD_MAX];
	enum object_type type =
		r->kind == REUSE_OFS ? OBJECT_OFS_DELTA : OBJECT_REF_DELTA;
	size_t n = entry_head(head, type, r->entry.size, r->distance, &r->base);

	if (m->plan->record)
		note_entry(m, rank, r, crc_of(span_of(head, n), r->stream));
	if (pack_out_add(&m->out, span_of(head, n), e) < 0)
		return -1;
	return pack_out_add(&m->out, r->stream, e);
}

static int emit_entry(struct emitter *m, uint32_t rank, struct err *e)
{
	const struct reuse_query q = {
		.plan = m->plan,
		.packs = m->packs,
		.pack = m->pack,
		.order = m->order,
		.rank = rank,
		.at_out = m->out.offset + m->run.len,
	};
	uint64_t start = m->order->offset[rank];
	uint64_t end = m->order->offset[rank + 1];
	struct segments *here = &m->packs[m->pack];
	struct reuse r;

	if (reuse_decide(&q, &r, e) < 0)
		return -1;
	if (m->plan->record &&
	    depth_of(m, &r, q.at_out) > m->plan->record->depth_max)
		r.kind = REUSE_NOT;
	if (r.kind != REUSE_NOT)
		*(r.is_delta ? &m->plan->stats.n_reused_delta
			     : &m->plan->stats.n_reused) += 1;
	if (r.kind == REUSE_COPY) {
		size_t n = (size_t)(end - start);
		struct span bytes =
			span_of(r.stream.data + r.stream.len - n, n);

		if (segments_add(here, start, end, q.at_out, e) < 0)
			return -1;
		if (m->plan->record)
			note_entry(m, rank, &r, crc_in_pack(m, rank, bytes));
		return run_add(m, bytes, e);
	}
	if (segments_add(here, start, start + 1, q.at_out, e) < 0 ||
	    run_flush(m, e) < 0)
		return -1;
	if (r.kind == REUSE_NOT)
		return emit_anew(m, m->first + m->order->pos[rank], e);
	return emit_with_head(m, rank, &r, e);
}

static int emit_dense(struct emitter *m, struct err *e)
{
	for (uint32_t rank = 0; rank < m->order->count; rank++) {
		uint32_t number = m->first + m->order->pos[rank];

		if (object_set_has(&m->plan->send, number) &&
		    emit_entry(m, rank, e) < 0)
			return -1;
	}
	return 0;
}

static int rank_cmp(const void *a_, const void *b_)
{
	const uint32_t *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

/* The ranks of the `n` objects that travel, ascending. */
static int gather_ranks(struct emitter *m, uint32_t *ranks, uint32_t n,
			struct err *e)
{
	const struct pack *pack = objects_pack(m->plan->objects, m->pack);
	uint32_t number = m->first;

	for (uint32_t i = 0; i < n; i++, number++) {
		uint64_t offset;

		number = object_set_next(&m->plan->send, number);
		if (pack_offset(pack, number - m->first, &offset, e) < 0)
			return -1;
		if (!pack_rank(m->order, offset, &ranks[i]))
			return err_set(
				e, ERR_CORRUPT, "%s: no entry begins at %llu",
				pack_path(pack), (unsigned long long)offset);
	}
	qsort(ranks, n, sizeof *ranks, rank_cmp);
	return 0;
}

static int emit_sparse(struct emitter *m, uint32_t n, struct err *e)
{
	uint32_t *ranks = malloc(n * sizeof *ranks);
	int result;

	if (!ranks)
		return err_nomem(e);
	result = gather_ranks(m, ranks, n, e);
	for (uint32_t i = 0; i < n && !result; i++)
		result = emit_entry(m, ranks[i], e);
	free(ranks);
	return result;
}

static int emit_pack(struct emitter *m, struct err *e)
{
	struct pack *pack = objects_pack(m->plan->objects, m->pack);
	uint32_t count = pack_count(pack);
	uint32_t n =
		object_set_count(&m->plan->send, m->first, m->first + count);

	if (!n)
		return 0;
	m->order = pack_order(pack, e);
	if (!m->order)
		return -1;
	if ((n < count / SPARSE ? emit_sparse(m, n, e) : emit_dense(m, e)) < 0)
		return -1;
	if (run_flush(m, e) < 0)
		return -1;
	return pack_check(pack, e);
}

static int emit_objects(struct emitter *m, struct err *e)
{
	unsigned char header[PACK_HEADER_SIZE] = "PACK";
	struct pack_plan *plan = m->plan;
	uint32_t number = plan->numbers.n_packed;

	store_u32be(header + 4, 2);
	store_u32be(header + 8, plan->count);
	if (pack_out_add(&m->out, span_of(header, sizeof header), e) < 0)
		return -1;
	for (; m->pack < objects_pack_count(plan->objects); m->pack++) {
		if (emit_pack(m, e) < 0)
			return -1;
		m->first += pack_count(objects_pack(plan->objects, m->pack));
	}
	for (;; number++) {
		number = object_set_next(&plan->send, number);
		if (number == UINT32_MAX)
			break;
		if (emit_anew(m, number, e) < 0)
			return -1;
	}
	return pack_out_trailer(&m->out, e);
}

static int sum_wrong(const struct pack *pack, struct err *e)
{
	return err_set(e, ERR_CORRUPT,
		       "%s is damaged: its checksum is wrong; try again for "
		       "what can be had without it",
		       pack_path(pack));
}

/* The first time a pack goes out whole its bytes are compared with its trailer,
 * so that what rotted on disk is told by name and not left to the client. Where
 * it is wrong, the next fetch goes entry by entry, and finds which one it is or
 * another copy. */
static int check_sum(struct pack *pack, struct pack_out *out,
		     struct span trailer, struct err *e)
{
	unsigned char sum[SHA1_SIZE];
	bool is_right;

	pack_out_digest(out, sum);
	is_right = trailer.len == sizeof sum &&
		   !memcmp(trailer.data, sum, sizeof sum);
	pack_set_sum(pack, is_right ? PACK_SUM_RIGHT : PACK_SUM_WRONG);
	return is_right ? 0 : sum_wrong(pack, e);
}

/* All but the trailer; then, if all of it is as it was written, the trailer. */
static int emit_whole(struct pack_plan *plan, struct pack_out *out,
		      struct err *e)
{
	struct pack *pack = objects_pack(plan->objects, plan->whole_pack);
	struct span bytes = pack_bytes(pack), body;

	plan->stats.n_reused = plan->count;
	/* Found since the plan was made, by another clone. */
	if (pack_sum(pack) == PACK_SUM_WRONG)
		return sum_wrong(pack, e);
	if (!span_take(&bytes, (size_t)pack_end(pack), &body) ||
	    pack_out_add(out, body, e) < 0 || pack_check(pack, e) < 0 ||
	    (out->digest && check_sum(pack, out, bytes, e) < 0) ||
	    pack_out_add(out, bytes, e) < 0)
		return -1;
	return pack_out_flush(out, e);
}

const struct pack *pack_plan_whole(const struct pack_plan *p)
{
	return p->stats.is_whole_pack ? objects_pack(p->objects, p->whole_pack)
				      : NULL;
}

/* A pack that is sent as it is has its trailer already. */
static bool must_hash(const struct pack_plan *p)
{
	return !p->stats.is_whole_pack ||
	       pack_sum(objects_pack(p->objects, p->whole_pack)) !=
		       PACK_SUM_RIGHT;
}

int pack_emit(struct pack_plan *p,
	      int (*write)(void *arg, struct span piece, struct err *e),
	      void *arg, struct err *e)
{
	bool is_whole = p->stats.is_whole_pack, is_hashed = must_hash(p);
	uint32_t n_packs = objects_pack_count(p->objects);
	struct emitter m = { .plan = p };
	int result = -1;

	p->stats = (struct pack_plan_stats){ .is_whole_pack = is_whole };
	if (pack_out_init(&m.out, write, arg, is_hashed, e) < 0)
		return -1;
	m.packs = calloc(n_packs ? n_packs : 1, sizeof *m.packs);
	if (!m.packs)
		err_nomem(e);
	else
		result = is_whole ? emit_whole(p, &m.out, e)
				  : emit_objects(&m, e);
	for (uint32_t i = 0; m.packs && i < n_packs; i++)
		free(m.packs[i].items);
	free(m.packs);
	if (m.compressor)
		libdeflate_free_compressor(m.compressor);
	pack_out_fini(&m.out);
	return result;
}
