/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a pack by offset. A .rev file gives the order; it is believed
 * only where the offsets it leads to really ascend, which makes it a
 * permutation. Otherwise a radix sort, 162,000 entries in about 2 ms.
 */
#include "git/pack_order.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <stdlib.h>

#define REV_MAGIC	0x52494458 /* "RIDX" */
#define REV_VERSION	1
#define REV_HASH_SHA1	1
#define REV_HEADER_SIZE 12

#define RADIX_BITS 11
#define RADIX	   (1u << RADIX_BITS)

/* One order being made, and the memory it lies in. */
struct order_memory {
	struct pack_order order;
	uint64_t *offset;
	uint32_t *pos;
};

struct pack_order *pack_order_free(struct pack_order *o)
{
	struct order_memory *m = (struct order_memory *)o;

	if (!m)
		return NULL;
	free(m->offset);
	free(m->pos);
	free(m);
	return NULL;
}

static void order_memory_freep(struct order_memory **m)
{
	if (*m)
		pack_order_free(&(*m)->order);
}

/* One pass: stable by RADIX_BITS of the offsets from `shift` up. */
static void sort_pass(const uint64_t *offset_of, const uint32_t *from,
		      uint32_t *to, uint32_t n, unsigned shift)
{
	uint32_t start[RADIX] = { 0 };
	uint32_t sum = 0, count;

	for (uint32_t i = 0; i < n; i++)
		start[offset_of[from[i]] >> shift & (RADIX - 1)]++;
	for (uint32_t d = 0; d < RADIX; d++) {
		count = start[d];
		start[d] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		to[start[offset_of[from[i]] >> shift & (RADIX - 1)]++] =
			from[i];
}

/* Fill `m->pos` with all positions, by ascending offset below `end`. */
static int sort(struct order_memory *m, const uint64_t *offset_of, uint64_t end,
		struct err *e)
{
	uint32_t n = m->order.count;
	uint32_t *other, *sorted;

	other = malloc((n ? n : 1) * sizeof *other);
	if (!other)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++)
		m->pos[i] = i;
	for (unsigned shift = 0; shift < 64 && end >> shift;
	     shift += RADIX_BITS) {
		sort_pass(offset_of, m->pos, other, n, shift);
		sorted = other;
		other = m->pos;
		m->pos = sorted;
	}
	free(other);
	return 0;
}

/* Offsets in the order of `m->pos`; true where they ascend strictly. */
static bool follow(struct order_memory *m, const uint64_t *offset_of)
{
	uint32_t n = m->order.count;

	for (uint32_t i = 0; i < n; i++) {
		m->offset[i] = offset_of[m->pos[i]];
		if (i && m->offset[i] <= m->offset[i - 1])
			return false;
	}
	return true;
}

/* Take the order from the .rev file; false where it is not there or not good:
 * it only saves time. */
static bool read_rev(struct order_memory *m, const struct pack_index *x,
		     const char *path)
{
	struct guarded_map map;
	struct err ignored;
	struct span s;
	uint32_t magic, version, hash, pos;
	bool is_good;

	if (guarded_map_open(path, &map, &ignored) < 0)
		return false;
	s = span_of(map.data, map.len);
	is_good = map.len == REV_HEADER_SIZE + (uint64_t)4 * x->count +
				     2 * oid_size(x->kind) &&
		  span_u32be(&s, &magic) && magic == REV_MAGIC &&
		  span_u32be(&s, &version) && version == REV_VERSION &&
		  span_u32be(&s, &hash) && hash == REV_HASH_SHA1;
	for (uint32_t i = 0; is_good && i < x->count; i++) {
		is_good = span_u32be(&s, &pos) && pos < x->count;
		m->pos[i] = is_good ? pos : 0;
	}
	guarded_map_close(&map);
	return is_good;
}

/* The offsets by position, malloc'ed. */
static uint64_t *read_offsets(const struct pack_index *x, uint64_t end,
			      struct err *e)
{
	CLEANUP(freep) uint64_t *offset_of = NULL;

	offset_of = malloc((x->count ? x->count : 1) * sizeof *offset_of);
	if (!offset_of) {
		err_nomem(e);
		return NULL;
	}
	for (uint32_t i = 0; i < x->count; i++) {
		if (pack_index_offset(x, i, &offset_of[i], e) < 0)
			return NULL;
		if (offset_of[i] < PACK_HEADER_SIZE || offset_of[i] >= end) {
			err_set(e, ERR_CORRUPT,
				"%s is damaged: an object lies out of the pack",
				x->path);
			return NULL;
		}
	}
	return TAKE(offset_of);
}

struct pack_order *pack_order_new(const struct pack_index *x, uint64_t end,
				  const char *rev_path, struct err *e)
{
	CLEANUP(freep) uint64_t *offset_of = read_offsets(x, end, e);
	CLEANUP(order_memory_freep) struct order_memory *m = NULL;

	if (!offset_of)
		return NULL;
	m = calloc(1, sizeof *m);
	if (m) {
		m->order.count = x->count;
		m->offset = malloc(((size_t)x->count + 1) * sizeof *m->offset);
		m->pos = malloc(((size_t)x->count + 1) * sizeof *m->pos);
	}
	if (!m || !m->offset || !m->pos) {
		err_nomem(e);
		return NULL;
	}
	if (!read_rev(m, x, rev_path) || !follow(m, offset_of)) {
		if (sort(m, offset_of, end, e) < 0)
			return NULL;
		if (!follow(m, offset_of)) {
			err_set(e, ERR_CORRUPT,
				"%s is damaged: two objects at one place",
				x->path);
			return NULL;
		}
	}
	m->offset[x->count] = end;
	m->order.pos = m->pos;
	m->order.offset = m->offset;
	return &TAKE(m)->order;
}

bool pack_rank(const struct pack_order *o, uint64_t offset, uint32_t *rank_out)
{
	uint32_t low = 0, high = o->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (o->offset[middle] == offset) {
			*rank_out = middle;
			return true;
		}
		if (o->offset[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
