/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/files.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes into a file between catch_begin() and catch_end(). */
static int saved = -1;
static int caught = -1;
static char text[1 << 20];

static void catch_begin(void)
{
	struct err e;

	saved = dup(STDERR_FILENO);
	caught = file_unnamed("/tmp", &e);
	assert_true(saved >= 0 && caught >= 0);
	assert_true(dup2(caught, STDERR_FILENO) >= 0);
}

static const char *catch_end(void)
{
	ssize_t n = pread(caught, text, sizeof text - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(caught);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* What follows the event's name on the only line. */
static const char *pairs_of(const char *line)
{
	const char *at = strstr(line, "event=test");

	assert_non_null(at);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	return at + strlen("event=test");
}

static const char *logged(const char *value)
{
	catch_begin();
	log_info("test", "v", value, NULL);
	return pairs_of(catch_end());
}

static const char *logged_as_json(const char *value)
{
	const char *line, *at;

	log_configure(LEVEL_INFO, LOG_JSON);
	catch_begin();
	log_info("test", "v", value, NULL);
	line = catch_end();
	log_configure(LEVEL_INFO, LOG_TEXT);
	at = strstr(line, "\"event\":\"test\"");
	assert_memory_equal(line, "{\"time\":\"2", 10);
	assert_non_null(at);
	return at + strlen("\"event\":\"test\"");
}

static void begins_with_time_level_and_event(void **state)
{
	const char *line;
	int n = 0;

	(void)state;
	catch_begin();
	log_warn("push.accepted", "repo", "cluster", NULL);
	line = catch_end();
	sscanf(line,
	       "time=%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ level=warn "
	       "event=push.accepted repo=cluster%n",
	       &n);
	assert_true(n > 0);
	assert_string_equal(line + n, "\n");
}

static void leaves_plain_values_bare(void **state)
{
	(void)state;
	assert_string_equal(logged("refs/heads/a-b_c,d:e"),
			    " v=refs/heads/a-b_c,d:e\n");
}

static void quotes_what_would_break_a_pair(void **state)
{
	(void)state;
	assert_string_equal(logged(""), " v=\"\"\n");
	assert_string_equal(logged("a b"), " v=\"a b\"\n");
	assert_string_equal(logged("a=b"), " v=\"a=b\"\n");
	assert_string_equal(logged("a\"b"), " v=\"a\\\"b\"\n");
	assert_string_equal(logged("a\\b"), " v=\"a\\\\b\"\n");
}

static void cannot_be_made_to_begin_a_line(void **state)
{
	(void)state;
	assert_string_equal(logged("a\nlevel=error\r\tb"),
			    " v=\"a\\nlevel=error\\u000d\\tb\"\n");
}

static void keeps_escape_sequences_from_the_terminal(void **state)
{
	(void)state;
	assert_string_equal(logged("\033[2J\007\177"),
			    " v=\"\\u001b[2J\\u0007\\u007f\"\n");
	/* U+009B, the same in one character. */
	assert_string_equal(logged("\302\2332J"), " v=\"\\u009b2J\"\n");
	/* U+202E turns the direction, U+2028 is a line's end to some. */
	assert_string_equal(logged("\342\200\256\342\200\250"),
			    " v=\"\\u202e\\u2028\"\n");
	/* U+E0041, a tag: invisible. */
	assert_string_equal(logged("\363\240\201\201"),
			    " v=\"\\udb40\\udc41\"\n");
}

static void passes_letters_of_any_script(void **state)
{
	(void)state;
	assert_string_equal(logged("gr\303\274n"), " v=\"gr\303\274n\"\n");
	assert_string_equal(logged("\360\237\232\200"),
			    " v=\"\360\237\232\200\"\n");
}

static void replaces_what_is_not_utf8(void **state)
{
	static const char *const bad[] = {
		"\200",		    /* continuation without a lead */
		"\377",		    /* never in UTF-8 */
		"\303",		    /* cut short */
		"\300\257",	    /* overlong slash */
		"\340\200\257",	    /* longer still */
		"\355\240\200",	    /* a surrogate */
		"\364\220\200\200", /* past U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *line = logged(bad[i]);

		assert_memory_equal(line, " v=\"\\ufffd", 10);
		for (; *line; line++)
			assert_true((unsigned char)*line < 0x80);
	}
	assert_string_equal(logged("\303a"), " v=\"\\ufffda\"\n");
}

static void writes_json_that_escapes_alike(void **state)
{
	(void)state;
	assert_string_equal(logged_as_json("plain"), ",\"v\":\"plain\"}\n");
	assert_string_equal(logged_as_json("\"\\\n\033\377"),
			    ",\"v\":\"\\\"\\\\\\n\\u001b\\ufffd\"}\n");
}

static void leaves_out_a_null_value(void **state)
{
	(void)state;
	catch_begin();
	log_info("test", "a", NULL, "b", "2", NULL);
	assert_string_equal(pairs_of(catch_end()), " b=2\n");
}

static void says_only_what_the_level_asks_for(void **state)
{
	(void)state;
	catch_begin();
	log_debug("test", NULL);
	assert_string_equal(catch_end(), "");
	log_configure(LEVEL_ERROR, LOG_TEXT);
	catch_begin();
	log_warn("test", NULL);
	log_info("test", NULL);
	assert_string_equal(catch_end(), "");
	catch_begin();
	log_error("test", NULL);
	assert_string_equal(pairs_of(catch_end()), "\n");
	log_configure(LEVEL_DEBUG, LOG_TEXT);
	catch_begin();
	log_debug("test", NULL);
	assert_string_equal(pairs_of(catch_end()), "\n");
	log_configure(LEVEL_INFO, LOG_TEXT);
}

static void cuts_a_value_between_characters(void **state)
{
	char value[LOG_VALUE_MAX + 100];
	const char *line;

	(void)state;
	memset(value, 'x', sizeof value);
	value[sizeof value - 1] = '\0';
	assert_int_equal(strlen(logged(value)), LOG_VALUE_MAX + 4);
	memcpy(value + LOG_VALUE_MAX - 2, "\342\202\254", 3);
	line = logged(value);
	assert_int_equal(strlen(line), LOG_VALUE_MAX - 2 + 4);
	memset(value, '\200', sizeof value - 1);
	assert_non_null(strstr(logged(value), "\\ufffd\\ufffd\"\n"));
}

static void drops_whole_pairs_where_a_line_is_full(void **state)
{
	char value[LOG_VALUE_MAX + 1];
	const char *line;

	(void)state;
	memset(value, '\001', LOG_VALUE_MAX);
	value[LOG_VALUE_MAX] = '\0';
	catch_begin();
	log_info("test", "a", value, "b", value, "c", value, "d", "4", NULL);
	line = catch_end();
	assert_true(strlen(line) <= 16384);
	assert_non_null(strstr(line, "b=\"\\u0001"));
	assert_null(strstr(line, "c="));
	assert_string_equal(line + strlen(line) - 11, "\" cut=true\n");
}

static void prints_numbers(void **state)
{
	(void)state;
	assert_string_equal(logged(fmt_u64(0)), " v=0\n");
	assert_string_equal(logged(fmt_u64(UINT64_MAX)),
			    " v=18446744073709551615\n");
}

static void remembers_the_newest_warnings_and_errors(void **state)
{
	static char long_value[LOG_VALUE_MAX];
	char lines[LOG_RECENT][LOG_RECENT_BYTES];
	const char *each[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9" };

	(void)state;
	catch_begin();
	log_configure(LEVEL_INFO, LOG_JSON);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		log_warn("test.warned", "v", each[i], NULL);
	log_info("test.said", NULL);
	for (size_t i = 0; i + 2 < sizeof long_value; i += 2)
		memcpy(long_value + i, "é", 2);
	log_error("test.failed", "v", long_value, NULL);
	log_configure(LEVEL_INFO, LOG_TEXT);
	catch_end();
	assert_int_equal(log_recent(lines), LOG_RECENT);
	assert_non_null(strstr(lines[0], " level=error event=test.failed v="));
	assert_in_range(strlen(lines[0]), LOG_RECENT_BYTES - 2,
			LOG_RECENT_BYTES - 1);
	assert_memory_equal(lines[0] + strlen(lines[0]) - 2, "é", 2);
	assert_non_null(strstr(lines[1], " event=test.warned v=9"));
	assert_non_null(strstr(lines[7], " event=test.warned v=3"));
	assert_null(strchr(lines[7], '\n'));
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 100; i++)
		log_info("test", "v", arg, NULL);
	return NULL;
}

static void keeps_lines_of_threads_apart(void **state)
{
	static char values[4][LOG_VALUE_MAX];
	pthread_t threads[4];
	const char *line;
	int n = 0;

	(void)state;
	catch_begin();
	for (int i = 0; i < 4; i++) {
		memset(values[i], 'a' + i, sizeof values[i] - 1);
		assert_int_equal(
			pthread_create(&threads[i], NULL, log_many, values[i]),
			0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	catch_end();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
		const char *v = strstr(line, " v=");

		assert_non_null(v);
		assert_int_equal(strspn(v + 3, (char[]){ v[3], '\0' }),
				 LOG_VALUE_MAX - 1);
		assert_int_equal(strlen(v + 3), LOG_VALUE_MAX - 1);
	}
	assert_int_equal(n, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_time_level_and_event),
		cmocka_unit_test(leaves_plain_values_bare),
		cmocka_unit_test(quotes_what_would_break_a_pair),
		cmocka_unit_test(cannot_be_made_to_begin_a_line),
		cmocka_unit_test(keeps_escape_sequences_from_the_terminal),
		cmocka_unit_test(passes_letters_of_any_script),
		cmocka_unit_test(replaces_what_is_not_utf8),
		cmocka_unit_test(writes_json_that_escapes_alike),
		cmocka_unit_test(leaves_out_a_null_value),
		cmocka_unit_test(says_only_what_the_level_asks_for),
		cmocka_unit_test(cuts_a_value_between_characters),
		cmocka_unit_test(drops_whole_pairs_where_a_line_is_full),
		cmocka_unit_test(prints_numbers),
		cmocka_unit_test(remembers_the_newest_warnings_and_errors),
		cmocka_unit_test(keeps_lines_of_threads_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
