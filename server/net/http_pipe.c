/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of pieces in order: bytes that lie in the ring, and bytes that still
 * lie where the writer has them, because it waits in pipe_writev() until they
 * were read.
 *
 * Waking is what costs (two context switches and the library's own lists), so
 * a paused reader is woken for WAKE_BYTES or more, or when the writer flushes,
 * ends, must wait itself or has held bytes back for HOLD_MS.
 */
#include "net/http_pipe.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PIECES	   32
#define WAKE_BYTES (HTTP_PIPE_BYTES / 4)
#define HOLD_MS	   50

/* A writer that waits for room is woken at this level, or where it is empty. */
#define LOW_BYTES (HTTP_PIPE_BYTES / 2)

struct piece {
	const char *data; /* NULL: in the ring */
	size_t len;
};

struct http_pipe {
	struct stream stream; /* first; the writer's alone */

	pthread_mutex_t lock;
	pthread_cond_t has_room;
	/* under lock */
	struct http_pipe_reader reader;
	unsigned n_refs;
	bool is_paused; /* the reader is */
	bool is_closed; /* the reader is gone */
	bool is_cut;
	bool is_finished; /* the writer is */
	bool has_failed;  /* ... and not well */
	bool is_held;	  /* bytes are held back since held_ms */
	int64_t held_ms;
	uint64_t n_unread; /* of all pieces */
	uint64_t n_written;
	struct piece pieces[PIECES];
	size_t first, n_pieces;
	size_t ring_at; /* where the unread bytes of the ring begin */
	size_t ring_len;
	char ring[];
};

static struct http_pipe *pipe_put(struct http_pipe *p)
{
	unsigned left;

	pthread_mutex_lock(&p->lock);
	left = --p->n_refs;
	pthread_mutex_unlock(&p->lock);
	if (left)
		return NULL;
	pthread_cond_destroy(&p->has_room);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void http_pipe_abandon(struct http_pipe *p)
{
	pipe_put(p);
	pipe_put(p);
}

/* -- the writing end ------------------------------------------------------ */

static void wake_locked(struct http_pipe *p)
{
	p->is_held = false;
	if (!p->is_paused || p->is_closed)
		return;
	p->is_paused = false;
	p->reader.wake(p->reader.arg);
}

/* After bytes were added: wake the reader if it is worth it. */
static void offer_locked(struct http_pipe *p)
{
	if (!p->is_paused)
		return;
	if (p->n_unread >= WAKE_BYTES) {
		wake_locked(p);
	} else if (!p->is_held) {
		p->is_held = true;
		p->held_ms = clock_ms();
	} else if (clock_ms() - p->held_ms >= HOLD_MS) {
		wake_locked(p);
	}
}

static struct piece *last_piece(struct http_pipe *p)
{
	return &p->pieces[(p->first + p->n_pieces - 1) % PIECES];
}

static bool has_room_locked(const struct http_pipe *p)
{
	return p->ring_len < HTTP_PIPE_BYTES && p->n_pieces < PIECES;
}

static bool has_nothing_locked(const struct http_pipe *p)
{
	return !p->n_pieces;
}

/* Until `is_ready`, the reader is gone, or time is up. */
static int wait_locked(struct http_pipe *p,
		       bool (*is_ready)(const struct http_pipe *p),
		       struct err *e)
{
	int wait_ms = stream_wait_ms(&p->stream);
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (!p->is_closed && !p->is_cut && !is_ready(p)) {
		if (rc == ETIMEDOUT)
			return err_set(e, ERR_TIMEOUT,
				       "the client did not take the answer in "
				       "time");
		wake_locked(p);
		if (wait_ms < 0)
			pthread_cond_wait(&p->has_room, &p->lock);
		else
			rc = pthread_cond_timedwait(&p->has_room, &p->lock,
						    &until);
	}
	if (p->is_closed || p->is_cut)
		return err_set(e, ERR_CLOSED, "the client is gone");
	return 0;
}

/* As much as fits without a wait; the number of bytes. */
static size_t put_locked(struct http_pipe *p, const char *data, size_t n)
{
	size_t at = (p->ring_at + p->ring_len) % HTTP_PIPE_BYTES;
	size_t room = HTTP_PIPE_BYTES - p->ring_len;
	size_t before_wrap = HTTP_PIPE_BYTES - at;

	if (!p->n_pieces || last_piece(p)->data) {
		p->n_pieces++;
		*last_piece(p) = (struct piece){ 0 };
	}
	if (n > room)
		n = room;
	if (n > before_wrap)
		n = before_wrap;
	memcpy(p->ring + at, data, n);
	last_piece(p)->len += n;
	p->ring_len += n;
	p->n_unread += n;
	p->n_written += n;
	return n;
}

static int copy_locked(struct http_pipe *p, const struct iovec *iov,
		       struct err *e)
{
	size_t done = 0;

	while (done < iov->iov_len) {
		if (wait_locked(p, has_room_locked, e) < 0)
			return -1;
		done += put_locked(p, (const char *)iov->iov_base + done,
				   iov->iov_len - done);
	}
	return 0;
}

/* As many as the queue takes, read from where they lie; their number. */
static int lend_locked(struct http_pipe *p, const struct iovec *iov, int n,
		       struct err *e)
{
	int taken = 0;
	int rc;

	if (wait_locked(p, has_nothing_locked, e) < 0)
		return -1;
	for (; taken < n && p->n_pieces < PIECES; taken++) {
		if (!iov[taken].iov_len)
			continue;
		p->n_pieces++;
		*last_piece(p) = (struct piece){ iov[taken].iov_base,
						 iov[taken].iov_len };
		p->n_unread += iov[taken].iov_len;
		p->n_written += iov[taken].iov_len;
	}
	rc = wait_locked(p, has_nothing_locked, e);
	/* Nobody may touch them after the return. */
	p->n_pieces = 0;
	if (rc)
		p->n_unread = 0;
	return rc ? -1 : taken;
}

static int pipe_writev(struct stream *s, const struct iovec *iov, int n,
		       struct err *e)
{
	struct http_pipe *p = (struct http_pipe *)s;
	size_t total = 0;
	int rc = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < n && rc >= 0; i += rc) {
		if (total > HTTP_PIPE_BYTES)
			rc = lend_locked(p, &iov[i], n - i, e);
		else
			rc = copy_locked(p, &iov[i], e) < 0 ? -1 : 1;
	}
	if (rc >= 0)
		offer_locked(p);
	pthread_mutex_unlock(&p->lock);
	return rc < 0 ? -1 : 0;
}

static int pipe_flush(struct stream *s, struct err *e)
{
	struct http_pipe *p = (struct http_pipe *)s;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if (p->is_closed || p->is_cut)
		rc = err_set(e, ERR_CLOSED, "the client is gone");
	else if (p->n_unread)
		wake_locked(p);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* The request's body is elsewhere: nothing is read through the pipe. */
static ssize_t pipe_no_read(struct stream *s, void *data, size_t n,
			    struct err *e)
{
	(void)s;
	(void)data;
	(void)n;
	(void)e;
	return 0;
}

static const struct stream_ops pipe_ops = {
	.read = pipe_no_read,
	.writev = pipe_writev,
	.flush = pipe_flush,
};

struct http_pipe *http_pipe_new(const struct http_pipe_reader *reader,
				int64_t deadline_ms)
{
	struct http_pipe *p = malloc(sizeof *p + HTTP_PIPE_BYTES);
	pthread_condattr_t monotonic;

	if (!p)
		return NULL;
	*p = (struct http_pipe){
		.stream = { .ops = &pipe_ops, .deadline_ms = deadline_ms },
		.reader = *reader,
		.n_refs = 2,
		.is_paused = true,
	};
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->has_room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return p;
}

struct stream *http_pipe_stream(struct http_pipe *p)
{
	return &p->stream;
}

void http_pipe_finish(struct http_pipe *p, int rc)
{
	pthread_mutex_lock(&p->lock);
	p->is_finished = true;
	p->has_failed = rc < 0;
	wake_locked(p);
	pthread_mutex_unlock(&p->lock);
	pipe_put(p);
}

/* -- the reading end ------------------------------------------------------ */

/* From the first piece into `out`. */
static size_t take_locked(struct http_pipe *p, char *out, size_t n)
{
	struct piece *piece = &p->pieces[p->first];
	const void *from = piece->data;

	if (n > piece->len)
		n = piece->len;
	if (!from) {
		from = p->ring + p->ring_at;
		if (n > HTTP_PIPE_BYTES - p->ring_at)
			n = HTTP_PIPE_BYTES - p->ring_at;
		p->ring_at = (p->ring_at + n) % HTTP_PIPE_BYTES;
		p->ring_len -= n;
	} else {
		piece->data += n;
	}
	memcpy(out, from, n);
	piece->len -= n;
	p->n_unread -= n;
	if (piece->len)
		return n;
	p->first = (p->first + 1) % PIECES;
	p->n_pieces--;
	return n;
}

ssize_t http_pipe_read(struct http_pipe *p, void *out, size_t n)
{
	size_t have = 0;
	ssize_t rc;

	pthread_mutex_lock(&p->lock);
	while (have < n && p->n_pieces && !p->is_cut)
		have += take_locked(p, (char *)out + have, n - have);
	rc = (ssize_t)have;
	if (have) {
		if (!p->n_pieces || (p->ring_len && p->ring_len <= LOW_BYTES))
			pthread_cond_signal(&p->has_room);
	} else if (p->is_cut || p->has_failed) {
		rc = HTTP_PIPE_BROKEN;
	} else if (p->is_finished) {
		rc = HTTP_PIPE_END;
	} else {
		p->is_paused = true;
		p->reader.pause(p->reader.arg);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

bool http_pipe_is_whole(struct http_pipe *p, uint64_t *len_out)
{
	bool is_whole;

	pthread_mutex_lock(&p->lock);
	is_whole = p->is_finished && !p->has_failed && !p->is_cut;
	*len_out = p->n_unread;
	pthread_mutex_unlock(&p->lock);
	return is_whole;
}

bool http_pipe_is_broken(struct http_pipe *p)
{
	bool is_broken;

	pthread_mutex_lock(&p->lock);
	is_broken = p->has_failed && !p->n_unread;
	pthread_mutex_unlock(&p->lock);
	return is_broken;
}

void http_pipe_close(struct http_pipe *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_closed = true;
	pthread_cond_signal(&p->has_room);
	pthread_mutex_unlock(&p->lock);
	pipe_put(p);
}

void http_pipe_cut(struct http_pipe *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_cut = true;
	wake_locked(p);
	pthread_cond_signal(&p->has_room);
	pthread_mutex_unlock(&p->lock);
}

bool http_pipe_is_cut(struct http_pipe *p)
{
	bool is_cut;

	pthread_mutex_lock(&p->lock);
	is_cut = p->is_cut;
	pthread_mutex_unlock(&p->lock);
	return is_cut;
}
