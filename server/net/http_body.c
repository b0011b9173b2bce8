/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies. Memory: what was received so far, at most the cap; inflating
 * takes zlib's 44 KB more, from the first byte of a gzip body to its end.
 */
#include "net/http_body.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#define INFLATE_CHUNK ((size_t)16384)
#define GZIP_WINDOW   (16 + MAX_WBITS) /* zlib's way to say: gzip only */

struct http_body {
	uint64_t max_bytes;
	uint64_t n_sent; /* as it was sent */
	uint64_t len;	 /* inflated */
	bool is_gzip;
	bool is_inflating; /* `z` is there */
	bool is_ended;	   /* the gzip member is */
	bool is_draining;
	struct err failure;
	struct http_budget *budget;
	uint64_t n_taken; /* off the budget */
	struct buf memory;
	int fd;
	z_stream z;
};

int http_encoding_parse(const char *text, bool *is_gzip_out)
{
	*is_gzip_out = false;
	if (!text || !*text || !strcasecmp(text, "identity"))
		return 0;
	*is_gzip_out = !strcasecmp(text, "gzip") || !strcasecmp(text, "x-gzip");
	return *is_gzip_out ? 0 : -1;
}

static void drop_memory(struct http_body *b)
{
	atomic_fetch_add(&b->budget->left, b->n_taken);
	b->n_taken = 0;
	buf_fini(&b->memory);
}

static int take_budget(struct http_body *b, uint64_t n)
{
	uint64_t left = atomic_load(&b->budget->left);

	do {
		if (left < n)
			return -1;
	} while (!atomic_compare_exchange_weak(&b->budget->left, &left,
					       left - n));
	b->n_taken += n;
	return 0;
}

struct http_body *http_body_new(uint64_t max_bytes, bool is_gzip,
				const char *dir, struct http_budget *budget,
				struct err *e)
{
	struct http_body *b = calloc(1, sizeof *b);

	if (!b) {
		err_nomem(e);
		return NULL;
	}
	b->max_bytes = max_bytes;
	b->is_gzip = is_gzip;
	b->fd = -1;
	b->budget = budget;
	buf_init_max(&b->memory,
		     max_bytes < SIZE_MAX ? (size_t)max_bytes : SIZE_MAX);
	if (!dir)
		return b;
	b->fd = file_unnamed(dir, e);
	return b->fd >= 0 ? b : http_body_free(b);
}

struct http_body *http_body_free(struct http_body *b)
{
	if (!b)
		return NULL;
	if (b->is_inflating)
		inflateEnd(&b->z);
	if (b->fd >= 0)
		close(b->fd);
	drop_memory(b);
	free(b);
	return NULL;
}

/* The first failure counts; nothing is kept after it. */
static void fail(struct http_body *b, const struct err *e)
{
	if (!b->is_draining)
		b->failure = *e;
	http_body_drain(b);
}

void http_body_drain(struct http_body *b)
{
	b->is_draining = true;
	if (b->is_inflating)
		inflateEnd(&b->z);
	b->is_inflating = false;
	drop_memory(b);
}

static int keep(struct http_body *b, const void *data, size_t n, struct err *e)
{
	if (n > b->max_bytes - b->len)
		return err_set(e, ERR_LIMIT,
			       "the body has more than %llu bytes",
			       (unsigned long long)b->max_bytes);
	b->len += n;
	if (b->fd >= 0)
		return fd_write_full(b->fd, data, n, e);
	if (take_budget(b, n) < 0)
		return err_set(e, ERR_CONFLICT,
			       "too many requests are being received: try "
			       "again");
	buf_add(&b->memory, data, n);
	return buf_check(&b->memory, e);
}

static int begin_inflating(struct http_body *b, struct err *e)
{
	if (b->is_inflating)
		return 0;
	if (inflateInit2(&b->z, GZIP_WINDOW) != Z_OK)
		return err_nomem(e);
	b->is_inflating = true;
	return 0;
}

static int add_gzip(struct http_body *b, struct span data, struct err *e)
{
	unsigned char out[INFLATE_CHUNK] UNINITIALIZED;
	int rc = Z_OK;

	if (begin_inflating(b, e) < 0)
		return -1;
	/* The door's pieces are far smaller than what zlib can count. */
	b->z.avail_in = (uInt)data.len;
	memcpy(&b->z.next_in, &data.data, sizeof b->z.next_in);
	while (rc == Z_OK && (b->z.avail_in || !b->z.avail_out)) {
		b->z.next_out = out;
		b->z.avail_out = sizeof out;
		rc = inflate(&b->z, Z_NO_FLUSH);
		if (rc == Z_MEM_ERROR)
			return err_nomem(e);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return err_set(e, ERR_MALFORMED,
				       "the body is no gzip stream");
		if (keep(b, out, sizeof out - b->z.avail_out, e) < 0)
			return -1;
	}
	b->is_ended = rc == Z_STREAM_END;
	if (b->is_ended && b->z.avail_in)
		return err_set(e, ERR_MALFORMED,
			       "bytes follow the body's gzip stream");
	return 0;
}

static int add(struct http_body *b, struct span data, struct err *e)
{
	if (!b->is_gzip)
		return keep(b, data.data, data.len, e);
	if (b->n_sent > b->max_bytes)
		return err_set(e, ERR_LIMIT,
			       "the body has more than %llu bytes",
			       (unsigned long long)b->max_bytes);
	if (b->is_ended)
		return err_set(e, ERR_MALFORMED,
			       "bytes follow the body's gzip stream");
	return add_gzip(b, data, e);
}

int http_body_add(struct http_body *b, struct span data)
{
	struct err e = { 0 };

	b->n_sent += data.len;
	if (b->is_draining)
		return b->n_sent > HTTP_DRAIN_MAX ? -1 : 0;
	if (data.len && add(b, data, &e) < 0)
		fail(b, &e);
	return 0;
}

int http_body_finish(struct http_body *b, struct err *e)
{
	if (b->failure.code) {
		*e = b->failure;
		return -1;
	}
	if (b->is_gzip && !b->is_ended && !b->is_draining)
		return err_set(e, ERR_MALFORMED,
			       "the body's gzip stream is cut short");
	if (b->is_inflating)
		inflateEnd(&b->z);
	b->is_inflating = false;
	if (b->fd >= 0 && lseek(b->fd, 0, SEEK_SET) < 0)
		return err_errno(e, "reading the body again");
	return 0;
}

struct span http_body_bytes(const struct http_body *b)
{
	return b->fd < 0 ? buf_span(&b->memory) : (struct span){ 0 };
}

int http_body_fd(const struct http_body *b)
{
	return b->fd;
}

uint64_t http_body_len(const struct http_body *b)
{
	return b->len;
}
