/* SPDX-License-Identifier: Apache-2.0 */
/* The unix socket: who may come in, what replaces what, errors as JSON. */
#include "base/workers.h"
#include "net/admin_api.h"
#include "net/unix_socket.h"

#include "git_fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct workers *workers;

static int answer(void *arg, const struct http_request *r,
		  struct http_response *out)
{
	(void)arg;
	if (!r->n_elements || strcmp(r->elements[0], "v1"))
		return -1;
	assert_int_equal(strncmp(r->peer, "unix:", 5), 0);
	http_response_text(out, 200, "text/plain", r->elements[1]);
	return 0;
}

static const struct admin_api_options options = {
	.path = "admin.sock",
	.handler = answer,
};

static struct admin_api *open_api(struct err *e)
{
	struct admin_api_options o = options;

	o.workers = workers;
	return admin_api_open(&o, e);
}

static char *talk(const char *request)
{
	struct sockaddr_un sa = { AF_UNIX, "admin.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct buf b = BUF_INIT;
	char part[4096];
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(send(fd, request, strlen(request), 0),
			 strlen(request));
	while ((n = recv(fd, part, sizeof part, 0)) > 0)
		buf_add(&b, part, (size_t)n);
	close(fd);
	return buf_take(&b);
}

static void assert_talk(const char *request, const char *status,
			const char *part)
{
	CLEANUP(freep) char *got = talk(request);

	assert_non_null(got);
	assert_non_null(strstr(got, status));
	assert_non_null(strstr(got, part));
}

#define CLOSE " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static void serves_its_own_user_only(void **state)
{
	struct admin_api *a;
	struct stat st;
	struct err e;

	(void)state;
	a = open_api(&e);
	assert_non_null(a);
	assert_int_equal(stat("admin.sock", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_talk("GET /v1/a%2Fb" CLOSE "\r\n", " 200 OK", "\r\na/b");
	assert_null(admin_api_free(a));
	assert_int_equal(stat("admin.sock", &st), -1);
}

static void says_errors_as_json(void **state)
{
	struct err e;
	struct admin_api *a = open_api(&e);

	(void)state;
	assert_talk("GET /x" CLOSE "\r\n", " 404 ",
		    "{\"error\":{\"code\":\"no-such-route\",");
	assert_talk("GET /v1/.." CLOSE "\r\n", " 400 ",
		    "{\"error\":{\"code\":\"bad-request\",");
	assert_talk("BREW /v1/x" CLOSE "\r\n", " 501 ",
		    "\"code\":\"not-implemented\"");
	assert_talk("GET /v1/x" CLOSE "X: a\rb\r\n\r\n", " 400 ",
		    "application/json");
	assert_talk("PUT /v1/x" CLOSE "Content-Length: 1x\r\n\r\n", " 400 ",
		    "\"code\":\"bad-request\"");
	assert_talk("PUT /v1/x" CLOSE "Content-Length: 99999999999\r\n\r\n",
		    " 413 ", "\"code\":\"content-too-large\"");
	admin_api_free(a);
}

static void replaces_only_what_is_dead(void **state)
{
	struct admin_api *a, *b;
	struct err e;
	int fd;

	(void)state;
	a = open_api(&e);
	assert_non_null(a);
	b = open_api(&e);
	assert_null(b);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_talk("GET /v1/x" CLOSE "\r\n", " 200 OK", "x");
	admin_api_free(a);
	fd = unix_socket_listen("admin.sock", 1, &e);
	assert_true(fd >= 0);
	close(fd); /* left behind, as a killed process leaves it */
	a = open_api(&e);
	assert_non_null(a);
	admin_api_free(a);
	put("admin.sock", "precious");
	assert_null(open_api(&e));
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_file("admin.sock", "precious");
}

static void refuses_paths_no_socket_can_have(void **state)
{
	char path[200];
	struct err e;

	(void)state;
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(unix_socket_listen(path, 1, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_int_equal(unix_socket_listen("", 1, &e), -1);
}

int main(void)
{
#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(serves_its_own_user_only),
		CASE(says_errors_as_json),
		CASE(replaces_only_what_is_dead),
		CASE(refuses_paths_no_socket_can_have),
	};
	int rc;

	workers = workers_new("test", 2, 16, (size_t)256 << 10);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	workers_free(workers);
	return rc;
}
