/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request as a route sees it, and the reading of its head.
 *
 * A target is split at "/" first and percent-decoded after that, exactly once:
 * "%2F" stays within its element. Empty elements are dropped, so "//a/" is
 * "/a". Refused: targets that are not a path (absolute form, authority form,
 * "*"), "." and ".." however they are spelled, control characters, a bad
 * percent sign, the same query parameter twice.
 * Ownership: everything belongs to the door and lives until the route returns
 * (until produce() returns, where the answer is produced).
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define HTTP_TARGET_MAX	  4096 /* bytes; a name has 200 at most */
#define HTTP_ELEMENTS_MAX 16   /* of a path; a name has 8 at most */
#define HTTP_PARAMS_MAX	  32   /* of a query */

enum http_method {
	HTTP_GET, /* HEAD too: see is_head */
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OTHER /* a method we know of and serve nowhere */
};

struct http_param {
	const char *name;  /* decoded, without NUL inside */
	const char *value; /* "" where there is none */
};

struct http_request {
	enum http_method method;
	bool is_head;	    /* the door leaves the body of the answer out */
	const char *target; /* as it was sent: for logs, which escape it */
	const char *path;   /* "/" and the elements joined by "/" */
	const char *elements[HTTP_ELEMENTS_MAX]; /* decoded, none empty */
	size_t n_elements;
	struct http_param params[HTTP_PARAMS_MAX];
	size_t n_params;

	/* Headers; NULL where not sent. Never there twice. */
	const char *host;
	const char *authorization;
	const char *content_type;
	const char *git_protocol;
	const char *user_agent;
	const char *accept;

	void *carried; /* what the route's head() left for its handle() */

	const char *peer; /* "192.0.2.1:50000"; "unix:UID" on the socket */

	/* The body, complete and inflated: in memory, or in the file `body_fd`
	 * (at its beginning), where the route asked for one. */
	struct span body;
	int body_fd;	   /* -1: in memory; the door closes it */
	uint64_t body_len; /* of both */
};

/* "GET" and so on. */
const char *http_method_name(enum http_method method);

/* 0; -1 where the text is no method of HTTP that is registered (501). */
int http_method_parse(const char *text, enum http_method *out,
		      bool *is_head_out) MUST_CHECK;

/* Fill target, path, elements and params from a request line's target; strings
 * are made in `a`. ERR_MALFORMED (400), ERR_LIMIT (414). */
int http_target_parse(struct http_request *r, const char *target,
		      struct arena *a, struct err *e) MUST_CHECK;

/* The value of a query parameter; NULL where it was not sent. */
const char *http_request_param(const struct http_request *r, const char *name);

/* Is the media type `type` ("application/json"), whatever its parameters and
 * case? False for NULL. */
bool http_type_is(const char *content_type, const char *type);

/* A header's name is a token, its value has no control characters (RFC 9110,
 * 5.1 and 5.5). */
bool http_header_is_valid(struct span name, struct span value);

/* "example.org:8080", "[::1]", "": what a Host header may hold. */
bool http_host_is_valid(struct span host);

/* Content-Length: digits only, no overflow. */
bool http_length_parse(struct span text, uint64_t *out);

/*
 * The secret of "Authorization: Basic ..." (what stands after the first colon)
 * or "Bearer ...", malloc'ed and NUL-terminated, `*n_out` bytes; NULL where the
 * header is of neither kind or malformed. The caller wipes it.
 */
char *http_credential(const char *authorization, size_t *n_out) MUST_CHECK;
