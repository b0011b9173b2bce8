/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 2: magic, version, fan-out, ids, CRCs, offsets, large offsets,
 * checksum of the pack, checksum of all that. Version 1: fan-out, pairs of
 * offset and id, both checksums.
 */
#include "git/pack_index.h"

#include "base/digest.h"
#include "base/err.h"

#include <stdlib.h>

#define IDX_MAGIC	0xff744f63
#define IDX_HEADER_SIZE 8
#define FANOUT_ENTRIES	256
#define FANOUT_SIZE	(4 * FANOUT_ENTRIES)
#define IS_LARGE	0x80000000

static int damaged(const char *path, const char *how, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s is damaged: %s", path, how);
}

/* The fan-out counts up; its last entry is the number of objects. */
static int read_fanout(struct pack_index *x, struct span *s, struct err *e)
{
	uint32_t before = 0, now;
	struct span table;

	if (!span_take(s, FANOUT_SIZE, &table))
		return damaged(x->path, "it is cut short", e);
	x->fanout = table.data;
	while (span_u32be(&table, &now)) {
		if (now < before)
			return damaged(x->path, "its fan-out goes down", e);
		before = now;
	}
	x->count = before;
	return 0;
}

static bool take_table(struct span *s, uint64_t n, uint64_t size,
		       const unsigned char **out)
{
	struct span table;

	/* n is 32 bits and size below 64: no overflow. */
	if (n * size > s->len || !span_take(s, (size_t)(n * size), &table))
		return false;
	*out = table.data;
	return true;
}

static int read_v1(struct pack_index *x, struct span s, struct err *e)
{
	uint32_t id = (uint32_t)oid_size(x->kind);

	x->version = 1;
	x->id_stride = x->offset_stride = 4 + id;
	if (read_fanout(x, &s, e) < 0)
		return -1;
	if (!take_table(&s, x->count, x->id_stride, &x->offsets) ||
	    s.len != 2 * id)
		return damaged(x->path, "its size is wrong", e);
	x->ids = x->offsets + 4;
	x->pack_checksum = s.data;
	return 0;
}

static int read_v2(struct pack_index *x, struct span s, struct err *e)
{
	uint32_t id = (uint32_t)oid_size(x->kind), version;

	if (!span_u32be(&s, &version) || !span_u32be(&s, &version))
		return damaged(x->path, "it is cut short", e);
	if (version != 2)
		return err_set(e, ERR_CORRUPT, "%s has the unknown version %u",
			       x->path, version);
	x->version = version;
	x->id_stride = id;
	x->offset_stride = 4;
	if (read_fanout(x, &s, e) < 0)
		return -1;
	if (!take_table(&s, x->count, id, &x->ids) ||
	    !take_table(&s, x->count, 4, &x->crcs) ||
	    !take_table(&s, x->count, 4, &x->offsets) || s.len < 2 * id ||
	    (s.len - 2 * id) % 8 || (s.len - 2 * id) / 8 > x->count)
		return damaged(x->path, "its size is wrong", e);
	x->large = s.data;
	x->n_large = (uint32_t)((s.len - 2 * id) / 8);
	x->pack_checksum = s.data + (s.len - 2 * id);
	return 0;
}

static int check_sum(const struct pack_index *x, struct err *e)
{
	size_t n = x->map.len - oid_size(x->kind);
	unsigned char sum[SHA1_SIZE];
	struct digest *d = digest_new(DIGEST_SHA1);

	if (!d)
		return err_nomem(e);
	digest_update(d, x->map.data, n);
	digest_final(d, sum);
	digest_free(d);
	if (memcmp(sum, x->map.data + n, sizeof sum) != 0)
		return damaged(x->path, "its checksum is wrong", e);
	return 0;
}

static int index_read(struct pack_index *x, struct err *e)
{
	struct span s = span_of(x->map.data, x->map.len);

	if (s.len < IDX_HEADER_SIZE)
		return damaged(x->path, "it is cut short", e);
	if (load_u32be(s.data) == IDX_MAGIC) {
		if (read_v2(x, s, e) < 0)
			return -1;
	} else if (read_v1(x, s, e) < 0) {
		return -1;
	}
	return check_sum(x, e);
}

int pack_index_open(const char *path, enum oid_kind kind,
		    struct pack_index *out, struct err *e)
{
	*out = (struct pack_index){ .kind = kind, .path = strdup(path) };
	if (!out->path)
		return err_nomem(e);
	if (guarded_map_open(path, &out->map, e) < 0 ||
	    index_read(out, e) < 0) {
		pack_index_close(out);
		return -1;
	}
	return 0;
}

void pack_index_close(struct pack_index *x)
{
	guarded_map_close(&x->map);
	free(x->path);
	*x = (struct pack_index){ 0 };
}

static const unsigned char *id_at(const struct pack_index *x, uint32_t pos)
{
	return x->ids + (size_t)pos * x->id_stride;
}

bool pack_index_find(const struct pack_index *x, const struct oid *id,
		     uint32_t *pos_out)
{
	size_t size = oid_size(x->kind);
	unsigned first = id->id[0];
	uint32_t low, high, middle;
	int order;

	low = first ? load_u32be(x->fanout + (size_t)4 * (first - 1)) : 0;
	high = load_u32be(x->fanout + (size_t)4 * first);
	if (high > x->count) /* the file changed under us */
		high = x->count;
	while (low < high) {
		middle = low + (high - low) / 2;
		order = memcmp(id->id, id_at(x, middle), size);
		if (!order) {
			*pos_out = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

void pack_index_id(const struct pack_index *x, uint32_t pos, struct oid *out)
{
	*out = oid_from_bytes(id_at(x, pos), oid_size(x->kind));
}

int pack_index_offset(const struct pack_index *x, uint32_t pos,
		      uint64_t *offset_out, struct err *e)
{
	uint32_t small;

	small = load_u32be(x->offsets + (size_t)pos * x->offset_stride);
	if (x->version == 1 || !(small & IS_LARGE)) {
		*offset_out = small;
		return 0;
	}
	small &= ~IS_LARGE;
	if (small >= x->n_large)
		return damaged(x->path, "an offset is out of its table", e);
	*offset_out = load_u64be(x->large + (size_t)8 * small);
	return 0;
}

bool pack_index_crc32(const struct pack_index *x, uint32_t pos,
		      uint32_t *crc_out)
{
	if (!x->crcs)
		return false;
	*crc_out = load_u32be(x->crcs + (size_t)4 * pos);
	return true;
}
