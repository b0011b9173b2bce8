/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP POSTs from one thread: the only user of libcurl in the server.
 *
 * Requests run side by side, so a receiver that never answers delays nobody.
 * libcurl is initialised by the first request: a daemon without hooks never
 * pays for it.
 * Promises: no redirect is followed, no proxy variable is heeded, at most
 * DELIVERY_ANSWER_MAX bytes of an answer are read, and no connection is made to
 * a link-local or cloud metadata address, however its name is spelt or what it
 * resolves to.
 * Threads: post and wake from any; `tick` and `done` run on the delivery thread
 * and may post.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct delivery;
struct err;

#define DELIVERY_ANSWER_MAX    ((size_t)64 << 10)
#define DELIVERY_CONNECT_MS    10000
#define DELIVERY_TIMEOUT_MS    35000 /* a Receiver may take 30 s */
#define DELIVERY_TEXT_SIZE     200
#define DELIVERY_HEADERS_MAX   16
#define DELIVERY_IN_FLIGHT_MAX 64

enum delivery_problem {
	DELIVERY_ANSWERED, /* `status` says what */
	DELIVERY_NO_HOST,
	DELIVERY_NO_CONNECTION,
	DELIVERY_NO_TLS,
	DELIVERY_TIMED_OUT,
	DELIVERY_FORBIDDEN, /* an address we never connect to */
	DELIVERY_BROKEN,    /* closed early, not HTTP */
};

struct delivery_answer {
	enum delivery_problem problem;
	int status; /* 0 where nothing was answered */
	int64_t duration_ms;
	int64_t wire_us;       /* post to request on the wire; -1 unknown */
	int64_t retry_after_s; /* -1: not said */
	char text[DELIVERY_TEXT_SIZE]; /* start of the answer, or why none */
};

struct delivery_request {
	const char *url;
	struct span headers; /* "Name: value" lines, each ended by a NUL */
	struct span body;
	const char *ca_file; /* added to the system's; may be NULL */
	void (*done)(void *arg, const struct delivery_answer *a);
	void *arg;
};

/*
 * `tick` is called before every wait and says in how many milliseconds it
 * wants to be called again (-1: only when woken).
 */
struct delivery *delivery_new(int (*tick)(void *arg), void *arg,
			      struct err *e) MUST_CHECK;

/* Ends the thread; requests in flight are given `drain_ms`, the rest get
 * done() with DELIVERY_BROKEN. Accepts NULL. */
struct delivery *delivery_free(struct delivery *d, int drain_ms);

/* Everything is copied. done() is called exactly once unless -1 is returned.
 * Only from `tick` or `done`. */
int delivery_post(struct delivery *d, const struct delivery_request *r,
		  struct err *e) MUST_CHECK;

/* Have `tick` called soon. Any thread. */
void delivery_wake(struct delivery *d);
