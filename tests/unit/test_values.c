/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "store/values.h"

#include <string.h>

static void booleans_are_gits(void **state)
{
	static const char *const good[] = { "true", "Yes", "ON", "1" };
	static const char *const bad[] = { "false", "No", "OFF", "0", "" };
	static const char *const none[] = { "2", "y", "true ", "t", "-1" };
	struct err e;
	bool is;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(value_bool(good[i], &is, &e), 0);
		assert_true(is);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(value_bool(bad[i], &is, &e), 0);
		assert_false(is);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(value_bool(none[i], &is, &e), -1);
	assert_int_equal(value_bool(NULL, &is, &e), 0);
	assert_true(is);
}

static void sizes_have_units_and_an_end(void **state)
{
	static const char *const none[] = { "",
					    "k",
					    "-1",
					    "+1",
					    " 1",
					    "1 ",
					    "1kb",
					    "1.5g",
					    "0x10",
					    "16777216t",
					    "18446744073709551616" };
	struct err e;
	uint64_t n;

	(void)state;
	assert_int_equal(value_size("2g", &n, &e), 0);
	assert_true(n == (uint64_t)2 << 30);
	assert_int_equal(value_size("10M", &n, &e), 0);
	assert_int_equal(n, 10 << 20);
	assert_int_equal(value_size("18446744073709551615", &n, &e), 0);
	assert_true(n == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		if (value_size(none[i], &n, &e) == 0)
			fail_msg("taken: \"%s\"", none[i]);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
	assert_int_equal(value_size(NULL, &n, &e), -1);
}

static void durations_and_shares_are_read(void **state)
{
	unsigned percent;
	struct err e;
	int64_t ms;

	(void)state;
	assert_int_equal(value_duration_ms("30s", &ms, &e), 0);
	assert_int_equal(ms, 30000);
	assert_int_equal(value_duration_ms("5m", &ms, &e), 0);
	assert_int_equal(ms, 300000);
	assert_int_equal(value_duration_ms("250ms", &ms, &e), 0);
	assert_int_equal(ms, 250);
	assert_int_equal(value_duration_ms("7", &ms, &e), 0);
	assert_int_equal(ms, 7000);
	assert_int_equal(value_duration_ms("9223372036854775808ms", &ms, &e),
			 -1);
	assert_int_equal(value_duration_ms("5min", &ms, &e), -1);
	assert_int_equal(value_percent("5%", &percent, &e), 0);
	assert_int_equal(percent, 5);
	assert_int_equal(value_percent("101%", &percent, &e), -1);
	assert_int_equal(value_percent("5", &percent, &e), -1);
}

static void the_shortest_spelling_reads_back(void **state)
{
	static const struct {
		uint64_t n;
		const char *size, *duration;
	} cases[] = {
		{ 0, "0", "0ms" },
		{ 1024, "1k", "1024ms" },
		{ 1536, "1536", "1536ms" },
		{ 90000, "90000", "90s" },
		{ (uint64_t)3 << 40, "3t", "3298534883328ms" },
		{ 7200000, "7200000", "2h" },
	};
	char text[VALUE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(value_size_text(cases[i].n, text),
				    cases[i].size);
		assert_string_equal(
			value_duration_text((int64_t)cases[i].n, text),
			cases[i].duration);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booleans_are_gits),
		cmocka_unit_test(sizes_have_units_and_an_end),
		cmocka_unit_test(durations_and_shares_are_read),
		cmocka_unit_test(the_shortest_spelling_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
