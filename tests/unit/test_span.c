/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/span.h"

static void takes_bytes_off_the_front(void **state)
{
	struct span s = span_str("abcdef"), got;

	(void)state;
	assert_true(span_take(&s, 2, &got));
	assert_true(span_is(got, "ab"));
	assert_true(span_is(s, "cdef"));
	assert_true(span_take(&s, 0, &got));
	assert_int_equal(got.len, 0);
	assert_true(span_take(&s, 4, &got));
	assert_int_equal(s.len, 0);
}

static void changes_nothing_where_there_is_not_enough(void **state)
{
	struct span s = span_str("abc"), got = span_str("kept");
	uint32_t u32 = 7;
	uint64_t u64 = 7;

	(void)state;
	assert_false(span_take(&s, 4, &got));
	assert_false(span_take(&s, SIZE_MAX, &got));
	assert_false(span_u32be(&s, &u32));
	assert_false(span_u64be(&s, &u64));
	assert_false(span_until(&s, '/', &got));
	assert_false(span_skip(&s, "abcd"));
	assert_false(span_skip(&s, "x"));
	assert_true(span_is(s, "abc"));
	assert_true(span_is(got, "kept"));
	assert_int_equal(u32, 7);
	assert_int_equal(u64, 7);
}

static void an_empty_span_needs_no_memory(void **state)
{
	struct span s = { NULL, 0 }, got;
	uint8_t byte;

	(void)state;
	assert_true(span_eq(s, span_str("")));
	assert_true(span_starts(s, ""));
	assert_true(span_take(&s, 0, &got));
	assert_true(span_skip(&s, ""));
	assert_false(span_u8(&s, &byte));
	assert_false(span_until(&s, 'x', &got));
	assert_false(span_word(&s, 'x', &got));
}

static void reads_numbers_in_network_order(void **state)
{
	static const unsigned char bytes[] = { 0xfe, 0x80, 0x01, 0x02, 0x03,
					       0xff, 0x00, 0x00, 0x00, 0x00,
					       0x00, 0x00, 0x01 };
	struct span s = span_of(bytes, sizeof bytes);
	unsigned char back[4];
	uint8_t u8;
	uint32_t u32;
	uint64_t u64;

	(void)state;
	assert_true(span_u8(&s, &u8));
	assert_int_equal(u8, 0xfe);
	assert_true(span_u32be(&s, &u32));
	assert_true(u32 == 0x80010203u);
	assert_true(span_u64be(&s, &u64));
	assert_true(u64 == 0xff00000000000001u);
	assert_int_equal(s.len, 0);
	store_u32be(back, u32);
	assert_memory_equal(back, bytes + 1, 4);
}

static void words_are_what_stands_between_the_stops(void **state)
{
	static const char *const expected[] = { "a", "", "bc", "d" };
	struct span s = span_str("a//bc/d/"), word;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_true(span_word(&s, '/', &word));
		assert_true(span_is(word, expected[i]));
	}
	assert_false(span_word(&s, '/', &word));
}

static void until_takes_the_stop_as_well(void **state)
{
	struct span s = span_of("key\0value", 9), key;

	(void)state;
	assert_true(span_until(&s, '\0', &key));
	assert_true(span_is(key, "key"));
	assert_true(span_is(s, "value"));
}

static void compares_bytes_not_strings(void **state)
{
	(void)state;
	assert_false(span_eq(span_of("a\0b", 3), span_of("a\0c", 3)));
	assert_false(span_is(span_of("a\0b", 3), "a"));
	assert_true(span_starts(span_str("want x"), "want "));
	assert_false(span_starts(span_str("wan"), "want "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_bytes_off_the_front),
		cmocka_unit_test(changes_nothing_where_there_is_not_enough),
		cmocka_unit_test(an_empty_span_needs_no_memory),
		cmocka_unit_test(reads_numbers_in_network_order),
		cmocka_unit_test(words_are_what_stands_between_the_stops),
		cmocka_unit_test(until_takes_the_stop_as_well),
		cmocka_unit_test(compares_bytes_not_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
