/* SPDX-License-Identifier: Apache-2.0 */
/* Names taken apart and written down as Flux and OpenSSH look them up. */
#include "net/identity.h"

#include "base/err.h"
#include "base/span.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX     253
#define DEFAULT_PORT 22

struct host_port {
	struct span host; /* without brackets */
	unsigned port;
};

static bool is_host(struct span host, bool is_bracketed)
{
	if (!host.len || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = host.data[i];

		if (is_bracketed
			    ? !isxdigit(c) && c != ':' && c != '.'
			    : !isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

static bool is_port(struct span text, unsigned *out)
{
	unsigned value = 0;

	if (!text.len || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit(text.data[i]))
			return false;
		value = value * 10 + (text.data[i] - '0');
	}
	*out = value;
	return value > 0 && value < 65536;
}

static bool split(const char *name, struct host_port *out)
{
	struct span rest = span_str(name);
	bool is_bracketed = span_skip(&rest, "[");

	out->port = DEFAULT_PORT;
	if (is_bracketed) {
		if (!span_until(&rest, ']', &out->host))
			return false;
		if (rest.len &&
		    (!span_skip(&rest, ":") || !is_port(rest, &out->port)))
			return false;
	} else if (span_until(&rest, ':', &out->host)) {
		if (!is_port(rest, &out->port))
			return false;
	} else {
		out->host = rest;
	}
	return is_host(out->host, is_bracketed);
}

int identity_name_check(const char *name, struct err *e)
{
	struct host_port parts;

	if (split(name, &parts))
		return 0;
	return err_set(e, ERR_MALFORMED,
		       "\"%.80s\" is no HOST[:PORT] or [V6]:PORT", name);
}

/* Bound to every address: from here it is localhost. */
static bool is_any(struct span host)
{
	return span_is(host, "0.0.0.0") || span_is(host, "::");
}

static void add_host(struct buf *out, struct span host)
{
	bool is_v6 = memchr(host.data, ':', host.len);

	if (is_any(host)) {
		buf_adds(out, "localhost");
		return;
	}
	buf_adds(out, is_v6 ? "[" : "");
	buf_addspan(out, host);
	buf_adds(out, is_v6 ? "]" : "");
}

void identity_ssh_url(const struct identity *id, const char *repo,
		      struct buf *out)
{
	const char *name = id->n_names ? id->names[0] : id->ssh_bound;
	struct host_port parts;

	if (!id->ssh_bound || !name || !split(name, &parts))
		return;
	buf_adds(out, "ssh://git@");
	add_host(out, parts.host);
	if (parts.port != DEFAULT_PORT)
		buf_addf(out, ":%u", parts.port);
	buf_addf(out, "/%s", repo);
}

/* A name's port is SSH's; HTTP is on 80 of the same Service. */
void identity_http_url(const struct identity *id, const char *repo,
		       struct buf *out)
{
	const char *name = id->n_names ? id->names[0] : id->http_bound;
	struct host_port parts;

	if (!id->http_bound || !name || !split(name, &parts))
		return;
	buf_adds(out, "http://");
	add_host(out, parts.host);
	if (!id->n_names)
		buf_addf(out, ":%u", parts.port);
	buf_addf(out, "/%s", repo);
}

static void add_pattern(struct buf *out, struct span host, unsigned port,
			bool is_first)
{
	buf_adds(out, is_first ? "" : ",");
	if (port == DEFAULT_PORT) {
		if (is_any(host))
			buf_adds(out, "localhost");
		else
			buf_addspan(out, host);
		return;
	}
	buf_addc(out, '[');
	if (is_any(host))
		buf_adds(out, "localhost");
	else
		buf_addspan(out, host);
	buf_addf(out, "]:%u", port);
}

/* NAME.NS.svc.DOMAIN: its two short forms are the host's first elements. */
static void add_short_forms(struct buf *out, struct span host, unsigned port)
{
	struct span rest = host, element;
	size_t ends[3];

	for (size_t i = 0; i < 3; i++) {
		if (!span_until(&rest, '.', &element) || !element.len)
			return;
		ends[i] = (size_t)(element.data - host.data) + element.len;
	}
	if (!span_is(element, "svc") || !rest.len)
		return;
	add_pattern(out, span_of(host.data, ends[2]), port, false);
	add_pattern(out, span_of(host.data, ends[1]), port, false);
}

static int add_line(const struct identity *id, const char *name,
		    struct buf *out, struct err *e)
{
	struct host_port parts;

	if (!split(name, &parts))
		return identity_name_check(name, e);
	add_pattern(out, parts.host, parts.port, true);
	add_short_forms(out, parts.host, parts.port);
	buf_addf(out, " %s\n", id->host_key_line);
	return 0;
}

int identity_known_hosts(const struct identity *id, const char *const *hosts,
			 size_t n, struct buf *out, struct err *e)
{
	if (!id->host_key_line)
		return err_set(e, ERR_NOT_FOUND,
			       "there is no host key yet: it is made when the "
			       "SSH door first opens");
	if (!n) {
		hosts = id->n_names ? id->names : &id->ssh_bound;
		n = id->n_names ? id->n_names : !!id->ssh_bound;
	}
	if (!n)
		return err_set(e, ERR_NOT_FOUND,
			       "this server has no name: give HOST[:PORT], or "
			       "set name in [server]");
	for (size_t i = 0; i < n; i++)
		if (add_line(id, hosts[i], out, e) < 0)
			return -1;
	return buf_check(out, e);
}
