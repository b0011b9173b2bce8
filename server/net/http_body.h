/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request body as it comes in: capped, inflated, in memory or in a file.
 *
 * A body past its cap is read on and dropped (so that the answer can be sent
 * at its end), up to HTTP_DRAIN_MAX bytes as sent; what failed first sticks.
 * Format: identity and gzip (RFC 1952; "x-gzip" is the same); one member, and
 * nothing after it.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct http_body;

/* Bytes that all bodies in memory may still take. */
struct http_budget {
	_Atomic uint64_t left;
};

/* Bytes that are read and dropped for the sake of a readable answer. */
#define HTTP_DRAIN_MAX ((uint64_t)16 << 20)

/* How a Content-Encoding is taken; -1 where it is not (415). NULL is none. */
int http_encoding_parse(const char *text, bool *is_gzip_out) MUST_CHECK;

/* Into memory, taken off `budget` until it is freed; or where `dir` is not
 * NULL into an unnamed file there. */
struct http_body *http_body_new(uint64_t max_bytes, bool is_gzip,
				const char *dir, struct http_budget *budget,
				struct err *e) MUST_CHECK;
/* Accepts NULL. */
struct http_body *http_body_free(struct http_body *b);

/* Take the next bytes as they were sent. 0 also where they are dropped;
 * -1 where the connection must end now. */
int http_body_add(struct http_body *b, struct span data) MUST_CHECK;

/* Drop all that comes. */
void http_body_drain(struct http_body *b);

/* At the end: 0 where the body is whole; -1 with what went wrong: ERR_LIMIT
 * (413), ERR_MALFORMED (400), ERR_CONFLICT (the budget: 503), disk errors. */
int http_body_finish(struct http_body *b, struct err *e) MUST_CHECK;

/* After a good finish. The span belongs to the body; the descriptor too, -1
 * for one in memory, positioned at the beginning. */
struct span http_body_bytes(const struct http_body *b);
int http_body_fd(const struct http_body *b);
uint64_t http_body_len(const struct http_body *b);
