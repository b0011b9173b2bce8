/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: what all kinds share, and the two kinds that need no library.
 *
 * The deadline is checked here before every call and the idle limit is kept by
 * the kind, from the last byte that moved. A descriptor kind never starts a
 * call that could block while a limit runs: sockets are asked not to wait, a
 * pipe gets at most PIPE_BUF bytes, for which poll(2) promises room.
 */
#include "base/stream.h"

#include "base/clock.h"
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pieces handed to the kernel at once; more take another call. */
#define IOV_BATCH 32

/* Bytes handed to the kernel at once; Linux takes no more than 2 GiB. */
#define WRITE_MAX ((size_t)1 << 30)

int stream_wait_ms(const struct stream *s)
{
	int64_t left;

	if (!s->deadline_ms)
		return s->idle_ms > 0 ? s->idle_ms : -1;
	left = s->deadline_ms - clock_ms();
	if (left <= 0)
		return 0;
	if (s->idle_ms > 0 && left > s->idle_ms)
		left = s->idle_ms;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static int check_deadline(const struct stream *s, struct err *e)
{
	if (stream_wait_ms(s) == 0)
		return err_set(e, ERR_TIMEOUT, "the deadline has passed");
	return 0;
}

ssize_t stream_read(struct stream *s, void *data, size_t n, struct err *e)
{
	ssize_t got;

	assert(n > 0); /* 0 would mean the end of input */
	if (check_deadline(s, e) < 0)
		return -1;
	got = s->ops->read(s, data, n, e);
	if (got > 0)
		s->n_read += (uint64_t)got;
	return got;
}

int stream_read_full(struct stream *s, void *data, size_t n, struct err *e)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got;

		got = stream_read(s, (char *)data + have, n - have, e);
		if (got < 0)
			return -1;
		if (!got && !have)
			return 0;
		if (!got)
			return err_set(e, ERR_CLOSED,
				       "the input ended after %zu of %zu bytes",
				       have, n);
		have += (size_t)got;
	}
	return 1;
}

int stream_write(struct stream *s, const void *data, size_t n, struct err *e)
{
	struct iovec iov = { .iov_len = n };

	/* writev(2) does not write through it, whatever its type says. */
	memcpy(&iov.iov_base, &data, sizeof data);
	return stream_writev(s, &iov, 1, e);
}

int stream_writev(struct stream *s, const struct iovec *iov, int n,
		  struct err *e)
{
	uint64_t total = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	if (check_deadline(s, e) < 0)
		return -1;
	if (total && s->ops->writev(s, iov, n, e) < 0)
		return -1;
	s->n_written += total;
	return 0;
}

int stream_flush(struct stream *s, struct err *e)
{
	if (check_deadline(s, e) < 0)
		return -1;
	return s->ops->flush ? s->ops->flush(s, e) : 0;
}

void stream_close(struct stream *s)
{
	if (s->ops->close)
		s->ops->close(s);
}

/* -- descriptors ---------------------------------------------------------- */

/* When a wait that begins now must end, on the monotonic clock; -1: never. */
static int64_t wait_end(const struct stream *s)
{
	int ms = stream_wait_ms(s);

	return ms < 0 ? -1 : clock_ms() + ms;
}

static int poll_ms(int64_t end)
{
	int64_t left;

	if (end < 0)
		return -1;
	left = end - clock_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Until `fd` can be read or written, or has failed: the call that follows
 * finds out which. */
static int wait_fd(int fd, short events, int64_t end, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	if (fd < 0) /* poll(2) would wait for it for ever */
		return err_set(e, ERR_IO, "this direction is not open");
	do
		n = poll(&p, 1, poll_ms(end));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "waiting for the peer");
	if (n == 0)
		return err_set(e, ERR_TIMEOUT, "the peer %s in time",
			       events & POLLIN ? "sent nothing"
					       : "took nothing");
	return 0;
}

static bool is_passing(int number)
{
	return number == EINTR || number == EAGAIN || number == EWOULDBLOCK;
}

static ssize_t fd_read(struct stream *base, void *data, size_t n, struct err *e)
{
	struct stream_fd *s = (struct stream_fd *)base;
	int64_t end = wait_end(base);
	ssize_t got;

	for (;;) {
		if (wait_fd(s->in, POLLIN, end, e) < 0)
			return -1;
		got = s->in_is_socket ? recv(s->in, data, n, MSG_DONTWAIT)
				      : read(s->in, data, n);
		if (got >= 0)
			return got;
		if (!is_passing(errno))
			return err_errno(e, "reading");
	}
}

/* Where in somebody's iovecs a writer stands. */
struct iov_cursor {
	const struct iovec *iov;
	int n;
	size_t done; /* of iov[0] */
};

/* The next at most `max` bytes as iovecs of our own; their number, 0 when all
 * is written. */
static int cursor_next(const struct iov_cursor *c, size_t max,
		       struct iovec part[IOV_BATCH])
{
	size_t skip = c->done;
	int n = 0;

	for (int i = 0; i < c->n && n < IOV_BATCH && max; i++, skip = 0) {
		size_t len = c->iov[i].iov_len - skip;

		if (!len)
			continue;
		part[n].iov_base = (char *)c->iov[i].iov_base + skip;
		part[n].iov_len = len < max ? len : max;
		max -= part[n++].iov_len;
	}
	return n;
}

static void cursor_advance(struct iov_cursor *c, size_t n)
{
	while (c->n && n >= c->iov->iov_len - c->done) {
		n -= c->iov->iov_len - c->done;
		c->iov++;
		c->n--;
		c->done = 0;
	}
	c->done += n;
}

/* How many bytes one write(2) may be asked to take without outlasting a
 * limit. */
static size_t write_max(const struct stream_fd *s)
{
	int flags;

	if (s->out_is_socket || s->out_is_file || stream_wait_ms(&s->base) < 0)
		return WRITE_MAX;
	flags = fcntl(s->out, F_GETFL);
	return flags >= 0 && flags & O_NONBLOCK ? WRITE_MAX : PIPE_BUF;
}

static ssize_t write_part(const struct stream_fd *s, struct iovec *part, int n)
{
	struct msghdr message = { .msg_iov = part, .msg_iovlen = (size_t)n };

	if (s->out_is_socket)
		return sendmsg(s->out, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	return writev(s->out, part, n);
}

static int fd_writev(struct stream *base, const struct iovec *iov, int n,
		     struct err *e)
{
	struct stream_fd *s = (struct stream_fd *)base;
	struct iov_cursor cursor = { .iov = iov, .n = n };
	size_t max = write_max(s);
	int64_t end = wait_end(base);
	struct iovec part[IOV_BATCH];
	ssize_t put;

	while ((n = cursor_next(&cursor, max, part)) > 0) {
		if (wait_fd(s->out, POLLOUT, end, e) < 0)
			return -1;
		put = write_part(s, part, n);
		if (put < 0 && !is_passing(errno))
			return err_errno(e, "writing");
		if (put <= 0)
			continue;
		cursor_advance(&cursor, (size_t)put);
		end = wait_end(base);
	}
	return 0;
}

static const struct stream_ops fd_ops = {
	.read = fd_read,
	.writev = fd_writev,
};

static mode_t kind_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

void stream_fd_init(struct stream_fd *s, int in, int out)
{
	mode_t in_kind = kind_of(in);
	mode_t out_kind = kind_of(out);

	*s = (struct stream_fd){
		.base = { .ops = &fd_ops },
		.in = in,
		.out = out,
		.in_is_socket = in_kind == S_IFSOCK,
		.out_is_socket = out_kind == S_IFSOCK,
		.out_is_file = out_kind == S_IFREG,
	};
}

/* -- memory --------------------------------------------------------------- */

static ssize_t mem_read(struct stream *base, void *data, size_t n,
			struct err *e)
{
	struct stream_mem *s = (struct stream_mem *)base;
	struct span taken;

	(void)e;
	if (n > s->input.len)
		n = s->input.len;
	if (n && span_take(&s->input, n, &taken))
		memcpy(data, taken.data, n);
	return (ssize_t)n;
}

static int mem_writev(struct stream *base, const struct iovec *iov, int n,
		      struct err *e)
{
	struct stream_mem *s = (struct stream_mem *)base;

	if (!s->output)
		return 0;
	for (int i = 0; i < n; i++)
		buf_add(s->output, iov[i].iov_base, iov[i].iov_len);
	return buf_check(s->output, e);
}

static const struct stream_ops mem_ops = {
	.read = mem_read,
	.writev = mem_writev,
};

void stream_mem_init(struct stream_mem *s, struct span input,
		     struct buf *output)
{
	*s = (struct stream_mem){
		.base = { .ops = &mem_ops },
		.input = input,
		.output = output,
	};
}
