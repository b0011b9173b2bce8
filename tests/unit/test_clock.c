/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/clock.h"

#include <string.h>

static void assert_iso(int64_t seconds, const char *expected)
{
	char out[CLOCK_ISO_SIZE];

	assert_ptr_equal(clock_iso_of(seconds, out), out);
	assert_string_equal(out, expected);
}

static void writes_utc_as_rfc_3339(void **state)
{
	(void)state;
	assert_iso(0, "1970-01-01T00:00:00Z");
	assert_iso(951827696, "2000-02-29T12:34:56Z");
	assert_iso(4102444799, "2099-12-31T23:59:59Z");
	assert_iso(-1, "1969-12-31T23:59:59Z");
}

static void any_number_of_seconds_fits(void **state)
{
	(void)state;
	assert_iso(INT64_MAX, "9999-12-31T23:59:59Z");
	assert_iso(INT64_MIN, "0000-01-01T00:00:00Z");
}

static void now_has_milliseconds(void **state)
{
	char out[CLOCK_ISO_SIZE], again[CLOCK_ISO_SIZE];
	int64_t before = clock_unix();

	(void)state;
	clock_iso(out);
	assert_int_equal(strlen(out), strlen("2026-03-01T12:00:00.123Z"));
	assert_int_equal(out[19], '.');
	assert_int_equal(out[23], 'Z');
	clock_iso_of(before - 1, again);
	assert_true(memcmp(again, out, 19) < 0);
}

static void the_monotonic_clock_does_not_run_back(void **state)
{
	int64_t us = clock_us(), ms = clock_ms();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t us_now = clock_us(), ms_now = clock_ms();

		assert_true(us_now >= us && ms_now >= ms);
		us = us_now;
		ms = ms_now;
	}
	assert_in_range(us / 1000 - ms + 100, 0, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_utc_as_rfc_3339),
		cmocka_unit_test(any_number_of_seconds_fits),
		cmocka_unit_test(now_has_milliseconds),
		cmocka_unit_test(the_monotonic_clock_does_not_run_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
