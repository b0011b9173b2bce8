/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin door: HTTP and JSON on a unix socket. The routes are admin_routes'.
 *
 * The socket has mode 0600 and answers peers of uid 0 and the daemon's own;
 * others are closed without a word. A socket that is there already is replaced
 * only if nobody answers at it. Everything the door refuses itself has the
 * promised form {"error": {"code": ..., "message": ..., "hint": ...}}.
 * Threads: the handler is called on workers, several at once.
 */
#pragma once

#include "base/attr.h"
#include "net/httpd.h"

struct admin_api;
struct err;
struct workers;

/* 0 where `out` is filled; -1 where no route has this path: the door says so
 * (404). */
typedef int admin_handler_fn(void *arg, const struct http_request *r,
			     struct http_response *out);

struct admin_api_options {
	const char *path; /* of the socket; its directory is there */
	struct workers *workers;
	admin_handler_fn *handler;
	/* Where a body is large (a seed): into a file, and how much; `plan` is
	 * ADMIN_JSON_MAX in memory unless changed. May be NULL. */
	void (*plan)(void *arg, const struct http_request *r,
		     struct http_body_plan *plan);
	void *arg;
};

#define ADMIN_JSON_MAX ((uint64_t)4 << 20) /* bytes of a request's JSON */

/* ERR_CONFLICT where another process answers at the socket. */
struct admin_api *admin_api_open(const struct admin_api_options *options,
				 struct err *e) MUST_CHECK;

/* As httpd_stop() and httpd_wait(). The socket is removed by the first. */
void admin_api_stop(struct admin_api *a);
size_t admin_api_wait(struct admin_api *a, int64_t deadline_ms);

/* Accepts NULL. */
struct admin_api *admin_api_free(struct admin_api *a);
