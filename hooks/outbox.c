/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox's life, and a push's way through it: stage, release, wait. */
#include "hooks/outbox.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "base/log.h"
#include "hooks/outbox_files.h"
#include "hooks/outbox_recover.h"
#include "hooks/outbox_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Start events are spread over this time, so that a restart is no storm. */
#define START_SPREAD_MS 4000

struct outbox_ticket {
	struct outbox *outbox;
	char *name; /* of the staged batch; NULL: nothing was staged */
	struct event *events;
	size_t n;
	struct waiter **waiters;
	size_t n_waiters;
};

struct outbox_ticket *outbox_ticket_new(struct outbox *o)
{
	struct outbox_ticket *t = calloc(1, sizeof *t);

	if (t)
		t->outbox = o;
	return t;
}

static void ticket_free(struct outbox_ticket *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		event_fini(&t->events[i]);
	free(t->events);
	free(t->waiters);
	free(t->name);
	free(t);
}

static void ticket_freep(struct outbox_ticket **t)
{
	ticket_free(*t);
}

static void cond_init_monotonic(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

static int outbox_init(struct outbox *o, const struct outbox_options *options,
		       struct err *e)
{
	o->options = *options;
	o->lock_fd = -1;
	pthread_mutex_init(&o->lock, NULL);
	cond_init_monotonic(&o->answered);
	o->dir = path_join(options->data_dir, "outbox");
	o->daemon_id = strdup(options->daemon_id);
	if (!o->dir || !o->daemon_id)
		return err_nomem(e);
	o->hooks = hook_set_get(options->hooks);
	if (outbox_files_init(o->dir, e) < 0)
		return -1;
	return outbox_recover(o, e);
}

struct outbox *outbox_open(const struct outbox_options *options, struct err *e)
{
	struct outbox *o = calloc(1, sizeof *o);

	if (!o) {
		err_nomem(e);
		return NULL;
	}
	if (outbox_init(o, options, e) < 0) {
		err_wrap(e, "opening the outbox");
		return outbox_close(o, 0);
	}
	return o;
}

struct outbox *outbox_close(struct outbox *o, int drain_ms)
{
	if (!o)
		return NULL;
	delivery_free(o->delivery, drain_ms);
	slots_free(o);
	for (struct hook_status *s = o->statuses, *next; s; s = next) {
		next = s->next;
		free(s->name);
		free(s);
	}
	for (size_t i = 0; i < o->n_starts; i++) {
		free(o->starts[i].hook);
		free(o->starts[i].repo);
	}
	free(o->starts);
	if (o->lock_fd >= 0)
		close(o->lock_fd);
	hook_set_put(o->hooks);
	pthread_cond_destroy(&o->answered);
	pthread_mutex_destroy(&o->lock);
	free(o->daemon_id);
	free(o->dir);
	free(o);
	return NULL;
}

static int add_start(struct outbox *o, const char *hook, const char *repo)
{
	struct start *more =
		reallocarray(o->starts, o->n_starts + 1, sizeof *more);
	uint32_t random;

	if (!more)
		return -1;
	o->starts = more;
	random_bytes(&random, sizeof random);
	more[o->n_starts] = (struct start){
		.hook = strdup(hook),
		.repo = strdup(repo),
		.due_ms = clock_ms() + random % START_SPREAD_MS,
	};
	o->n_starts++;
	return more[o->n_starts - 1].hook && more[o->n_starts - 1].repo ? 0
									: -1;
}

static int by_due(const void *a, const void *b)
{
	const struct start *x = a, *y = b;

	return (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms);
}

static int plan_starts(struct outbox *o)
{
	struct text_list repos = hook_set_repos(o->hooks);

	for (size_t i = 0; i < hook_set_count(o->hooks); i++) {
		const struct hook_spec *h = hook_set_at(o->hooks, i);

		for (size_t r = 0; r < repos.n; r++)
			if (hook_listens_to_repo(h, repos.items[r]) &&
			    add_start(o, h->name, repos.items[r]) < 0)
				return -1;
	}
	if (o->n_starts)
		qsort(o->starts, o->n_starts, sizeof *o->starts, by_due);
	return 0;
}

int outbox_start(struct outbox *o, struct err *e)
{
	bool is_started;

	if (plan_starts(o) < 0)
		return err_nomem(e);
	outbox_look(o);
	/* The thread's first look waits for the lock, and so for its handle. */
	pthread_mutex_lock(&o->lock);
	o->delivery = delivery_new(outbox_tick, o, e);
	is_started = o->delivery;
	pthread_mutex_unlock(&o->lock);
	return is_started ? 0 : -1;
}

/* With the lock held: before outbox_start() there is nobody to wake. */
static void wake(struct outbox *o)
{
	if (o->delivery)
		delivery_wake(o->delivery);
}

void outbox_set_hooks(struct outbox *o, struct hook_set *hooks)
{
	struct hook_set *before;

	pthread_mutex_lock(&o->lock);
	before = o->hooks;
	o->hooks = hook_set_get(hooks);
	slots_reconsider(o, before);
	wake(o);
	pthread_mutex_unlock(&o->lock);
	hook_set_put(before);
}

/* Does any hook listen to any of them? */
static bool is_listened_to(struct outbox *o, const struct event *events,
			   size_t n)
{
	for (size_t h = 0; h < hook_set_count(o->hooks); h++) {
		const struct hook_spec *spec = hook_set_at(o->hooks, h);

		for (size_t i = 0; i < n; i++)
			if (hook_listens_to_repo(spec, events[i].repo) &&
			    hook_listens_to_ref(spec, events[i].ref))
				return true;
	}
	return false;
}

static int ticket_fill(struct outbox_ticket *t, const struct event *events,
		       size_t n, struct err *e)
{
	t->events = calloc(n ? n : 1, sizeof *t->events);
	if (!t->events)
		return err_nomem(e);
	for (; t->n < n; t->n++)
		if (event_copy(&events[t->n], &t->events[t->n], e) < 0)
			return -1;
	return 0;
}

int outbox_stage(struct outbox *o, struct event *events, size_t n,
		 struct outbox_ticket **ticket_out, struct err *e)
{
	CLEANUP(ticket_freep) struct outbox_ticket *t = NULL;
	uint64_t sequence;
	bool listened;

	pthread_mutex_lock(&o->lock);
	listened = is_listened_to(o, events, n);
	sequence = ++o->sequence;
	pthread_mutex_unlock(&o->lock);
	t = outbox_ticket_new(o);
	if (!t)
		return err_nomem(e);
	if (listened) {
		/* The sequence has a fixed width, so names sort by age. */
		if (asprintf(&t->name, "%s-%012" PRIu64 ".events", o->daemon_id,
			     sequence) < 0) {
			t->name = NULL;
			return err_nomem(e);
		}
		if (ticket_fill(t, events, n, e) < 0 ||
		    outbox_files_stage(o->dir, t->name, t->events, t->n, e) < 0)
			return err_wrap(e, "staging the webhook event");
	}
	*ticket_out = TAKE(t);
	return 0;
}

static void waiter_free(struct waiter *w)
{
	if (!w)
		return;
	free(w->hook);
	free(w->repo);
	free(w->ref);
	free(w->target);
	free(w);
}

static void add_waiter(struct outbox *o, struct outbox_ticket *t,
		       const struct hook_spec *h, const struct told *told)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT;
	struct waiter *w = calloc(1, sizeof *w);
	struct waiter **more;

	if (!w)
		return;
	hook_target_for(h, told->event.repo, &target);
	w->hook = strdup(h->name);
	w->repo = strdup(told->event.repo);
	w->ref = strdup(told->event.ref);
	w->target = buf_take(&target);
	w->serial = told->serial;
	more = reallocarray(t->waiters, t->n_waiters + 1, sizeof *more);
	if (!w->hook || !w->repo || !w->ref || !w->target || !more) {
		if (more)
			t->waiters = more;
		waiter_free(w);
		return;
	}
	t->waiters = more;
	t->waiters[t->n_waiters++] = w;
	w->next = o->waiters;
	o->waiters = w;
}

/* Hand one event over and remember who is asked. With the lock held. */
static void offer(struct outbox *o, struct outbox_ticket *t,
		  const struct event *ev, struct batch *batch, const char *hook)
{
	struct told *told = told_new(o, ev, batch);

	if (!told)
		return;
	slots_offer(o, told, hook, clock_ms());
	for (struct slot *s = o->slots; s; s = s->next) {
		const struct hook_spec *h;

		if (s->waiting != told)
			continue;
		h = hook_set_find(o->hooks, s->hook);
		if (h)
			add_waiter(o, t, h, told);
	}
	told_put(o, told);
}

void outbox_offer(struct outbox_ticket *t, const struct event *ev,
		  const char *hook)
{
	offer(t->outbox, t, ev, NULL, hook);
}

static void release_locked(struct outbox *o, struct outbox_ticket *t,
			   const bool *happened)
{
	struct batch *batch = batch_new(o, t->name);

	if (!batch)
		return; /* on disk; the next start delivers it */
	batch->n_live++;
	for (size_t i = 0; i < t->n; i++)
		if (happened[i])
			offer(o, t, &t->events[i], batch, NULL);
	batch->n_live--;
	batch_settle(o, batch);
}

void outbox_release(struct outbox_ticket *t, const bool *happened)
{
	struct outbox *o = t->outbox;
	bool any = false;
	struct err e;

	if (!t->name)
		return;
	for (size_t i = 0; i < t->n; i++)
		any |= happened[i];
	pthread_mutex_lock(&o->lock);
	if (outbox_files_release(o->dir, t->name, t->events, t->n, happened,
				 &e) < 0)
		log_error("outbox.release", "batch", t->name, "error",
			  e.message, NULL);
	if (any && o->lock_fd >= 0)
		release_locked(o, t, happened);
	if (any)
		wake(o);
	pthread_mutex_unlock(&o->lock);
}

static bool all_answered(const struct outbox_ticket *t)
{
	for (size_t i = 0; i < t->n_waiters; i++)
		if (!t->waiters[i]->is_answered)
			return false;
	return true;
}

static void unlink_waiter(struct outbox *o, struct waiter *w)
{
	struct waiter **at = &o->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

static void wait_for_answers(struct outbox *o, const struct outbox_ticket *t,
			     int wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&o->lock);
	while (!all_answered(t))
		if (pthread_cond_timedwait(&o->answered, &o->lock, &until) ==
		    ETIMEDOUT)
			break;
	for (size_t i = 0; i < t->n_waiters; i++)
		unlink_waiter(o, t->waiters[i]);
	pthread_mutex_unlock(&o->lock);
}

void outbox_wait(struct outbox_ticket *t, int wait_ms,
		 void (*each)(void *arg, const struct outbox_answer *a),
		 void *arg)
{
	if (!t)
		return;
	if (t->n_waiters)
		wait_for_answers(t->outbox, t, wait_ms);
	for (size_t i = 0; i < t->n_waiters; i++) {
		struct waiter *w = t->waiters[i];
		struct outbox_answer a = {
			.hook = w->hook,
			.target = w->target,
			.ref = w->ref,
			.status = w->status,
			.duration_ms = w->duration_ms,
			.text = w->is_answered ? w->text
					       : "has not answered yet",
			.is_final = w->is_final,
			.is_heard = w->is_heard,
		};

		if (each)
			each(arg, &a);
		waiter_free(w);
	}
	ticket_free(t);
}
