/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict little reader: what it takes apart is exactly what libcurl will
 * use. Names are judged again when they are connected to (address_guard.h).
 */
#include "hooks/hook_url.h"

#include "base/err.h"
#include "hooks/address_guard.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 253

static bool has_only_visible_ascii(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '\\' ||
		    *text == '#')
			return false;
	return true;
}

static bool is_port(struct span port)
{
	unsigned value = 0;

	if (!port.len || port.len > 5)
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (!isdigit(port.data[i]))
			return false;
		value = value * 10 + (port.data[i] - '0');
	}
	return value > 0 && value < 65536;
}

static bool is_host(struct span host, bool is_bracketed)
{
	static const char more[] = ".-_";

	if (!host.len || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = host.data[i];

		if (is_bracketed ? !isxdigit(c) && c != ':' && c != '.'
				 : !isalnum(c) && !memchr(more, c, 3))
			return false;
	}
	return true;
}

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT". */
static bool split_authority(struct span authority, struct hook_url *out)
{
	bool is_bracketed = span_skip(&authority, "[");

	if (is_bracketed) {
		if (!span_until(&authority, ']', &out->host))
			return false;
		if (authority.len && !span_skip(&authority, ":"))
			return false;
		out->port = authority;
	} else if (span_until(&authority, ':', &out->host)) {
		out->port = authority;
		if (!out->port.len)
			return false;
	} else {
		out->host = authority;
	}
	return is_host(out->host, is_bracketed) &&
	       (!out->port.len || is_port(out->port));
}

/* Any spelling that the C library takes for an address: decimal, octal and
 * hexadecimal, one to four parts, IPv6. */
static bool is_forbidden_literal(struct span host)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char text[HOST_MAX + 1];
	bool forbidden = false;

	snprintf(text, sizeof text, "%.*s", (int)host.len,
		 (const char *)host.data);
	if (getaddrinfo(text, NULL, &hints, &found))
		return false;
	for (struct addrinfo *a = found; a; a = a->ai_next)
		forbidden |= address_is_forbidden(a->ai_addr);
	freeaddrinfo(found);
	return forbidden;
}

int hook_url_parse(const char *url, struct hook_url *out, struct err *e)
{
	struct hook_url u = { 0 };
	struct span rest = span_str(url), authority = { 0 };
	size_t n;

	if (rest.len > HOOK_URL_MAX)
		return err_set(e, ERR_MALFORMED,
			       "a hook's URL has at most %d bytes",
			       HOOK_URL_MAX);
	u.is_https = span_skip(&rest, "https://");
	if (!u.is_https && !span_skip(&rest, "http://"))
		return err_set(e, ERR_MALFORMED,
			       "a hook's URL begins with http:// or https://");
	if (!has_only_visible_ascii(url))
		return err_set(e, ERR_MALFORMED,
			       "a hook's URL holds no blanks, control bytes, "
			       "backslashes, fragments or bytes that are not "
			       "ASCII");
	n = strcspn((const char *)rest.data, "/?");
	(void)span_take(&rest, n, &authority);
	u.path = rest;
	if (memchr(authority.data, '@', authority.len))
		return err_set(e, ERR_MALFORMED,
			       "a hook's URL holds no user and password; use "
			       "bearer-file");
	if (!split_authority(authority, &u) ||
	    (u.path.len && u.path.data[0] != '/'))
		return err_set(e, ERR_MALFORMED,
			       "a hook's URL reads http://HOST[:PORT]/PATH");
	if (is_forbidden_literal(u.host))
		return err_set(e, ERR_DENIED,
			       "webhooks never go to link-local and metadata "
			       "addresses");
	*out = u;
	return 0;
}
