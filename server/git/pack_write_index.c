/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written through one buffer, so that memory does not grow with the pack.
 * Format: gitformat-pack(5). idx: magic, version, 256 counts, ids, CRCs,
 * offsets (those of 31 bits in place, the others in a table that follows),
 * the pack's trailer, the file's own SHA-1. rev: magic, version, hash id, for
 * each entry in the order of the pack its position in the idx, both trailers.
 */
#include "git/pack_write_index.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"

#include <assert.h>
#include <fcntl.h>

#define IDX_MAGIC      0xff744f63
#define IDX_VERSION    2
#define REV_MAGIC      0x52494458 /* "RIDX" */
#define REV_VERSION    1
#define REV_SHA1       1
#define MTIMES_MAGIC   0x4d544d45 /* "MTME" */
#define MTIMES_VERSION 1
#define MTIMES_SHA1    1
#define OFFSET_BIG                                                \
	0x80000000 /* the rest is a place in the table of 64 bits \
		    */

#define OUT_SIZE ((size_t)64 << 10)

struct index_file {
	const char *path;
	int fd;
	struct digest *digest;
	unsigned char *out;
	size_t len;
	bool failed; /* sticks; `e` says why */
	struct err *e;
};

static void file_flush(struct index_file *f)
{
	if (f->failed || !f->len)
		return;
	digest_update(f->digest, f->out, f->len);
	if (fd_write_full(f->fd, f->out, f->len, f->e) < 0) {
		err_wrap(f->e, "%s", f->path);
		f->failed = true;
	}
	f->len = 0;
}

static unsigned char *file_room(struct index_file *f, size_t n)
{
	unsigned char *at;

	assert(n <= OUT_SIZE);
	if (f->len + n > OUT_SIZE)
		file_flush(f);
	if (f->failed)
		f->len = 0;
	at = f->out + f->len;
	f->len += n;
	return at;
}

static void file_add(struct index_file *f, const void *data, size_t n)
{
	memcpy(file_room(f, n), data, n);
}

static void file_u32(struct index_file *f, uint32_t v)
{
	store_u32be(file_room(f, 4), v);
}

static int file_begin(struct index_file *f, const char *path, struct err *e)
{
	*f = (struct index_file){ .path = path, .fd = -1, .e = e };
	f->digest = digest_new(DIGEST_SHA1);
	f->out = malloc(OUT_SIZE);
	if (!f->digest || !f->out)
		return err_nomem(e);
	f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (f->fd < 0)
		return err_errno(e, "%s", path);
	return 0;
}

/* The trailers and the end; what `begun` says was a success so far. */
static int file_end(struct index_file *f, int begun, size_t id_size,
		    const unsigned char *trailer)
{
	unsigned char own[SHA1_SIZE];
	bool made = f->fd >= 0;

	if (begun == 0) {
		file_add(f, trailer, id_size);
		file_flush(f);
		digest_final(f->digest, own);
		file_add(f, own, sizeof own);
		file_flush(f);
	}
	if (made && close(f->fd) < 0 && begun == 0 && !f->failed) {
		err_errno(f->e, "%s", f->path);
		f->failed = true;
	}
	f->digest = digest_free(f->digest);
	free(f->out);
	if (begun == 0 && !f->failed)
		return 0;
	if (made)
		unlink(f->path);
	return -1;
}

static void write_fanout(struct index_file *f,
			 const struct pack_index_entry *sorted, uint32_t n)
{
	uint32_t at = 0;

	for (unsigned first = 0; first < 256; first++) {
		while (at < n && sorted[at].id[0] == first)
			at++;
		file_u32(f, at);
	}
}

static void write_offsets(struct index_file *f,
			  const struct pack_index_entry *sorted, uint32_t n)
{
	uint32_t n_big = 0;

	for (uint32_t i = 0; i < n; i++)
		file_u32(f, sorted[i].offset < OFFSET_BIG
				    ? (uint32_t)sorted[i].offset
				    : OFFSET_BIG | n_big++);
	for (uint32_t i = 0; i < n; i++) {
		if (sorted[i].offset < OFFSET_BIG)
			continue;
		file_u32(f, (uint32_t)(sorted[i].offset >> 32));
		file_u32(f, (uint32_t)sorted[i].offset);
	}
}

int pack_index_write(const char *path, enum oid_kind kind,
		     const struct pack_index_entry *sorted, uint32_t n,
		     const unsigned char *trailer, struct err *e)
{
	size_t id_size = oid_size(kind);
	struct index_file f;
	int begun = file_begin(&f, path, e);

	if (begun == 0) {
		file_u32(&f, IDX_MAGIC);
		file_u32(&f, IDX_VERSION);
		write_fanout(&f, sorted, n);
		for (uint32_t i = 0; i < n; i++)
			file_add(&f, sorted[i].id, id_size);
		for (uint32_t i = 0; i < n; i++)
			file_u32(&f, sorted[i].crc32);
		write_offsets(&f, sorted, n);
	}
	return file_end(&f, begun, id_size, trailer);
}

/* -- orders ------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	const struct pack_index_entry *x = a, *y = b;
	int order = memcmp(x->id, y->id, sizeof x->id);

	if (order)
		return order;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void pack_index_sort(struct pack_index_entry *entries, uint32_t n)
{
	if (n > 1)
		qsort(entries, n, sizeof *entries, by_id);
}

struct place {
	uint64_t offset;
	uint32_t pos;
};

static int by_offset(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int pack_rev_write(const char *path, enum oid_kind kind,
		   const struct pack_index_entry *sorted, uint32_t n,
		   const unsigned char *trailer, struct err *e)
{
	CLEANUP(freep) struct place *places = NULL;
	struct index_file f;
	int begun;

	places = calloc(n ? n : 1, sizeof *places);
	if (!places)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++)
		places[i] = (struct place){ sorted[i].offset, i };
	qsort(places, n, sizeof *places, by_offset);
	begun = file_begin(&f, path, e);
	if (begun == 0) {
		file_u32(&f, REV_MAGIC);
		file_u32(&f, REV_VERSION);
		file_u32(&f, REV_SHA1);
		for (uint32_t i = 0; i < n; i++)
			file_u32(&f, places[i].pos);
	}
	return file_end(&f, begun, oid_size(kind), trailer);
}

int pack_mtimes_write(const char *path, enum oid_kind kind,
		      const uint32_t *mtimes, uint32_t n,
		      const unsigned char *trailer, struct err *e)
{
	struct index_file f;
	int begun = file_begin(&f, path, e);

	if (begun == 0) {
		file_u32(&f, MTIMES_MAGIC);
		file_u32(&f, MTIMES_VERSION);
		file_u32(&f, MTIMES_SHA1);
		for (uint32_t i = 0; i < n; i++)
			file_u32(&f, mtimes[i]);
	}
	return file_end(&f, begun, oid_size(kind), trailer);
}
