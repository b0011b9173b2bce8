/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "git/object.h"

#include <stdio.h>

#define ID_A "89e6c98d92887913cadf06b2adb97f26cde4849b"
#define ID_B "0123456789abcdef0123456789abcdef01234567"
#define PEOPLE                              \
	"author A <a@b> 1700000000 +0100\n" \
	"committer C <c@d> 1700000001 +0100\n\nhello\n"

static struct oid parse(const char *hex)
{
	struct oid id;

	assert_true(oid_parse(span_str(hex), OID_SHA1, &id));
	return id;
}

static void names_and_types_are_inverse(void **state)
{
	static const enum object_type types[] = { OBJECT_COMMIT, OBJECT_TREE,
						  OBJECT_BLOB, OBJECT_TAG };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(
			object_type_parse(span_str(object_type_name(types[i]))),
			types[i]);
	assert_int_equal(object_type_parse(span_str("Blob")), OBJECT_NONE);
	assert_int_equal(object_type_parse(span_str("blob ")), OBJECT_NONE);
	assert_int_equal(object_type_parse(span_str("")), OBJECT_NONE);
	assert_string_equal(object_type_name(OBJECT_OFS_DELTA), "unknown");
}

static void reads_a_merge(void **state)
{
	struct span text = span_str("tree " ID_A "\nparent " ID_B
				    "\nparent " ID_A "\n" PEOPLE);
	struct oid a = parse(ID_A), b = parse(ID_B), parent;
	struct commit_view c;
	struct err e;

	(void)state;
	assert_int_equal(commit_parse(text, OID_SHA1, &c, &e), 0);
	assert_true(oid_eq(&c.tree, &a));
	assert_int_equal(c.date, 1700000001);
	assert_true(commit_parent(&c.parents, OID_SHA1, &parent));
	assert_true(oid_eq(&parent, &b));
	assert_true(commit_parent(&c.parents, OID_SHA1, &parent));
	assert_true(oid_eq(&parent, &a));
	assert_false(commit_parent(&c.parents, OID_SHA1, &parent));
}

static void a_date_that_cannot_be_read_is_zero(void **state)
{
	static const struct {
		const char *rest;
		int64_t date;
	} cases[] = {
		{ PEOPLE, 1700000001 },
		{ "author A <a> 1 +0\ncommitter C <c>d> 7 +0000\n\n", 7 },
		{ "author A <a> 1 +0\ncommitter C <c> \n\n", 0 },
		{ "author A <a> 1 +0\ncommitter C 12 +0000\n\n", 0 },
		{ "author A <a> 1 +0\ncommitter C <c> -5 +0000\n\n", 0 },
		{ "author A <a> 1 +0\ncommitter C <c> 99999999999999999999 "
		  "+0000\n\n",
		  INT64_MAX },
		{ "author A <a> 1 +0\n", 0 },
		{ "", 0 },
		{ "committer C <c> 12 +0000\n\n", 0 },
	};
	struct commit_view c;
	struct err e;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof text, "tree " ID_A "\n%s", cases[i].rest);
		assert_int_equal(commit_parse(span_str(text), OID_SHA1, &c, &e),
				 0);
		if (c.date != cases[i].date)
			fail_msg("case %zu: %lld", i, (long long)c.date);
	}
}

static void refuses_commits_that_lead_nowhere(void **state)
{
	static const char *const wrong[] = {
		"",
		"tree " ID_A,
		"tree  " ID_A "\n",
		"tree 89e6c98d92887913cadf06b2adb97f26cde4849\n",
		"Tree " ID_A "\n" PEOPLE,
		"parent " ID_A "\ntree " ID_A "\n" PEOPLE,
		"tree " ID_A "\nparent \n" PEOPLE,
		"tree " ID_A "\nparent " ID_B " \n" PEOPLE,
		"tree " ID_A "\nparent " ID_B "\nparent x" PEOPLE,
	};
	struct commit_view c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (commit_parse(span_str(wrong[i]), OID_SHA1, &c, &e) == 0)
			fail_msg("accepted \"%s\"", wrong[i]);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
}

static void takes_tree_entries_in_order(void **state)
{
	static const char text[] = "100644 a\0AAAAAAAAAAAAAAAAAAAA"
				   "40000 dir\0BBBBBBBBBBBBBBBBBBBB"
				   "160000 sub\0CCCCCCCCCCCCCCCCCCCC"
				   "120000 link\0DDDDDDDDDDDDDDDDDDDD";
	struct span tree = span_of(text, sizeof text - 1);
	struct tree_entry entry;
	struct err e;

	(void)state;
	assert_int_equal(tree_next(&tree, OID_SHA1, &entry, &e), 1);
	assert_true(span_is(entry.name, "a"));
	assert_int_equal(entry.mode, 0100644);
	assert_int_equal(entry.id.id[19], 'A');
	assert_false(MODE_IS_TREE(entry.mode) || MODE_IS_GITLINK(entry.mode));
	assert_int_equal(tree_next(&tree, OID_SHA1, &entry, &e), 1);
	assert_true(MODE_IS_TREE(entry.mode));
	assert_int_equal(tree_next(&tree, OID_SHA1, &entry, &e), 1);
	assert_true(MODE_IS_GITLINK(entry.mode));
	assert_int_equal(tree_next(&tree, OID_SHA1, &entry, &e), 1);
	assert_false(MODE_IS_TREE(entry.mode) || MODE_IS_GITLINK(entry.mode));
	assert_int_equal(tree_next(&tree, OID_SHA1, &entry, &e), 0);
}

static void refuses_malformed_trees(void **state)
{
#define TREE(text)                    \
	{                             \
		text, sizeof text - 1 \
	}
	static const struct {
		const char *text;
		size_t len;
	} wrong[] = {
		TREE("1"),
		TREE("100644"),
		TREE("100644 "),
		TREE("100644 a"),
		TREE("100644 a\0AAAAAAAAAAAAAAAAAAA"),
		TREE("100644 \0AAAAAAAAAAAAAAAAAAAA"),
		TREE(" a\0AAAAAAAAAAAAAAAAAAAA"),
		TREE("108644 a\0AAAAAAAAAAAAAAAAAAAA"),
		TREE("-00644 a\0AAAAAAAAAAAAAAAAAAAA"),
		TREE("10000000000100644 a\0AAAAAAAAAAAAAAAAAAAA"),
	};
#undef TREE
	struct tree_entry entry;
	struct span tree;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		tree = span_of(wrong[i].text, wrong[i].len);
		if (tree_next(&tree, OID_SHA1, &entry, &e) != -1)
			fail_msg("accepted case %zu", i);
		assert_int_equal(e.code, ERR_CORRUPT);
		assert_int_equal(tree.len, wrong[i].len);
	}
}

static void reads_what_a_tag_is_of(void **state)
{
	struct oid b = parse(ID_B);
	struct tag_view tag;
	struct err e;

	(void)state;
	assert_int_equal(
		tag_parse(span_str("object " ID_B "\ntype tree\ntag v1\n"),
			  OID_SHA1, &tag, &e),
		0);
	assert_true(oid_eq(&tag.target, &b));
	assert_int_equal(tag.type, OBJECT_TREE);
}

static void refuses_malformed_tags(void **state)
{
	static const char *const wrong[] = {
		"",
		"object " ID_B,
		"object " ID_B "\n",
		"object " ID_B "\ntype commit",
		"object " ID_B "\ntype commit\n",
		"object " ID_B "\ntype comet\ntag v1\n",
		"object " ID_B "\ntype \ntag v1\n",
		"type commit\nobject " ID_B "\ntag v1\n",
	};
	struct tag_view tag;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (tag_parse(span_str(wrong[i]), OID_SHA1, &tag, &e) == 0)
			fail_msg("accepted \"%s\"", wrong[i]);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_types_are_inverse),
		cmocka_unit_test(reads_a_merge),
		cmocka_unit_test(a_date_that_cannot_be_read_is_zero),
		cmocka_unit_test(refuses_commits_that_lead_nowhere),
		cmocka_unit_test(takes_tree_entries_in_order),
		cmocka_unit_test(refuses_malformed_trees),
		cmocka_unit_test(reads_what_a_tag_is_of),
		cmocka_unit_test(refuses_malformed_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
