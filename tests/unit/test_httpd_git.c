/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Git's routes: what is refused before and after the look-up, and with which
 * bytes; and one list of refs. Whole fetches over sockets are for the
 * end-to-end tests.
 */
#include "git/repository.h"
#include "net/httpd_git.h"

#include "git_fixture.h"

#include "base/arena.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct http_request r;
static struct http_response answer;
static unsigned n_asked;

/* "pub" is for all, "priv" for "Bearer good", "hurt" cannot be opened. */
static enum httpd_git_decision authorise(void *arg, const char *name,
					 const char *authorization,
					 struct httpd_git_access *out,
					 struct err *e)
{
	bool is_known = authorization && !strcmp(authorization, "Bearer good");

	(void)arg;
	n_asked++;
	if (is_known)
		strcpy(out->who, "ci");
	if (name && !strcmp(name, "hurt")) {
		err_set(e, ERR_CORRUPT, "its HEAD is damaged");
		return HTTPD_GIT_BROKEN;
	}
	if (name &&
	    (!strcmp(name, "pub") || (is_known && !strcmp(name, "priv")))) {
		out->repository = repository_open("r.git", e);
		assert_non_null(out->repository);
		return HTTPD_GIT_ALLOWED;
	}
	return is_known ? HTTPD_GIT_NOT_THERE : HTTPD_GIT_NO_TOKEN;
}

static void ssh_url(void *arg, const char *name, struct buf *out)
{
	(void)arg;
	buf_addf(out, "ssh://git@host/%s", name ? name : "NAME");
}

static struct httpd_git git = { .authorise = authorise, .ssh_url = ssh_url };

static int set_up(void **state)
{
	struct err e;

	if (fixture_enter(state))
		return -1;
	n_asked = 0;
	arena_init(&arena, 65536);
	return repository_create("r.git", "main", &e);
}

static int tear_down(void **state)
{
	http_response_fini(&answer);
	arena_fini(&arena);
	return fixture_leave(state);
}

/* As the door would: head(), and handle() where that gave no answer. */
static unsigned ask(const char *method, const char *target,
		    const char *authorization, const char *type,
		    const char *protocol, struct span body)
{
	struct http_body_plan plan = { .max_bytes = 1 << 20 };
	struct http_handler h;
	struct err e;

	http_response_fini(&answer);
	httpd_git_handler(&git, &h);
	r = (struct http_request){ .authorization = authorization,
				   .content_type = type,
				   .git_protocol = protocol,
				   .body = body,
				   .body_fd = -1 };
	assert_int_equal(http_method_parse(method, &r.method, &r.is_head), 0);
	assert_int_equal(http_target_parse(&r, target, &arena, &e), 0);
	h.head(h.arg, &r, &plan, &answer);
	r.carried = plan.carried;
	if (!answer.status)
		h.handle(h.arg, &r, &answer);
	if (plan.release)
		plan.release(plan.carried);
	return answer.status;
}

#define NO_BODY ((struct span){ 0 })
#define REQUEST "application/x-git-upload-pack-request"
#define LIST	"/info/refs?service=git-upload-pack"

static unsigned get(const char *target, const char *authorization)
{
	return ask("GET", target, authorization, NULL, NULL, NO_BODY);
}

static unsigned post(const char *target, const char *type)
{
	return ask("POST", target, NULL, type, NULL, NO_BODY);
}

static bool says(const char *text)
{
	return memmem(answer.bytes.data, answer.bytes.len, text, strlen(text));
}

static const char *header(const char *name)
{
	for (size_t i = 0; i < answer.n_headers; i++) {
		if (!strcmp(answer.headers[i].name, name))
			return answer.headers[i].value;
	}
	return NULL;
}

static void lists_under_every_spelling(void **state)
{
	static const char *const targets[] = {
		"/pub" LIST,	    "/pub.git" LIST,	  "/pub/" LIST,
		"//pub.git//" LIST, "/p%75b" LIST "&x=y",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_int_equal(get(targets[i], NULL), 200);
		assert_true(says("# service=git-upload-pack\n"));
		assert_string_equal(
			header("Content-Type"),
			"application/x-git-upload-pack-advertisement");
		assert_string_equal(header("Cache-Control"),
				    "no-cache, max-age=0, must-revalidate");
	}
}

static void lists_in_version_2(void **state)
{
	(void)state;
	assert_int_equal(
		ask("GET", "/pub" LIST, NULL, NULL, "version=2", NO_BODY), 200);
	assert_memory_equal(answer.bytes.data, "000eversion 2\n", 14);
}

static void answers_light_requests_at_once(void **state)
{
	static const char body[] = "0014command=ls-refs\n00000000";

	(void)state;
	assert_int_equal(ask("POST", "/pub/git-upload-pack", NULL, REQUEST,
			     "version=2", span_of(body, 24)),
			 200);
	assert_int_equal(answer.kind, HTTP_BODY_BYTES);
	assert_string_equal(header("Content-Type"),
			    "application/x-git-upload-pack-result");
}

static void gives_fetches_to_a_worker(void **state)
{
	(void)state;
	assert_int_equal(post("/pub/git-upload-pack/", REQUEST), 200);
	assert_int_equal(answer.kind, HTTP_BODY_PRODUCED);
}

static void refuses_pushes_before_any_look_up(void **state)
{
	static const char *const names[] = { "pub", "priv", "none", "..a" };
	char target[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(target, sizeof target,
			 "/%s/info/refs?service=git-receive-pack", names[i]);
		assert_int_equal(get(target, NULL), 403);
		assert_true(says("ssh://git@host/"));
		snprintf(target, sizeof target, "/%s/git-receive-pack",
			 names[i]);
		assert_int_equal(post(target, NULL), 403);
	}
	assert_true(says("ssh://git@host/NAME"));
	assert_int_not_equal(answer.bytes.data[answer.bytes.len - 1], '\n');
	assert_int_equal(
		get("/pub.git/info/refs?service=git-receive-pack", NULL), 403);
	assert_true(says("ssh://git@host/pub"));
	assert_int_equal(n_asked, 0);
}

/* Status, headers and body in one text. */
static char *snapshot(void)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%u\n", answer.status);
	for (size_t i = 0; i < answer.n_headers; i++)
		buf_addf(&b, "%s: %s\n", answer.headers[i].name,
			 answer.headers[i].value);
	buf_addspan(&b, answer.bytes);
	return buf_take(&b);
}

static void assert_same_for_all(const char *authorization, unsigned status)
{
	static const char *const targets[] = {
		"/none" LIST,	   "/a/b/none.git" LIST, "/.hidden" LIST,
		"/a%2Fb" LIST,	   "/pub%2F" LIST,	 LIST,
		"/PUB" LIST,	   "/pub.git.git" LIST,	 "/pub%5Cx" LIST,
		"/repos/pub" LIST,
	};
	CLEANUP(freep) char *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		CLEANUP(freep) char *now = NULL;

		assert_int_equal(get(targets[i], authorization), status);
		now = snapshot();
		if (!first)
			first = TAKE(now);
		else
			assert_string_equal(now, first);
	}
	if (!authorization) {
		CLEANUP(freep) char *now = NULL;

		assert_int_equal(get("/priv" LIST, "Bearer bad"), status);
		now = snapshot();
		assert_string_equal(now, first);
	}
}

static void answers_every_unknown_name_alike(void **state)
{
	(void)state;
	assert_same_for_all(NULL, 401);
	assert_non_null(header("WWW-Authenticate"));
	assert_same_for_all("Bearer good", 404);
	assert_int_equal(get("/priv" LIST, "Bearer good"), 200);
	assert_string_equal(answer.who, "ci");
	assert_int_equal(get("/pub" LIST, "Basic Z2l0Og=="), 200);
}

static void serves_no_files_and_no_dumb_protocol(void **state)
{
	static const char *const targets[] = {
		"/",
		"/pub",
		"/pub/HEAD",
		"/pub/info/refs",
		"/priv/info/refs",
		"/pub/objects/info/packs",
		"/pub/config",
		"/metrics",
		"/v1/status",
		"/pub/info/refs?service=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		assert_in_range(get(targets[i], NULL), 403, 404);
	assert_int_equal(get("/pub/info/refs?service=git-upload-archive", NULL),
			 403);
	assert_int_equal(n_asked, 0);
}

static void insists_on_method_and_type(void **state)
{
	(void)state;
	assert_int_equal(get("/pub/git-upload-pack", NULL), 405);
	assert_string_equal(header("Allow"), "POST");
	assert_int_equal(post("/pub" LIST, REQUEST), 405);
	assert_int_equal(ask("DELETE", "/pub/git-upload-pack", NULL, NULL, NULL,
			     NO_BODY),
			 405);
	assert_int_equal(post("/pub/git-upload-pack", NULL), 415);
	assert_int_equal(post("/priv/git-upload-pack", "text/plain"), 415);
	assert_int_equal(post("/priv/git-upload-pack", REQUEST), 401);
	assert_int_equal(n_asked, 1);
}

static void says_what_is_broken_in_the_protocol(void **state)
{
	(void)state;
	assert_int_equal(get("/hurt" LIST, NULL), 200);
	assert_true(says("ERR its HEAD is damaged"));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(lists_under_every_spelling),
		CASE(lists_in_version_2),
		CASE(answers_light_requests_at_once),
		CASE(gives_fetches_to_a_worker),
		CASE(refuses_pushes_before_any_look_up),
		CASE(answers_every_unknown_name_alike),
		CASE(serves_no_files_and_no_dumb_protocol),
		CASE(insists_on_method_and_type),
		CASE(says_what_is_broken_in_the_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
