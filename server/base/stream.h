/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load-bearing idea of this house: bytes in, bytes out, with a deadline.
 *
 * upload_pack() and receive_pack() are ordinary blocking functions over a
 * stream, the same for an SSH channel, an HTTP request, a pair of descriptors
 * and a byte array in a test. A kind of stream is a table of functions and a
 * struct that embeds `struct stream` as its first member.
 *
 * Deadlines: every wait ends after `idle_ms` without progress (0: never), and
 * every call fails once the monotonic clock passes `deadline_ms` (0: never);
 * both give ERR_TIMEOUT. A peer that is gone gives ERR_CLOSED.
 * Threads: one at a time per stream.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct err;
struct stream;

struct stream_ops {
	/* 1 to `n` bytes (`n` is at least 1); 0 at the end of input; -1. */
	ssize_t (*read)(struct stream *s, void *data, size_t n, struct err *e);
	/* All of `iov`, or -1. The bytes are not kept after the return. */
	int (*writev)(struct stream *s, const struct iovec *iov, int n,
		      struct err *e);
	/* Push out whatever the stream holds back. May be NULL. */
	int (*flush)(struct stream *s, struct err *e);
	/* Release what the stream holds. May be NULL. */
	void (*close)(struct stream *s);
};

struct stream {
	const struct stream_ops *ops;
	int64_t deadline_ms;
	int idle_ms;
	uint64_t n_read;    /* bytes so far, counted by stream_read() */
	uint64_t n_written; /* bytes so far, counted by stream_writev() */
};

ssize_t stream_read(struct stream *s, void *data, size_t n,
		    struct err *e) MUST_CHECK;

/* Exactly `n` bytes: 1; the end of input before the first byte: 0; an end in
 * the middle is ERR_CLOSED. */
int stream_read_full(struct stream *s, void *data, size_t n,
		     struct err *e) MUST_CHECK;

int stream_write(struct stream *s, const void *data, size_t n,
		 struct err *e) MUST_CHECK;
int stream_writev(struct stream *s, const struct iovec *iov, int n,
		  struct err *e) MUST_CHECK;
int stream_flush(struct stream *s, struct err *e) MUST_CHECK;
void stream_close(struct stream *s);

/*
 * How long a wait that begins now may last, in milliseconds, from both limits;
 * -1 for ever, 0 when the deadline has passed. For writers of stream kinds.
 */
int stream_wait_ms(const struct stream *s);

/*
 * Two descriptors (they may be the same, and pipes, files or sockets). The
 * stream does not close them. Non-blocking mode is not needed nor changed:
 * limits hold on blocking descriptors as well. The kinds are looked at once, by
 * stream_fd_init(). Whoever writes to a pipe ignores SIGPIPE; a socket raises
 * none.
 */
struct stream_fd {
	struct stream base;
	int in;
	int out;
	bool in_is_socket;
	bool out_is_socket;
	bool out_is_file; /* a write to it never waits for a reader */
};

void stream_fd_init(struct stream_fd *s, int in, int out);

/* Reads from `input`, appends what is written to `output` (which may be NULL:
 * then it is counted and dropped). */
struct stream_mem {
	struct stream base;
	struct span input;
	struct buf *output;
};

void stream_mem_init(struct stream_mem *s, struct span input,
		     struct buf *output);
