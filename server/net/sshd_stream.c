/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel as struct stream.
 *
 * Reading: libssh's data callback puts bytes straight where the reader wants
 * them and leaves the rest in libssh, which grows the client's window only for
 * what was taken. Nobody reads: nothing is taken, and the client runs out of
 * window (1.28 MB).
 *
 * Writing: ssh_channel_write() queues whatever the client's window allows, and
 * that may be 4 GB. So at most UNSENT_MAX bytes are handed over before the
 * socket has taken them all, in slices of one packet.
 *
 * A client's maximum packet. libssh hides it, and with a maximum of 10 its
 * write loop appends empty packets for ever (with 11 to 20, one packet for
 * every few bytes). The loop's only way out is its log: the first write on a
 * channel is small, and made with the thread's log open; a write of 4 KB that
 * logs as much as hundreds of packets is left by longjmp() from the log
 * callback, where libssh holds nothing, and ends the connection. (Maxima of 0
 * to 9 wrap around in libssh and are not honoured; our slices bound what that
 * client gets.)
 */
#include "net/sshd_channel.h"

#include "base/err.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <setjmp.h>

#define SLICE	   ((size_t)32758) /* one packet of OpenSSH's and Go's maximum */
#define UNSENT_MAX ((size_t)65536) /* 2 slices and their pkt-line's digits */
#define READ_MAX   ((size_t)1 << 20)

/* What libssh may hold unread: its window, which a read may renew before all
 * of the last one was taken, several times over. More is a client that does
 * not keep to the window, which libssh tolerates without end. */
#define UNREAD_MAX ((size_t)8 << 20)

#define FIRST_WRITE	((size_t)4096)
#define FIRST_LOG_LINES 300 /* a packet logs 5 to 10 */

/* -- reading ----------------------------------------------------------------
 */

int channel_take(struct sshd_channel *c, const void *data, uint32_t n)
{
	size_t take = n;

	if (c->is_served) /* the command is over; let the client finish */
		return (int)n;
	if (n > UNREAD_MAX) {
		session_end(c->session, "the client ignores the window");
		return (int)n;
	}
	if (take > c->into_len - c->got)
		take = c->into_len - c->got;
	if (take)
		memcpy(c->into + c->got, data, take);
	c->got += take;
	c->left = n - take;
	return (int)take;
}

/* Why a wait ended, as an error of the stream. */
static int gone(struct sshd_channel *c, struct err *e)
{
	const char *why = c->session->ended_for;

	return err_set(e, ERR_CLOSED, "%s", why ? why : "the client left");
}

/* How long one wait may be: the stream's own limits, and `ms` from `since`. */
static int wait_ms(struct sshd_channel *c, int64_t since, int ms)
{
	int idle_ms = c->stream.idle_ms;
	int own = stream_wait_ms(&c->stream);
	int64_t left;

	/* Both count from `since`: a turn that brings nothing is no progress.
	 */
	if (idle_ms > 0 && idle_ms < ms)
		ms = idle_ms;
	left = since + ms - clock_ms();
	if (left < 0)
		left = 0;
	return own >= 0 && own < left ? own : (int)left;
}

/* What libssh kept because nobody waited for it. */
static ssize_t read_left(struct sshd_channel *c, void *data, size_t n,
			 struct err *e)
{
	int got;

	if (n > c->left)
		n = c->left;
	got = ssh_channel_read_nonblocking(c->ssh, data, (uint32_t)n, 0);
	if (got <= 0) {
		c->left = 0;
		return gone(c, e);
	}
	c->left -= (size_t)got;
	return got;
}

static ssize_t stream_read_channel(struct stream *s, void *data, size_t n,
				   struct err *e)
{
	struct sshd_channel *c = (struct sshd_channel *)s;
	int64_t since = clock_ms();

	if (n > READ_MAX)
		n = READ_MAX;
	while (!c->left && !c->is_eof && !c->is_closed) {
		int ms = wait_ms(c, since, c->session->limits.silence_ms);
		bool is_over;

		if (!ms)
			return err_set(e, ERR_TIMEOUT, "the client is silent");
		c->into = data;
		c->into_len = n;
		c->got = 0;
		is_over = !session_wait(c->session, ms);
		c->into = NULL;
		c->into_len = 0;
		n = c->got ? c->got : n;
		if (c->got) {
			c->got = 0;
			return (ssize_t)n;
		}
		if (is_over)
			return gone(c, e);
	}
	return c->left ? read_left(c, data, n, e) : 0;
}

/* -- writing ----------------------------------------------------------------
 */

static int write_now(struct sshd_channel *c, const void *data, size_t n,
		     bool is_stderr)
{
	int rc;

	atomic_store(&c->session->must_return_ms, clock_ms() + SSHD_STUCK_MS);
	rc = is_stderr ? ssh_channel_write_stderr(c->ssh, data, (uint32_t)n)
		       : ssh_channel_write(c->ssh, data, (uint32_t)n);
	atomic_store(&c->session->must_return_ms, 0);
	return rc;
}

struct first_write {
	jmp_buf way_out;
	unsigned n_lines;
};

static void count_line(int priority, const char *function, const char *text,
		       void *arg)
{
	struct first_write *f = arg;

	(void)priority;
	(void)function;
	(void)text;
	if (++f->n_lines > FIRST_LOG_LINES)
		longjmp(f->way_out, 1);
}

static int first_write(struct sshd_channel *c, const void *data, size_t n,
		       bool is_stderr)
{
	struct first_write f = { .n_lines = 0 };
	volatile int rc = SSH_ERROR;

	/* Both are of this thread alone. */
	ssh_set_log_userdata(&f);
	ssh_set_log_callback(count_line);
	ssh_set_log_level(SSH_LOG_FUNCTIONS);
	if (!setjmp(f.way_out))
		rc = write_now(c, data, n, is_stderr);
	else
		session_end(c->session, "the client's maximum packet is too "
					"small");
	ssh_set_log_level(SSH_LOG_NOLOG);
	ssh_set_log_callback(NULL);
	ssh_set_log_userdata(NULL);
	atomic_store(&c->session->must_return_ms, 0);
	c->wrote_something = true;
	return rc;
}

/* How many bytes may be handed to libssh now. */
static size_t room(struct sshd_channel *c)
{
	size_t window = ssh_channel_window_size(c->ssh);
	size_t n = c->wrote_something ? SLICE : FIRST_WRITE;

	if (!(ssh_get_status(c->session->ssh) & SSH_WRITE_PENDING))
		c->unsent = 0;
	if (n > window)
		n = window;
	if (c->unsent >= UNSENT_MAX)
		return 0;
	return n < UNSENT_MAX - c->unsent ? n : UNSENT_MAX - c->unsent;
}

static bool is_open(struct sshd_channel *c)
{
	return !c->is_closed && !c->session->ended_for;
}

/* One turn of waiting for the client to take something. */
static int wait_writable(struct sshd_channel *c, int64_t *since, uint64_t *sent,
			 struct err *e)
{
	uint64_t now_sent = session_traffic(c->session).socket_out;
	int ms;

	/* Where nothing of the channel's waits, the client lacks window, and
	 * what went out was our own question whether it is there. */
	if (now_sent != *sent && c->unsent)
		*since = clock_ms();
	*sent = now_sent;
	ms = wait_ms(c, *since, c->session->limits.stall_ms);
	if (!ms) {
		session_end(c->session, "the client takes no bytes");
		return err_set(e, ERR_TIMEOUT, "the client takes no bytes");
	}
	if (!session_turn(c->session, ms) || !is_open(c))
		return gone(c, e);
	return 0;
}

int channel_send(struct sshd_channel *c, struct span data, bool is_stderr,
		 struct err *e)
{
	uint64_t sent = session_traffic(c->session).socket_out;
	int64_t since = clock_ms();

	while (data.len) {
		size_t n = room(c);
		struct span taken;
		int rc = 0;

		if (!is_open(c))
			return gone(c, e);
		if (n > data.len)
			n = data.len;
		/* 0 also while the client exchanges keys anew. */
		if (n)
			rc = c->wrote_something
				     ? write_now(c, data.data, n, is_stderr)
				     : first_write(c, data.data, n, is_stderr);
		if (rc < 0)
			return gone(c, e);
		if (!rc) {
			if (wait_writable(c, &since, &sent, e))
				return -1;
			continue;
		}
		c->unsent += (size_t)rc;
		since = clock_ms();
		(void)span_take(&data, (size_t)rc, &taken);
	}
	return 0;
}

int channel_flush(struct sshd_channel *c, struct err *e)
{
	uint64_t sent = session_traffic(c->session).socket_out;
	int64_t since = clock_ms();

	while (ssh_get_status(c->session->ssh) & SSH_WRITE_PENDING) {
		if (!is_open(c))
			return gone(c, e);
		if (wait_writable(c, &since, &sent, e))
			return -1;
	}
	return 0;
}

static int stream_writev_channel(struct stream *s, const struct iovec *iov,
				 int n, struct err *e)
{
	struct sshd_channel *c = (struct sshd_channel *)s;
	int i;

	for (i = 0; i < n; i++) {
		if (channel_send(c, span_of(iov[i].iov_base, iov[i].iov_len),
				 false, e))
			return -1;
	}
	return 0;
}

static int stream_flush_channel(struct stream *s, struct err *e)
{
	return channel_flush((struct sshd_channel *)s, e);
}

void channel_stream_init(struct sshd_channel *c)
{
	static const struct stream_ops ops = {
		.read = stream_read_channel,
		.writev = stream_writev_channel,
		.flush = stream_flush_channel,
	};

	c->stream.ops = &ops;
}
