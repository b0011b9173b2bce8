/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "git/oid.h"

#include <string.h>

#define HEX_A "89e6c98d92887913cadf06b2adb97f26cde4849b"
#define HEX_B "89e6c98d92887913cadf06b2adb97f26cde4849c"

static struct oid parse(const char *hex)
{
	struct oid id;

	assert_true(oid_parse(span_str(hex), OID_SHA1, &id));
	return id;
}

static void prints_what_it_parsed(void **state)
{
	struct oid id = parse(HEX_A);
	char hex[OID_MAX_HEX + 1];

	(void)state;
	assert_int_equal(id.len, OID_SHA1_SIZE);
	assert_int_equal(id.id[0], 0x89);
	assert_int_equal(id.id[19], 0x9b);
	assert_string_equal(oid_hex(&id, hex), HEX_A);
}

static void reads_digits_of_either_case(void **state)
{
	struct oid lower = parse(HEX_A);
	struct oid upper = parse("89E6C98D92887913CADF06B2ADB97F26CDE4849B");

	(void)state;
	assert_true(oid_eq(&lower, &upper));
}

static void refuses_other_lengths_and_digits(void **state)
{
	static const char *const wrong[] = {
		"",
		"89e6c98",
		"89e6c98d92887913cadf06b2adb97f26cde4849",
		HEX_A "0",
		HEX_A "\n",
		" 9e6c98d92887913cadf06b2adb97f26cde4849b",
		"89e6c98d92887913cadf06b2adb97f26cde4849g",
		"89e6c98d92887913cadf-6b2adb97f26cde4849b",
	};
	struct oid id = oid_zero(OID_SHA1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (oid_parse(span_str(wrong[i]), OID_SHA1, &id))
			fail_msg("accepted \"%s\"", wrong[i]);
	}
	assert_true(oid_is_zero(&id));
}

static void taking_one_leaves_what_follows(void **state)
{
	struct span line = span_str(HEX_A " refs/heads/main");
	struct oid id, expected = parse(HEX_A);

	(void)state;
	assert_true(oid_take(&line, OID_SHA1, &id));
	assert_true(oid_eq(&id, &expected));
	assert_true(span_is(line, " refs/heads/main"));
	assert_false(oid_take(&line, OID_SHA1, &id));
	assert_true(span_is(line, " refs/heads/main"));
}

static void only_zero_is_zero(void **state)
{
	struct oid zero = oid_zero(OID_SHA1);
	struct oid parsed = parse("0000000000000000000000000000000000000000");
	struct oid one = parse("0000000000000000000000000000000000000001");

	(void)state;
	assert_true(oid_is_zero(&zero));
	assert_true(oid_eq(&zero, &parsed));
	assert_false(oid_is_zero(&one));
}

static void ordered_by_bytes(void **state)
{
	struct oid a = parse(HEX_A), b = parse(HEX_B);
	struct oid high = parse("ff00000000000000000000000000000000000000");

	(void)state;
	assert_true(oid_cmp(&a, &b) < 0);
	assert_true(oid_cmp(&high, &b) > 0);
	assert_int_equal(oid_cmp(&a, &a), 0);
	assert_false(oid_eq(&a, &b));
}

static void made_from_bytes_it_is_zero_beyond_them(void **state)
{
	struct oid parsed = parse(HEX_A);
	struct oid made = oid_from_bytes(parsed.id, OID_SHA1_SIZE);
	struct oid none = { .len = 0 };

	(void)state;
	assert_true(oid_eq(&parsed, &made));
	assert_memory_equal(&parsed, &made, sizeof made);
	assert_int_equal(oid_hash(&parsed), oid_hash(&made));
	assert_false(oid_eq(&none, &made));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_parsed),
		cmocka_unit_test(reads_digits_of_either_case),
		cmocka_unit_test(refuses_other_lengths_and_digits),
		cmocka_unit_test(taking_one_leaves_what_follows),
		cmocka_unit_test(only_zero_is_zero),
		cmocka_unit_test(ordered_by_bytes),
		cmocka_unit_test(made_from_bytes_it_is_zero_beyond_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
