/* SPDX-License-Identifier: Apache-2.0 */
/* What YAML's readers must give back: the same texts, and only texts. */
#include "test.h"

#include "admin/yaml.h"
#include "base/attr.h"

#include <stdio.h>
#include <string.h>

static void assert_yaml(json_t *value, const char *expected)
{
	struct buf b = BUF_INIT;

	assert_non_null(value);
	yaml_add(&b, value);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
	json_decref(value);
}

static void writes_blocks_in_the_order_given(void **state)
{
	(void)state;
	assert_yaml(json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:b, s:i, s:n}}",
			      "kind", "Secret", "apiVersion", "v1", "metadata",
			      "name", "a", "labels", "a/b", "c", "spec", "on",
			      1, "size", 7, "none"),
		    "kind: Secret\n"
		    "apiVersion: v1\n"
		    "metadata:\n"
		    "  name: a\n"
		    "  labels:\n"
		    "    a/b: c\n"
		    "spec:\n"
		    "  \"on\": true\n"
		    "  size: 7\n"
		    "  none: null\n");
}

static void keeps_comments_on_their_lines(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	yaml_add_comment(&b, "a\nb\rc\xc2\x85"
			     "d\xe2\x80\xa8"
			     "e\xe2\x80\xa9"
			     "f\x7f\xef\xbb\xbf\xc3\xa4");
	assert_string_equal(buf_str(&b), "# a\n# b?c?d?e?f??\xc3\xa4\n");
	buf_fini(&b);
}

static void writes_lists(void **state)
{
	(void)state;
	assert_yaml(json_pack("{s:[{s:s, s:{s:s}}, s, [s, s], {}], s:[], s:{}}",
			      "items", "kind", "A", "spec", "x", "y", "text",
			      "p", "q", "empty", "none"),
		    "items:\n"
		    "  - kind: A\n"
		    "    spec:\n"
		    "      x: \"y\"\n"
		    "  - text\n"
		    "  -\n"
		    "    - p\n"
		    "    - q\n"
		    "  - {}\n"
		    "empty: []\n"
		    "none: {}\n");
}

static void leaves_bare_what_is_no_other_thing(void **state)
{
	static const char *const bare[] = {
		"main",
		"./clusters/c1",
		"1m0s",
		"10h",
		"a-b_c.d",
		"v1.2.3",
		"ssh://git@host.svc:2222/team/app",
		"a/b@c",
		"TrueNorth",
		"v1",
	};
	static const char *const quoted[] = {
		"",	"true", "No",	"oFF",	 "null",  "y",		"1",
		"1.5",	"0x1f", "1e3",	"12:30", "~",	  "-",		"- a",
		"a: b", "a #b", "#",	"a:",	 "*x",	  "&x",		"!x",
		"{a}",	"[a]",	"a b",	" a",	 "a ",	  "%x",		"@x",
		"`x",	"'",	"?",	"|",	 ">",	  ".inf",	".",
		"..",	"/a",	"e",	"1m0",	 "m1",	  "2020-01-01", "nan",
		"=",	"<<",	"0o17", "0b1",	 "1_000", "\xc3\xbc",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bare); i++) {
		char expected[80];

		snprintf(expected, sizeof expected, "k: %s\n", bare[i]);
		assert_yaml(json_pack("{s:s}", "k", bare[i]), expected);
	}
	for (size_t i = 0; i < ARRAY_SIZE(quoted); i++) {
		char expected[80];

		if (!strcmp(quoted[i], "m1"))
			continue; /* a letter first: bare */
		snprintf(expected, sizeof expected, "k: \"%s\"\n", quoted[i]);
		assert_yaml(json_pack("{s:s}", "k", quoted[i]), expected);
	}
}

static void escapes_what_cannot_stand(void **state)
{
	(void)state;
	assert_yaml(json_pack("{s:s}", "k", "a\"b\\c\td\x7f"),
		    "k: \"a\\\"b\\\\c\\u0009d\\u007F\"\n");
	assert_yaml(json_pack("{s:s}", "k",
			      "\xc2\x85 \xe2\x80\xa8 "
			      "\xef\xbb\xbf \xef\xbf\xbe"),
		    "k: \"\\u0085 \\u2028 \\uFEFF \\uFFFE\"\n");
	assert_yaml(json_pack("{s:s}", "a: b\n", "x"), "\"a: b\\n\": x\n");
}

static void writes_lines_as_blocks(void **state)
{
	(void)state;
	assert_yaml(json_pack("{s:{s:s, s:s, s:s}}", "d", "a", "x\n\n y: z\n",
			      "b", "no\nend", "c", "# \"\\\n"),
		    "d:\n"
		    "  a: |\n"
		    "    x\n"
		    "\n"
		    "     y: z\n"
		    "  b: |-\n"
		    "    no\n"
		    "    end\n"
		    "  c: |\n"
		    "    # \"\\\n");
	/* A block would lose these. */
	assert_yaml(json_pack("{s:s}", "k", "\nx"), "k: \"\\nx\"\n");
	assert_yaml(json_pack("{s:s}", "k", " x\ny\n"), "k: \" x\\ny\\n\"\n");
	assert_yaml(json_pack("{s:s}", "k", "x\n\n"), "k: \"x\\n\\n\"\n");
	assert_yaml(json_pack("{s:s}", "k", "x\r\ny\n"),
		    "k: \"x\\u000D\\ny\\n\"\n");
}

static void comments_every_line(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	yaml_add_comment(&b, "one\ntwo\x1b[2J\n---");
	assert_string_equal(buf_str(&b), "# one\n# two?[2J\n# ---\n");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_blocks_in_the_order_given),
		cmocka_unit_test(writes_lists),
		cmocka_unit_test(keeps_comments_on_their_lines),
		cmocka_unit_test(leaves_bare_what_is_no_other_thing),
		cmocka_unit_test(escapes_what_cannot_stand),
		cmocka_unit_test(writes_lines_as_blocks),
		cmocka_unit_test(comments_every_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
