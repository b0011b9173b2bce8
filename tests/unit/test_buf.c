/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static void appends_in_every_form(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	buf_adds(&b, "one");
	buf_addc(&b, ' ');
	buf_add(&b, "two!", 3);
	buf_addspan(&b, span_str(" three"));
	buf_addf(&b, " %d-%s", 4, "five");
	buf_addhex(&b, "\x00\xff\x1a", 3);
	assert_string_equal(buf_str(&b), "one two three 4-five00ff1a");
	assert_int_equal(b.len, strlen(b.data));
	assert_int_equal(buf_check(&b, &e), 0);
	buf_fini(&b);
	assert_null(b.data);
}

static void a_buf_without_content_is_an_empty_string(void **state)
{
	struct buf b = BUF_INIT;
	char *taken;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_span(&b).len, 0);
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
	buf_fini(&b);
	taken = buf_take(&b);
	assert_string_equal(taken, "");
	free(taken);
	buf_fini(&b);
}

static void holds_large_content_and_nul_bytes(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, (char)(i % 251));
	assert_false(b.failed);
	assert_int_equal(b.len, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal((unsigned char)b.data[i], i % 251);
	assert_int_equal(b.data[b.len], 0);
	assert_true(b.cap < 300000);
	buf_fini(&b);
}

static void takes_exactly_its_cap(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init_max(&b, 100);
	for (int i = 0; i < 100; i++)
		buf_addc(&b, 'x');
	assert_int_equal(buf_check(&b, &e), 0);
	assert_int_equal(b.len, 100);
	assert_in_range(b.cap, 101, 101);
	buf_addc(&b, 'y');
	assert_int_equal(buf_check(&b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&b);
}

static void a_failure_sticks_until_cleared(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init_max(&b, 4);
	buf_adds(&b, "abc");
	buf_adds(&b, "de");
	buf_addc(&b, 'f');
	buf_addf(&b, "%d", 1);
	buf_addhex(&b, "", 0);
	assert_null(buf_reserve(&b, 0));
	assert_string_equal(buf_str(&b), "abc");
	assert_null(buf_take(&b));
	assert_int_equal(buf_check(&b, &e), -1);
	buf_clear(&b);
	buf_adds(&b, "gh");
	assert_int_equal(buf_check(&b, &e), 0);
	assert_string_equal(buf_str(&b), "gh");
	buf_fini(&b);
}

static void sizes_that_overflow_pass_the_cap(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init_max(&b, SIZE_MAX);
	buf_adds(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_int_equal(buf_check(&b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_clear(&b);
	buf_addhex(&b, "", SIZE_MAX / 2 + 1);
	assert_true(b.failed);
	buf_clear(&b);
	buf_adds(&b, "still good");
	assert_string_equal(buf_str(&b), "still good");
	buf_fini(&b);
}

static void a_format_of_any_length_fits_or_fails_whole(void **state)
{
	struct buf b;

	(void)state;
	buf_init_max(&b, 1000);
	buf_addf(&b, "%0999d", 7);
	assert_int_equal(b.len, 999);
	assert_int_equal(b.data[998], '7');
	buf_addf(&b, "%s", "12");
	assert_true(b.failed);
	assert_int_equal(b.len, 999);
	buf_fini(&b);
}

static void a_reader_fills_what_was_reserved(void **state)
{
	struct buf b = BUF_INIT;
	char *room;

	(void)state;
	buf_adds(&b, "a");
	room = buf_reserve(&b, 100);
	assert_non_null(room);
	memset(room, '!', 100);
	memcpy(room, "bc", 2);
	b.len += 2;
	assert_string_equal(buf_str(&b), "abc");
	room = buf_reserve(&b, 3);
	memcpy(room, "def", 3);
	b.len += 3;
	room = buf_take(&b);
	assert_string_equal(room, "abcdef");
	free(room);
}

static void drops_from_either_end(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_consume(&b, 1);
	buf_truncate(&b, 1);
	buf_adds(&b, "0123456789");
	buf_consume(&b, 3);
	assert_string_equal(buf_str(&b), "3456789");
	buf_truncate(&b, 100);
	buf_truncate(&b, 4);
	assert_string_equal(b.data, "3456");
	buf_consume(&b, 0);
	buf_consume(&b, 100);
	assert_string_equal(b.data, "");
	buf_fini(&b);
}

static void taking_leaves_an_empty_buf_with_the_same_cap(void **state)
{
	struct buf b;
	char *taken;

	(void)state;
	buf_init_max(&b, 5);
	buf_adds(&b, "12345");
	taken = buf_take(&b);
	assert_string_equal(taken, "12345");
	free(taken);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "123456");
	assert_true(b.failed);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_in_every_form),
		cmocka_unit_test(a_buf_without_content_is_an_empty_string),
		cmocka_unit_test(holds_large_content_and_nul_bytes),
		cmocka_unit_test(takes_exactly_its_cap),
		cmocka_unit_test(a_failure_sticks_until_cleared),
		cmocka_unit_test(sizes_that_overflow_pass_the_cap),
		cmocka_unit_test(a_format_of_any_length_fits_or_fails_whole),
		cmocka_unit_test(a_reader_fills_what_was_reserved),
		cmocka_unit_test(drops_from_either_end),
		cmocka_unit_test(taking_leaves_an_empty_buf_with_the_same_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
