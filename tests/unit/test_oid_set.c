/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "git/oid_set.h"

/* The number `n`, in the last bytes or in the first. */
static struct oid oid_of(uint32_t n, bool at_front)
{
	unsigned char bytes[OID_SHA1_SIZE] = { 0 };

	store_u32be(bytes + (at_front ? 0 : OID_SHA1_SIZE - 4), n);
	return oid_from_bytes(bytes, sizeof bytes);
}

static void keeps_what_it_was_given_in_order(void **state)
{
	struct oid_set s = { 0 };
	struct err e;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		struct oid id = oid_of(i * 7, true);

		assert_false(oid_set_has(&s, &id));
		assert_int_equal(oid_set_add(&s, &id, &e), 1);
		assert_int_equal(oid_set_add(&s, &id, &e), 0);
	}
	assert_int_equal(s.n, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		struct oid id = oid_of(i * 7, true);
		struct oid other = oid_of(i * 7 + 1, true);

		assert_true(oid_eq(&s.items[i], &id));
		assert_true(oid_set_has(&s, &id));
		assert_false(oid_set_has(&s, &other));
	}
	oid_set_fini(&s);
}

static void tells_ids_apart_that_begin_alike(void **state)
{
	struct oid_set s = { 0 };
	struct err e;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		struct oid id = oid_of(i, false);

		assert_int_equal(oid_set_add(&s, &id, &e), 1);
	}
	for (uint32_t i = 0; i < 400; i++) {
		struct oid id = oid_of(i, false);

		assert_int_equal(oid_set_has(&s, &id), i < 200);
	}
	oid_set_fini(&s);
}

static void is_empty_at_first(void **state)
{
	struct oid_set s = { 0 };
	struct oid id = oid_of(0, true);

	(void)state;
	assert_false(oid_set_has(&s, &id));
	oid_set_fini(&s);
}

static void sorts_bytewise(void **state)
{
	struct oid ids[] = { oid_of(3, true), oid_of(1, true),
			     oid_of(2, true) };

	(void)state;
	oid_sort(ids, 3);
	for (uint32_t i = 0; i < 3; i++) {
		struct oid id = oid_of(i + 1, true);

		assert_true(oid_eq(&ids[i], &id));
	}
	oid_sort(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_it_was_given_in_order),
		cmocka_unit_test(tells_ids_apart_that_begin_alike),
		cmocka_unit_test(is_empty_at_first),
		cmocka_unit_test(sorts_bytewise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
