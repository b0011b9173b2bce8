/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of one's own is mapped in chunks that are made when first read and
 * stay, so that a span handed out stays valid while the file grows.
 */
#include "git/kept_bytes.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Mappings are made in units of this many bytes: few system calls for a large
 * response, little address space for a small one. */
#define CHUNK ((uint64_t)64 << 20)
/* What a reader gets of a lent file only after it had all before: the checksum
 * that makes it believe. */
#define LENT_TAIL 20

struct kept_chunk {
	void *data;
	size_t len;
};

static int write_at(int fd, struct span data, uint64_t offset, struct err *e)
{
	while (data.len) {
		ssize_t n = pwrite(fd, data.data, data.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "cannot write to the cache");
		data.data += n;
		data.len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int kept_append(struct kept_bytes *k, const char *dir, struct span data,
		struct err *e)
{
	if (k->is_lent && data.len <= k->lent.len - k->size)
		return 0;
	if (k->is_lent)
		return err_set(e, ERR_CORRUPT,
			       "more is sent than the pack has");
	if (k->fd < 0) {
		int fd = file_unnamed(dir, e);

		if (fd < 0)
			return -1;
		k->fd = fd;
	}
	return write_at(k->fd, data, k->size, e);
}

/* The mapped chunk `i`, `len` bytes of it if it is made now. */
static struct kept_chunk *make_chunk(struct kept_bytes *k, size_t i, size_t len,
				     struct err *e)
{
	struct kept_chunk *chunk;
	void *data;

	if (i >= k->n_chunks) {
		chunk = realloc(k->chunks, (i + 1) * sizeof *chunk);
		if (!chunk) {
			err_nomem(e);
			return NULL;
		}
		k->chunks = chunk;
		for (; k->n_chunks <= i; k->n_chunks++)
			chunk[k->n_chunks] = (struct kept_chunk){ NULL, 0 };
	}
	chunk = &k->chunks[i];
	if (chunk->data)
		return chunk;
	data = mmap(NULL, len, PROT_READ, MAP_SHARED, k->fd,
		    (off_t)(i * CHUNK));
	if (data == MAP_FAILED) {
		err_errno(e, "cannot map a cached response");
		return NULL;
	}
	*chunk = (struct kept_chunk){ data, len };
	return chunk;
}

int kept_seal(struct kept_bytes *k, struct err *e)
{
	if (k->is_lent)
		return 0;
	for (uint64_t at = 0; at < k->size; at += CHUNK) {
		uint64_t left = k->size - at;

		if (!make_chunk(k, (size_t)(at / CHUNK),
				(size_t)(left < CHUNK ? left : CHUNK), e))
			return -1;
	}
	closep(&k->fd);
	k->fd = -1;
	return 0;
}

static int read_lent(const struct kept_bytes *k, uint64_t offset,
		     struct span *out, struct err *e)
{
	uint64_t n = k->size - offset;
	uint64_t tail = k->lent.len - LENT_TAIL;

	if (guarded_map_is_damaged(&k->lent))
		return err_set(e, ERR_CORRUPT,
			       "a pack lost bytes while it was sent");
	if (k->lent.len > LENT_TAIL && offset < tail && n > tail - offset)
		n = tail - offset;
	*out = span_of(k->lent.data + offset, (size_t)(n < CHUNK ? n : CHUNK));
	return 0;
}

int kept_read(struct kept_bytes *k, uint64_t offset, struct span *out,
	      struct err *e)
{
	uint64_t in_chunk = offset % CHUNK;
	struct kept_chunk *chunk;
	uint64_t n;

	if (k->is_lent)
		return read_lent(k, offset, out, e);
	chunk = make_chunk(k, (size_t)(offset / CHUNK), (size_t)CHUNK, e);
	if (!chunk)
		return -1;
	n = k->size - offset;
	if (n > chunk->len - in_chunk)
		n = chunk->len - in_chunk;
	*out = span_of((const unsigned char *)chunk->data + in_chunk,
		       (size_t)n);
	return 0;
}

void kept_close(struct kept_bytes *k)
{
	for (size_t i = 0; i < k->n_chunks; i++) {
		if (k->chunks[i].data)
			munmap(k->chunks[i].data, k->chunks[i].len);
	}
	free(k->chunks);
	guarded_map_close(&k->lent);
	closep(&k->fd);
	*k = (struct kept_bytes)KEPT_BYTES_INIT;
}
