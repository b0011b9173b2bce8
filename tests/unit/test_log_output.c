/* SPDX-License-Identifier: Apache-2.0 */
/* A log whose reader stops: nobody waits long, lines are whole and in order. */
#include "test.h"

#include "base/log_output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_SIZE 8192

struct fixture {
	struct log_output out;
	int reader;
	char heard[1 << 20];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE) >= 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	f->reader = fds[0];
	f->out.fd = fds[1];
	f->out.patience_ms = 1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->reader >= 0)
		close(f->reader);
	close(f->out.fd);
	free(f);
	return 0;
}

/* A line of `n` bytes of `c`, its end included. */
static bool say(struct fixture *f, char c, size_t n)
{
	static char line[LOG_LINE_MAX];

	memset(line, c, n - 1);
	line[n - 1] = '\n';
	return log_output_line(&f->out, span_of(line, n));
}

/* All that is in the pipe. */
static const char *hear(struct fixture *f)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(f->reader, f->heard + n, sizeof f->heard - 1 - n)) >
	       0)
		n += (size_t)got;
	f->heard[n] = '\0';
	return f->heard;
}

static void passes_lines_on(void **state)
{
	struct fixture *f = *state;

	assert_true(say(f, 'a', 3));
	assert_true(say(f, 'b', 4));
	assert_string_equal(hear(f), "aa\nbbb\n");
	assert_int_equal(f->out.n_dropped, 0);
}

static void drops_what_nobody_takes_and_counts_it(void **state)
{
	struct fixture *f = *state;

	assert_true(say(f, 'a', PIPE_SIZE));
	assert_true(log_output_is_ready(&f->out) == false);
	for (int i = 0; i < 1000; i++)
		assert_false(say(f, 'b', 10));
	assert_int_equal(f->out.n_dropped, 1000);
	assert_true(f->out.is_stuck);
	assert_null(strchr(hear(f), 'b'));
	assert_true(log_output_is_ready(&f->out));
	assert_true(say(f, 'c', 3));
	assert_false(f->out.is_stuck);
	assert_string_equal(hear(f), "cc\n");
	assert_int_equal(f->out.n_dropped, 1000);
}

static void finishes_a_line_that_was_begun_before_the_next(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	assert_true(say(f, 'a', LOG_LINE_MAX)); /* twice the pipe */
	assert_true(f->out.is_stuck);
	assert_false(say(f, 'b', 10));
	while (n < LOG_LINE_MAX) {
		const char *part = hear(f);

		assert_int_equal(strspn(part, "a\n"), strlen(part));
		n += strlen(part);
		if (n < LOG_LINE_MAX)
			assert_false(log_output_is_ready(&f->out));
	}
	assert_int_equal(n, LOG_LINE_MAX);
	assert_int_equal(f->heard[strlen(f->heard) - 1], '\n');
	assert_true(log_output_is_ready(&f->out));
	assert_true(say(f, 'c', 3));
	assert_string_equal(hear(f), "cc\n");
}

static void tells_nobody_where_nobody_is(void **state)
{
	struct fixture *f = *state;

	close(f->reader);
	f->reader = -1;
	for (int i = 0; i < 10; i++)
		assert_true(say(f, 'a', 100));
	assert_false(f->out.is_stuck);
	assert_int_equal(f->out.n_dropped, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(passes_lines_on),
		CASE(drops_what_nobody_takes_and_counts_it),
		CASE(finishes_a_line_that_was_begun_before_the_next),
		CASE(tells_nobody_where_nobody_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
