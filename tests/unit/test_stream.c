/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than any pipe or socket buffer holds. */
#define PLENTY ((size_t)3 << 20)

/* Both ends of a connection; [0] reads what is written to [1]. */
enum link { BLOCKING_PIPE, PIPE, BLOCKING_SOCKET, SOCKET, N_LINKS };

static void link_open(enum link kind, int fds[2])
{
	int flags = kind == PIPE ? O_NONBLOCK : 0;

	if (kind == PIPE || kind == BLOCKING_PIPE)
		assert_int_equal(pipe2(fds, O_CLOEXEC | flags), 0);
	else
		assert_int_equal(
			socketpair(AF_UNIX,
				   SOCK_STREAM |
					   (kind == SOCKET ? SOCK_NONBLOCK : 0),
				   0, fds),
			0);
}

static void link_close(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8));
}

struct sink {
	int fd;
	size_t n;
	bool is_right;
	pthread_t thread;
};

/* Read all through a stream of its own and compare. */
static void *sink_run(void *arg)
{
	struct sink *sink = arg;
	struct stream_fd s;
	struct err e;
	unsigned char data[5000];
	ssize_t got;

	stream_fd_init(&s, sink->fd, -1);
	sink->is_right = true;
	while ((got = stream_read(&s.base, data, sizeof data, &e)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (data[i] != pattern(sink->n++))
				sink->is_right = false;
		}
	}
	if (got < 0 || s.base.n_read != sink->n)
		sink->is_right = false;
	return NULL;
}

static void sink_start(struct sink *sink, int fd)
{
	*sink = (struct sink){ .fd = fd };
	assert_int_equal(pthread_create(&sink->thread, NULL, sink_run, sink),
			 0);
}

/* `n` bytes in pieces of odd sizes, empty ones among them, in few calls. */
static int write_pieces(struct stream *s, unsigned char *data, size_t n,
			struct err *e)
{
	struct iovec iov[100];
	int count = 0;

	for (size_t at = 0, i = 0; at < n; i++) {
		size_t len = i % 7 * 1001;

		len = len < n - at ? len : n - at;
		iov[count].iov_base = data + at;
		iov[count++].iov_len = len;
		at += len;
		if (count < 100 && at < n)
			continue;
		if (stream_writev(s, iov, count, e) < 0)
			return -1;
		count = 0;
	}
	return 0;
}

static void everything_arrives_over_every_kind_of_link(void **state)
{
	unsigned char *data = malloc(PLENTY);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < PLENTY; i++)
		data[i] = pattern(i);
	for (int run = 0; run < 2 * N_LINKS; run++) {
		struct stream_fd s;
		struct sink sink;
		struct err e;
		int fds[2];

		link_open((enum link)(run / 2), fds);
		sink_start(&sink, fds[0]);
		stream_fd_init(&s, -1, fds[1]);
		s.base.idle_ms = run % 2 ? 20000 : 0;
		assert_int_equal(write_pieces(&s.base, data, PLENTY, &e), 0);
		assert_int_equal(stream_flush(&s.base, &e), 0);
		assert_int_equal(s.base.n_written, PLENTY);
		close(fds[1]);
		assert_int_equal(pthread_join(sink.thread, NULL), 0);
		assert_true(sink.is_right);
		assert_int_equal(sink.n, PLENTY);
		close(fds[0]);
	}
	free(data);
}

static void a_silent_peer_times_out(void **state)
{
	(void)state;
	for (int kind = 0; kind < N_LINKS; kind++) {
		struct stream_fd s;
		struct err e;
		int64_t start = clock_ms();
		int fds[2];
		char c;

		link_open((enum link)kind, fds);
		stream_fd_init(&s, fds[0], -1);
		s.base.idle_ms = 30;
		assert_int_equal(stream_read(&s.base, &c, 1, &e), -1);
		assert_int_equal(e.code, ERR_TIMEOUT);
		assert_in_range(clock_ms() - start, 30, 5000);
		link_close(fds);
	}
}

static void a_peer_that_takes_nothing_times_out(void **state)
{
	char *data = calloc(1, PLENTY);

	(void)state;
	assert_non_null(data);
	for (int kind = 0; kind < N_LINKS; kind++) {
		struct stream_fd s;
		struct err e;
		int64_t start = clock_ms();
		int fds[2];

		link_open((enum link)kind, fds);
		stream_fd_init(&s, -1, fds[1]);
		s.base.idle_ms = 30;
		assert_int_equal(stream_write(&s.base, data, PLENTY, &e), -1);
		assert_int_equal(e.code, ERR_TIMEOUT);
		assert_in_range(clock_ms() - start, 30, 5000);
		assert_int_equal(s.base.n_written, 0);
		link_close(fds);
	}
	free(data);
}

static void progress_does_not_move_the_deadline(void **state)
{
	struct stream_fd s;
	struct err e;
	int fds[2];
	char c;

	(void)state;
	link_open(PIPE, fds);
	stream_fd_init(&s, fds[0], fds[1]);
	s.base.idle_ms = 100000;
	s.base.deadline_ms = clock_ms() + 40;
	assert_int_equal(stream_write(&s.base, "x", 1, &e), 0);
	assert_int_equal(stream_read(&s.base, &c, 1, &e), 1);
	assert_int_equal(stream_read(&s.base, &c, 1, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	link_close(fds);
}

static void every_call_fails_past_the_deadline(void **state)
{
	struct stream_mem s;
	struct err e;
	char c;

	(void)state;
	stream_mem_init(&s, span_str("there"), NULL);
	s.base.deadline_ms = clock_ms() - 1;
	assert_int_equal(stream_wait_ms(&s.base), 0);
	assert_int_equal(stream_read(&s.base, &c, 1, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(stream_write(&s.base, "x", 1, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(stream_flush(&s.base, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(s.base.n_read + s.base.n_written, 0);
}

static void a_wait_lasts_as_long_as_the_nearer_limit(void **state)
{
	struct stream s = { 0 };

	(void)state;
	assert_int_equal(stream_wait_ms(&s), -1);
	s.idle_ms = 500;
	assert_int_equal(stream_wait_ms(&s), 500);
	s.deadline_ms = clock_ms() + 3600 * 1000;
	assert_int_equal(stream_wait_ms(&s), 500);
	s.idle_ms = 0;
	assert_in_range(stream_wait_ms(&s), 3590 * 1000, 3600 * 1000);
	s.deadline_ms = INT64_MAX;
	assert_int_equal(stream_wait_ms(&s), INT32_MAX);
	s.deadline_ms = clock_ms() + 50;
	s.idle_ms = 500;
	assert_in_range(stream_wait_ms(&s), 0, 50);
}

static void a_peer_that_is_gone_is_closed(void **state)
{
	char data[100] = { 0 };

	(void)state;
	for (int kind = 0; kind < N_LINKS; kind++) {
		struct stream_fd s;
		struct err e;
		int fds[2];

		link_open((enum link)kind, fds);
		stream_fd_init(&s, -1, fds[1]);
		close(fds[0]);
		assert_int_equal(stream_write(&s.base, data, sizeof data, &e),
				 -1);
		assert_int_equal(e.code, ERR_CLOSED);
		close(fds[1]);
	}
}

static void a_socket_raises_no_sigpipe(void **state)
{
	struct stream_fd s;
	struct err e;
	void (*before)(int) = signal(SIGPIPE, SIG_DFL);
	int fds[2];

	(void)state;
	link_open(BLOCKING_SOCKET, fds);
	stream_fd_init(&s, fds[1], fds[1]);
	close(fds[0]);
	assert_int_equal(stream_write(&s.base, "x", 1, &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	close(fds[1]);
	signal(SIGPIPE, before);
}

static void a_closed_pipe_is_the_end_of_input(void **state)
{
	struct stream_fd s;
	struct err e;
	int fds[2];
	char data[4];

	(void)state;
	link_open(BLOCKING_PIPE, fds);
	stream_fd_init(&s, fds[0], fds[1]);
	s.base.idle_ms = 5000;
	assert_int_equal(stream_write(&s.base, "abcde", 5, &e), 0);
	close(fds[1]);
	assert_int_equal(stream_read_full(&s.base, data, 4, &e), 1);
	assert_memory_equal(data, "abcd", 4);
	assert_int_equal(stream_read_full(&s.base, data, 4, &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(stream_read_full(&s.base, data, 4, &e), 0);
	assert_int_equal(stream_read_full(&s.base, data, 0, &e), 1);
	assert_int_equal(s.base.n_read, 5);
	close(fds[0]);
}

static void regular_files_work_too(void **state)
{
	FILE *file = tmpfile();
	struct stream_fd s;
	struct err e;
	char data[7];

	(void)state;
	assert_non_null(file);
	stream_fd_init(&s, fileno(file), fileno(file));
	s.base.idle_ms = 5000;
	assert_int_equal(stream_write(&s.base, "content", 7, &e), 0);
	assert_int_equal(lseek(s.in, 0, SEEK_SET), 0);
	assert_int_equal(stream_read_full(&s.base, data, 7, &e), 1);
	assert_memory_equal(data, "content", 7);
	assert_int_equal(stream_read(&s.base, data, 7, &e), 0);
	fclose(file);
}

static void a_descriptor_that_is_not_open_is_an_error(void **state)
{
	struct stream_fd s;
	struct err e;
	int fds[2];
	char c;

	(void)state;
	stream_fd_init(&s, -1, -1);
	assert_int_equal(stream_read(&s.base, &c, 1, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	assert_int_equal(stream_write(&s.base, "x", 1, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	link_open(PIPE, fds);
	link_close(fds);
	stream_fd_init(&s, fds[0], fds[1]);
	assert_int_equal(stream_read(&s.base, &c, 1, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	stream_close(&s.base);
}

static void memory_is_read_and_appended(void **state)
{
	struct buf output = BUF_INIT;
	struct stream_mem s;
	struct err e;
	char data[10];

	(void)state;
	stream_mem_init(&s, span_str("hello world"), &output);
	assert_int_equal(stream_read(&s.base, data, 10, &e), 10);
	assert_memory_equal(data, "hello worl", 10);
	assert_int_equal(stream_read(&s.base, data, 10, &e), 1);
	assert_int_equal(stream_read(&s.base, data, 10, &e), 0);
	assert_int_equal(stream_write(&s.base, "ab", 2, &e), 0);
	assert_int_equal(stream_write(&s.base, NULL, 0, &e), 0);
	assert_int_equal(stream_write(&s.base, "c", 1, &e), 0);
	assert_string_equal(buf_str(&output), "abc");
	assert_int_equal(s.base.n_read, 11);
	assert_int_equal(s.base.n_written, 3);
	stream_close(&s.base);
	buf_fini(&output);
}

static void memory_has_the_cap_of_its_buf(void **state)
{
	struct buf output;
	struct stream_mem s;
	struct err e;

	(void)state;
	buf_init_max(&output, 4);
	stream_mem_init(&s, span_str(""), &output);
	assert_int_equal(stream_write(&s.base, "abc", 3, &e), 0);
	assert_int_equal(stream_write(&s.base, "de", 2, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(s.base.n_written, 3);
	buf_fini(&output);
}

static void memory_without_output_only_counts(void **state)
{
	struct stream_mem s;
	struct err e;

	(void)state;
	stream_mem_init(&s, span_of(NULL, 0), NULL);
	assert_int_equal(stream_write(&s.base, "abc", 3, &e), 0);
	assert_int_equal(s.base.n_written, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_arrives_over_every_kind_of_link),
		cmocka_unit_test(a_silent_peer_times_out),
		cmocka_unit_test(a_peer_that_takes_nothing_times_out),
		cmocka_unit_test(progress_does_not_move_the_deadline),
		cmocka_unit_test(every_call_fails_past_the_deadline),
		cmocka_unit_test(a_wait_lasts_as_long_as_the_nearer_limit),
		cmocka_unit_test(a_peer_that_is_gone_is_closed),
		cmocka_unit_test(a_socket_raises_no_sigpipe),
		cmocka_unit_test(a_closed_pipe_is_the_end_of_input),
		cmocka_unit_test(regular_files_work_too),
		cmocka_unit_test(a_descriptor_that_is_not_open_is_an_error),
		cmocka_unit_test(memory_is_read_and_appended),
		cmocka_unit_test(memory_has_the_cap_of_its_buf),
		cmocka_unit_test(memory_without_output_only_counts),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
