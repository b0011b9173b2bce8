/* SPDX-License-Identifier: Apache-2.0 */
/* The door itself, over loopback: framing, limits, workers, the end. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/workers.h"
#include "net/httpd.h"

#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static struct workers *workers;
static struct httpd *door;
static struct sockaddr_in where;
static atomic_int n_released;
static atomic_int produce_result;
static char block[300000];

/* -- the handler ---------------------------------------------------------- */

static void count_release(void *arg)
{
	(void)arg;
	atomic_fetch_add(&n_released, 1);
}

/* Writes as many bytes as the parameter `n` says, flushed in `pieces`. */
static int produce(void *arg, struct stream *s, struct err *e)
{
	const struct http_request *r = arg;
	const char *n_text = http_request_param(r, "n");
	size_t n = n_text ? strtoul(n_text, NULL, 10) : 0;
	int rc = 0;

	while (n && !rc) {
		size_t now = n < sizeof block ? n : sizeof block;

		rc = stream_write(s, block, now, e);
		if (!rc && http_request_param(r, "flush"))
			rc = stream_flush(s, e);
		n -= now;
	}
	if (!rc && http_request_param(r, "fail"))
		rc = err_set(e, ERR_IO, "asked to fail");
	atomic_store(&produce_result, rc < 0 ? (int)e->code : 0);
	return rc;
}

static void describe(const struct http_request *r, struct http_response *out)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s %s", http_method_name(r->method), r->path);
	for (size_t i = 0; i < r->n_elements; i++)
		buf_addf(&b, " [%s]", r->elements[i]);
	buf_addf(&b, " body=%zu:", r->body.len);
	buf_addspan(&b, r->body);
	http_response_buf(out, 200, "text/plain", &b);
	buf_fini(&b);
}

static void take_head(void *arg, const struct http_request *r,
		      struct http_body_plan *plan, struct http_response *out)
{
	(void)arg;
	if (r->n_elements && !strcmp(r->elements[0], "forbidden"))
		http_response_text(out, 403, "text/plain", "forbidden");
	if (r->n_elements && !strcmp(r->elements[0], "file"))
		plan->dir = "/tmp";
	plan->carried = &n_released;
	plan->release = count_release;
}

static void handle(void *arg, const struct http_request *r,
		   struct http_response *out)
{
	char text[64] = "";
	ssize_t n;

	(void)arg;
	assert_ptr_equal(r->carried, &n_released);
	if (r->n_elements && !strcmp(r->elements[0], "produce")) {
		void *request;

		memcpy(&request, &r, sizeof request);
		http_response_produced(out, 200, "text/plain", produce, NULL,
				       request);
	} else if (r->n_elements && !strcmp(r->elements[0], "file")) {
		n = read(r->body_fd, text, sizeof text - 1);
		assert_int_equal(n, r->body_len);
		http_response_text(out, 200, "text/plain", text);
	} else if (r->n_elements && !strcmp(r->elements[0], "nothing")) {
		return;
	} else {
		describe(r, out);
	}
}

/* -- a client ------------------------------------------------------------- */

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where),
			 0);
	return fd;
}

static void say(int fd, const void *data, size_t n)
{
	assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

static void say_text(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* All until the door closes, or `ms` pass: then "TIMEOUT" stands at the end. */
static void hear(int fd, struct buf *out, int ms)
{
	int64_t end = clock_ms() + ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *at;
	ssize_t n;

	for (;;) {
		int64_t left = end - clock_ms();

		if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
			buf_adds(out, "TIMEOUT");
			break;
		}
		at = buf_reserve(out, 65536);
		n = recv(fd, at, 65536, 0);
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	buf_addc(out, '\0');
}

static struct buf answer = BUF_INIT;

static const char *talk_bytes(const void *data, size_t n)
{
	int fd = dial();

	buf_clear(&answer);
	say(fd, data, n);
	hear(fd, &answer, 5000);
	close(fd);
	return answer.data;
}

static const char *talk(const char *text)
{
	return talk_bytes(text, strlen(text));
}

static unsigned n_answers(void)
{
	const char *at = answer.data;
	unsigned n = 0;

	while ((at = strstr(at, "HTTP/1.1 "))) {
		at += strlen("HTTP/1.1 ");
		n += *at >= '1' && *at <= '5';
	}
	return n;
}

static void assert_status(const char *request, const char *status)
{
	char line[64];

	talk(request);
	snprintf(line, sizeof line, "HTTP/1.1 %s", status);
	if (strncmp(answer.data, line, strlen(line)) || n_answers() != 1)
		print_error("%s\n-> %s\n", request, answer.data);
	assert_memory_equal(answer.data, line, strlen(line));
	assert_int_equal(n_answers(), 1);
}

/* -- set up --------------------------------------------------------------- */

static void open_door(const struct httpd_limits *limits, bool on_worker,
		      uint32_t threads)
{
	struct httpd_options o = {
		.name = "test",
		.workers = workers,
		.threads = threads,
		.limits = *limits,
		.handler = { .head = take_head,
			     .handle = handle,
			     .on_worker = on_worker },
	};
	struct sockaddr_storage bound;
	struct err e;

	assert_int_equal(address_parse("127.0.0.1:0", &o.listen, &e), 0);
	door = httpd_open(&o, &e);
	assert_non_null(door);
	httpd_bound(door, &bound);
	memcpy(&where, &bound, sizeof where);
}

static const struct httpd_limits quick = {
	.connections = 50,
	.head_ms = 300,
	.request_ms = 300,
	.stall_ms = 400,
	.body_bytes = 1000,
};

static int set_up(void **state)
{
	(void)state;
	open_door(&(struct httpd_limits){ .body_bytes = 1000 }, false, 2);
	return 0;
}

static int set_up_quick(void **state)
{
	(void)state;
	open_door(&quick, false, 1);
	return 0;
}

static int set_up_workers(void **state)
{
	(void)state;
	open_door(&quick, true, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	door = httpd_free(door);
	return 0;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

/* -- framing -------------------------------------------------------------- */

static void answers_and_keeps_the_connection(void **state)
{
	int fd = dial();

	(void)state;
	buf_clear(&answer);
	say_text(fd, "GET /a%2Fb//c?x HTTP/1.1\r\nHost: x\r\n\r\n");
	say_text(fd, "POST /d HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 3\r\n\r\nabc");
	say_text(fd, "GET / HTTP/1.1\r\n" CLOSE);
	hear(fd, &answer, 5000);
	close(fd);
	assert_int_equal(n_answers(), 3);
	assert_non_null(strstr(answer.data, "GET /a/b/c [a/b] [c] body=0:"));
	assert_non_null(strstr(answer.data, "POST /d [d] body=3:abc"));
	assert_null(strstr(answer.data, "TIMEOUT"));
}

static void takes_chunked_bodies(void **state)
{
	(void)state;
	assert_status("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		      "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: a\r\n\r\n",
		      "200");
	assert_non_null(strstr(answer.data, "body=5:abcde"));
}

static void refuses_ambiguous_framing(void **state)
{
	static const char *const heads[] = {
		"Content-Length: 3\r\nContent-Length: 3\r\n",
		"Content-Length: 3\r\nContent-Length: 4\r\n",
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: identity\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Content-Length : 3\r\n",
		"Content-Length\t: 3\r\n",
		"X: a\r\n Content-Length: 3\r\n",
		"X: a\r\n\tfolded\r\n",
		"X: a\rb\r\n",
		"X: a\nY: b\r\n",
		"X;y: a\r\n",
		": a\r\n",
		"no colon\r\n",
		"Host: y\r\n",
	};
	char request[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		snprintf(request, sizeof request,
			 "POST /a HTTP/1.1\r\nHost: x\r\n%s\r\n"
			 "0\r\n\r\nGET /smuggled HTTP/1.1\r\n" CLOSE,
			 heads[i]);
		assert_status(request, "400");
		assert_null(strstr(answer.data, "smuggled"));
		assert_null(strstr(answer.data, "TIMEOUT"));
	}
}

static void refuses_malformed_lengths(void **state)
{
	static const char *const heads[] = {
		"Content-Length: +3\r\n",
		"Content-Length: 3, 3\r\n",
		"Content-Length: 0x3\r\n",
		"Content-Length: -1\r\n",
		"Content-Length: \r\n",
		"Content-Length: 18446744073709551616\r\n",
		"Content-Length: 18446744073709551615\r\n",
	};
	char request[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		snprintf(request, sizeof request,
			 "POST /a HTTP/1.1\r\nHost: x\r\n%s\r\n"
			 "0\r\n\r\nGET /smuggled HTTP/1.1\r\n" CLOSE,
			 heads[i]);
		assert_status(request, "4");
		assert_null(strstr(answer.data, "smuggled"));
		assert_null(strstr(answer.data, "TIMEOUT"));
	}
	assert_status("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		      "fffffffffffffffff\r\n",
		      "413");
}

static void refuses_nul_bytes(void **state)
{
	static const char target[] = "GET /a\0b HTTP/1.1\r\n" CLOSE;
	static const char version[] = "GET /a\0HTTP/1.1 HTTP/1.1\r\n" CLOSE;
	static const char value[] = "GET /a HTTP/1.1\r\nX: a\0b\r\n" CLOSE;
	static const char name[] = "GET /a HTTP/1.1\r\nX\0: a\r\n" CLOSE;
	static const char last[] =
		"GET /a HTTP/1.1\r\nHost: x\r\nX: a\0Connection: b\r\n\r\n";

	(void)state;
	assert_memory_equal(talk_bytes(target, sizeof target - 1),
			    "HTTP/1.1 400", 12);
	assert_memory_equal(talk_bytes(version, sizeof version - 1),
			    "HTTP/1.1 400", 12);
	assert_memory_equal(talk_bytes(value, sizeof value - 1), "HTTP/1.1 400",
			    12);
	assert_memory_equal(talk_bytes(name, sizeof name - 1), "HTTP/1.1 400",
			    12);
	assert_memory_equal(talk_bytes(last, sizeof last - 1), "HTTP/1.1 400",
			    12);
}

static void refuses_odd_request_lines(void **state)
{
	(void)state;
	assert_status("GET http://other/a HTTP/1.1\r\n" CLOSE, "400");
	assert_status("GET * HTTP/1.1\r\n" CLOSE, "400");
	assert_status("CONNECT other:443 HTTP/1.1\r\n" CLOSE, "501");
	assert_status("TRACE /a HTTP/1.1\r\n" CLOSE, "501");
	assert_status("OPTIONS * HTTP/1.1\r\n" CLOSE, "501");
	assert_status("get /a HTTP/1.1\r\n" CLOSE, "501");
	assert_status("GET /a b HTTP/1.1\r\n" CLOSE, "400");
	assert_status("GET  /a HTTP/1.1\r\n" CLOSE, "400");
	assert_status("GET /a\nHost: x\n\n", "400");
	assert_status("GET /../etc/passwd HTTP/1.1\r\n" CLOSE, "400");
	assert_status("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "400");
	assert_status("GET /a HTTP/2.0\r\n" CLOSE, "505");
	assert_status("GET /a HTTP/1.1\r\nContent-Length: 1\r\n" CLOSE "x",
		      "400");
}

static void refuses_heads_that_are_too_large(void **state)
{
	size_t n = 200000;
	char *request = malloc(n);

	(void)state;
	memset(request, 'a', n);
	memcpy(request, "GET /", 5);
	talk_bytes(request, n);
	assert_true(n_answers() == 0 || !memcmp(answer.data, "HTTP/1.1 4", 10));
	memcpy(request, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
	talk_bytes(request, n);
	assert_true(n_answers() == 0 || !memcmp(answer.data, "HTTP/1.1 4", 10));
	memset(request, 'a', n);
	memcpy(request, "GET /", 5);
	memcpy(request + 6000, " HTTP/1.1\r\n" CLOSE,
	       strlen(" HTTP/1.1\r\n" CLOSE));
	talk_bytes(request, 6000 + strlen(" HTTP/1.1\r\n" CLOSE));
	assert_memory_equal(answer.data, "HTTP/1.1 414", 12);
	free(request);
}

static void leaves_out_the_body_for_head(void **state)
{
	const char *end;

	(void)state;
	assert_status("HEAD /abc HTTP/1.1\r\n" CLOSE, "200");
	end = strstr(answer.data, "\r\n\r\n");
	assert_non_null(strstr(answer.data, "Content-Length: 22"));
	assert_string_equal(end, "\r\n\r\n");
	assert_status("HEAD /produce HTTP/1.1\r\n" CLOSE, "200");
}

static void speaks_http_1_0(void **state)
{
	(void)state;
	talk("GET /a HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer.data, "200 OK"));
	talk("GET /produce?n=1000000&flush=1 HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer.data, "200 OK"));
	assert_true(answer.len > 1000000);
	talk("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	assert_non_null(strstr(answer.data, "400 Bad Request"));
}

/* -- bodies --------------------------------------------------------------- */

static size_t gzip(const void *data, size_t n, unsigned char *out, size_t max)
{
	z_stream z = { 0 };

	deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
	memcpy(&z.next_in, &data, sizeof z.next_in);
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)max;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = max - z.avail_out;
	deflateEnd(&z);
	return n;
}

static void post_gzip(const char *coding, const void *body, size_t n)
{
	struct buf b = BUF_INIT;

	buf_addf(&b,
		 "POST /a HTTP/1.1\r\nContent-Encoding: %s\r\n"
		 "Content-Length: %zu\r\n" CLOSE,
		 coding, n);
	buf_add(&b, body, n);
	talk_bytes(b.data, b.len);
	buf_fini(&b);
}

static void inflates_bodies(void **state)
{
	unsigned char z[4096];
	size_t n = gzip("hello", 5, z, sizeof z);

	(void)state;
	post_gzip("gzip", z, n);
	assert_non_null(strstr(answer.data, "body=5:hello"));
	post_gzip("x-gzip", z, n);
	assert_non_null(strstr(answer.data, "body=5:hello"));
	post_gzip("deflate", z, n);
	assert_memory_equal(answer.data, "HTTP/1.1 415", 12);
	post_gzip("gzip, gzip", z, n);
	assert_memory_equal(answer.data, "HTTP/1.1 415", 12);
	post_gzip("gzip", z, n - 1);
	assert_memory_equal(answer.data, "HTTP/1.1 400", 12);
	z[n] = 'x';
	post_gzip("gzip", z, n + 1);
	assert_memory_equal(answer.data, "HTTP/1.1 400", 12);
	post_gzip("gzip", "hello", 5);
	assert_memory_equal(answer.data, "HTTP/1.1 400", 12);
}

static void limits_bodies(void **state)
{
	static char zeros[1000000];
	unsigned char z[4096];
	size_t n = gzip(zeros, sizeof zeros, z, sizeof z);

	(void)state;
	post_gzip("gzip", z, n);
	assert_memory_equal(answer.data, "HTTP/1.1 413", 12);
	assert_status("POST /a HTTP/1.1\r\nContent-Length: 1001\r\n" CLOSE,
		      "413");
	assert_int_equal(n_answers(), 1);
}

static void reads_what_it_refuses(void **state)
{
	int fd = dial();

	(void)state;
	buf_clear(&answer);
	say_text(fd, "POST /forbidden HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n" CLOSE);
	hear(fd, &answer, 5000);
	close(fd);
	assert_int_equal(n_answers(), 2);
	assert_memory_equal(answer.data, "HTTP/1.1 403", 12);
	assert_non_null(strstr(answer.data, "GET /b"));
}

static void spools_into_files(void **state)
{
	(void)state;
	assert_status("PUT /file HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE
		      "hello",
		      "200");
	assert_non_null(strstr(answer.data, "hello"));
}

static void says_500_where_there_is_no_answer(void **state)
{
	(void)state;
	assert_status("GET /nothing HTTP/1.1\r\n" CLOSE, "500");
}

/* -- produced answers ----------------------------------------------------- */

static void produces_short_answers_with_a_length(void **state)
{
	(void)state;
	assert_status("GET /produce?n=1000 HTTP/1.1\r\n" CLOSE, "200");
	assert_non_null(strstr(answer.data, "Content-Length: 1000\r\n"));
	assert_status("GET /produce?n=0 HTTP/1.1\r\n" CLOSE, "200");
	assert_non_null(strstr(answer.data, "Content-Length: 0\r\n"));
}

static void produces_long_answers_in_chunks(void **state)
{
	size_t n = 0;

	(void)state;
	assert_status("GET /produce?n=5000000&flush=1 HTTP/1.1\r\n" CLOSE,
		      "200");
	for (size_t i = 0; i < answer.len; i++)
		n += answer.data[i] == 'x';
	assert_int_equal(n, 5000000 + 1); /* of "text/plain" */
	assert_memory_equal(answer.data + answer.len - 6, "0\r\n\r\n", 6);
}

static void says_why_where_nothing_came(void **state)
{
	(void)state;
	assert_status("GET /produce?fail HTTP/1.1\r\n" CLOSE, "500");
	assert_non_null(strstr(answer.data, "asked to fail"));
}

static void cuts_what_is_not_whole(void **state)
{
	(void)state;
	talk("GET /produce?n=1000000&flush=1&fail=1 HTTP/1.1\r\n" CLOSE);
	assert_memory_not_equal(answer.data + answer.len - 6, "0\r\n\r\n", 6);
	assert_null(strstr(answer.data, "TIMEOUT"));
}

static void tells_the_worker_that_the_client_left(void **state)
{
	static const char request[] =
		"GET /produce?n=500000000&flush=1 HTTP/1.1\r\n" CLOSE;
	int fd = dial();
	struct err e;

	(void)state;
	(void)e;
	atomic_store(&produce_result, -1);
	say(fd, request, sizeof request - 1);
	close(fd);
	for (int i = 0; i < 500 && atomic_load(&produce_result) == -1; i++)
		usleep(10000);
	assert_int_equal(atomic_load(&produce_result), ERR_CLOSED);
}

/* -- clocks --------------------------------------------------------------- */

/* Drips a byte now and then; how long the door suffered it. */
static int64_t drip(const char *begin)
{
	int64_t start = clock_ms();
	int fd = dial();
	char c;

	say(fd, begin, strlen(begin));
	while (clock_ms() - start < 5000) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 20) > 0 && recv(fd, &c, 1, 0) <= 0)
			break;
		send(fd, "a", 1, MSG_NOSIGNAL);
	}
	close(fd);
	return clock_ms() - start;
}

static void cuts_dripping_heads_and_bodies(void **state)
{
	(void)state;
	assert_in_range(drip(""), 200, 1500);
	assert_in_range(drip("GET / HTTP/1.1\r\nX: "), 200, 1500);
	assert_in_range(
		drip("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 900"
		     "\r\n\r\n"),
		200, 1500);
}

static void cuts_clients_that_do_not_read(void **state)
{
	static const char request[] =
		"GET /produce?n=500000000&flush=1 HTTP/1.1\r\n" CLOSE;
	int fd = dial();

	(void)state;
	atomic_store(&produce_result, -1);
	say(fd, request, sizeof request - 1);
	for (int i = 0; i < 300 && atomic_load(&produce_result) == -1; i++)
		usleep(10000);
	assert_int_equal(atomic_load(&produce_result), ERR_CLOSED);
	close(fd);
}

static void makes_room_when_it_is_full(void **state)
{
	int fds[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		say(fds[i], "GET", 3);
	}
	assert_status("GET /a HTTP/1.1\r\n" CLOSE, "200");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* -- workers and the end -------------------------------------------------- */

static void handles_on_workers(void **state)
{
	(void)state;
	assert_status("POST /a HTTP/1.1\r\nContent-Length: 2\r\n" CLOSE "ab",
		      "200");
	assert_non_null(strstr(answer.data, "body=2:ab"));
	assert_status("GET /produce?n=700000 HTTP/1.1\r\n" CLOSE, "200");
	assert_true(answer.len > 700000);
}

static void finishes_answers_after_stop(void **state)
{
	static const char request[] =
		"GET /produce?n=20000000&flush=1 HTTP/1.1\r\nHost: x\r\n\r\n";
	size_t all, running;
	int fd = dial();
	int idle = dial();
	char c;

	(void)state;
	buf_clear(&answer);
	say(fd, request, sizeof request - 1);
	do
		httpd_count(door, &all, &running);
	while (running < 1 || all < 2);
	httpd_stop(door);
	assert_int_equal(recv(idle, &c, 1, 0), 0);
	hear(fd, &answer, 5000);
	assert_true(answer.len > 20000000);
	assert_null(strstr(answer.data + answer.len - 20, "TIMEOUT"));
	assert_int_equal(httpd_wait(door, clock_ms() + 5000), 0);
	close(fd);
	close(idle);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where),
			 -1);
	close(fd);
}

static void ends_in_the_middle_of_everything(void **state)
{
	static const char request[] =
		"GET /produce?n=500000000&flush=1 HTTP/1.1\r\n" CLOSE;
	int fds[10];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		say(fds[i], request, i % 2 ? sizeof request - 1 : i);
	}
	usleep(50000);
	door = httpd_free(door);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void refuses_half_a_pair_of_tls_files(void **state)
{
	struct httpd_options o = {
		.name = "test",
		.workers = workers,
		.tls_cert = "/dev/null",
		.tls_key = "/nonexistent",
		.handler = { .handle = handle },
	};
	struct err e;

	(void)state;
	assert_int_equal(address_parse("127.0.0.1:0", &o.listen, &e), 0);
	assert_null(httpd_open(&o, &e));
}

int main(void)
{
#define CASE(test, up) cmocka_unit_test_setup_teardown(test, up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(answers_and_keeps_the_connection, set_up),
		CASE(takes_chunked_bodies, set_up),
		CASE(refuses_ambiguous_framing, set_up),
		CASE(refuses_malformed_lengths, set_up),
		CASE(refuses_nul_bytes, set_up),
		CASE(refuses_odd_request_lines, set_up),
		CASE(refuses_heads_that_are_too_large, set_up),
		CASE(leaves_out_the_body_for_head, set_up),
		CASE(speaks_http_1_0, set_up),
		CASE(inflates_bodies, set_up),
		CASE(limits_bodies, set_up),
		CASE(reads_what_it_refuses, set_up),
		CASE(spools_into_files, set_up),
		CASE(says_500_where_there_is_no_answer, set_up),
		CASE(produces_short_answers_with_a_length, set_up),
		CASE(produces_long_answers_in_chunks, set_up),
		CASE(says_why_where_nothing_came, set_up),
		CASE(cuts_what_is_not_whole, set_up),
		CASE(tells_the_worker_that_the_client_left, set_up),
		CASE(cuts_dripping_heads_and_bodies, set_up_quick),
		CASE(cuts_clients_that_do_not_read, set_up_quick),
		CASE(makes_room_when_it_is_full, set_up_quick),
		CASE(handles_on_workers, set_up_workers),
		CASE(finishes_answers_after_stop, set_up),
		CASE(ends_in_the_middle_of_everything, set_up),
		cmocka_unit_test(refuses_half_a_pair_of_tls_files),
	};
	int rc;

	if (!getenv("HTTPD_TEST_LOG"))
		log_configure(LEVEL_ERROR, LOG_TEXT);
	else
		log_configure(LEVEL_DEBUG, LOG_TEXT);
	memset(block, 'x', sizeof block);
	workers = workers_new("test", 4, 64, (size_t)256 << 10);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	workers_free(workers);
	buf_fini(&answer);
	return rc;
}
