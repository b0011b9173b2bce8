/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of names. Pushes are counted, and one is queued when there may be
 * enough new packs; what is asked for goes first and is waited for.
 */
#include "store/maintenance_state.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/workers.h"
#include "store/state.h"
#include "store/state_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK	      ((size_t)512 << 10)
#define FIRST_LOOK_MS 30000 /* the start is for clients */
/* ioprio_set(2), which has no header: this thread, class "idle". */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13)
#define NICE_LOWEST	   19

static bool is_stopping(struct maintenance *m)
{
	bool result;

	pthread_mutex_lock(&m->lock);
	result = m->is_stopping;
	pthread_mutex_unlock(&m->lock);
	return result;
}

static void answer(struct maintenance *m, struct request *r)
{
	r->outcome = maintenance_run_asked(m, r);
	pthread_mutex_lock(&m->lock);
	r->is_done = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

/* What somebody waits for. */
static void serve_asked(struct maintenance *m)
{
	for (;;) {
		struct request *r;

		pthread_mutex_lock(&m->lock);
		r = m->asked;
		if (r)
			m->asked = r->next;
		pthread_mutex_unlock(&m->lock);
		if (!r)
			return;
		answer(m, r);
	}
}

static void look_at_all(struct maintenance *m)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(m->options.states);

	for (size_t i = 0; i < state_count(s, STATE_REPO); i++) {
		if (is_stopping(m))
			return;
		serve_asked(m);
		maintenance_look_at(m, state_repo_at(s, i)->object.name);
	}
}

/* The first one with enough pushes, taken off the list; NULL. */
static struct pushed *take_pushed_locked(struct maintenance *m, uint32_t enough)
{
	for (struct pushed **at = &m->pushed; *at; at = &(*at)->next) {
		struct pushed *p = *at;

		if (p->n < enough)
			continue;
		*at = p->next;
		return p;
	}
	return NULL;
}

/* Half of what is too much: the other half may be there already. */
static uint32_t enough_pushes(const struct maintenance *m)
{
	struct maintenance_settings s = maintenance_settings_now(m);

	if (!s.is_on)
		return UINT32_MAX;
	return s.packs > 1 ? s.packs / 2 : 1;
}

static struct pushed *wait_for_work(struct maintenance *m, int64_t until_ms)
{
	uint32_t enough = enough_pushes(m);
	struct pushed *p = NULL;
	struct timespec until = maintenance_after_ms(until_ms - clock_ms());

	pthread_mutex_lock(&m->lock);
	while (!m->is_stopping && !m->asked && clock_ms() < until_ms &&
	       !(p = take_pushed_locked(m, enough)))
		pthread_cond_timedwait(&m->changed, &m->lock, &until);
	pthread_mutex_unlock(&m->lock);
	return p;
}

static void lower_priority(void)
{
	id_t self = (id_t)syscall(SYS_gettid);

	(void)setpriority(PRIO_PROCESS, self, NICE_LOWEST);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static void *work(void *arg)
{
	struct maintenance *m = arg;
	int64_t look_ms = clock_ms() + FIRST_LOOK_MS;

	lower_priority();
	while (!is_stopping(m)) {
		struct pushed *p = wait_for_work(m, look_ms);

		serve_asked(m);
		if (p)
			maintenance_look_at(m, p->repo);
		free(p);
		if (clock_ms() < look_ms)
			continue;
		if (maintenance_settings_now(m).is_on)
			look_at_all(m);
		look_ms = clock_ms() + 1000 * (int64_t)MAINTENANCE_LOOK_S;
	}
	serve_asked(m); /* with the answer that it ends */
	return NULL;
}

/* -- from outside ---------------------------------------------------------- */

struct maintenance *maintenance_new(const struct maintenance_options *options,
				    struct err *e)
{
	struct maintenance *m = calloc(1, sizeof *m);
	pthread_condattr_t attr;

	if (!m) {
		err_nomem(e);
		return NULL;
	}
	m->options = *options;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &attr);
	pthread_condattr_destroy(&attr);
	return m;
}

int maintenance_start(struct maintenance *m, struct err *e)
{
	maintenance_register();
	m->has_thread = true;
	if (thread_start("maintenance", STACK, false, work, m, &m->thread, e) <
	    0) {
		m->has_thread = false;
		return -1;
	}
	return 0;
}

void maintenance_stop(struct maintenance *m)
{
	bool is_first;

	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	is_first = !m->is_stopping;
	m->is_stopping = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	if (is_first && m->has_thread)
		pthread_join(m->thread, NULL);
}

struct maintenance *maintenance_free(struct maintenance *m)
{
	if (!m)
		return NULL;
	maintenance_stop(m);
	while (m->pushed) {
		struct pushed *p = m->pushed;

		m->pushed = p->next;
		free(p);
	}
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
	return NULL;
}

/* Out of memory: the next look at all will see it. */
static struct pushed *pushed_locked(struct maintenance *m, const char *repo)
{
	struct pushed *p = m->pushed;
	size_t n = strlen(repo) + 1;

	while (p && strcmp(p->repo, repo) != 0)
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof *p + n);
	if (!p)
		return NULL;
	memcpy(p->repo, repo, n);
	p->next = m->pushed;
	m->pushed = p;
	return p;
}

void maintenance_hint(struct maintenance *m, const char *repo)
{
	uint32_t enough = enough_pushes(m);
	struct pushed *p;

	pthread_mutex_lock(&m->lock);
	p = m->has_thread ? pushed_locked(m, repo) : NULL;
	if (p && ++p->n == enough)
		pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static int ask(struct maintenance *m, struct request *r)
{
	struct request **last;

	if (!m->has_thread)
		return maintenance_run_asked(m, r);
	pthread_mutex_lock(&m->lock);
	if (m->is_stopping) {
		pthread_mutex_unlock(&m->lock);
		return err_set(r->e, ERR_CLOSED, "the server is stopping");
	}
	for (last = &m->asked; *last; last = &(*last)->next)
		continue;
	*last = r;
	pthread_cond_broadcast(&m->changed);
	while (!r->is_done)
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
	return r->outcome;
}

int maintenance_run(struct maintenance *m, const char *repo,
		    struct maintain_result *out, struct err *e)
{
	struct request r = { .repo = repo, .result = out, .e = e };

	return ask(m, &r);
}

int maintenance_check(struct maintenance *m, const char *repo,
		      void (*problem)(void *arg, const struct check_problem *p),
		      void *arg, struct check_result *out, struct err *e)
{
	struct request r = { .repo = repo,
			     .problem = problem,
			     .problem_arg = arg,
			     .checked = out,
			     .e = e };

	return ask(m, &r);
}

void maintenance_status(struct maintenance *m, struct maintenance_status *out)
{
	pthread_mutex_lock(&m->lock);
	*out = m->status;
	pthread_mutex_unlock(&m->lock);
}
