/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The house, built bottom-up and drained top-down.
 * Threads: one.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>

struct config;
struct err;
struct server;

struct server_options {
	struct config *config; /* flags are set; files are read here */
	const char *data_dir;
	const char *const *configs;
	size_t n_configs;
	const char *default_config;
};

/* Everything open and serving. NULL with `e` set: one sentence says why. */
struct server *server_new(const struct server_options *options,
			  struct err *e) MUST_CHECK;

/* Until SIGTERM or SIGINT, which must be blocked in every thread. Reads the
 * configuration again on SIGHUP and when a file changes. */
void server_run(struct server *s);

/* Stop listening, let transfers finish within drain-timeout, free. Accepts
 * NULL. */
struct server *server_free(struct server *s);
