/* SPDX-License-Identifier: Apache-2.0 */
/* Format: gitformat-pack(5). */
#include "pack_builder.h"

#include "test.h"

#include "base/digest.h"
#include "base/err.h"
#include "git/object_hash.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_SIZE  12
#define INSERT_MAX 127

void builder_begin(struct pack_builder *b)
{
	*b = (struct pack_builder){ .version = 2, .count = -1, .level = 6 };
	buf_init_max(&b->bytes, (size_t)512 << 20);
	buf_add(&b->bytes, "PACK\0\0\0\0\0\0\0\0", HEAD_SIZE);
}

void builder_fini(struct pack_builder *b)
{
	buf_fini(&b->bytes);
}

uint64_t builder_head(struct pack_builder *b, unsigned type, uint64_t size)
{
	uint64_t offset = b->bytes.len;
	unsigned c = type << 4 | (unsigned)(size & 15);

	for (size >>= 4; size; size >>= 7) {
		buf_addc(&b->bytes, (char)(c | 0x80));
		c = (unsigned)(size & 0x7f);
	}
	buf_addc(&b->bytes, (char)c);
	b->n++;
	return offset;
}

void builder_distance(struct pack_builder *b, uint64_t distance)
{
	unsigned char bytes[10];
	size_t n = sizeof bytes;

	bytes[--n] = (unsigned char)(distance & 0x7f);
	while (distance >>= 7)
		bytes[--n] = (unsigned char)(0x80 | (--distance & 0x7f));
	buf_add(&b->bytes, bytes + n, sizeof bytes - n);
}

void builder_deflate(struct pack_builder *b, const void *data, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(b->level);
	size_t room = libdeflate_zlib_compress_bound(c, n);
	void *out = buf_reserve(&b->bytes, room);

	assert_non_null(out);
	b->bytes.len +=
		libdeflate_zlib_compress(c, n ? data : "", n, out, room);
	libdeflate_free_compressor(c);
}

uint64_t builder_object(struct pack_builder *b, enum object_type type,
			const void *data, size_t n)
{
	uint64_t offset = builder_head(b, type, n);

	builder_deflate(b, data, n);
	return offset;
}

uint64_t builder_text(struct pack_builder *b, enum object_type type,
		      const char *text)
{
	return builder_object(b, type, text, strlen(text));
}

uint64_t builder_ofs_delta(struct pack_builder *b, uint64_t base,
			   const struct buf *delta)
{
	uint64_t offset = builder_head(b, OBJECT_OFS_DELTA, delta->len);

	builder_distance(b, offset - base);
	builder_deflate(b, delta->data, delta->len);
	return offset;
}

uint64_t builder_ref_delta(struct pack_builder *b, const struct oid *base,
			   const struct buf *delta)
{
	uint64_t offset = builder_head(b, OBJECT_REF_DELTA, delta->len);

	buf_add(&b->bytes, base->id, base->len);
	builder_deflate(b, delta->data, delta->len);
	return offset;
}

void builder_end(struct pack_builder *b)
{
	unsigned char trailer[SHA1_SIZE];
	struct digest *d = digest_new(DIGEST_SHA1);
	unsigned char *head = (unsigned char *)b->bytes.data;

	assert_non_null(d);
	assert_non_null(head);
	store_u32be(head + 4, b->version);
	store_u32be(head + 8, b->count < 0 ? b->n : (uint32_t)b->count);
	digest_update(d, b->bytes.data, b->bytes.len);
	digest_final(d, trailer);
	digest_free(d);
	buf_add(&b->bytes, trailer, sizeof trailer);
	assert_false(b->bytes.failed);
}

/* -- deltas --------------------------------------------------------------- */

static void add_size(struct buf *d, uint64_t size)
{
	for (; size > 0x7f; size >>= 7)
		buf_addc(d, (char)(size | 0x80));
	buf_addc(d, (char)size);
}

void delta_begin(struct buf *d, uint64_t base_size, uint64_t result_size)
{
	buf_clear(d);
	add_size(d, base_size);
	add_size(d, result_size);
}

void delta_copy(struct buf *d, uint32_t offset, uint32_t n)
{
	size_t at = d->len;
	unsigned op = 0x80;

	buf_addc(d, 0);
	for (unsigned i = 0; i < 4; i++) {
		if (offset >> 8 * i & 0xff) {
			op |= 1u << i;
			buf_addc(d, (char)(offset >> 8 * i));
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		if (n >> 8 * i & 0xff) {
			op |= 0x10u << i;
			buf_addc(d, (char)(n >> 8 * i));
		}
	}
	d->data[at] = (char)op;
}

void delta_insert(struct buf *d, const void *data, size_t n)
{
	const char *p = data;
	size_t piece;

	for (; n; n -= piece, p += piece) {
		piece = n < INSERT_MAX ? n : INSERT_MAX;
		buf_addc(d, (char)piece);
		buf_add(d, p, piece);
	}
}

void delta_whole(struct buf *d, size_t base_size, const char *result)
{
	delta_begin(d, base_size, strlen(result));
	delta_insert(d, result, strlen(result));
}

/* -- objects -------------------------------------------------------------- */

struct oid id_of(enum object_type type, const void *data, size_t n)
{
	struct oid id;
	struct err e;

	assert_int_equal(object_hash_buffer(OID_SHA1, object_type_name(type),
					    data, n, &id, &e),
			 0);
	return id;
}

struct oid id_of_text(enum object_type type, const char *text)
{
	return id_of(type, text, strlen(text));
}

void tree_add(struct buf *tree, const char *mode, const char *name,
	      const struct oid *id)
{
	buf_addf(tree, "%s %s", mode, name);
	buf_addc(tree, '\0');
	buf_add(tree, id->id, id->len);
}

char *commit_text(const struct oid *tree, const struct oid *parent,
		  const char *message)
{
	char hex[OID_MAX_HEX + 1], parent_line[OID_MAX_HEX + 16] = "";
	char *text;

	if (parent)
		snprintf(parent_line, sizeof parent_line, "parent %s\n",
			 oid_hex(parent, hex));
	assert_true(asprintf(&text,
			     "tree %s\n%sauthor A <a@b> 1700000000 +0000\n"
			     "committer A <a@b> 1700000000 +0000\n\n%s\n",
			     oid_hex(tree, hex), parent_line, message) > 0);
	return text;
}
