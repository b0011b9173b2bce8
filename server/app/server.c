/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of the start: data directory, state, repositories, outbox, doors; the
 * outbox delivers and old quarantines are swept when the doors are open, so
 * that neither delays the first client. The end goes the other way.
 */
#include "app/server.h"

#include "app/config.h"
#include "app/server_doors.h"
#include "app/server_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/workers.h"
#include "git/pack_cache.h"
#include "hooks/hook_set.h"
#include "hooks/hook_state.h"
#include "hooks/outbox.h"
#include "store/data_dir.h"
#include "store/maintenance.h"
#include "store/pending_keys.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define WORKERS_MAX	64
#define WORKERS_QUEUE	1024
#define WORKERS_STACK	((size_t)256 << 10)
#define LOOK_MS		2000 /* between looks at the configuration's files */
#define OUTBOX_DRAIN_MS 2000

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_state(struct server *s, const struct server_options *options,
		      struct err *e)
{
	CLEANUP(mistakes_fini) struct mistakes mistakes = MISTAKES_INIT;
	struct state_options so = {
		.data_dir = options->data_dir,
		.configs = options->configs,
		.n_configs = options->n_configs,
		.default_config = options->default_config,
		.hooks = config_hooks(options->config),
	};

	s->states = state_store_open(&so, &mistakes, e);
	for (size_t i = 0; i < mistakes.n; i++)
		log_error("config.mistake", "mistake", mistakes.items[i], NULL);
	if (!s->states)
		return err_wrap(e, "the configuration");
	config_now(s->config, &s->values);
	config_apply_log(s->config);
	return 0;
}

static int open_store(struct server *s, struct err *e)
{
	CLEANUP(freep) char *run = data_dir_join(s->dir, "run");

	if (!run)
		return err_nomem(e);
	s->repos = repo_store_new(data_dir_path(s->dir),
				  s->values.repository_memory, e);
	if (!s->repos)
		return -1;
	s->workers = workers_new("worker", WORKERS_MAX, WORKERS_QUEUE,
				 WORKERS_STACK);
	if (!s->workers)
		return err_nomem(e);
	if (!s->values.cache_size)
		return 0;
	s->cache = pack_cache_new(run, s->values.cache_size, e);
	return s->cache ? 0 : -1;
}

static int open_maintenance(struct server *s, struct err *e)
{
	const struct maintenance_options options = {
		.states = s->states,
		.repos = s->repos,
		.dir = s->dir,
		.settings = server_maintenance_settings,
		.is_busy = server_is_busy,
		.arg = s,
	};

	s->maintenance = maintenance_new(&options, e);
	return s->maintenance ? 0 : -1;
}

static int open_outbox(struct server *s, struct err *e)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct hook_set *hooks;
	struct outbox_options options = {
		.data_dir = data_dir_path(s->dir),
		.daemon_id = data_dir_id(s->dir),
		.ref_value = server_ref_value,
		.default_ref = server_default_ref,
		.urls = server_urls,
		.is_dead = server_is_dead,
		.arg = s,
	};

	hooks = hook_set_of_state(state, s->values.receiver_service, e);
	if (!hooks)
		return -1;
	options.hooks = hooks;
	s->outbox = outbox_open(&options, e);
	hook_set_put(hooks);
	return s->outbox ? 0 : -1;
}

static int build(struct server *s, const struct server_options *options,
		 struct err *e)
{
	s->config = options->config;
	s->dir = data_dir_open(options->data_dir, e);
	if (!s->dir)
		return -1;
	umask(data_dir_umask(s->dir));
	if (data_dir_live(s->dir, e) < 0)
		return -1;
	if (open_state(s, options, e) < 0 || open_store(s, e) < 0)
		return -1;
	server_make_repositories(s);
	server_seed(s);
	s->pending = pending_keys_new(data_dir_path(s->dir), e);
	if (!s->pending)
		return -1;
	if (open_outbox(s, e) < 0 || open_maintenance(s, e) < 0 ||
	    doors_open(s, e) < 0)
		return -1;
	server_say_ready(s);
	if (outbox_start(s->outbox, e) < 0 ||
	    maintenance_start(s->maintenance, e) < 0)
		return -1;
	return server_sweep_later(s, e);
}

struct server *server_new(const struct server_options *options, struct err *e)
{
	struct server *s = calloc(1, sizeof *s);

	if (!s) {
		err_nomem(e);
		return NULL;
	}
	s->started_ms = clock_ms();
	raise_file_limit();
	if (build(s, options, e) < 0)
		return server_free(s);
	return s;
}

static void look_at_files(struct server *s)
{
	CLEANUP(mistakes_fini) struct mistakes mistakes = MISTAKES_INIT;

	server_took(s, state_store_refresh(s->states, &mistakes), &mistakes);
}

static void read_again(struct server *s)
{
	CLEANUP(mistakes_fini) struct mistakes mistakes = MISTAKES_INIT;
	int result = state_store_reload(s->states, &mistakes);

	if (!result)
		log_info("config.unchanged", NULL);
	server_took(s, result, &mistakes);
}

void server_run(struct server *s)
{
	const struct timespec wait = { LOOK_MS / 1000,
				       (LOOK_MS % 1000) * 1000000L };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	for (;;) {
		int signal = sigtimedwait(&set, NULL, &wait);

		if (signal == SIGTERM || signal == SIGINT) {
			log_info("stopping", "signal",
				 signal == SIGTERM ? "SIGTERM" : "SIGINT",
				 NULL);
			return;
		}
		if (signal == SIGHUP)
			read_again(s);
		else if (signal < 0 && errno == EAGAIN)
			look_at_files(s);
		server_save_pending(s, false);
	}
}

struct server *server_free(struct server *s)
{
	struct config_values now;
	int64_t deadline;

	if (!s)
		return NULL;
	server_stop_ready(s);
	config_now(s->config, &now);
	deadline = clock_ms() + (int64_t)now.drain_timeout_ms;
	maintenance_stop(s->maintenance);
	doors_close(s, deadline);
	if (s->pending)
		server_save_pending(s, true);
	pending_keys_free(s->pending);
	outbox_close(s->outbox, OUTBOX_DRAIN_MS);
	workers_free(s->workers);
	maintenance_free(s->maintenance);
	pack_cache_free(s->cache);
	repo_store_free(s->repos);
	state_store_free(s->states);
	data_dir_free(s->dir);
	server_state_fini(s);
	free(s);
	return NULL;
}
