/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs and indexes made byte by byte, also such as no git would write: what is
 * claimed is claimed by the test, only checksums are made right.
 */
#pragma once

#include "repo_fixture.h"

#include "base/digest.h"
#include "git/object_hash.h"

#include <sys/stat.h>
#include <zlib.h>

#define MAKER_MAX 12000

struct made_entry {
	struct oid id;
	uint64_t offset;
	uint32_t crc;
};

struct maker {
	struct buf pack;
	struct made_entry entries[MAKER_MAX];
	uint32_t n;
};

static inline void put_u32(struct buf *b, uint32_t v)
{
	unsigned char bytes[4];

	store_u32be(bytes, v);
	buf_add(b, bytes, sizeof bytes);
}

static inline void put_sha1(struct buf *b)
{
	struct digest *d = digest_new(DIGEST_SHA1);
	unsigned char sum[SHA1_SIZE];

	assert_non_null(d);
	digest_update(d, b->data, b->len);
	digest_final(d, sum);
	digest_free(d);
	buf_add(b, sum, sizeof sum);
}

static inline struct maker *maker_new(void)
{
	struct maker *m = calloc(1, sizeof *m);

	assert_non_null(m);
	buf_init_max(&m->pack, BUF_DEFAULT_MAX);
	buf_adds(&m->pack, "PACK");
	put_u32(&m->pack, 2);
	put_u32(&m->pack, 0); /* the count, later */
	return m;
}

static inline void maker_free(struct maker *m)
{
	buf_fini(&m->pack);
	free(m);
}

/* Begin an entry of the object `id`; returns its number. */
static inline uint32_t maker_head(struct maker *m, const struct oid *id,
				  unsigned type, uint64_t size)
{
	unsigned c = type << 4 | (unsigned)(size & 0xf);

	assert_true(m->n < MAKER_MAX);
	m->entries[m->n].id = *id;
	m->entries[m->n].offset = m->pack.len;
	for (size >>= 4; size; size >>= 7) {
		buf_addc(&m->pack, (char)(c | 0x80));
		c = (unsigned)(size & 0x7f);
	}
	buf_addc(&m->pack, (char)c);
	return m->n++;
}

static inline void maker_distance(struct maker *m, uint64_t distance)
{
	unsigned char bytes[10];
	size_t at = sizeof bytes;

	bytes[--at] = distance & 0x7f;
	while (distance >>= 7)
		bytes[--at] = (unsigned char)(0x80 | (--distance & 0x7f));
	buf_add(&m->pack, bytes + at, sizeof bytes - at);
}

static inline void maker_deflate(struct maker *m, const void *data, size_t n)
{
	uLongf room = compressBound(n);
	unsigned char *out = malloc(room);

	assert_non_null(out);
	assert_int_equal(compress(out, &room, data, n), Z_OK);
	buf_add(&m->pack, out, room);
	free(out);
}

static inline void maker_end(struct maker *m, uint32_t entry)
{
	struct made_entry *made = &m->entries[entry];

	made->crc =
		(uint32_t)crc32(0, (const Bytef *)m->pack.data + made->offset,
				(uInt)(m->pack.len - made->offset));
}

static inline struct oid id_of(enum object_type type, const void *data,
			       size_t n)
{
	struct oid id;
	struct err e;

	assert_int_equal(object_hash_buffer(OID_SHA1, object_type_name(type),
					    data, n, &id, &e),
			 0);
	return id;
}

static inline struct oid blob_id(const char *text)
{
	return id_of(OBJECT_BLOB, text, strlen(text));
}

/* A loose blob, also where a pack has it already. */
static inline struct oid write_loose(const struct fixture *f, const char *text)
{
	unsigned char plain[256], out[512];
	struct oid id = blob_id(text);
	char hex[OID_MAX_HEX + 1], path[400];
	uLongf room = sizeof out;
	size_t n;

	n = (size_t)snprintf((char *)plain, sizeof plain, "blob %zu",
			     strlen(text)) +
	    1;
	memcpy(plain + n, text, strlen(text));
	assert_int_equal(compress(out, &room, plain, n + strlen(text)), Z_OK);
	oid_hex(&id, hex);
	snprintf(path, sizeof path, "%s/%.2s", f->objects, hex);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/%.2s/%s", f->objects, hex, hex + 2);
	fixture_write_file(path, out, room);
	return id;
}

/* A whole blob, filed under its true id. */
static inline uint32_t maker_blob(struct maker *m, const char *text)
{
	struct oid id = blob_id(text);
	uint32_t entry = maker_head(m, &id, OBJECT_BLOB, strlen(text));

	maker_deflate(m, text, strlen(text));
	maker_end(m, entry);
	return entry;
}

static inline uint32_t maker_ofs_delta(struct maker *m, const struct oid *id,
				       uint64_t distance, const void *delta,
				       size_t n)
{
	uint32_t entry = maker_head(m, id, OBJECT_OFS_DELTA, n);

	maker_distance(m, distance);
	maker_deflate(m, delta, n);
	maker_end(m, entry);
	return entry;
}

static inline uint32_t maker_ref_delta(struct maker *m, const struct oid *id,
				       const struct oid *base,
				       const void *delta, size_t n)
{
	uint32_t entry = maker_head(m, id, OBJECT_REF_DELTA, n);

	buf_add(&m->pack, base->id, base->len);
	maker_deflate(m, delta, n);
	maker_end(m, entry);
	return entry;
}

/* A delta from a text of `n` bytes (below 128) to that text and `more`. */
static inline size_t append_delta(unsigned char *out, size_t n,
				  const char *more)
{
	size_t k = strlen(more), at = 0;

	assert_true(n + k < 128);
	out[at++] = (unsigned char)n;
	out[at++] = (unsigned char)(n + k);
	out[at++] = 0x90;
	out[at++] = (unsigned char)n;
	out[at++] = (unsigned char)k;
	memcpy(out + at, more, k);
	return at + k;
}

/* Count and trailer: after this, no more entries. */
static inline void maker_finish(struct maker *m)
{
	store_u32be((unsigned char *)m->pack.data + 8, m->n);
	put_sha1(&m->pack);
}

static inline int by_made_id(const void *a, const void *b)
{
	const struct made_entry *x = a, *y = b;

	return oid_cmp(&x->id, &y->id);
}

static inline void put_fanout(struct buf *b, const struct maker *m)
{
	uint32_t n = 0;

	for (unsigned first = 0; first < 256; first++) {
		while (n < m->n && m->entries[n].id.id[0] == first)
			n++;
		put_u32(b, n);
	}
}

/* The index of a finished pack; `large` puts every offset into the table of
 * 64-bit ones. Sorts the entries. */
static inline void maker_index(struct maker *m, bool large, struct buf *b)
{
	qsort(m->entries, m->n, sizeof *m->entries, by_made_id);
	put_u32(b, 0xff744f63);
	put_u32(b, 2);
	put_fanout(b, m);
	for (uint32_t i = 0; i < m->n; i++)
		buf_add(b, m->entries[i].id.id, OID_SHA1_SIZE);
	for (uint32_t i = 0; i < m->n; i++)
		put_u32(b, m->entries[i].crc);
	for (uint32_t i = 0; i < m->n; i++)
		put_u32(b, large ? 0x80000000 | i
				 : (uint32_t)m->entries[i].offset);
	for (uint32_t i = 0; large && i < m->n; i++) {
		put_u32(b, (uint32_t)(m->entries[i].offset >> 32));
		put_u32(b, (uint32_t)m->entries[i].offset);
	}
	buf_add(b, m->pack.data + m->pack.len - SHA1_SIZE, SHA1_SIZE);
	put_sha1(b);
}

static inline void maker_index_v1(struct maker *m, struct buf *b)
{
	qsort(m->entries, m->n, sizeof *m->entries, by_made_id);
	put_fanout(b, m);
	for (uint32_t i = 0; i < m->n; i++) {
		put_u32(b, (uint32_t)m->entries[i].offset);
		buf_add(b, m->entries[i].id.id, OID_SHA1_SIZE);
	}
	buf_add(b, m->pack.data + m->pack.len - SHA1_SIZE, SHA1_SIZE);
	put_sha1(b);
}

/* Finish and write pack-NAME.pack and .idx into the repository. */
static inline void maker_write(struct maker *m, const struct fixture *f,
			       const char *name)
{
	struct buf index = BUF_INIT;
	char path[400];

	maker_finish(m);
	maker_index(m, false, &index);
	snprintf(path, sizeof path, "%s/pack/pack-%s.pack", f->objects, name);
	fixture_write_file(path, m->pack.data, m->pack.len);
	snprintf(path, sizeof path, "%s/pack/pack-%s.idx", f->objects, name);
	fixture_write_file(path, index.data, index.len);
	buf_fini(&index);
}
