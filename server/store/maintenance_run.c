/* SPDX-License-Identifier: Apache-2.0 */
/* One run: its options, its pauses, what is counted and told of it. */
#include "store/maintenance_state.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "git/repo_lock.h"
#include "git/repository.h"
#include "store/data_dir.h"
#include "store/repo_store.h"
#include "store/state.h"
#include "store/state_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* While there is much to serve: how long at a time, and at most per run, since
 * the packs that pushes make slow them down as well. */
#define PAUSE_MS     20
#define PAUSE_MAX_MS 1000

DEFINE_PUTP(repository)

static struct metric_family runs = METRIC_COUNTER(
	"headwater_maintenance_runs",
	"Runs that changed something, or failed, by result.", "result");
static struct metric_family run_seconds = METRIC_HISTOGRAM(
	"headwater_maintenance_seconds", "Time of these runs.", NULL);
static struct metric_family run_bytes =
	METRIC_COUNTER("headwater_maintenance_bytes",
		       "Bytes of packs that were written.", NULL);
static struct metric_family run_things = METRIC_COUNTER(
	"headwater_maintenance_things",
	"What was packed (packs, loose, refs) or removed (expired).", "what");
static struct metric_family is_running = METRIC_GAUGE(
	"headwater_maintenance_running", "1 while a run is under way.", NULL);

void maintenance_register(void)
{
	metric_register(&runs);
	metric_register(&run_seconds);
	metric_register(&run_bytes);
	metric_register(&run_things);
	metric_set(&is_running, 0);
}

struct maintenance_settings
maintenance_settings_now(const struct maintenance *m)
{
	struct maintenance_settings s = MAINTENANCE_DEFAULTS;

	if (m->options.settings)
		m->options.settings(m->options.arg, &s);
	return s;
}

/* -- one run --------------------------------------------------------------- */

struct timespec maintenance_after_ms(int64_t ms)
{
	int64_t at = clock_ms() + ms;

	return (struct timespec){ at / 1000, (at % 1000) * 1000000L };
}

/* Between two pieces of work. */
static int tick(void *arg, struct err *e)
{
	struct maintenance *m = arg;
	struct timespec until;
	bool is_stopping;

	pthread_mutex_lock(&m->lock);
	if (m->has_thread && m->options.is_busy &&
	    m->paused_ms < PAUSE_MAX_MS && !m->is_stopping &&
	    m->options.is_busy(m->options.arg)) {
		m->paused_ms += PAUSE_MS;
		until = maintenance_after_ms(PAUSE_MS);
		pthread_cond_timedwait(&m->changed, &m->lock, &until);
	}
	is_stopping = m->is_stopping;
	pthread_mutex_unlock(&m->lock);
	return is_stopping ? err_set(e, ERR_CLOSED, "the server is stopping")
			   : 0;
}

struct alone {
	const char *own;
	bool is_alone;
};

static int look_for_others(void *arg, const char *id, bool is_dead)
{
	struct alone *a = arg;

	a->is_alone &= is_dead || !strcmp(id, a->own);
	return 0;
}

static bool is_alone(const struct maintenance *m)
{
	struct alone a = { data_dir_id(m->options.dir), true };
	struct err ignored;

	return data_dir_each_id(m->options.dir, look_for_others, &a,
				&ignored) == 0 &&
	       a.is_alone;
}

static void fill_options(struct maintenance *m, enum maintain_kind kind,
			 struct maintain_options *out)
{
	struct maintenance_settings s = maintenance_settings_now(m);
	const char *id = data_dir_id(m->options.dir);

	*out = (struct maintain_options){
		.kind = kind,
		.packs_max = s.packs,
		.loose_max = s.loose,
		.refs_max = s.refs,
		.grace_s = s.grace_s,
		.daemon_id = *id ? id : NULL,
		.is_alone = is_alone(m),
		.tick = tick,
		.tick_arg = m,
		.is_dead = data_dir_is_dead,
		.dead_arg = m->options.dir,
	};
}

static bool did_something(const struct maintain_result *r)
{
	return r->bytes || r->n_refs || r->n_expired;
}

static void count(const struct maintain_result *r, int64_t us)
{
	uint32_t n_packs = r->n_packs_before > r->n_packs
				   ? r->n_packs_before - r->n_packs
				   : 0;

	metric_add(&runs, 1, "done");
	metric_observe(&run_seconds, (double)us / 1e6);
	metric_add(&run_bytes, (double)r->bytes);
	metric_add(&run_things, n_packs, "packs");
	metric_add(&run_things, r->n_loose, "loose");
	metric_add(&run_things, r->n_refs, "refs");
	metric_add(&run_things, r->n_expired, "expired");
}

static void tell(const char *repo, const struct maintain_result *r, int64_t us)
{
	log_info("maintenance", "repo", repo, "packs-before",
		 fmt_u64(r->n_packs_before), "packs", fmt_u64(r->n_packs),
		 "loose", fmt_u64(r->n_loose), "refs", fmt_u64(r->n_refs),
		 "cruft", fmt_u64(r->n_cruft), "expired", fmt_u64(r->n_expired),
		 "bytes", fmt_u64(r->bytes), "duration_us",
		 fmt_u64((uint64_t)us), "problem",
		 *r->problem ? r->problem : NULL, NULL);
}

static void status_begin(struct maintenance *m, const char *repo)
{
	pthread_mutex_lock(&m->lock);
	snprintf(m->status.repo, sizeof m->status.repo, "%s", repo);
	pthread_mutex_unlock(&m->lock);
	metric_set(&is_running, 1);
}

static void status_end(struct maintenance *m, const char *repo, bool is_worth,
		       const char *error)
{
	struct maintenance_status *s = &m->status;

	metric_set(&is_running, 0);
	pthread_mutex_lock(&m->lock);
	s->repo[0] = '\0';
	if (is_worth) {
		s->n_runs++;
		s->last_unix = clock_unix();
		snprintf(s->last_repo, sizeof s->last_repo, "%s", repo);
	}
	if (error)
		snprintf(s->last_error, sizeof s->last_error, "%s", error);
	pthread_mutex_unlock(&m->lock);
}

static int run(struct maintenance *m, const char *name, struct repository *r,
	       enum maintain_kind kind, struct maintain_result *out,
	       struct err *e)
{
	struct maintain_options o;
	int64_t begun = clock_us();
	bool is_worth;
	int result;

	fill_options(m, kind, &o);
	m->paused_ms = 0;
	status_begin(m, name);
	result = repository_maintain(r, &o, out, e);
	is_worth = result == 0 && did_something(out);
	status_end(m, name, is_worth,
		   result < 0 && e->code != ERR_CLOSED ? e->message : NULL);
	if (is_worth) {
		count(out, clock_us() - begun);
		tell(name, out, clock_us() - begun);
	}
	if (result == 0 && *out->problem && !is_worth)
		log_warn("maintenance.held", "repo", name, "problem",
			 out->problem, NULL);
	return result;
}

static struct repository *open_repo(struct maintenance *m, const char *name,
				    struct err *e)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(m->options.states);

	return repo_store_open(m->options.repos, s, name, e);
}

/* What the check's callbacks are given. */
struct checking {
	const struct request *request;
	struct maintenance *m;
};

static void pass_on(void *arg, const struct check_problem *p)
{
	const struct checking *c = arg;

	c->request->problem(c->request->problem_arg, p);
}

static int check_tick(void *arg, struct err *e)
{
	const struct checking *c = arg;

	return tick(c->m, e);
}

static int check(struct maintenance *m, struct repository *repo,
		 const struct request *r)
{
	struct checking c = { r, m };
	const struct check_options options = { pass_on, check_tick, &c };
	int result;

	m->paused_ms = 0;
	status_begin(m, r->repo);
	result = repository_check(repo, &options, r->checked, r->e);
	status_end(m, r->repo, false, NULL);
	if (!result && r->checked->n_problems)
		log_error("repo.damaged", "repo", r->repo, "problems",
			  fmt_u64(r->checked->n_problems), NULL);
	return result;
}

int maintenance_run_asked(struct maintenance *m, const struct request *r)
{
	CLEANUP(repository_putp)
	struct repository *repo = open_repo(m, r->repo, r->e);

	if (!repo)
		return -1;
	if (!r->result)
		return check(m, repo, r);
	return run(m, r->repo, repo, MAINTAIN_ALL, r->result, r->e);
}

/* -- by itself ------------------------------------------------------------- */

/* 1 and what is due; 0; -1. */
static int what_is_due(struct maintenance *m, struct repository *r,
		       enum maintain_kind *kind_out, struct err *e)
{
	struct maintenance_settings s = maintenance_settings_now(m);
	const struct maintain_options o = { .packs_max = s.packs,
					    .loose_max = s.loose,
					    .refs_max = s.refs };
	struct maintain_look look;

	*kind_out = MAINTAIN_EXPIRE;
	if (gc_lock_noted(repository_dir(r)) + MAINTENANCE_EXPIRE_S <=
	    clock_unix())
		return 1;
	*kind_out = MAINTAIN_STEP;
	if (repository_look(r, &look, e) < 0)
		return -1;
	return maintain_is_due(&look, &o);
}

void maintenance_look_at(struct maintenance *m, const char *name)
{
	struct err e = { 0 };
	CLEANUP(repository_putp) struct repository *r = open_repo(m, name, &e);
	struct maintain_result result;
	enum maintain_kind kind;
	int due = r ? what_is_due(m, r, &kind, &e) : -1;

	if (due > 0 && run(m, name, r, kind, &result, &e) < 0)
		due = -1;
	if (due >= 0 || e.code == ERR_CLOSED)
		return;
	if (e.code == ERR_CONFLICT || e.code == ERR_NOT_FOUND) {
		log_debug("maintenance.later", "repo", name, "reason",
			  e.message, NULL);
		return;
	}
	metric_add(&runs, 1, "failed");
	log_warn("maintenance.failed", "repo", name, "error", e.message, NULL);
}
