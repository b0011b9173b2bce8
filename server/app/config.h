/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [server] and [limits]: one table of options, from which come flags, keys,
 * --help, --print-config and the manual's sections.
 *
 * Precedence: flag, then later file, earlier file, default. The state store
 * reads the files and hands the entries of these two sections over
 * (state_hooks); a load with a mistake leaves the values in force.
 * Threads: config_now() by any; the rest by one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "git/upload_pack.h"
#include "store/state_store.h"

#include <stdint.h>

struct err;

#define CONFIG_NAMES_MAX 64

/* The values in force. Texts live as long as the config. */
struct config_values {
	/* [server] */
	const char *ssh, *http, *https, *probe, *admin; /* addresses, a path */
	const char *tls_cert, *tls_key;			/* "" where unset */
	const char *host_key;
	const char *receiver_service;
	const char *log_format, *log_level;
	const char *maintenance; /* "true" or "false" */
	uint64_t drain_timeout_ms;
	uint64_t hook_wait_ms;
	const char *names[CONFIG_NAMES_MAX];
	uint64_t n_names;

	/* [limits]: milliseconds, bytes, counts, percent */
	uint64_t sessions, unauthenticated, channels, refused_keys;
	uint64_t login_timeout, idle_timeout, stall_timeout, silence_timeout;
	uint64_t session_timeout, keepalive;
	uint64_t http_connections, http_head_timeout, http_request_timeout;
	uint64_t http_stall_timeout, http_rate, http_body;
	uint64_t push_size, object_size, inflated_size, push_objects;
	uint64_t push_refs, push_options, push_memory, disk_reserve;
	uint64_t fetch_wants, fetch_haves, fetch_lines, fetch_prefixes;
	uint64_t fetch_commands, cache_size, repository_memory;
	uint64_t maintenance_packs, maintenance_loose, maintenance_refs;
	uint64_t maintenance_grace;
};

struct config;

/* With every default set. NULL out of memory. */
struct config *config_new(void) MUST_CHECK;
struct config *config_free(struct config *c);

/* A flag ("ssh", without dashes) of the command line; it wins over files.
 * ERR_NOT_FOUND where there is none of that name. */
int config_flag(struct config *c, const char *name, const char *value,
		struct err *e) MUST_CHECK;

/* For state_options.hooks. */
struct state_hooks config_hooks(struct config *c);

/* The values in force, copied. */
void config_now(struct config *c, struct config_values *out);

/* Those of a fetch, at whatever door. */
struct fetch_limits config_fetch_limits(const struct config_values *v);

/* Set the log's level and format; before there are threads. */
void config_apply_log(struct config *c);

/* Where an option that needs a restart differs between the two, its key; NULL
 * where none does. `*i` counts on. */
const char *config_needs_restart(const struct config_values *was,
				 const struct config_values *is, size_t *i);

/* Every option with its section, default and sentence, as a configuration file
 * whose lines are comments. */
void config_print(struct buf *out);
