/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this server is called, as others must write it: URLs and known_hosts.
 *
 * Names are [server] name: "HOST" or "HOST:PORT" (22 if absent). A Kubernetes
 * name NAME.NS.svc.DOMAIN is also NAME.NS.svc and NAME.NS. Without any name the
 * bound addresses stand in.
 * Format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; "[host]:port" where the port is
 * not 22.
 * Threads: read-only after it was made.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <stddef.h>

struct err;

struct identity {
	const char *const *names;
	size_t n_names;
	const char *ssh_bound;	   /* "127.0.0.1:2222"; NULL: closed */
	const char *http_bound;	   /* likewise */
	const char *host_key_line; /* "ssh-ed25519 AAAA..."; NULL: unknown */
};

/* ERR_MALFORMED where it is not HOST[:PORT] or [V6]:PORT. */
int identity_name_check(const char *name, struct err *e) MUST_CHECK;

/* The URLs of a repository under the first name; nothing is added where the
 * door is closed. */
void identity_ssh_url(const struct identity *id, const char *repo,
		      struct buf *out);
void identity_http_url(const struct identity *id, const char *repo,
		       struct buf *out);

/*
 * Lines for known_hosts, each ended by LF: one for each of `hosts`
 * (HOST[:PORT]), or for every name there is. ERR_MALFORMED, ERR_NOT_FOUND (no
 * host key).
 */
int identity_known_hosts(const struct identity *id, const char *const *hosts,
			 size_t n, struct buf *out, struct err *e) MUST_CHECK;
