/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deflate streams whose length on the wire is not known. zlib and nothing else
 * judges them, since stock git will read them with zlib: faster libraries take
 * streams (incomplete codes, reserved symbols) that it refuses.
 */
#include "git/ingest.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdlib.h>

/* Bombs. One stream may inflate to RATIO times its bytes once it is past FREE
 * (deflate itself ends at 1,032 times); all objects together to RATIO times the
 * pack (many versions of one large file are honest, and cheap in a pack). */
#define STREAM_FREE  ((uint64_t)64 << 20)
#define STREAM_RATIO 256
#define TOTAL_FREE   ((uint64_t)256 << 20)
#define TOTAL_RATIO  4096

/* zlib's fast loop ends this many bytes before the end of the output. */
#define INFLATE_SLACK 320
#define HOLD_FIRST    ((size_t)64 << 10)

int ingest_reserve(unsigned char **data, size_t *cap, size_t need,
		   struct err *e)
{
	unsigned char *grown;

	if (need <= *cap)
		return 0;
	grown = realloc(*data, need);
	if (!grown)
		return err_nomem(e);
	*data = grown;
	*cap = need;
	return 0;
}

int ingest_count_inflated(struct pack_ingest *p, uint64_t n, struct err *e)
{
	uint64_t received = ingest_input_offset(&p->in);

	p->inflated += n;
	if (p->inflated > p->limits.inflated_bytes)
		return err_set(e, ERR_LIMIT,
			       "the objects of the pack inflate to more than "
			       "%" PRIu64 " bytes",
			       p->limits.inflated_bytes);
	if (p->inflated > TOTAL_FREE && p->inflated / TOTAL_RATIO > received)
		return err_set(e, ERR_LIMIT,
			       "the objects of the pack inflate to more than "
			       "%d times its bytes",
			       TOTAL_RATIO);
	return 0;
}

static int begin_stream(struct pack_ingest *p, struct err *e)
{
	int r = p->has_zlib ? inflateReset(&p->zlib) : inflateInit(&p->zlib);

	if (r != Z_OK)
		return err_nomem(e);
	p->has_zlib = true;
	return 0;
}

static int bad_stream(const struct pack_ingest *p, int r, struct err *e)
{
	if (r == Z_MEM_ERROR)
		return err_nomem(e);
	return err_set(e, ERR_MALFORMED,
		       "the pack entry at offset %" PRIu64
		       " does not inflate (%s)",
		       p->index[p->n - 1].offset,
		       p->zlib.msg ? p->zlib.msg : "bad stream");
}

/* More output into the room that is set; 1 at the end of the stream. */
static int step(struct pack_ingest *p, uint64_t size, struct err *e)
{
	struct ingest_input *in = &p->in;
	z_stream *z = &p->zlib;
	int r;

	if (ingest_input_fill(in, e) < 0)
		return -1;
	z->next_in = in->data + in->pos;
	z->avail_in = (uInt)(in->len - in->pos);
	r = inflate(z, Z_NO_FLUSH);
	in->pos = in->len - z->avail_in;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return bad_stream(p, r, e);
	if (z->total_out > size || (r == Z_STREAM_END && z->total_out < size))
		return err_set(e, ERR_MALFORMED,
			       "the pack entry at offset %" PRIu64
			       " does not inflate to its %" PRIu64 " bytes",
			       p->index[p->n - 1].offset, size);
	if (z->total_out > STREAM_FREE &&
	    z->total_out / STREAM_RATIO > z->total_in)
		return err_set(e, ERR_LIMIT,
			       "the pack entry at offset %" PRIu64
			       " inflates to more than %d times its bytes",
			       p->index[p->n - 1].offset, STREAM_RATIO);
	return r == Z_STREAM_END;
}

int ingest_inflate_hold(struct pack_ingest *p, uint64_t size, struct err *e)
{
	z_stream *z = &p->zlib;
	size_t want = (size_t)size + INFLATE_SLACK;
	size_t room = want < HOLD_FIRST ? want : HOLD_FIRST;
	int r = 0;

	if (begin_stream(p, e) < 0)
		return -1;
	while (r == 0) {
		if (z->total_out >= room)
			room = want / 2 < room ? want : 2 * room;
		if (ingest_reserve(&p->hold, &p->hold_cap, room, e) < 0)
			return -1;
		z->next_out = p->hold + z->total_out;
		z->avail_out = (uInt)(room - z->total_out);
		r = step(p, size, e);
	}
	return r < 0 ? -1 : ingest_count_inflated(p, size, e);
}

int ingest_inflate_pieces(struct pack_ingest *p, uint64_t size,
			  void (*piece)(void *arg, const void *data, size_t n),
			  void *arg, struct err *e)
{
	z_stream *z = &p->zlib;
	size_t n;
	int r = 0;

	if (ingest_reserve(&p->hold, &p->hold_cap, HOLD_FIRST, e) < 0 ||
	    begin_stream(p, e) < 0)
		return -1;
	while (r == 0) {
		z->next_out = p->hold;
		z->avail_out = HOLD_FIRST;
		r = step(p, size, e);
		n = HOLD_FIRST - z->avail_out;
		if (r < 0 || ingest_count_inflated(p, n, e) < 0)
			return -1;
		piece(arg, p->hold, n);
	}
	return 0;
}
