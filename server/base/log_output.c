/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2) says when a pipe has room for PIPE_BUF bytes; a write of so many does
 * not wait then, unless another process fills the same pipe in between. */
#include "base/log_output.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Is there room before `until`? A descriptor that is gone has room. */
static bool await_room(const struct log_output *o, int64_t until)
{
	struct pollfd p = { .fd = o->fd, .events = POLLOUT };
	int64_t left;
	int rc;

	do {
		left = until - clock_ms();
		rc = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (rc < 0 && errno == EINTR);
	return rc != 0;
}

/* Write what is taken before `until`; what is left stays in `left`. */
static void push(const struct log_output *o, struct span *left, int64_t until)
{
	struct span done;

	while (left->len && await_room(o, until)) {
		size_t n = left->len < PIPE_BUF ? left->len : PIPE_BUF;
		ssize_t written = write(o->fd, left->data, n);

		if (written > 0)
			(void)span_take(left, (size_t)written, &done);
		else if (written == 0 || (errno != EINTR && errno != EAGAIN))
			left->len = 0;
		else if (clock_ms() >= until)
			return;
	}
}

static void keep_rest(struct log_output *o, struct span rest)
{
	o->is_stuck = rest.len > 0;
	memmove(o->rest, rest.data, rest.len);
	o->n_rest = rest.len;
}

static int64_t deadline(const struct log_output *o)
{
	return o->is_stuck ? 0 : clock_ms() + o->patience_ms;
}

static bool finish_rest(struct log_output *o, int64_t until)
{
	struct span rest = span_of(o->rest, o->n_rest);

	if (!rest.len)
		return true;
	push(o, &rest, until);
	keep_rest(o, rest);
	return !rest.len;
}

bool log_output_is_ready(struct log_output *o)
{
	return finish_rest(o, 0) && await_room(o, 0);
}

bool log_output_line(struct log_output *o, struct span line)
{
	int64_t until = deadline(o);
	struct span left = line;

	if (finish_rest(o, until)) {
		push(o, &left, until);
		if (left.len < line.len) {
			keep_rest(o, left);
			return true;
		}
	}
	o->is_stuck = true;
	o->n_dropped++;
	return false;
}
