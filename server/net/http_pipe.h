/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a worker that produces an answer to the thread that sends it.
 *
 * The writing end is a stream: it waits where HTTP_PIPE_BYTES lie unread, and
 * fails with ERR_CLOSED once the reading end is gone. A single write of more
 * than that is not copied into the pipe: it lasts until the reader took it. The
 * reading end never waits: it is told to pause, and woken when there is
 * something to do. It is woken when enough lies there to be worth it, at a
 * flush, or at the end; so that a short answer is there as a whole when its
 * head is sent.
 * Ownership: counted; one reference for each end.
 * Lock order: the pipe's lock, then whatever pause() and wake() take.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_pipe;
struct stream;

/* Unread bytes at most: enough that neither end wakes the other for little,
 * small enough to stay in the processor's cache. */
#define HTTP_PIPE_BYTES ((size_t)256 << 10)

/* Called with the pipe's lock held, in turn. */
struct http_pipe_reader {
	void (*pause)(void *arg);
	void (*wake)(void *arg);
	void *arg;
};

/* Two references. The reader is paused already, by the caller. */
struct http_pipe *http_pipe_new(const struct http_pipe_reader *reader,
				int64_t deadline_ms) MUST_CHECK;

/* Drop both references: nobody writes after all. */
void http_pipe_abandon(struct http_pipe *p);

/* -- the writing end ------------------------------------------------------ */

struct stream *http_pipe_stream(struct http_pipe *p);

/* The last use of the writing end; -1 as `rc`: what is there is not whole. */
void http_pipe_finish(struct http_pipe *p, int rc);

/* -- the reading end ------------------------------------------------------ */

#define HTTP_PIPE_END	 (-1)
#define HTTP_PIPE_BROKEN (-2)

/* Bytes copied; 0 where none are there: pause() was called, and wake() will
 * be; or one of the two above. */
ssize_t http_pipe_read(struct http_pipe *p, void *out, size_t n);

/* Has the writer finished well? Then the length of all that lies there. */
bool http_pipe_is_whole(struct http_pipe *p, uint64_t *len_out);

/* Has the writer failed, and nothing to read is left? Then it is done with all
 * that belongs to the answer. */
bool http_pipe_is_broken(struct http_pipe *p);

/* The last use of the reading end. Accepts NULL. */
void http_pipe_close(struct http_pipe *p);

/* -- either --------------------------------------------------------------- */

/* Break it: the writer fails at its next write, the reader is woken. The
 * caller knows that the reading end is still there. */
void http_pipe_cut(struct http_pipe *p);

/* Was it cut? The writer may still be at work. */
bool http_pipe_is_cut(struct http_pipe *p);
