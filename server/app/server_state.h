/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a running server, shared by the files of this floor that build,
 * serve and drain it. Not for anybody else.
 * Threads: fields are set before the doors open and read-only after.
 */
#pragma once

#include "app/config.h"
#include "app/git_http.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "git/oid.h"
#include "net/admin_routes.h"
#include "net/httpd_probe.h"
#include "net/identity.h"

#include <stdatomic.h>
#include <stdbool.h>

struct admin_api;
struct data_dir;
struct err;
struct event_urls;
struct httpd;
struct maintenance;
struct maintenance_settings;
struct outbox;
struct pack_cache;
struct pending_keys;
struct repo_store;
struct sshd;
struct state_store;
struct workers;

struct server {
	/* set once, then read-only */
	int64_t started_ms;
	struct config *config;
	struct config_values values; /* as they were at the start */
	struct data_dir *dir;
	struct state_store *states;
	struct repo_store *repos;
	struct workers *workers;
	struct pack_cache *cache;
	struct outbox *outbox;
	struct maintenance *maintenance;
	struct pending_keys *pending;
	struct sshd *sshd;
	struct httpd *http, *https, *probe;
	struct httpd_git http_git;
	struct httpd_probe http_probe;
	struct admin_api *admin;
	struct admin_context admin_context;
	struct identity identity;
	char ssh_bound[64], http_bound[64], https_bound[64], probe_bound[64];
	char *admin_path;
	char *host_key_path;

	/* any thread */
	atomic_bool is_ready;
	atomic_bool is_config_refused;
};

/* server_state.c: what the outbox asks. */
int server_ref_value(void *arg, const char *repo, const char *ref,
		     struct oid *out, struct err *e);
char *server_default_ref(void *arg, const char *repo);
void server_urls(void *arg, const char *repo, struct buf *scratch,
		 struct event_urls *out);
bool server_is_dead(void *arg, const char *daemon_id);

/* Directories of repositories that are declared or in state.conf and not there
 * yet; what fails is logged, and the repository says so itself. */
void server_make_repositories(struct server *s);
/*
 * server_seed.c: fill declared repositories that have a `seed` and no ref.
 * Returns when all are full, so that nobody is served an empty one meanwhile;
 * a seed that cannot be taken is logged and tried again at the next start or
 * reload.
 */
void server_seed(struct server *s);
/* Left-overs of dead daemons, by a worker. */
int server_sweep_later(struct server *s, struct err *e) MUST_CHECK;

/* Write down the keys that nobody knows, if it is time to or `now`. */
void server_save_pending(struct server *s, bool now);

/* What maintenance asks. */
void server_maintenance_settings(void *arg, struct maintenance_settings *out);
bool server_is_busy(void *arg);

/* After a reload: 1 changed, 0 same, -1 refused. */
void server_took(struct server *s, int result, const struct mistakes *m);
/* The state changed by the admin API. */
void server_changed(void *arg);
void server_status(void *arg, json_t *object);

void server_say_ready(struct server *s);
void server_stop_ready(struct server *s);
void server_state_fini(struct server *s);
