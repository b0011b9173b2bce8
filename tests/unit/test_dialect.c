/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "hooks/dialect.h"

#include <string.h>

static const char body[] =
	"{\"ref\":\"refs/heads/main\","
	"\"before\":\"0000000000000000000000000000000000000000\","
	"\"after\":\"c242fd482d2a8c4d97417c27ac2cb2a715d8da94\"}";

static struct event push(const char *ref)
{
	struct event ev = { .kind = EVENT_PUSH };

	memcpy(ev.id, "0123456789abcdef0123456789abcdef", 33);
	ev.ref = strdup(ref);
	return ev;
}

/* The value of header `name`, NULL where it is not sent. */
static const char *header(const struct buf *lines, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < lines->len; at += strlen(lines->data + at) + 1)
		if (!strncmp(lines->data + at, name, n) &&
		    !strncmp(lines->data + at + n, ": ", 2))
			return lines->data + at + n + 2;
	return NULL;
}

static void lines_of(const char *type, const char *ref, const char *secret,
		     struct buf *out)
{
	struct event ev = push(ref);

	dialect_headers(dialect_find(type), &ev, span_str(secret),
			span_str(body), out);
	event_fini(&ev);
}

static void signs_generic_hmac_as_flux_checks_it(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	lines_of("generic-hmac", "refs/heads/main", "s3cr3t-token", &lines);
	assert_string_equal(header(&lines, "X-Signature"),
			    "sha256=89c59bde7cf2730950967627f04449918ca73baf6b"
			    "691d53a3aa4f16f527831d");
	buf_fini(&lines);
}

static void signs_github_twice(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	lines_of("github", "refs/heads/main", "s3cr3t-token", &lines);
	assert_string_equal(header(&lines, "X-Hub-Signature-256"),
			    "sha256=89c59bde7cf2730950967627f04449918ca73baf6b"
			    "691d53a3aa4f16f527831d");
	assert_string_equal(header(&lines, "X-Hub-Signature"),
			    "sha1=4e441f07015841c921383b7923d6752f176b43fd");
	assert_string_equal(header(&lines, "X-GitHub-Event"), "push");
	assert_string_equal(header(&lines, "X-GitHub-Delivery"),
			    "01234567-89ab-cdef-0123-456789abcdef");
	assert_null(header(&lines, "X-Gitea-Event"));
	buf_fini(&lines);
}

static void sends_gitea_no_header_of_another(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	lines_of("gitea", "refs/heads/main", "s3cr3t-token", &lines);
	assert_string_equal(header(&lines, "X-Gitea-Signature"),
			    "89c59bde7cf2730950967627f04449918ca73baf6b691d53a3"
			    "aa4f16f527831d");
	assert_null(header(&lines, "X-GitHub-Event"));
	assert_null(header(&lines, "X-Gogs-Event"));
	buf_fini(&lines);
}

static void tells_gitlab_tags_from_branches(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	lines_of("gitlab", "refs/tags/v1", "s3cr3t-token", &lines);
	assert_string_equal(header(&lines, "X-Gitlab-Event"), "Tag Push Hook");
	assert_string_equal(header(&lines, "X-Gitlab-Token"), "s3cr3t-token");
	buf_clear(&lines);
	lines_of("gitlab", "refs/heads/main", "", &lines);
	assert_string_equal(header(&lines, "X-Gitlab-Event"), "Push Hook");
	assert_null(header(&lines, "X-Gitlab-Token"));
	buf_fini(&lines);
}

static void signs_nothing_without_a_secret(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	lines_of("generic-hmac", "refs/heads/main", "", &lines);
	assert_int_equal(lines.len, 0);
	assert_true(dialect_needs_secret(dialect_find("generic-hmac")));
	assert_false(dialect_needs_secret(dialect_find("generic")));
	assert_null(dialect_find("bitbucket"));
	buf_fini(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_generic_hmac_as_flux_checks_it),
		cmocka_unit_test(signs_github_twice),
		cmocka_unit_test(sends_gitea_no_header_of_another),
		cmocka_unit_test(tells_gitlab_tags_from_branches),
		cmocka_unit_test(signs_nothing_without_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
