/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "hooks/event.h"

#include <jansson.h>
#include <string.h>

static struct event example(const char *ref)
{
	struct event ev = {
		.kind = EVENT_PUSH,
		.time = 1700000000,
		.repo = strdup("team/cluster"),
		.ref = strdup(ref),
		.pusher = strdup("alice"),
		.default_branch = strdup("main"),
		.is_created = true,
	};

	event_id_make(ev.id);
	oid_parse(span_str("c242fd482d2a8c4d97417c27ac2cb2a715d8da94"),
		  OID_SHA1, &ev.after);
	ev.before = oid_zero(OID_SHA1);
	return ev;
}

static void always_has_the_same_keys(void **state)
{
	static const char *const keys[] = {
		"ref",	  "before",	 "after",      "created", "deleted",
		"forced", "base_ref",	 "compare",    "commits", "pusher",
		"sender", "head_commit", "repository",
	};
	struct event ev = example("refs/heads/main");
	struct event_urls urls = { .html = "http://git.example/team/cluster" };
	struct buf body = BUF_INIT;
	struct err e;
	json_t *j, *repo;

	(void)state;
	assert_int_equal(event_body(&ev, &urls, &body, &e), 0);
	j = json_loads(buf_str(&body), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_int_equal(json_object_size(j), ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_non_null(json_object_get(j, keys[i]));
	repo = json_object_get(j, "repository");
	assert_true(json_is_integer(json_object_get(repo, "id")));
	assert_string_equal(json_string_value(json_object_get(repo, "name")),
			    "cluster");
	assert_string_equal(
		json_string_value(json_object_get(repo, "full_name")),
		"team/cluster");
	assert_string_equal(json_string_value(json_object_get(j, "after")),
			    "c242fd482d2a8c4d97417c27ac2cb2a715d8da94");
	json_decref(j);
	buf_fini(&body);
	event_fini(&ev);
}

static void stays_json_with_a_ref_that_is_not_utf8(void **state)
{
	struct event ev = example("refs/heads/caf\xe9\"\\\x01");
	struct event_urls urls = { 0 };
	struct buf body = BUF_INIT;
	struct err e;
	json_t *j;

	(void)state;
	assert_int_equal(event_body(&ev, &urls, &body, &e), 0);
	j = json_loads(buf_str(&body), 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "ref")),
			    "refs/heads/caf\xef\xbf\xbd\"\\\x01");
	json_decref(j);
	buf_fini(&body);
	event_fini(&ev);
}

static void reads_back_what_it_printed(void **state)
{
	struct event ev = example("refs/heads/caf\xe9"), back;
	struct buf line = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(event_print(&ev, &line, &e), 0);
	assert_null(strchr(buf_str(&line), '\n'));
	assert_int_equal(event_parse(buf_span(&line), &back, &e), 0);
	assert_string_equal(back.ref, ev.ref);
	assert_string_equal(back.repo, ev.repo);
	assert_string_equal(back.id, ev.id);
	assert_true(oid_eq(&back.after, &ev.after));
	assert_true(back.is_created);
	assert_false(back.is_forced);
	assert_int_equal(back.time, ev.time);
	event_fini(&back);
	event_fini(&ev);
	buf_fini(&line);
}

static void refuses_every_cut_of_a_line(void **state)
{
	struct event ev = example("refs/heads/main"), back;
	struct buf line = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(event_print(&ev, &line, &e), 0);
	for (size_t n = 0; n < line.len; n++) {
		assert_int_equal(event_parse(span_of(line.data, n), &back, &e),
				 -1);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
	event_fini(&ev);
	buf_fini(&line);
}

static void makes_ids_that_sort_by_time(void **state)
{
	char a[EVENT_ID_SIZE], b[EVENT_ID_SIZE];

	(void)state;
	event_id_make(a);
	event_id_make(b);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);
	assert_true(memcmp(a, b, 12) <= 0);
}

static void shows_a_ref_to_people(void **state)
{
	static const struct {
		const char *base64, *text;
	} cases[] = {
		{ "cmVmcy9oZWFkcy9tYWlu", "refs/heads/main" },
		{ "cmVmcy9oZWFkcy/DvA==", "refs/heads/\xc3\xbc" },
		{ "cmVmcy9oZWFkcy//YQ==", "refs/heads/\\xffa" },
		{ "cmVmcy/i", "refs/\\xe2" },
		{ "no base64!", "" },
		{ "YQBi", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = BUF_INIT;

		event_ref_text(cases[i].base64, &b);
		assert_string_equal(buf_str(&b), cases[i].text);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(always_has_the_same_keys),
		cmocka_unit_test(stays_json_with_a_ref_that_is_not_utf8),
		cmocka_unit_test(reads_back_what_it_printed),
		cmocka_unit_test(refuses_every_cut_of_a_line),
		cmocka_unit_test(makes_ids_that_sort_by_time),
		cmocka_unit_test(shows_a_ref_to_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
