/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's head may say, and what is read from it. */
#include "base/arena.h"
#include "base/err.h"
#include "net/http_request.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)65536)

static struct arena arena;
static struct http_request r;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, ARENA_MAX);
	r = (struct http_request){ 0 };
	e = (struct err){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static int parse(const char *target)
{
	return http_target_parse(&r, target, &arena, &e);
}

static void splits_before_it_decodes(void **state)
{
	(void)state;
	assert_int_equal(parse("/v1/repos/a%2Fb"), 0);
	assert_int_equal(r.n_elements, 3);
	assert_string_equal(r.elements[2], "a/b");
	assert_string_equal(r.target, "/v1/repos/a%2Fb");
}

static void decodes_once(void **state)
{
	(void)state;
	assert_int_equal(parse("/%252e%252E/x"), 0);
	assert_string_equal(r.elements[0], "%2e%2E");
}

static void drops_empty_elements(void **state)
{
	(void)state;
	assert_int_equal(parse("//cluster.git///info/refs/"), 0);
	assert_int_equal(r.n_elements, 3);
	assert_string_equal(r.path, "/cluster.git/info/refs");
	assert_int_equal(parse("/"), 0);
	assert_int_equal(r.n_elements, 0);
	assert_string_equal(r.path, "/");
}

static void refuses_to_climb(void **state)
{
	static const char *const targets[] = {
		"/..", "/a/../b", "/./a", "/%2e%2e/a", "/a/.%2E", "/%2e",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_int_equal(parse(targets[i]), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
}

static void refuses_what_is_no_path(void **state)
{
	static const char *const targets[] = {
		"",	    "*",	 "cluster", "http://other/cluster",
		"a:443",    "/a b",	 "/a\tb",   "/a#b",
		"/\x7f",    "/\xc3\xa4", "/%00",    "/%0d%0aX:y",
		"/%",	    "/%4",	 "/%zz",    "/%7f",
		"/a?x=%0a", "/a?x=%",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_int_equal(parse(targets[i]), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
}

static void limits_targets(void **state)
{
	char target[HTTP_TARGET_MAX + 2];

	(void)state;
	memset(target, 'a', sizeof target);
	target[0] = '/';
	target[HTTP_TARGET_MAX] = '\0';
	assert_int_equal(parse(target), 0);
	target[HTTP_TARGET_MAX] = 'a';
	target[HTTP_TARGET_MAX + 1] = '\0';
	assert_int_equal(parse(target), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

static void limits_elements_and_parameters(void **state)
{
	char target[256] = "";

	(void)state;
	for (int i = 0; i < HTTP_ELEMENTS_MAX; i++)
		strcat(target, "/a");
	assert_int_equal(parse(target), 0);
	strcat(target, "/a");
	assert_int_equal(parse(target), -1);
	strcpy(target, "/?");
	for (int i = 0; i <= HTTP_PARAMS_MAX; i++)
		sprintf(target + strlen(target), "%02d&", i);
	assert_int_equal(parse(target), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

static void reads_parameters(void **state)
{
	(void)state;
	assert_int_equal(parse("/a?service=git-upload-pack&x&&y=a+b%26%3d=&=z"),
			 0);
	assert_string_equal(http_request_param(&r, "service"),
			    "git-upload-pack");
	assert_string_equal(http_request_param(&r, "x"), "");
	assert_string_equal(http_request_param(&r, "y"), "a b&==");
	assert_string_equal(http_request_param(&r, ""), "z");
	assert_null(http_request_param(&r, "z"));
	assert_int_equal(parse("/a?b"), 0);
	assert_int_equal(r.n_params, 1);
}

static void refuses_a_parameter_twice(void **state)
{
	(void)state;
	assert_int_equal(parse("/a?service=a&%73ervice=b"), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
}

static void knows_methods_by_case(void **state)
{
	enum http_method method;
	bool is_head;

	(void)state;
	assert_int_equal(http_method_parse("HEAD", &method, &is_head), 0);
	assert_int_equal(method, HTTP_GET);
	assert_true(is_head);
	assert_int_equal(http_method_parse("PATCH", &method, &is_head), 0);
	assert_false(is_head);
	assert_string_equal(http_method_name(method), "PATCH");
	assert_int_equal(http_method_parse("TRACE", &method, &is_head), 0);
	assert_int_equal(method, HTTP_OTHER);
	assert_int_equal(http_method_parse("get", &method, &is_head), -1);
	assert_int_equal(http_method_parse("", &method, &is_head), -1);
}

static void reads_lengths_strictly(void **state)
{
	static const char *const bad[] = {
		"", "+5", "-1", " 5", "5 ", "0x5", "5,5", "18446744073709551616"
	};
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(http_length_parse(span_str(bad[i]), &n));
	assert_true(http_length_parse(span_str("18446744073709551615"), &n));
	assert_true(n == UINT64_MAX);
	assert_true(http_length_parse(span_str("007"), &n));
	assert_int_equal(n, 7);
}

static void judges_headers(void **state)
{
	(void)state;
	assert_true(http_header_is_valid(span_str("X-A"), span_str("b\tc")));
	assert_true(http_header_is_valid(span_str("X"), span_str("")));
	assert_false(http_header_is_valid(span_str("X "), span_str("b")));
	assert_false(http_header_is_valid(span_str(""), span_str("b")));
	assert_false(http_header_is_valid(span_str("X"), span_str("b\rc")));
	assert_false(http_header_is_valid(span_str("X"), span_of("b\0c", 3)));
	assert_true(http_host_is_valid(span_str("[::1]:80")));
	assert_true(http_host_is_valid(span_str("")));
	assert_false(http_host_is_valid(span_str("a/b")));
	assert_false(http_host_is_valid(span_str("a@b")));
	assert_false(http_host_is_valid(span_str("a b")));
}

static void compares_media_types(void **state)
{
	(void)state;
	assert_true(http_type_is("Application/JSON; charset=x",
				 "application/json"));
	assert_true(http_type_is("a/b", "a/b"));
	assert_false(http_type_is("a/bc", "a/b"));
	assert_false(http_type_is("a/", "a/b"));
	assert_false(http_type_is(NULL, "a/b"));
}

static void assert_credential(const char *header, const char *secret)
{
	size_t n = 0;
	char *got = http_credential(header, &n);

	if (!secret) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, secret);
	assert_int_equal(n, strlen(secret));
	free(got);
}

static void reads_credentials(void **state)
{
	(void)state;
	assert_credential("Basic Z2l0OnNlY3JldA==", "secret");
	assert_credential("basic  OmE6Yg==", "a:b"); /* ":a:b" */
	assert_credential("Bearer s3cret", "s3cret");
	assert_credential("BEARER s3cret  ", "s3cret");
}

static void refuses_malformed_credentials(void **state)
{
	char huge[5000];

	(void)state;
	memset(huge, 'a', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	memcpy(huge, "Bearer ", 7);
	assert_credential(NULL, NULL);
	assert_credential("", NULL);
	assert_credential("Basic", NULL);
	assert_credential("Basic ", NULL);
	assert_credential("Basic Z2l0Og==", NULL); /* "git:" */
	assert_credential("Basic Z2l0", NULL);	   /* no colon */
	assert_credential("Basic Z2l0OgA=", NULL); /* "git:\0" */
	assert_credential("Basic !!!!", NULL);
	assert_credential("Bearerx", NULL);
	assert_credential("Bearer", NULL);
	assert_credential("Digest x", NULL);
	assert_credential(huge, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_before_it_decodes),
		cmocka_unit_test(decodes_once),
		cmocka_unit_test(drops_empty_elements),
		cmocka_unit_test(refuses_to_climb),
		cmocka_unit_test(refuses_what_is_no_path),
		cmocka_unit_test(limits_targets),
		cmocka_unit_test(limits_elements_and_parameters),
		cmocka_unit_test(reads_parameters),
		cmocka_unit_test(refuses_a_parameter_twice),
		cmocka_unit_test(knows_methods_by_case),
		cmocka_unit_test(reads_lengths_strictly),
		cmocka_unit_test(judges_headers),
		cmocka_unit_test(compares_media_types),
		cmocka_unit_test(reads_credentials),
		cmocka_unit_test(refuses_malformed_credentials),
	};
	struct CMUnitTest each[ARRAY_SIZE(tests)];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		each[i] = tests[i];
		each[i].setup_func = set_up;
		each[i].teardown_func = tear_down;
	}
	return cmocka_run_group_tests(each, NULL, NULL);
}
