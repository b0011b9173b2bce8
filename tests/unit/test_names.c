/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/names.h"

#include <stdio.h>
#include <stdlib.h>

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64  A50 "aaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50

static void assert_accepts(int (*check)(struct span, struct err *),
			   const char *name)
{
	struct err e = { 0 };

	if (check(span_str(name), &e) < 0)
		fail_msg("refused \"%s\": %s", name, e.message);
}

static void assert_refuses(int (*check)(struct span, struct err *),
			   const char *name)
{
	struct err e = { 0 };

	if (check(span_str(name), &e) == 0)
		fail_msg("accepted \"%s\"", name);
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_true(e.message[0]);
}

/* -- names ---------------------------------------------------------------- */

static void accepts_repository_names(void **state)
{
	static const char *const names[] = {
		"cluster",  "a",	"_",	"0",   "team/app",
		"A-b_c.d",  "a..b",	"a.",	"a-",  "1/2/3/4/5/6/7/8",
		"team/git", "x.gitlab", "lock", "git", "a.git-x/b.lock.d",
		A200,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_accepts(repo_name_check, names[i]);
}

static void refuses_what_is_no_repository_name(void **state)
{
	static const char *const names[] = {
		"",
		"/",
		"/a",
		"a/",
		"a//b",
		".",
		"..",
		"a/..",
		"../a",
		"a/../b",
		"a/./b",
		".a",
		"a/.git",
		".git",
		"a.git",
		"a.git/b",
		"a.lock",
		"b/a.lock/c",
		".lock",
		"-a",
		"a/-b",
		"--help",
		"a b",
		"a\n",
		"a\tb",
		"a\\b",
		"a\\..\\b",
		"~a",
		"~",
		"a~1",
		"a:b",
		"a?b",
		"a*",
		"a[b]",
		"a@b",
		"a%2fb",
		"%2e%2e/a",
		"a;b",
		"a|b",
		"$HOME",
		"`id`",
		"$(id)",
		"'a'",
		"a\"b",
		"a&b",
		"\xc0\xae/a",
		"\xc2\xad",
		"caf\xc3\xa9",
		"a\xe2\x88\x95"
		"b",
		"\xef\xbc\x8e\xef\xbc\x8e/a",
		"a\x7f",
		"a\x1b[31m",
		"a#b",
		"a=b",
		"1/2/3/4/5/6/7/8/9",
		A200 "a",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_refuses(repo_name_check, names[i]);
}

static void a_nul_byte_does_not_end_a_name(void **state)
{
	struct err e;
	char out[REPO_NAME_MAX + 1];

	(void)state;
	assert_int_equal(repo_name_check(span_of("a\0b", 3), &e), -1);
	assert_int_equal(repo_name_check(span_of("a\0", 2), &e), -1);
	assert_int_equal(repo_name_check(span_of(NULL, 0), &e), -1);
	assert_int_equal(object_name_check(span_of("a\0b", 3), &e), -1);
	assert_int_equal(object_name_check(span_of(NULL, 0), &e), -1);
	assert_int_equal(pattern_check(span_of("a\0b", 3), &e), -1);
	assert_int_equal(repo_name_from_path(span_of("a\0.git", 6), out, &e),
			 -1);
	assert_int_equal(repo_name_from_path(span_of(NULL, 0), out, &e), -1);
}

static void every_byte_alone_is_judged_as_written(void **state)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789";
	struct err e;

	(void)state;
	for (int c = 0; c < 256; c++) {
		unsigned char text[2] = { (unsigned char)c, 'x' };
		unsigned char inner[2] = { 'x', (unsigned char)c };
		bool alnum = c && strchr(first, c);

		assert_int_equal(repo_name_check(span_of(text, 2), &e) == 0,
				 alnum || c == '_');
		assert_int_equal(repo_name_check(span_of(inner, 2), &e) == 0,
				 alnum || (c && strchr("_.-", c)));
		assert_int_equal(object_name_check(span_of(text, 2), &e) == 0,
				 alnum);
		assert_int_equal(object_name_check(span_of(inner, 2), &e) == 0,
				 alnum || (c && strchr("_.-@", c)));
	}
}

static void knows_the_names_of_keys_tokens_and_hooks(void **state)
{
	static const char *const good[] = { "a", "9", "ci@build-1.example_x",
					    "x.git", A64 };
	static const char *const bad[] = { "",	   "_a",  "@a",	 "-a",	 ".a",
					   "a/b",  "a b", "a\n", "a\"",	 "..",
					   "a[x]", "a]",  "a=",	 A64 "a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_accepts(object_name_check, good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refuses(object_name_check, bad[i]);
}

/* -- what clients ask for ------------------------------------------------- */

static void every_spelling_is_one_name(void **state)
{
	static const char *const paths[][2] = {
		{ "cluster", "cluster" },
		{ "/cluster", "cluster" },
		{ "cluster.git", "cluster" },
		{ "/cluster.git", "cluster" },
		{ "/cluster.git/", "cluster" },
		{ "/cluster/", "cluster" },
		{ "~/cluster", "cluster" },
		{ "~/cluster.git/", "cluster" },
		{ "/~/cluster.git", "cluster" },
		{ "/team/app.git", "team/app" },
		{ "/" A200 ".git/", A200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char out[REPO_NAME_MAX + 1];
		struct err e;

		assert_int_equal(
			repo_name_from_path(span_str(paths[i][0]), out, &e), 0);
		assert_string_equal(out, paths[i][1]);
	}
}

static void no_path_leads_anywhere_else(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"//",
		"~",
		"~/",
		"/~/",
		"/~",
		".git",
		"/.git",
		"/.git/",
		"//cluster",
		"cluster//",
		"cluster.git//",
		"cluster/.git",
		"/cluster/.git/",
		"cluster.git.git",
		"cluster.git/config",
		"cluster.git/../other.git",
		"/cluster.git/.",
		"../cluster",
		"/../cluster",
		"/cluster/..",
		"/cluster/../other",
		"/./cluster",
		"/etc/../cluster",
		"~root/cluster",
		"~cluster",
		"~/~/cluster",
		"~//cluster",
		"~/../cluster",
		"/~/../cluster",
		"\\cluster",
		"..\\cluster",
		"/%2e%2e/cluster",
		"/%252e%252e%252fcluster",
		"/..%00/cluster",
		"/..;/cluster",
		"/cluster;.git",
		"/\xc0\xae\xc0\xae/cluster",
		"/\xe2\x80\xa5/cluster",
		"/clust\xd0\xb5r",
		"--upload-pack=id",
		"-cluster",
		"/cluster'",
		"/cluster\n.git",
		"/cluster .git",
		"file:///cluster",
		"/" A200 "a.git",
		"/1/2/3/4/5/6/7/8/9.git",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char out[REPO_NAME_MAX + 1] = "untouched";
		struct err e = { 0 };

		if (!repo_name_from_path(span_str(paths[i]), out, &e))
			fail_msg("\"%s\" is \"%s\"", paths[i], out);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_string_equal(out, "untouched");
	}
}

/* -- patterns ------------------------------------------------------------- */

static void accepts_patterns_that_can_match(void **state)
{
	static const char *const patterns[] = {
		"**",
		"*",
		"cluster",
		"team/*",
		"team/**",
		"**/app",
		"a/**/b",
		"*-prod",
		"*.x",
		"a*b*c",
		"**/**",
		"*/*/*/*/*/*/*/*",
		"**/a/**/b",
		"*.git*",
		"1/2/3/4/5/6/7/**",
		A200,
		"2/3/4/5/6/7/8/**",
		A64 A64 A64 "aaaaaa/*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		assert_accepts(pattern_check, patterns[i]);
}

static void refuses_patterns_that_cannot_match(void **state)
{
	static const char *const patterns[] = {
		"",
		"/",
		"/a",
		"a/",
		"a//b",
		"a.git",
		"*.git",
		"a.lock",
		"a.git/b",
		"team**",
		"**a/b",
		"***",
		"a/***",
		".*",
		"-*",
		"a/../*",
		"a b",
		"a?",
		"[ab]",
		"{a,b}",
		"!a",
		"a\\*",
		"a\n",
		"\xc3\xa4",
		A200 "a",
		A200 "*b",
		"*/*/*/*/*/*/*/*/*",
		"1/2/3/4/5/6/7/8/**",
		A50 A50 A50 A50 "/**",
		"**/" A50 A50 A50 A50 "/*",
		A64 A64 A64 "aaaaaaa/*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		assert_refuses(pattern_check, patterns[i]);
}

static void patterns_match_by_element(void **state)
{
	static const struct {
		const char *pattern;
		const char *matches;
		const char *refuses;
	} cases[] = {
		{ "cluster", "cluster", "Cluster cluster2 clust a/cluster" },
		{ "**", "a a/b a/b/c", "" },
		{ "*", "a abc", "a/b a/b/c" },
		{ "a/**", "a/b a/b/c a/b/c/d", "a ab/c b/a b" },
		{ "a/*", "a/b a/bcd", "a a/b/c b/a" },
		{ "**/b", "b a/b a/c/b b/b", "a b/a ab a/bb" },
		{ "a/**/b", "a/b a/x/b a/x/y/b a/b/b", "a b a/b/c x/a/b" },
		{ "**/a/**", "a/b x/a/b a/a x/y/a/z", "a x/a x/y" },
		{ "**/a/**/b", "a/b x/a/b a/x/b x/a/y/b/a/b", "a b/a x/b" },
		{ "**/**", "a a/b a/b/c", "" },
		{ "*/**", "a/b a/b/c", "a" },
		{ "**/*", "a a/b a/b/c", "" },
		{ "a*", "a ab a-b", "ba b a/b" },
		{ "*a", "a ba aa bab-a", "ab b/a" },
		{ "a*b*c", "abc aXbYc abcbc", "ab acb abcd a/b/c" },
		{ "*/app", "x/app", "app x/y/app x/apps" },
		{ "team-*/*-prod", "team-a/x-prod team-/-prod",
		  "team-a/prod team-a/x-prod/y team/x-prod" },
		{ "*ab", "aab abab", "aba abb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *pattern = cases[i].pattern;
		struct span list = span_str(cases[i].matches), word;
		char name[64];

		for (int expected = 1; expected >= 0; expected--) {
			while (span_word(&list, ' ', &word)) {
				snprintf(name, sizeof name, "%.*s",
					 (int)word.len, word.data);
				if (pattern_matches(pattern, name) != expected)
					fail_msg("%s and %s", pattern, name);
			}
			list = span_str(cases[i].refuses);
		}
	}
}

static void ref_patterns_take_any_bytes(void **state)
{
	(void)state;
	assert_true(ref_pattern_matches("main", "main"));
	assert_false(ref_pattern_matches("main", "Main"));
	assert_true(ref_pattern_matches("release/*", "release/1.0"));
	assert_false(ref_pattern_matches("release/*", "release/1/2"));
	assert_true(ref_pattern_matches("release/**", "release/1/2"));
	assert_false(ref_pattern_matches("release/", "release"));
	assert_true(ref_pattern_matches("v*", "v1.0+\xc3\xa4@{!}\x01"));
	assert_true(ref_pattern_matches("feat\xc3\xbc/*", "feat\xc3\xbc/x"));
	assert_false(ref_pattern_matches("?ain", "main"));
	assert_true(ref_pattern_matches("**", "anything/at all"));
	assert_false(ref_pattern_matches("", "main"));
}

/* The plainest definition there is, exponential and short, for small input. */
static bool slow_element(struct span p, struct span t)
{
	if (!p.len)
		return !t.len;
	if (p.data[0] == '*')
		return slow_element(span_of(p.data + 1, p.len - 1), t) ||
		       (t.len &&
			slow_element(p, span_of(t.data + 1, t.len - 1)));
	return t.len && p.data[0] == t.data[0] &&
	       slow_element(span_of(p.data + 1, p.len - 1),
			    span_of(t.data + 1, t.len - 1));
}

static bool slow_path(const struct span *p, size_t np, const struct span *t,
		      size_t nt)
{
	if (!np)
		return !nt;
	if (span_is(p[0], "**") && np == 1)
		return nt > 0;
	if (span_is(p[0], "**"))
		return slow_path(p + 1, np - 1, t, nt) ||
		       (nt && slow_path(p, np, t + 1, nt - 1));
	return nt && slow_element(p[0], t[0]) &&
	       slow_path(p + 1, np - 1, t + 1, nt - 1);
}

static size_t split(const char *text, struct span out[16])
{
	struct span s = span_str(text);
	size_t n = 0;

	while (n < 16 && span_word(&s, '/', &out[n]))
		n++;
	return n;
}

/* 1 to `max` elements of 1 or 2 bytes of `bytes`, "**" being two of them. */
static void make_text(char *out, unsigned max, const char *bytes)
{
	unsigned n = 1 + (unsigned)rand() % max;

	for (unsigned i = 0; i < n; i++) {
		if (i)
			*out++ = '/';
		for (unsigned len = 1 + (unsigned)rand() % 2; len; len--)
			*out++ = bytes[(size_t)rand() % strlen(bytes)];
	}
	*out = '\0';
}

static void agrees_with_the_plain_definition(void **state)
{
	int n_matches = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < 100000; i++) {
		struct span p[16], t[16];
		char pattern[64], text[64];
		bool expected;

		make_text(pattern, 5, "ab***");
		make_text(text, 6, "aab");
		expected = slow_path(p, split(pattern, p), t, split(text, t));
		n_matches += expected;
		if (pattern_matches(pattern, text) != expected)
			fail_msg("%s and %s: not %d", pattern, text, expected);
	}
	assert_in_range(n_matches, 5000, 95000);
}

/* Each of these takes a careless matcher longer than the sun will shine. */
static void no_pattern_takes_long(void **state)
{
	char pattern[4001], text[8001];
	int64_t start = clock_ms();

	(void)state;
	for (size_t i = 0; i < 4000; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	strcpy(pattern + 3999, "b");
	memset(text, 'a', 8000);
	text[8000] = '\0';
	assert_false(ref_pattern_matches(pattern, text));

	for (size_t i = 0; i + 5 <= 4000; i += 5)
		memcpy(pattern + i, "**/a/", 5);
	strcpy(pattern + 3999, "b");
	for (size_t i = 0; i < 8000; i++)
		text[i] = i % 2 ? '/' : 'a';
	text[7999] = '\0';
	assert_false(ref_pattern_matches(pattern, text));
	assert_true(clock_ms() - start < 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_repository_names),
		cmocka_unit_test(refuses_what_is_no_repository_name),
		cmocka_unit_test(a_nul_byte_does_not_end_a_name),
		cmocka_unit_test(every_byte_alone_is_judged_as_written),
		cmocka_unit_test(knows_the_names_of_keys_tokens_and_hooks),
		cmocka_unit_test(every_spelling_is_one_name),
		cmocka_unit_test(no_path_leads_anywhere_else),
		cmocka_unit_test(accepts_patterns_that_can_match),
		cmocka_unit_test(refuses_patterns_that_cannot_match),
		cmocka_unit_test(patterns_match_by_element),
		cmocka_unit_test(ref_patterns_take_any_bytes),
		cmocka_unit_test(agrees_with_the_plain_definition),
		cmocka_unit_test(no_pattern_takes_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
