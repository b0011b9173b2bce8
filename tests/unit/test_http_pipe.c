/* SPDX-License-Identifier: Apache-2.0 */
/* The pipe between a worker and the thread that sends. */
#include "base/err.h"
#include "base/stream.h"
#include "net/http_pipe.h"

#include "any.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The library's part: knows whether it is paused, and can wait for a wake. */
struct other_end {
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool is_paused;
	unsigned n_wakes;
};

static struct other_end end;
static struct http_pipe *pipe_;

static void pause_end(void *arg)
{
	struct other_end *o = arg;

	pthread_mutex_lock(&o->lock);
	assert_false(o->is_paused);
	o->is_paused = true;
	pthread_mutex_unlock(&o->lock);
}

static void wake_end(void *arg)
{
	struct other_end *o = arg;

	pthread_mutex_lock(&o->lock);
	assert_true(o->is_paused);
	o->is_paused = false;
	o->n_wakes++;
	pthread_cond_signal(&o->woken);
	pthread_mutex_unlock(&o->lock);
}

static void await_wake(void)
{
	pthread_mutex_lock(&end.lock);
	while (end.is_paused)
		pthread_cond_wait(&end.woken, &end.lock);
	pthread_mutex_unlock(&end.lock);
}

static int set_up(void **state)
{
	const struct http_pipe_reader reader = {
		.pause = pause_end,
		.wake = wake_end,
		.arg = &end,
	};

	(void)state;
	end = (struct other_end){ PTHREAD_MUTEX_INITIALIZER,
				  PTHREAD_COND_INITIALIZER, true, 0 };
	pipe_ = http_pipe_new(&reader, 0);
	return pipe_ ? 0 : -1;
}

static int write_text(const char *text)
{
	struct err e;

	return stream_write(http_pipe_stream(pipe_), text, strlen(text), &e);
}

static void assert_reads(const char *text)
{
	char got[100] = "";

	assert_int_equal(http_pipe_read(pipe_, got, sizeof got), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void holds_little_back_until_a_flush(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(write_text("abc"), 0);
	assert_int_equal(end.n_wakes, 0);
	assert_int_equal(stream_flush(http_pipe_stream(pipe_), &e), 0);
	assert_int_equal(end.n_wakes, 1);
	assert_reads("abc");
	assert_int_equal(http_pipe_read(pipe_, &e, sizeof e), 0);
	assert_true(end.is_paused);
	http_pipe_finish(pipe_, 0);
	assert_int_equal(end.n_wakes, 2);
	assert_int_equal(http_pipe_read(pipe_, &e, sizeof e), HTTP_PIPE_END);
	http_pipe_close(pipe_);
}

static void is_whole_when_the_writer_ended(void **state)
{
	uint64_t len;

	(void)state;
	assert_int_equal(write_text("abc"), 0);
	assert_int_equal(write_text("def"), 0);
	assert_false(http_pipe_is_whole(pipe_, &len));
	http_pipe_finish(pipe_, 0);
	assert_int_equal(end.n_wakes, 1);
	assert_true(http_pipe_is_whole(pipe_, &len));
	assert_int_equal(len, 6);
	assert_reads("abcdef");
	http_pipe_close(pipe_);
}

static void says_that_the_writer_failed_after_what_it_wrote(void **state)
{
	uint64_t len;
	char c;

	(void)state;
	assert_int_equal(write_text("abc"), 0);
	http_pipe_finish(pipe_, -1);
	assert_false(http_pipe_is_whole(pipe_, &len));
	assert_false(http_pipe_is_broken(pipe_));
	assert_reads("abc");
	assert_true(http_pipe_is_broken(pipe_));
	assert_int_equal(http_pipe_read(pipe_, &c, 1), HTTP_PIPE_BROKEN);
	http_pipe_close(pipe_);
}

static void fails_writes_when_the_reader_is_gone(void **state)
{
	struct err e;

	(void)state;
	http_pipe_close(pipe_);
	assert_int_equal(stream_flush(http_pipe_stream(pipe_), &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(write_text("abc"), -1);
	http_pipe_finish(pipe_, -1);
	assert_int_equal(end.n_wakes, 0);
}

static void is_cut_from_elsewhere(void **state)
{
	char c;

	(void)state;
	assert_int_equal(write_text("abc"), 0);
	http_pipe_cut(pipe_);
	assert_int_equal(end.n_wakes, 1);
	assert_int_equal(write_text("abc"), -1);
	assert_int_equal(http_pipe_read(pipe_, &c, 1), HTTP_PIPE_BROKEN);
	http_pipe_close(pipe_);
	http_pipe_finish(pipe_, -1);
}

static void gives_up_at_the_deadline(void **state)
{
	size_t n = HTTP_PIPE_BYTES;
	char *data = calloc(1, n);
	struct stream *s = http_pipe_stream(pipe_);
	struct err e;

	(void)state;
	assert_int_equal(stream_write(s, data, n, &e), 0);
	s->idle_ms = 20;
	assert_int_equal(stream_write(s, data, 1, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	/* One that is lent is taken back. */
	assert_int_equal(stream_write(s, data, n + 1, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	free(data);
	http_pipe_finish(pipe_, -1);
	http_pipe_close(pipe_);
}

#define TOTAL ((size_t)40 << 20)

/* Writes of all sizes, above and below what is copied. */
static void *write_much(void *arg)
{
	const unsigned char *data = arg;
	struct stream *s = http_pipe_stream(pipe_);
	size_t at = 0;
	struct err e;
	int rc = 0;

	any_seed = 7;
	while (at < TOTAL && !rc) {
		size_t n = any_u32() % (any_u32() % 4 ? 100000 : 2000000) + 1;
		struct iovec iov[3];

		if (n > TOTAL - at)
			n = TOTAL - at;
		for (size_t i = 0; i < 3; i++) {
			size_t from = at + n / 3 * i;
			size_t to = i == 2 ? at + n : from + n / 3;

			memcpy(&iov[i].iov_base, &(const void *){ data + from },
			       sizeof(void *));
			iov[i].iov_len = to - from;
		}
		rc = stream_writev(s, iov, 3, &e);
		if (!rc && any_u32() % 8 == 0)
			rc = stream_flush(s, &e);
		at += n;
	}
	http_pipe_finish(pipe_, rc);
	return NULL;
}

static void carries_every_byte(void **state)
{
	unsigned char *data = malloc(TOTAL);
	unsigned char *got = malloc(TOTAL);
	pthread_t thread;
	size_t have = 0;
	ssize_t n;

	(void)state;
	any_seed = 3;
	any_bytes(data, TOTAL);
	pthread_create(&thread, NULL, write_much, data);
	await_wake();
	while ((n = http_pipe_read(pipe_, got + have,
				   have % 7 ? 65536 : 1000)) >= 0) {
		have += (size_t)n;
		if (!n)
			await_wake();
	}
	pthread_join(thread, NULL);
	assert_int_equal(n, HTTP_PIPE_END);
	assert_int_equal(have, TOTAL);
	assert_memory_equal(data, got, TOTAL);
	http_pipe_close(pipe_);
	free(data);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(holds_little_back_until_a_flush, set_up),
		cmocka_unit_test_setup(is_whole_when_the_writer_ended, set_up),
		cmocka_unit_test_setup(
			says_that_the_writer_failed_after_what_it_wrote,
			set_up),
		cmocka_unit_test_setup(fails_writes_when_the_reader_is_gone,
				       set_up),
		cmocka_unit_test_setup(is_cut_from_elsewhere, set_up),
		cmocka_unit_test_setup(gives_up_at_the_deadline, set_up),
		cmocka_unit_test_setup(carries_every_byte, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
