/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin pack leans on objects that only the receiver has. A pack on disk may
 * not: each such base is appended, once, in one pass over the deltas that wait
 * for one, in the order of the pack; what leans on it is resolved at once, so
 * that only bases are taken which nothing in the pack would have given.
 */
#include "git/ingest.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "git/object_hash.h"

#include <inttypes.h>
#include <libdeflate.h>

#define COUNT_OFFSET  8 /* of the number of objects, in the head of the pack */
#define HEAD_MAX      10
#define DEFLATE_LEVEL 6

static int write_at(const struct pack_ingest *p, uint64_t offset,
		    const unsigned char *data, size_t n, struct err *e)
{
	ssize_t done;

	while (n) {
		done = pwrite(p->in.fd, data, n, (off_t)offset);
		if (done < 0)
			return err_errno(e, "%s", p->pack_path);
		offset += (uint64_t)done;
		data += done;
		n -= (size_t)done;
	}
	return 0;
}

static size_t put_head(unsigned char out[HEAD_MAX], enum object_type type,
		       uint64_t size)
{
	unsigned c = (unsigned)type << 4 | (unsigned)(size & 15);
	size_t n = 0;

	for (size >>= 4; size; size >>= 7) {
		out[n++] = (unsigned char)(c | 0x80);
		c = (unsigned)(size & 0x7f);
	}
	out[n++] = (unsigned char)c;
	return n;
}

/* The entry's bytes into p->packed; their number, or 0. */
static size_t deflate_entry(struct pack_ingest *p, const struct object *o,
			    size_t *head_len_out, struct err *e)
{
	struct libdeflate_compressor *c;
	size_t head, room, n;

	c = libdeflate_alloc_compressor(DEFLATE_LEVEL);
	room = c ? libdeflate_zlib_compress_bound(c, o->size) : 0;
	if (!c || ingest_reserve(&p->packed, &p->packed_cap, HEAD_MAX + room,
				 e) < 0) {
		libdeflate_free_compressor(c);
		err_nomem(e);
		return 0;
	}
	head = put_head(p->packed, o->type, o->size);
	n = libdeflate_zlib_compress(c, o->size ? (const void *)o->data : "",
				     o->size, p->packed + head, room);
	libdeflate_free_compressor(c);
	*head_len_out = head;
	if (n)
		return head + n;
	err_set(e, ERR_NOMEM, "a delta base does not deflate");
	return 0;
}

static int check_base(const struct pack_ingest *p, const struct oid *id,
		      const struct object *o, struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	struct oid computed;

	if (object_hash_buffer(p->kind, object_type_name(o->type), o->data,
			       o->size, &computed, e) < 0)
		return -1;
	if (oid_eq(id, &computed))
		return 0;
	return err_set(e, ERR_CORRUPT, "object %s is damaged on disk",
		       oid_hex(id, hex));
}

static int append(struct pack_ingest *p, const struct oid *id,
		  const struct object *o, struct err *e)
{
	struct ingest_node *node;
	size_t n, head_len;

	if (check_base(p, id, o, e) < 0)
		return -1;
	n = deflate_entry(p, o, &head_len, e);
	if (!n)
		return -1;
	if (p->end + n >= p->in.space_checked) {
		if (ingest_space(p->in.dir, p->in.reserve, n, e) < 0)
			return -1;
		p->in.space_checked = p->end + n + INGEST_SPACE_STEP;
	}
	if (write_at(p, p->end, p->packed, n, e) < 0 ||
	    ingest_table_add(p, p->end, e) < 0)
		return -1;
	p->index[p->n - 1].crc32 = libdeflate_crc32(0, p->packed, n);
	memcpy(p->index[p->n - 1].id, id->id, id->len);
	node = &p->nodes[p->n - 1];
	node->size = o->size;
	node->stored = node->type = (uint8_t)o->type;
	node->head_len = (uint8_t)head_len;
	p->end += n;
	return 0;
}

/* Take the base `id` from the repository. 1; 0 where it has none; -1. */
static int take_base(struct pack_ingest *p, const struct oid *id, struct err *e)
{
	struct object base = { .type = OBJECT_NONE };
	struct object_at at;
	unsigned char *data;
	int r = 0;

	if (p->options.objects)
		r = objects_find(p->options.objects, id, &at, e);
	if (r <= 0)
		return r;
	if (object_read_at(p->reader, &at, id, p->hold_max, &base, e) < 0)
		return err_wrap(e, "reading a delta base");
	if (ingest_count_inflated(p, base.size, e) < 0 ||
	    append(p, id, &base, e) < 0) {
		object_fini(&base);
		return -1;
	}
	/* An empty object has no memory; what leans on it asks for some. */
	data = TAKE(base.data);
	return pack_resolve_family(p, p->n - 1, data, e) < 0 ? -1 : 1;
}

static int take_bases(struct pack_ingest *p, struct err *e)
{
	uint32_t n_received = p->n, ref;
	struct oid id;
	int r;

	for (uint32_t i = 0; i < n_received; i++) {
		if (p->nodes[i].stored != OBJECT_REF_DELTA ||
		    p->nodes[i].type != OBJECT_NONE)
			continue;
		ref = ingest_table_first_ref(p, p->index[i].id);
		if (p->refs[ref].is_taken || p->refs[ref].is_missing)
			continue;
		id = ingest_id(p, i);
		r = take_base(p, &id, e);
		if (r < 0)
			return -1;
		p->refs[ref].is_missing = r == 0;
	}
	return 0;
}

static int missing_base(const struct pack_ingest *p, struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	struct oid id;
	uint32_t i = 0;

	while (i < p->n && (p->nodes[i].stored != OBJECT_REF_DELTA ||
			    p->nodes[i].type != OBJECT_NONE))
		i++;
	if (i == p->n)
		return err_set(e, ERR_MALFORMED,
			       "the pack has deltas that "
			       "lean on nothing");
	id = ingest_id(p, i);
	return err_set(e, ERR_NOT_FOUND,
		       "the pack has %" PRIu32 " deltas without a base: %s is "
		       "neither in it nor in the repository",
		       p->n_deltas - p->n_resolved, oid_hex(&id, hex));
}

static int hash_file(struct pack_ingest *p, struct digest *d, struct err *e)
{
	uint64_t at = 0;
	size_t n;
	ssize_t got;

	while (at < p->end) {
		n = p->end - at < INGEST_INPUT_SIZE ? (size_t)(p->end - at)
						    : INGEST_INPUT_SIZE;
		got = pread(p->in.fd, p->in.data, n, (off_t)at);
		if (got < 0)
			return err_errno(e, "%s", p->pack_path);
		if (!got)
			return err_set(e, ERR_IO, "%s became shorter",
				       p->pack_path);
		digest_update(d, p->in.data, (size_t)got);
		at += (uint64_t)got;
	}
	return 0;
}

static int finish(struct pack_ingest *p, struct err *e)
{
	unsigned char count[4];

	store_u32be(count, p->n);
	if (write_at(p, COUNT_OFFSET, count, sizeof count, e) < 0)
		return -1;
	digest_reset(p->in.digest);
	if (hash_file(p, p->in.digest, e) < 0)
		return -1;
	digest_final(p->in.digest, p->trailer);
	return write_at(p, p->end, p->trailer, oid_size(p->kind), e);
}

int ingest_thin(struct pack_ingest *p, struct err *e)
{
	uint32_t n_received = p->n;

	if (p->n_resolved == p->n_deltas)
		return 0;
	if (take_bases(p, e) < 0)
		return -1;
	if (p->n_resolved < p->n_deltas)
		return missing_base(p, e);
	return p->n == n_received ? 0 : finish(p, e);
}
