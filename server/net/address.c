/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of doors: strict text, listening sockets.
 *
 * "*" is one IPv6 socket that takes IPv4 as well; where the kernel has no
 * IPv6, an IPv4 socket. "[::]" is IPv6 alone, as it is written.
 */
#include "net/address.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX	 65535u
#define PORT_MAX_DIGITS	 5
#define PORT_MIN_FOR_ALL 1024u

static bool parse_port(struct span digits, in_port_t *out)
{
	unsigned port = 0;

	if (!digits.len || digits.len > PORT_MAX_DIGITS)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
		port = port * 10 + (unsigned)(digits.data[i] - '0');
	}
	if (port > PORT_MAX)
		return false;
	*out = htons((in_port_t)port);
	return true;
}

static struct address of_v6(struct in6_addr host, in_port_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_addr = host,
				   .sin6_port = port };
	struct address a = { .len = sizeof sa };

	memcpy(&a.sa, &sa, sizeof sa);
	return a;
}

static struct address of_v4(struct in_addr host, in_port_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr = host,
				  .sin_port = port };
	struct address a = { .len = sizeof sa };

	memcpy(&a.sa, &sa, sizeof sa);
	return a;
}

/* `host` is what stands before the last colon. */
static bool parse_host(struct span host, in_port_t port, struct address *out)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;
	bool is_v6 = span_skip(&host, "[");

	if (!is_v6 && span_is(host, "*")) {
		*out = of_v6(in6addr_any, port);
		out->is_any = true;
		return true;
	}
	if (is_v6) {
		if (!host.len || host.data[host.len - 1] != ']')
			return false;
		host.len--;
	}
	if (host.len >= sizeof text || memchr(host.data, '\0', host.len))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (is_v6 && inet_pton(AF_INET6, text, &v6) == 1)
		*out = of_v6(v6, port);
	else if (!is_v6 && inet_pton(AF_INET, text, &v4) == 1)
		*out = of_v4(v4, port);
	else
		return false;
	return true;
}

int address_parse(const char *text, struct address *out, struct err *e)
{
	const char *colon = strrchr(text, ':');
	in_port_t port;

	if (!strcmp(text, "none")) {
		*out = (struct address){ .is_none = true };
		return 0;
	}
	if (!colon || !parse_port(span_str(colon + 1), &port))
		return err_set(e, ERR_MALFORMED,
			       "address '%.100s' does not end in a colon and "
			       "a port from 0 to 65535",
			       text);
	if (!parse_host(span_of(text, (size_t)(colon - text)), port, out))
		return err_set(e, ERR_MALFORMED,
			       "address '%.100s' does not begin with an IPv4 "
			       "address, an IPv6 address in brackets or *; "
			       "names are not resolved",
			       text);
	return 0;
}

static char *text_v4(const void *host, in_port_t port,
		     char out[ADDRESS_TEXT_SIZE])
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, host, text, sizeof text);
	snprintf(out, ADDRESS_TEXT_SIZE, "%s:%u", text, ntohs(port));
	return out;
}

static char *text_v6(const struct sockaddr_in6 *sa, char out[ADDRESS_TEXT_SIZE])
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&sa->sin6_addr))
		return text_v4(&sa->sin6_addr.s6_addr[12], sa->sin6_port, out);
	inet_ntop(AF_INET6, &sa->sin6_addr, text, sizeof text);
	snprintf(out, ADDRESS_TEXT_SIZE, "[%s]:%u", text, ntohs(sa->sin6_port));
	return out;
}

char *address_text(const struct sockaddr_storage *sa,
		   char out[ADDRESS_TEXT_SIZE])
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	memcpy(&v4, sa, sizeof v4);
	memcpy(&v6, sa, sizeof v6);
	if (sa->ss_family == AF_INET)
		return text_v4(&v4.sin_addr, v4.sin_port, out);
	if (sa->ss_family == AF_INET6)
		return text_v6(&v6, out);
	snprintf(out, ADDRESS_TEXT_SIZE, "unknown");
	return out;
}

/* The port is at the same place in both families. */
static unsigned port_of(const struct address *a)
{
	struct sockaddr_in v4;

	memcpy(&v4, &a->sa, sizeof v4);
	return ntohs(v4.sin_port);
}

static int open_socket(const struct address *a)
{
	CLEANUP(closep) int fd = -1;
	int v6_only = !a->is_any;
	int on = 1;

	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    IPPROTO_TCP);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -1;
	if (a->sa.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only,
		       sizeof v6_only) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
		return -1;
	return take_fd(&fd);
}

static bool is_v6_missing(int number)
{
	return number == EAFNOSUPPORT || number == EADDRNOTAVAIL ||
	       number == EPFNOSUPPORT;
}

static int refuse(const struct address *a, struct err *e)
{
	char text[ADDRESS_TEXT_SIZE];
	int number = errno;

	if (a->is_any)
		snprintf(text, sizeof text, "*:%u", port_of(a));
	else
		address_text(&a->sa, text);
	errno = number;
	err_errno(e, "listening at %s", text);
	if (number == EACCES && port_of(a) < PORT_MIN_FOR_ALL)
		err_wrap(e, "ports below %u need a privilege",
			 PORT_MIN_FOR_ALL);
	return -1;
}

int address_listen(const struct address *a, int backlog,
		   struct sockaddr_storage *bound_out, struct err *e)
{
	struct in_addr any = { .s_addr = htonl(INADDR_ANY) };
	struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
	CLEANUP(closep) int fd = -1;
	socklen_t len = sizeof bound;
	struct address v4;

	if (a->is_none)
		return err_set(e, ERR_NOT_FOUND, "this door has no address");
	fd = open_socket(a);
	if (fd < 0 && a->is_any && is_v6_missing(errno)) {
		v4 = of_v4(any, htons((in_port_t)port_of(a)));
		fd = open_socket(&v4);
	}
	if (fd < 0 || listen(fd, backlog) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return refuse(a, e);
	*bound_out = bound;
	return take_fd(&fd);
}
