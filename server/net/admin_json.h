/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the API's JSON and the state's values. Fields are the keys of the
 * configuration with "_" for "-".
 * Threads: plain functions.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "net/http_response.h"
#include "store/state_schema.h"

#include <jansson.h>

struct err;
struct http_request;

/* The request's body as an object ({} where it is empty). NULL after filling
 * `out` with a 400 or 415. */
json_t *admin_body(const struct http_request *r,
		   struct http_response *out) MUST_CHECK;

/* Append the names of the body's fields, with commas between them, where it is
 * an object; never a value. For logs. */
void admin_body_fields(const struct http_request *r, struct buf *out);

/* `object` as the answer, and drop it. */
void admin_answer(struct http_response *out, unsigned status, json_t *object);

/* An error of the floors below as the answer; `kind` ("repo", "hook", ...) goes
 * into its code. */
void admin_refuse(struct http_response *out, const struct err *e,
		  const char *kind, const char *hint);

/*
 * The fields of `body` that are keys of `kind`, as values; others are looked up
 * in `also` (NULL-terminated names that the caller handles). -1 after filling
 * `out`. Everything is allocated in `a`.
 */
int admin_values(enum state_kind kind, json_t *body, const char *const *also,
		 struct arena *a, struct state_value **values_out,
		 size_t *n_out, struct http_response *out) MUST_CHECK;

/* An object of the state: name, declared, declared_in, problem, and every key
 * with its value or its default. */
json_t *admin_object(const struct state_object *o) MUST_CHECK;
