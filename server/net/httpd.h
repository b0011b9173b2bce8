/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 door: TCP, TCP with TLS, or a unix socket.
 *
 * A door knows no git and no routes: it reads requests strictly, asks the
 * handler, and sends answers. What RFC 9112 calls malformed or ambiguous is
 * refused with 400 and the end of the connection, so that nothing before us can
 * see other requests than we do.
 *
 * handler.head() is called when the head is there; it may answer at once, and
 * says how a body is taken. handler.handle() is called with the whole body: on
 * the thread that serves all connections, so it must not wait; or on a worker,
 * where `on_worker` is set. Bodies of answers may be produced by workers.
 *
 * Limits: struct httpd_limits. Every wait of every connection ends.
 * Log: http.request, one line a request; http.cut where a limit ended one.
 * Threads: httpd_open/free by one; everything else by any. The handler is
 * called from several threads at once.
 */
#pragma once

#include "base/attr.h"
#include "net/address.h"
#include "net/http_request.h"
#include "net/http_response.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct httpd;
struct workers;

/* Zero means the default in parentheses. */
struct httpd_limits {
	uint32_t connections;  /* at once (2000); when full, the one that waits
				  longest for its client to ask goes */
	uint32_t head_ms;      /* until the next head is complete (30 s) */
	uint32_t request_ms;   /* from the head to the end of the body (45 s) */
	uint32_t stall_ms;     /* the client takes no byte (70 s) */
	uint32_t bytes_per_s;  /* a client that takes less is cut, after a first
				  stall_ms (1024) */
	uint32_t produce_ms;   /* an answer by a worker in all (6 h) */
	uint64_t body_bytes;   /* of a body, inflated or not (10 MiB) */
	uint64_t bodies_bytes; /* in memory, of all at once (128 MiB) */
	uint32_t head_bytes;   /* of a head (32 KiB) */
};

/* How head() wants the body. */
struct http_body_plan {
	uint64_t max_bytes; /* limits.body_bytes unless changed */
	const char *dir;    /* not NULL: into an unnamed file there */
	/* What handle() shall find in the request's `carried`, and how it is
	 * released when the request is over; NULL for nothing. */
	void *carried;
	void (*release)(void *carried);
};

struct http_handler {
	void *arg;
	/* Leaves `out` untouched to go on. May be NULL. */
	void (*head)(void *arg, const struct http_request *r,
		     struct http_body_plan *plan, struct http_response *out);
	void (*handle)(void *arg, const struct http_request *r,
		       struct http_response *out);
	/* The body of an answer the door gives itself (400, 413, 500, ...), in
	 * the handler's own form. NULL: the sentence as text/plain. */
	void (*refuse)(void *arg, unsigned status, const char *message,
		       struct http_response *out);
	bool on_worker; /* handle() runs on a worker */
};

struct httpd_options {
	const char *name;	 /* of the door, in logs and metrics: "http" */
	struct address listen;	 /* where there is no unix_path */
	const char *unix_path;	 /* see admin_api.h; NULL: TCP */
	const char *tls_cert;	 /* PEM files, read again when they change; */
	const char *tls_key;	 /* NULL: no TLS */
	struct workers *workers; /* outlives the door */
	uint32_t threads;	 /* that serve connections (1) */
	struct httpd_limits limits;
	struct http_handler handler;
};

/* Bind, listen and serve. What `options` points to must outlive the door; the
 * struct itself need not. */
struct httpd *httpd_open(const struct httpd_options *options,
			 struct err *e) MUST_CHECK;

/* Where it is bound; AF_UNIX where it is a socket. */
void httpd_bound(const struct httpd *h, struct sockaddr_storage *out);

/* Connections now, and how many of them are being answered. */
void httpd_count(struct httpd *h, size_t *connections_out, size_t *running_out);

/* Listen no more, end connections without a request; returns at once. A
 * connection ends after its answer. */
void httpd_stop(struct httpd *h);

/* After httpd_stop(): wait until all have ended or the monotonic clock passes
 * `deadline_ms`. Returns how many are left. */
size_t httpd_wait(struct httpd *h, int64_t deadline_ms);

/* Cuts what is left, waits for its work, frees. Accepts NULL. */
struct httpd *httpd_free(struct httpd *h);
