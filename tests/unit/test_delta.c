/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "git/delta.h"

#include <stdlib.h>

#define DELTA(text) span_of(text, sizeof text - 1)

static const char base_text[] = "the quick brown fox";

static struct span base(void)
{
	return span_of(base_text, sizeof base_text - 1);
}

static void copies_and_inserts(void **state)
{
	/* 19 bytes to 13: copy 4 from 0; insert; copy 5 from 4. */
	struct span delta = DELTA("\x13\x0d\x90\x04\x04very\x91\x04\x05");
	unsigned char out[13];
	struct err e;

	(void)state;
	assert_int_equal(delta_apply(base(), delta, out, sizeof out, &e), 0);
	assert_memory_equal(out, "the veryquick", 13);
}

static void a_length_of_zero_copies_64_kib(void **state)
{
	size_t n = 0x10000 + 3;
	unsigned char *from = malloc(n);
	unsigned char *out = malloc(0x10000);
	struct span delta = DELTA("\x83\x80\x04\x80\x80\x04\x81\x03");
	struct err e;

	(void)state;
	for (size_t i = 0; i < n; i++)
		from[i] = (unsigned char)(i * 7);
	assert_int_equal(delta_apply(span_of(from, n), delta, out, 0x10000, &e),
			 0);
	assert_memory_equal(out, from + 3, 0x10000);
	free(from);
	free(out);
}

static void an_empty_result_needs_no_instruction(void **state)
{
	unsigned char out[1];
	struct err e;

	(void)state;
	assert_int_equal(delta_apply(base(), DELTA("\x13\x00"), out, 0, &e), 0);
}

static void refuses_instructions_that_lie(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *why;
	} wrong[] = {
		{ "", 0, "no sizes" },
		{ "\x13", 1, "one size" },
		{ "\x93", 1, "half a size" },
		{ "\x13\x04\x00", 3, "the reserved instruction" },
		{ "\x13\x04\x04"
		  "abc",
		  6, "an insert that is cut short" },
		{ "\x13\x04\x03"
		  "abc",
		  6, "too little" },
		{ "\x13\x04\x05"
		  "abcde",
		  8, "too much" },
		{ "\x13\x04\x91\x10\x04", 5, "a copy across the end" },
		{ "\x13\x04\x91\x14\x01\x03"
		  "abc",
		  9, "a copy from beyond the end" },
		{ "\x13\x04\x90", 3, "a copy that is cut short" },
		{ "\x13\x04\xff\xff\xff\xff\xff\xff\xff\xff", 10,
		  "offset and length of all ones" },
		{ "\x12\x04\x90\x04", 4, "another base" },
		{ "\x13\x05\x90\x04", 4, "another result" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x04\x90\x04",
		  14, "a size beyond 64 bits" },
	};
	unsigned char out[4];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (delta_apply(base(), span_of(wrong[i].text, wrong[i].len),
				out, sizeof out, &e) == 0)
			fail_msg("accepted %s", wrong[i].why);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
}

static void sizes_may_have_64_bits(void **state)
{
	struct span delta = DELTA("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
				  "\x80\x80\x80\x80\x10rest");
	uint64_t base_size, size;
	struct err e;

	(void)state;
	assert_int_equal(delta_header(&delta, &base_size, &size, &e), 0);
	assert_true(base_size == UINT64_MAX);
	assert_true(size == UINT64_C(1) << 32);
	assert_true(span_is(delta, "rest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_inserts),
		cmocka_unit_test(a_length_of_zero_copies_64_kib),
		cmocka_unit_test(an_empty_result_needs_no_instruction),
		cmocka_unit_test(refuses_instructions_that_lie),
		cmocka_unit_test(sizes_may_have_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
