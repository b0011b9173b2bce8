/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordering and coalescing. Lists are short: a slot exists only while it has
 * something to tell, and there are as many as hooks times moving refs.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "hooks/outbox_files.h"
#include "hooks/outbox_state.h"

#include <stdlib.h>
#include <string.h>

struct batch *batch_new(struct outbox *o, const char *name)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->name = strdup(name);
	if (!b->name) {
		free(b);
		return NULL;
	}
	b->next = o->batches;
	o->batches = b;
	return b;
}

/* Remove the file of a batch that nobody is waiting for any more. */
void batch_settle(struct outbox *o, struct batch *b)
{
	struct batch **at = &o->batches;

	if (b->n_live)
		return;
	while (*at && *at != b)
		at = &(*at)->next;
	if (*at)
		*at = b->next;
	outbox_files_drop(o->dir, b->name);
	free(b->name);
	free(b);
}

struct told *told_new(struct outbox *o, const struct event *ev,
		      struct batch *batch)
{
	struct told *t = calloc(1, sizeof *t);
	struct err ignored;

	if (!t)
		return NULL;
	if (event_copy(ev, &t->event, &ignored) < 0) {
		free(t);
		return NULL;
	}
	t->n_refs = 1;
	t->serial = ++o->serial;
	t->batch = batch;
	if (batch)
		batch->n_live++;
	return t;
}

void told_put(struct outbox *o, struct told *t)
{
	if (!t || --t->n_refs)
		return;
	if (t->batch) {
		t->batch->n_live--;
		batch_settle(o, t->batch);
	}
	event_fini(&t->event);
	free(t);
}

static struct slot *slot_find(struct outbox *o, const char *hook,
			      const struct event *ev)
{
	for (struct slot *s = o->slots; s; s = s->next)
		if (!strcmp(s->hook, hook) && !strcmp(s->repo, ev->repo) &&
		    !strcmp(s->ref, ev->ref))
			return s;
	return NULL;
}

static void slot_free(struct outbox *o, struct slot *s)
{
	told_put(o, s->waiting);
	told_put(o, s->in_flight);
	free(s->hook);
	free(s->repo);
	free(s->ref);
	free(s);
}

static struct slot *slot_new(struct outbox *o, const char *hook,
			     const struct event *ev)
{
	struct slot *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->hook = strdup(hook);
	s->repo = strdup(ev->repo);
	s->ref = strdup(ev->ref);
	if (!s->hook || !s->repo || !s->ref) {
		slot_free(o, s);
		return NULL;
	}
	s->next = o->slots;
	o->slots = s;
	return s;
}

/*
 * Refs that exist bound what waits; refs that are gone do not. A receiver that
 * is dead while somebody makes and deletes branches by the thousand need not
 * hear of every one: the oldest deletions are dropped.
 */
static void bound_deletions(struct outbox *o)
{
	struct slot *oldest = NULL;
	size_t n = 0;

	for (struct slot *s = o->slots; s; s = s->next) {
		if (!s->waiting || !s->waiting->event.is_deleted)
			continue;
		n++;
		if (!oldest || s->waiting->serial < oldest->waiting->serial)
			oldest = s;
	}
	if (n <= OUTBOX_DELETIONS_MAX)
		return;
	told_put(o, TAKE(oldest->waiting));
	slot_tidy(o);
}

static bool slot_take(struct outbox *o, const char *hook, struct told *t,
		      int64_t due_ms)
{
	struct slot *s = slot_find(o, hook, &t->event);

	/* What waits says more than "the daemon has started". */
	if (s && s->waiting && t->event.kind == EVENT_START)
		return false;
	if (!s)
		s = slot_new(o, hook, &t->event);
	if (!s)
		return false;
	if (!s->waiting && !s->in_flight)
		s->since = t->event.time;
	told_put(o, s->waiting);
	s->waiting = t;
	t->n_refs++;
	s->attempts = 0;
	s->due_ms = due_ms;
	s->state = SLOT_WAITING;
	return true;
}

size_t slots_offer(struct outbox *o, struct told *t, const char *hook,
		   int64_t due_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < hook_set_count(o->hooks); i++) {
		const struct hook_spec *h = hook_set_at(o->hooks, i);

		if (hook && strcmp(hook, h->name))
			continue;
		if (!hook_listens_to_repo(h, t->event.repo))
			continue;
		/* A test is asked for by name and always goes. */
		if (t->event.kind != EVENT_TEST &&
		    !hook_listens_to_ref(h, t->event.ref))
			continue;
		n += slot_take(o, h->name, t, due_ms);
		if (t->event.is_deleted)
			bound_deletions(o);
	}
	return n;
}

/* Drop the slots that have nothing left to tell. */
void slot_tidy(struct outbox *o)
{
	struct slot **at = &o->slots;

	while (*at) {
		struct slot *s = *at;

		if (s->waiting || s->in_flight) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		slot_free(o, s);
	}
}

/* After a change of hooks: what is gone is not told, what changed is tried
 * anew. */
void slots_reconsider(struct outbox *o, struct hook_set *before)
{
	for (struct slot *s = o->slots; s; s = s->next) {
		const struct hook_spec *was = hook_set_find(before, s->hook);
		const struct hook_spec *is = hook_set_find(o->hooks, s->hook);

		if (!is || !hook_listens_to_repo(is, s->repo)) {
			told_put(o, s->waiting);
			s->waiting = NULL;
			continue;
		}
		if (was && hook_spec_same(was, is))
			continue;
		s->state = SLOT_WAITING;
		s->attempts = 0;
		s->due_ms = clock_ms();
	}
	slot_tidy(o);
}

void slots_free(struct outbox *o)
{
	/* Undelivered batches stay on disk: their files must not be dropped,
	 * so the batches are let go before the events are. */
	for (struct slot *s = o->slots, *next; s; s = next) {
		next = s->next;
		if (s->waiting && s->waiting->batch)
			s->waiting->batch->n_live++;
		if (s->in_flight && s->in_flight->batch)
			s->in_flight->batch->n_live++;
		slot_free(o, s);
	}
	o->slots = NULL;
	for (struct batch *b = o->batches, *next; b; b = next) {
		next = b->next;
		free(b->name);
		free(b);
	}
	o->batches = NULL;
}

struct hook_status *status_of(struct outbox *o, const char *hook)
{
	struct hook_status *s;

	for (s = o->statuses; s; s = s->next)
		if (!strcmp(s->name, hook))
			return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->name = strdup(hook);
	if (!s->name) {
		free(s);
		return NULL;
	}
	/* Unknown until it is counted: outbox_log_add() does. */
	s->n_logged = UINT32_MAX;
	s->next = o->statuses;
	o->statuses = s;
	return s;
}
