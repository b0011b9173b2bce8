/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_v6_off;

/* Stands before libc's, to be a kernel without IPv6. */
int socket(int domain, int type, int protocol)
{
	if (is_v6_off && domain == AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, domain, type, protocol);
}

static const char *text_of(const char *text)
{
	static char out[ADDRESS_TEXT_SIZE];
	struct address a;
	struct err e;

	assert_int_equal(address_parse(text, &a, &e), 0);
	assert_false(a.is_none);
	return address_text(&a.sa, out);
}

static void reads_both_families(void **state)
{
	(void)state;
	assert_string_equal(text_of("127.0.0.1:2222"), "127.0.0.1:2222");
	assert_string_equal(text_of("0.0.0.0:0"), "0.0.0.0:0");
	assert_string_equal(text_of("[::1]:65535"), "[::1]:65535");
	assert_string_equal(text_of("[2001:DB8::0:1]:22"), "[2001:db8::1]:22");
	assert_string_equal(text_of("[::ffff:10.0.0.1]:22"), "10.0.0.1:22");
}

static void tells_all_addresses_from_all_of_ipv6(void **state)
{
	struct address a;
	struct err e;

	(void)state;
	assert_int_equal(address_parse("*:22", &a, &e), 0);
	assert_true(a.is_any);
	assert_int_equal(address_parse("[::]:22", &a, &e), 0);
	assert_false(a.is_any);
}

static void reads_none(void **state)
{
	struct sockaddr_storage bound;
	struct address a;
	struct err e;

	(void)state;
	assert_int_equal(address_parse("none", &a, &e), 0);
	assert_true(a.is_none);
	assert_int_equal(address_listen(&a, 1, &bound, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void refuses_a_port_that_is_none(void **state)
{
	static const char *const texts[] = {
		"",	 ":",		"127.0.0.1",	"127.0.0.1:", "*",
		"*:",	 "*:65536",	"*:-1",		"*:+1",	      "*: 1",
		"*:1 ",	 "*:0x16",	"*:000022",	"[::1]",      "*:99999",
		"none:", "127.0.0.1:a", "[::1]:22/tcp",
	};
	struct address a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(address_parse(texts[i], &a, &e), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_non_null(strstr(e.message, "a port from 0 to 65535"));
	}
}

static void refuses_a_host_that_is_no_address(void **state)
{
	static const char *const texts[] = {
		":22",	      "localhost:22",
		"127.1:22",   "::1:22",
		"[]:22",      "[:22",
		"[::1:22",    "::1]:22",
		"[*]:22",     "[127.0.0.1]:22",
		"**:22",      "256.0.0.1:22",
		" *:22",      "http://1.1.1.1:1",
		"none:22",    "1.2.3.4.5:22",
		"[[::1]]:22",
	};
	struct address a;
	char longer[500];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(address_parse(texts[i], &a, &e), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_non_null(strstr(e.message, texts[i]));
		assert_non_null(strstr(e.message, "names are not resolved"));
	}
	memset(longer, '1', sizeof longer);
	strcpy(longer + sizeof longer - 4, ":22");
	assert_int_equal(address_parse(longer, &a, &e), -1);
	assert_non_null(strstr(e.message, "names are not resolved"));
}

/* Listen at `text`; returns the descriptor and where it is bound. */
static int listen_at(const char *text, struct sockaddr_storage *bound)
{
	struct address a;
	struct err e;
	int fd;

	assert_int_equal(address_parse(text, &a, &e), 0);
	fd = address_listen(&a, 5, bound, &e);
	if (fd < 0)
		print_message("# %s\n", e.message);
	return fd;
}

/* True where a client reaches `port` at the loopback of `family`. */
static bool is_reached(int family, in_port_t port)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	fd = (int)syscall(SYS_socket, family, SOCK_STREAM, 0);
	if (fd < 0)
		return false;
	return !(family == AF_INET
			 ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
			 : connect(fd, (struct sockaddr *)&v6, sizeof v6));
}

static in_port_t port_of(const struct sockaddr_storage *bound)
{
	return ((const struct sockaddr_in *)bound)->sin_port;
}

/* Not every place where tests run has IPv6. */
static bool has_v6(void)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	CLEANUP(closep) int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd >= 0 && !bind(fd, (struct sockaddr *)&sa, sizeof sa);
}

static void listens_where_it_says(void **state)
{
	struct sockaddr_storage bound;
	CLEANUP(closep) int fd = listen_at("127.0.0.1:0", &bound);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bound.ss_family, AF_INET);
	assert_int_not_equal(port_of(&bound), 0);
	assert_true(is_reached(AF_INET, port_of(&bound)));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void takes_both_families_at_a_star(void **state)
{
	struct sockaddr_storage bound;
	CLEANUP(closep) int fd = listen_at("*:0", &bound);

	(void)state;
	assert_true(fd >= 0);
	assert_true(is_reached(AF_INET, port_of(&bound)));
	if (!has_v6())
		skip();
	assert_int_equal(bound.ss_family, AF_INET6);
	assert_true(is_reached(AF_INET6, port_of(&bound)));
}

static void takes_ipv6_alone_where_it_is_written(void **state)
{
	struct sockaddr_storage bound;
	CLEANUP(closep) int fd = -1;

	(void)state;
	if (!has_v6())
		skip();
	fd = listen_at("[::]:0", &bound);
	assert_true(fd >= 0);
	assert_true(is_reached(AF_INET6, port_of(&bound)));
	assert_false(is_reached(AF_INET, port_of(&bound)));
}

static void falls_back_to_ipv4_where_ipv6_is_off(void **state)
{
	struct sockaddr_storage bound;
	CLEANUP(closep) int fd = -1;

	(void)state;
	is_v6_off = true;
	fd = listen_at("*:0", &bound);
	is_v6_off = false;
	assert_true(fd >= 0);
	assert_int_equal(bound.ss_family, AF_INET);
	assert_true(is_reached(AF_INET, port_of(&bound)));
}

static void does_not_fall_back_from_an_ipv6_address(void **state)
{
	struct sockaddr_storage bound;

	(void)state;
	is_v6_off = true;
	assert_int_equal(listen_at("[::1]:0", &bound), -1);
	is_v6_off = false;
}

static void says_which_address_is_taken(void **state)
{
	char text[ADDRESS_TEXT_SIZE], wanted[ADDRESS_TEXT_SIZE + 64];
	struct sockaddr_storage bound;
	CLEANUP(closep) int fd = listen_at("127.0.0.1:0", &bound);
	struct address a;
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(address_parse(address_text(&bound, text), &a, &e), 0);
	assert_int_equal(address_listen(&a, 5, &bound, &e), -1);
	snprintf(wanted, sizeof wanted,
		 "listening at %s: Address already in use", text);
	assert_string_equal(e.message, wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_families),
		cmocka_unit_test(tells_all_addresses_from_all_of_ipv6),
		cmocka_unit_test(reads_none),
		cmocka_unit_test(refuses_a_port_that_is_none),
		cmocka_unit_test(refuses_a_host_that_is_no_address),
		cmocka_unit_test(listens_where_it_says),
		cmocka_unit_test(takes_both_families_at_a_star),
		cmocka_unit_test(takes_ipv6_alone_where_it_is_written),
		cmocka_unit_test(falls_back_to_ipv4_where_ipv6_is_off),
		cmocka_unit_test(does_not_fall_back_from_an_ipv6_address),
		cmocka_unit_test(says_which_address_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
