/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

static bool is_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static void gives_zeroed_aligned_memory_that_does_not_overlap(void **state)
{
	struct arena a;
	unsigned char *p[500];

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = arena_alloc(&a, i);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
		assert_true(is_zero(p[i], i));
		memset(p[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[i][k], i & 0xff);
	}
	arena_fini(&a);
	assert_int_equal(a.used, 0);
}

static void keeps_cutting_from_a_block_after_a_large_request(void **state)
{
	struct arena a;
	char *small, *large, *next;

	(void)state;
	arena_init(&a, 1 << 20);
	small = arena_alloc(&a, 16);
	large = arena_alloc(&a, 100000);
	next = arena_alloc(&a, 16);
	assert_non_null(small);
	assert_non_null(large);
	assert_ptr_equal(next, small + 16);
	arena_fini(&a);
}

static void never_asks_for_more_than_its_limit(void **state)
{
	struct arena a;
	size_t n = 0;

	(void)state;
	arena_init(&a, 10000);
	while (arena_alloc(&a, 100))
		n++;
	assert_in_range(a.used, 9000, 10000);
	assert_in_range(n, 70, 100);
	assert_null(arena_alloc(&a, 10001));
	arena_fini(&a);
	assert_non_null(arena_alloc(&a, 100));
	arena_fini(&a);
}

static void a_limit_of_nothing_gives_nothing(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 0));
	assert_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void refuses_sizes_that_overflow(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_array(&a, SIZE_MAX / 2 + 1, 2));
	assert_null(arena_array(&a, 2, SIZE_MAX / 2 + 1));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 15));
	assert_null(arena_strdup(&a, span_of("", SIZE_MAX)));
	assert_non_null(arena_array(&a, 3, 5));
	arena_fini(&a);
}

static void copies_and_prints_text(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 16);
	assert_string_equal(arena_strdup(&a, span_of("abcdef", 3)), "abc");
	assert_string_equal(arena_strdup(&a, span_of(NULL, 0)), "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 42), "x-42");
	assert_null(arena_printf(&a, "%70000d", 1));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			gives_zeroed_aligned_memory_that_does_not_overlap),
		cmocka_unit_test(
			keeps_cutting_from_a_block_after_a_large_request),
		cmocka_unit_test(never_asks_for_more_than_its_limit),
		cmocka_unit_test(a_limit_of_nothing_gives_nothing),
		cmocka_unit_test(refuses_sizes_that_overflow),
		cmocka_unit_test(copies_and_prints_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
