/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "hooks/address_guard.h"
#include "hooks/hook_url.h"
#include "hooks/retry.h"

#include <stdio.h>
#include <string.h>

static struct delivery_answer answered(int status)
{
	return (struct delivery_answer){ .problem = DELIVERY_ANSWERED,
					 .status = status,
					 .retry_after_s = -1 };
}

static void takes_only_200_from_a_receiver(void **state)
{
	static const int others[] = { 201, 202, 204, 301, 400,
				      401, 403, 404, 413, 500 };
	struct delivery_answer a = answered(200);

	(void)state;
	assert_int_equal(retry_verdict(&a, true), VERDICT_HEARD);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		a = answered(others[i]);
		assert_int_not_equal(retry_verdict(&a, true), VERDICT_HEARD);
	}
}

static void takes_201_and_204_elsewhere_but_never_202(void **state)
{
	struct delivery_answer a = answered(201);

	(void)state;
	assert_int_equal(retry_verdict(&a, false), VERDICT_HEARD);
	a = answered(204);
	assert_int_equal(retry_verdict(&a, false), VERDICT_HEARD);
	a = answered(202);
	assert_int_equal(retry_verdict(&a, false), VERDICT_FINAL);
	assert_int_equal(retry_verdict(&a, true), VERDICT_FINAL);
}

static void tries_again_what_may_pass(void **state)
{
	static const int passing[] = { 404, 408, 429, 500, 502, 503, 504 };
	static const int final[] = { 400, 401, 403, 405, 413, 302 };
	struct delivery_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
		a = answered(passing[i]);
		assert_int_equal(retry_verdict(&a, true), VERDICT_AGAIN);
	}
	for (size_t i = 0; i < ARRAY_SIZE(final); i++) {
		a = answered(final[i]);
		assert_int_equal(retry_verdict(&a, true), VERDICT_FINAL);
	}
	a = (struct delivery_answer){ .problem = DELIVERY_NO_CONNECTION };
	assert_int_equal(retry_verdict(&a, true), VERDICT_AGAIN);
	a = (struct delivery_answer){ .problem = DELIVERY_FORBIDDEN };
	assert_int_equal(retry_verdict(&a, true), VERDICT_FINAL);
}

static void waits_from_one_second_to_thirty(void **state)
{
	struct delivery_answer a = answered(503);

	(void)state;
	for (uint32_t chance = 0; chance < 401; chance += 40) {
		int64_t first = retry_delay_ms(1, &a, chance);
		int64_t late = retry_delay_ms(40, &a, chance);

		assert_in_range(first, 800, 1200);
		assert_in_range(retry_delay_ms(2, &a, chance), 1600, 2400);
		assert_in_range(late, 24000, 30000);
	}
}

static void honours_retry_after_up_to_five_minutes(void **state)
{
	struct delivery_answer a = answered(429);

	(void)state;
	a.retry_after_s = 7;
	assert_int_equal(retry_delay_ms(1, &a, 0), 7000);
	a.retry_after_s = 86400;
	assert_int_equal(retry_delay_ms(1, &a, 0), 300000);
}

static void says(struct delivery_answer a, bool is_receiver, const char *what,
		 const char *advice)
{
	struct buf b = BUF_INIT;

	retry_sentence(&a, is_receiver, &b);
	if (!strstr(buf_str(&b), what) || !strstr(buf_str(&b), advice))
		fail_msg("\"%s\" says not \"%s\", \"%s\"", buf_str(&b), what,
			 advice);
	if (memchr(b.data, '\n', b.len))
		fail_msg("more than a line: %s", buf_str(&b));
	buf_fini(&b);
}

static struct delivery_answer trouble(enum delivery_problem problem,
				      const char *text)
{
	struct delivery_answer a = { .problem = problem, .retry_after_s = -1 };

	snprintf(a.text, sizeof a.text, "%s", text);
	return a;
}

static void says_what_is_wrong_and_what_to_do(void **state)
{
	(void)state;
	says(trouble(DELIVERY_NO_HOST, ""), true, "no such host",
	     "Service webhook-receiver is not there yet");
	says(trouble(DELIVERY_NO_HOST, ""), false, "no such host", "misspelt");
	says(trouble(DELIVERY_NO_CONNECTION, ""), true, "connection refused",
	     "tried again");
	says(trouble(DELIVERY_NO_TLS, "the certificate is not trusted"), false,
	     "not trusted", "--ca-file");
	says(trouble(DELIVERY_TIMED_OUT, ""), true, "no answer in time",
	     "NetworkPolicy");
	says(trouble(DELIVERY_BROKEN, "closed without an answer"), true,
	     "closed without an answer", "tried again");
	says(trouble(DELIVERY_FORBIDDEN, "a metadata address"), true,
	     "a metadata address", "was not told");
	says(answered(200), true, "answered 200", "ms");
	says(answered(404), true, "answered 404", "no such Receiver yet");
	says(answered(404), false, "answered 404", "nothing is at that path");
	says(answered(202), true, "202", "events address");
	says(answered(400), true, "400", "wrong secret");
	says(answered(401), false, "401", "wrong secret or token");
	says(answered(403), true, "403", "in between");
	says(answered(302), false, "302", "redirects are not followed");
	says(answered(418), false, "418", "not an answer that means");
}

static void takes_urls_apart(void **state)
{
	struct hook_url u;
	struct err e;

	(void)state;
	assert_int_equal(
		hook_url_parse("http://[fd00::1]:9292/hook/x?y=1", &u, &e), 0);
	assert_true(span_is(u.host, "fd00::1"));
	assert_true(span_is(u.port, "9292"));
	assert_true(span_is(u.path, "/hook/x?y=1"));
	assert_int_equal(hook_url_parse("https://a.example", &u, &e), 0);
	assert_true(u.is_https);
	assert_int_equal(u.port.len + u.path.len, 0);
	assert_int_equal(hook_url_parse("http://127.0.0.1:1/", &u, &e), 0);
	assert_int_equal(hook_url_parse("http://10.0.0.1/", &u, &e), 0);
}

static void refuses_what_is_no_hook_url(void **state)
{
	static const char *const bad[] = {
		"",
		"ftp://host/",
		"file:///etc/passwd",
		"gopher://host/",
		"http://",
		"http:///path",
		"http://user@host/",
		"http://user:pass@host/",
		"http://host:0/",
		"http://host:65536/",
		"http://host:99999999999/",
		"http://host:/",
		"http://host:80:80/",
		"http://[::1/",
		"http://[::1]x/",
		"http://ho st/",
		"http://host/a b",
		"http://host/\r\nX: y",
		"http://host\\evil/",
		"http://host/#fragment",
		"http://host?x",
		"HTTP://host/",
		"http://h\xc3\xb6st/",
	};
	struct hook_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (hook_url_parse(bad[i], &u, &e) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
}

static void refuses_metadata_addresses_in_every_spelling(void **state)
{
	static const char *const bad[] = {
		"http://169.254.169.254/",
		"http://2852039166/",
		"http://0xa9fea9fe/",
		"http://0251.0376.0251.0376/",
		"http://169.254.43518/",
		"http://0xA9.254.0xA9.254/",
		"http://[::ffff:169.254.169.254]/",
		"http://[::ffff:a9fe:a9fe]/",
		"http://[64:ff9b::a9fe:a9fe]/",
		"http://[2002:a9fe:a9fe::]/",
		"http://[fe80::1]/",
		"http://[fd00:ec2::254]/",
		"http://100.100.100.200/",
	};
	struct hook_url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (hook_url_parse(bad[i], &u, &e) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(e.code, ERR_DENIED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_only_200_from_a_receiver),
		cmocka_unit_test(takes_201_and_204_elsewhere_but_never_202),
		cmocka_unit_test(tries_again_what_may_pass),
		cmocka_unit_test(waits_from_one_second_to_thirty),
		cmocka_unit_test(honours_retry_after_up_to_five_minutes),
		cmocka_unit_test(says_what_is_wrong_and_what_to_do),
		cmocka_unit_test(takes_urls_apart),
		cmocka_unit_test(refuses_what_is_no_hook_url),
		cmocka_unit_test(refuses_metadata_addresses_in_every_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
