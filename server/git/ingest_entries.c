/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass: head of the pack, every entry as it comes, trailer.
 * Format: gitformat-pack(5), "pack-*.pack files have the following format".
 */
#include "git/ingest.h"

#include "base/digest.h"
#include "base/err.h"
#include "git/object_hash.h"

#include <inttypes.h>

#define PACK_MAGIC 0x5041434b /* "PACK" */
#define HEAD_SIZE  12

/* A blob past this is hashed as it comes, not held. */
#define BLOB_HELD_MAX ((uint64_t)1 << 20)

#define MORE	   0x80 /* of a varint */
#define TYPE_SHIFT 4
#define TYPE_MASK  7
#define SIZE_MASK  15

struct entry_head {
	enum object_type type;
	uint64_t size;
};

static int bad_entry(const struct pack_ingest *p, const char *what,
		     struct err *e)
{
	return err_set(e, ERR_MALFORMED,
		       "the pack entry at offset %" PRIu64 " %s",
		       p->index[p->n - 1].offset, what);
}

static int read_head(struct pack_ingest *p, struct entry_head *out,
		     struct err *e)
{
	unsigned char c;
	unsigned shift = TYPE_SHIFT;

	if (ingest_input_take(&p->in, &c, 1, e) < 0)
		return -1;
	out->type = c >> TYPE_SHIFT & TYPE_MASK;
	out->size = c & SIZE_MASK;
	for (; c & MORE; shift += 7) {
		if (ingest_input_take(&p->in, &c, 1, e) < 0)
			return -1;
		if (shift > 63 ||
		    (uint64_t)(c & 0x7f) << shift >> shift != (c & 0x7f))
			return bad_entry(p, "has a size beyond 64 bits", e);
		out->size |= (uint64_t)(c & 0x7f) << shift;
	}
	return 0;
}

/* The distance of an OFS_DELTA back to its base. */
static int read_distance(struct pack_ingest *p, uint64_t *out, struct err *e)
{
	unsigned char c;
	uint64_t distance;

	if (ingest_input_take(&p->in, &c, 1, e) < 0)
		return -1;
	distance = c & 0x7f;
	while (c & MORE) {
		if (ingest_input_take(&p->in, &c, 1, e) < 0)
			return -1;
		distance++;
		if (distance > UINT64_MAX >> 7)
			return bad_entry(p, "has a base beyond 64 bits", e);
		distance = distance << 7 | (c & 0x7f);
	}
	*out = distance;
	return 0;
}

static int read_ofs_base(struct pack_ingest *p, struct err *e)
{
	uint64_t here = p->index[p->n - 1].offset;
	uint64_t distance;
	uint32_t base;

	if (read_distance(p, &distance, e) < 0)
		return -1;
	if (!distance || distance > here)
		return bad_entry(p, "has a base outside the pack", e);
	base = ingest_table_at(p, here - distance);
	if (base == INGEST_NONE)
		return bad_entry(p, "has a base where no entry begins", e);
	p->nodes[p->n - 1].next = base;
	return 0;
}

static int read_ref_base(struct pack_ingest *p, struct err *e)
{
	unsigned char *id = p->index[p->n - 1].id;

	if (ingest_input_take(&p->in, id, oid_size(p->kind), e) < 0)
		return -1;
	return ingest_table_add_ref(p, p->n - 1, id, e);
}

static int read_delta(struct pack_ingest *p, const struct entry_head *head,
		      struct err *e)
{
	if (head->size > p->hold_max)
		return err_set(e, ERR_LIMIT,
			       "a delta of %" PRIu64 " bytes is more than the "
			       "%zu that are held in memory",
			       head->size, p->hold_max);
	p->n_deltas++;
	return ingest_inflate_hold(p, head->size, e);
}

static int read_object(struct pack_ingest *p, const struct entry_head *head,
		       struct err *e)
{
	bool is_blob = head->type == OBJECT_BLOB;

	p->nodes[p->n - 1].type = (uint8_t)head->type;
	if (head->size > p->limits.object_bytes)
		return err_set(e, ERR_LIMIT,
			       "an object of %" PRIu64
			       " bytes is more than the "
			       "%" PRIu64 " that one may have (object-size)",
			       head->size, p->limits.object_bytes);
	if (!is_blob && head->size > p->hold_max)
		return err_set(e, ERR_LIMIT,
			       "a %s of %" PRIu64 " bytes is more than the %zu "
			       "that one may have",
			       object_type_name(head->type), head->size,
			       p->hold_max);
	if (is_blob && head->size > BLOB_HELD_MAX)
		return ingest_large_blob(p, p->n - 1, e);
	if (ingest_inflate_hold(p, head->size, e) < 0)
		return -1;
	return ingest_object(p, p->n - 1, head->type,
			     span_of(p->hold, (size_t)head->size), e);
}

static int read_entry(struct pack_ingest *p, struct err *e)
{
	uint64_t offset = ingest_input_offset(&p->in);
	struct entry_head head;
	struct ingest_node *node;

	ingest_input_crc_begin(&p->in);
	if (ingest_table_add(p, offset, e) < 0 || read_head(p, &head, e) < 0)
		return -1;
	node = &p->nodes[p->n - 1];
	node->stored = (uint8_t)head.type;
	node->size = head.size;
	if (head.type == OBJECT_OFS_DELTA && read_ofs_base(p, e) < 0)
		return -1;
	if (head.type == OBJECT_REF_DELTA && read_ref_base(p, e) < 0)
		return -1;
	node->head_len = (uint8_t)(ingest_input_offset(&p->in) - offset);
	switch (head.type) {
	case OBJECT_COMMIT:
	case OBJECT_TREE:
	case OBJECT_BLOB:
	case OBJECT_TAG:
		if (read_object(p, &head, e) < 0)
			return -1;
		break;
	case OBJECT_OFS_DELTA:
	case OBJECT_REF_DELTA:
		if (read_delta(p, &head, e) < 0)
			return -1;
		break;
	case OBJECT_NONE:
	default:
		return bad_entry(p, "is of a type that does not exist", e);
	}
	p->index[p->n - 1].crc32 = ingest_input_crc(&p->in);
	return 0;
}

static int read_pack_head(struct pack_ingest *p, uint32_t *count_out,
			  struct err *e)
{
	unsigned char head[HEAD_SIZE];
	uint32_t version;

	if (ingest_input_take(&p->in, head, sizeof head, e) < 0)
		return -1;
	if (load_u32be(head) != PACK_MAGIC)
		return err_set(e, ERR_MALFORMED, "what was sent is no pack");
	version = load_u32be(head + 4);
	if (version != 2 && version != 3)
		return err_set(e, ERR_MALFORMED,
			       "pack version %" PRIu32 " is not supported",
			       version);
	*count_out = load_u32be(head + 8);
	if (*count_out > p->limits.objects)
		return err_set(e, ERR_LIMIT,
			       "the pack claims %" PRIu32 " objects, more than "
			       "the %" PRIu32 " that a push may have",
			       *count_out, p->limits.objects);
	return 0;
}

static int read_trailer(struct pack_ingest *p, struct err *e)
{
	unsigned char computed[SHA1_SIZE];

	if (ingest_input_flush(&p->in, e) < 0)
		return -1;
	p->end = p->in.base;
	digest_final(p->in.digest, computed);
	if (ingest_input_take(&p->in, p->trailer, oid_size(p->kind), e) < 0)
		return -1;
	if (memcmp(computed, p->trailer, oid_size(p->kind)))
		return err_set(e, ERR_MALFORMED,
			       "the pack's checksum does not match: it was "
			       "damaged on the way");
	if (p->in.pos < p->in.len)
		return err_set(e, ERR_MALFORMED,
			       "there are bytes after the end of the pack");
	return ingest_input_flush(&p->in, e);
}

int ingest_entries(struct pack_ingest *p, struct err *e)
{
	uint32_t count = 0, i;
	uint64_t ticked = 0;

	if (read_pack_head(p, &count, e) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		if (read_entry(p, e) < 0)
			return -1;
		if (p->in.base == ticked)
			continue;
		ticked = p->in.base;
		if (ingest_tick(p, "Receiving objects", i + 1, count, e) < 0)
			return -1;
	}
	return read_trailer(p, e);
}
