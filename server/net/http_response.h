/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a route: a status, a few headers and one kind of body.
 *
 * A route gets an empty answer and fills it by the functions here. Setting a
 * body again drops the one before.
 * Ownership: bytes are copied or handed over as each function says; texts of
 * headers are copied into the answer.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct stream;

#define HTTP_HEADERS_MAX      8
#define HTTP_HEADER_VALUE_MAX 256 /* bytes, with the NUL */

struct http_header {
	const char *name; /* of a static text */
	char value[HTTP_HEADER_VALUE_MAX];
};

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_BYTES, HTTP_BODY_PRODUCED };

/*
 * Bytes made while they are sent, by a worker: written to `s`, which waits for
 * the client within the door's limits. The status and headers are sent before
 * the first byte; -1 cuts the connection, so that nobody takes a part for the
 * whole. `arg` is released by the answer's `release`, always.
 */
typedef int http_produce_fn(void *arg, struct stream *s, struct err *e);

struct http_response {
	unsigned status; /* 0: the route gave no answer, which is a 500 */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	bool must_close; /* no further request on this connection */

	enum http_body_kind kind;
	struct span bytes;
	http_produce_fn *produce;
	void (*release)(void *arg);
	void *arg;

	/* For the log and the metrics: what was served ("list", "clone") and to
	 * whom (a token's name; ""). A static text, and a copy. */
	const char *what;
	char who[65];
};

/* Releases the body. The struct is empty afterwards. */
void http_response_fini(struct http_response *r);

/* `name` is a static text; the value is cut at its first control character and
 * at HTTP_HEADER_VALUE_MAX. */
void http_response_header(struct http_response *r, const char *name,
			  const char *value);

/* Status, Content-Type (static), and a copy of the text as body. */
void http_response_text(struct http_response *r, unsigned status,
			const char *type, const char *text);

/* The same with the bytes of `b`, which is empty afterwards. A buf that has
 * failed gives a 500. */
void http_response_buf(struct http_response *r, unsigned status,
		       const char *type, struct buf *b);

/* The same with bytes that stay valid until release(arg) is called, once, on
 * any thread; a mapping, or something counted. `release` may be NULL: the bytes
 * are static. */
void http_response_region(struct http_response *r, unsigned status,
			  const char *type, struct span bytes,
			  void (*release)(void *arg), void *arg);

void http_response_produced(struct http_response *r, unsigned status,
			    const char *type, http_produce_fn *produce,
			    void (*release)(void *arg), void *arg);

/*
 * {"error":{"code":CODE,"message":MESSAGE,"hint":HINT}} as application/json;
 * `hint` may be NULL and is left out then. Texts may hold any bytes.
 */
void http_response_json_error(struct http_response *r, unsigned status,
			      const char *code, const char *message,
			      const char *hint);

/* A code's HTTP status: ERR_NOT_FOUND is 404, ERR_CONFLICT 409, ERR_MALFORMED
 * 400, ERR_DENIED 403, ERR_LIMIT 413, ERR_NO_SPACE 507, and so on. */
unsigned http_status_of(int err_code);

/* "Not Found" and so on; "" for what we never send. */
const char *http_reason(unsigned status);
