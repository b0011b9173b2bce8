/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of every object: an id by the collision-detecting hash; bytes
 * that git can read, and that fsck admits; and where the repository has the id
 * already, the very same bytes. An object that is there is never replaced.
 */
#include "git/ingest.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/fsck.h"
#include "git/object_hash.h"
#include "git/objects_view.h"

#include <inttypes.h>
#include <libdeflate.h>

int ingest_tick(struct pack_ingest *p, const char *stage, uint64_t done,
		uint64_t total, struct err *e)
{
	if (!p->options.progress)
		return 0;
	return p->options.progress(p->options.progress_arg, stage, done, total,
				   e);
}

static int parse_tree(struct span data, enum oid_kind kind, struct err *e)
{
	struct tree_entry entry;
	int r;

	while ((r = tree_next(&data, kind, &entry, e)) > 0)
		;
	return r;
}

static int parse(const struct pack_ingest *p, enum object_type type,
		 struct span data, struct err *e)
{
	struct commit_view commit;
	struct tag_view tag;

	if (type == OBJECT_COMMIT)
		return commit_parse(data, p->kind, &commit, e);
	if (type == OBJECT_TREE)
		return parse_tree(data, p->kind, e);
	return tag_parse(data, p->kind, &tag, e);
}

static int judge(struct pack_ingest *p, const struct oid *id,
		 enum object_type type, struct span data, struct err *e)
{
	char hex[OID_MAX_HEX + 1];

	if (type == OBJECT_BLOB)
		return 0;
	if (p->options.fsck)
		return fsck_object(p->options.fsck, id, type, data, e);
	if (parse(p, type, data, e) == 0)
		return 0;
	if (e->code == ERR_CORRUPT)
		e->code = ERR_MALFORMED;
	return err_wrap(e, "%s %s", object_type_name(type), oid_hex(id, hex));
}

/* -- objects that exist already ---------------------------------------------
 */

/* A glance, as git takes: a pack that came since the push began is not looked
 * into, which would cost system calls for every object there is. */
static int exists(struct pack_ingest *p, const struct oid *id, struct err *e)
{
	int rc = p->options.objects ? object_glance(&p->glance, id, e) : 0;

	/* What is damaged may have held it. */
	return rc || !p->options.objects
		       ? rc
		       : objects_missing(p->options.objects, e);
}

static int collision(const struct oid *id, struct err *e)
{
	char hex[OID_MAX_HEX + 1];

	return err_set(e, ERR_MALFORMED,
		       "SHA-1 collision: object %s exists with other bytes",
		       oid_hex(id, hex));
}

static int compare_existing(struct pack_ingest *p, const struct oid *id,
			    enum object_type type, struct span data,
			    struct err *e)
{
	struct object there = { .type = OBJECT_NONE };
	enum object_type its_type;
	uint64_t its_size;
	bool same;

	if (object_info(p->reader, id, &its_type, &its_size, e) < 0)
		return -1;
	if (its_type != type || its_size != data.len)
		return collision(id, e);
	if (object_read(p->reader, id, data.len, &there, e) < 0)
		return -1;
	same = span_eq(data, span_of(there.data, there.size));
	object_fini(&there);
	return same ? 0 : collision(id, e);
}

static void record(struct pack_ingest *p, uint32_t entry, enum object_type type,
		   const struct oid *id)
{
	memcpy(p->index[entry].id, id->id, id->len);
	p->nodes[entry].type = (uint8_t)type;
}

int ingest_object(struct pack_ingest *p, uint32_t entry, enum object_type type,
		  struct span data, struct err *e)
{
	struct oid id;
	int r;

	if (object_hash_buffer(p->kind, object_type_name(type), data.data,
			       data.len, &id, e) < 0)
		return -1;
	record(p, entry, type, &id);
	r = exists(p, &id, e);
	if (r > 0)
		r = compare_existing(p, &id, type, data, e);
	return r < 0 ? -1 : judge(p, &id, type, data, e);
}

/* -- blobs that are not held ------------------------------------------------
 */

static void hash_piece(void *arg, const void *data, size_t n)
{
	object_hash_update(arg, data, n);
}

int ingest_large_blob(struct pack_ingest *p, uint32_t entry, struct err *e)
{
	uint64_t size = p->nodes[entry].size;
	struct object_hash hash;
	struct oid id;
	int r;

	object_hash_init(&hash, p->kind, object_type_name(OBJECT_BLOB), size);
	if (ingest_inflate_pieces(p, size, hash_piece, &hash, e) < 0 ||
	    object_hash_final(&hash, &id, e) < 0)
		return -1;
	record(p, entry, OBJECT_BLOB, &id);
	r = exists(p, &id, e);
	if (r < 0)
		return -1;
	p->nodes[entry].must_compare = r > 0;
	return 0;
}

static int read_packed(const struct pack_ingest *p, uint64_t offset, size_t n,
		       unsigned char *out, struct err *e)
{
	ssize_t got;

	while (n) {
		got = pread(p->in.fd, out, n, (off_t)offset);
		if (got < 0)
			return err_errno(e, "%s", p->pack_path);
		if (!got)
			return err_set(e, ERR_IO, "%s became shorter",
				       p->pack_path);
		offset += (uint64_t)got;
		out += got;
		n -= (size_t)got;
	}
	return 0;
}

int ingest_read_back(struct pack_ingest *p, uint32_t entry, unsigned char *out,
		     struct err *e)
{
	const struct ingest_node *node = &p->nodes[entry];
	uint64_t offset = p->index[entry].offset + node->head_len;
	size_t n = (size_t)(ingest_table_end(p, entry) - offset);

	if (!p->inflater)
		p->inflater = libdeflate_alloc_decompressor();
	if (!p->inflater)
		return err_nomem(e);
	if (ingest_reserve(&p->packed, &p->packed_cap, n, e) < 0 ||
	    read_packed(p, offset, n, p->packed, e) < 0)
		return -1;
	if (libdeflate_zlib_decompress(p->inflater, p->packed, n, out,
				       (size_t)node->size,
				       NULL) == LIBDEFLATE_SUCCESS)
		return 0;
	return err_set(e, ERR_IO,
		       "%s: the entry at offset %" PRIu64
		       " reads back differently",
		       p->pack_path, p->index[entry].offset);
}

static int compare_large(struct pack_ingest *p, uint32_t entry, struct err *e)
{
	CLEANUP(freep) unsigned char *data = NULL;
	size_t size = (size_t)p->nodes[entry].size;
	struct oid id = ingest_id(p, entry);

	data = malloc(size);
	if (!data)
		return err_nomem(e);
	if (ingest_read_back(p, entry, data, e) < 0)
		return -1;
	return compare_existing(p, &id, OBJECT_BLOB, span_of(data, size), e);
}

static int compare_head(struct pack_ingest *p, uint32_t entry, struct err *e)
{
	struct oid id = ingest_id(p, entry);
	enum object_type type;
	uint64_t size;

	if (object_info(p->reader, &id, &type, &size, e) < 0)
		return -1;
	if (type != OBJECT_BLOB || size != p->nodes[entry].size)
		return collision(&id, e);
	return 0;
}

/* Past what may be held it is type, size and the collision detector. */
int ingest_compare_large(struct pack_ingest *p, struct err *e)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (!p->nodes[i].must_compare)
			continue;
		if (p->nodes[i].size > p->hold_max) {
			if (compare_head(p, i, e) < 0)
				return -1;
		} else if (compare_large(p, i, e) < 0) {
			return -1;
		}
	}
	return 0;
}
