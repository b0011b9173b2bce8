/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API: one table of routes over state, repositories and outbox.
 *
 * Runs behind the admin socket and, with `headwater --data`, inside the CLI
 * without a daemon; it knows no socket and no libmicrohttpd. openapi.yaml
 * beside this file describes it, and a test holds the two together.
 * Threads: any, several calls at once.
 */
#pragma once

#include "base/attr.h"
#include "net/http_request.h"
#include "net/http_response.h"

#include <jansson.h>
#include <stdbool.h>

struct identity;
struct maintenance;
struct outbox;
struct pending_keys;
struct repo_store;
struct state_store;

struct admin_context {
	struct state_store *states;
	struct repo_store *repos;
	struct outbox *outbox; /* NULL without a daemon: hooks cannot fire */
	struct pending_keys *pending;
	struct maintenance *maintenance;
	const char *data_dir;
	const char *daemon_id; /* of this process: see store/data_dir.h */
	const struct identity *identity;
	/* Add what only the daemon knows to GET /v1/status; may be NULL. */
	void (*status)(void *arg, json_t *object);
	/* The state changed: make it felt at once. May be NULL. */
	void (*changed)(void *arg);
	void *arg;
};

/* How long `hook test` and `repo sync` wait for the receivers' answers. */
#define ADMIN_FIRE_WAIT_MS 20000

/* 0 with `out` filled; -1 where no route has this path. `arg` is the
 * struct admin_context: fits admin_handler_fn. */
int admin_routes_handle(void *arg, const struct http_request *r,
			struct http_response *out);

/* Where the body of a request is large; fits admin_api_options.plan. */
bool admin_routes_has_large_body(const struct http_request *r);

/* Every route as "METHOD /v1/path/{name}", NULL-terminated: for the test that
 * compares them with openapi.yaml. */
const char *const *admin_routes_list(void);
