/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin and the pusher ask of the outbox: fire now, how is it. */
#include "hooks/outbox.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "hooks/outbox_state.h"

#include <jansson.h>
#include <string.h>

void outbox_not_fired(struct outbox *o, const char *repo,
		      const char *const *refs, size_t n,
		      void (*each)(void *arg, const char *hook,
				   const char *listens_to),
		      void *arg)
{
	struct hook_set *hooks;

	pthread_mutex_lock(&o->lock);
	hooks = hook_set_get(o->hooks);
	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < hook_set_count(hooks); i++) {
		const struct hook_spec *h = hook_set_at(hooks, i);
		CLEANUP(buf_fini) struct buf filter = BUF_INIT;
		bool fires = false;

		if (!hook_listens_to_repo(h, repo))
			continue;
		for (size_t r = 0; r < n && !fires; r++)
			fires = hook_listens_to_ref(h, refs[r]);
		if (fires)
			continue;
		hook_describe_filter(h, &filter);
		each(arg, h->name, buf_str(&filter));
	}
	hook_set_put(hooks);
}

/* The ref a test or sync speaks of: the default branch, or the first branch
 * the hook names. Malloc'ed; NULL where the repository has neither. */
static char *ref_for(struct outbox *o, const char *repo,
		     const struct hook_spec *h, struct oid *id)
{
	CLEANUP(freep) char *ref = NULL;
	struct err ignored;

	ref = o->options.default_ref(o->options.arg, repo);
	if (ref && (!h || hook_listens_to_ref(h, ref)) &&
	    o->options.ref_value(o->options.arg, repo, ref, id, &ignored) == 1)
		return TAKE(ref);
	free(ref);
	ref = NULL;
	if (!h || !h->branches.n)
		return NULL;
	if (asprintf(&ref, "refs/heads/%s", h->branches.items[0]) < 0) {
		ref = NULL;
		return NULL;
	}
	if (o->options.ref_value(o->options.arg, repo, ref, id, &ignored) != 1)
		return NULL;
	return TAKE(ref);
}

static int event_now(struct outbox *o, enum event_kind kind, const char *repo,
		     const struct hook_spec *h, struct event *out,
		     struct err *e)
{
	CLEANUP(event_fini)
	struct event ev = { .kind = kind, .time = clock_unix() };

	ev.ref = ref_for(o, repo, h, &ev.after);
	/* A test of an empty repository still says whether the hook works. */
	if (!ev.ref && kind == EVENT_TEST) {
		ev.ref = strdup("refs/heads/main");
		ev.after = oid_zero(OID_SHA1);
	}
	if (!ev.ref)
		return err_set(e, ERR_NOT_FOUND,
			       "repository '%s' has no branch to tell of: "
			       "push one first",
			       repo);
	ev.before = ev.after;
	event_id_make(ev.id);
	ev.repo = strdup(repo);
	ev.default_branch =
		strdup(strncmp(ev.ref, "refs/heads/", 11) ? "" : ev.ref + 11);
	if (!ev.repo || !ev.default_branch)
		return err_nomem(e);
	*out = ev;
	memset(&ev, 0, sizeof ev);
	return 0;
}

/* The first repository the hook listens to. */
static const char *some_repo(const struct hook_set *hooks,
			     const struct hook_spec *h)
{
	struct text_list repos = hook_set_repos(hooks);

	for (size_t i = 0; i < repos.n; i++)
		if (hook_listens_to_repo(h, repos.items[i]))
			return repos.items[i];
	return NULL;
}

static int fire_one(struct outbox *o, const struct event *ev, const char *hook,
		    struct outbox_ticket *t, struct err *e)
{
	bool is_deliverer;

	pthread_mutex_lock(&o->lock);
	is_deliverer = o->lock_fd >= 0 && o->delivery;
	if (is_deliverer) {
		outbox_offer(t, ev, hook);
		delivery_wake(o->delivery);
	}
	pthread_mutex_unlock(&o->lock);
	if (!is_deliverer)
		return err_set(e, ERR_CONFLICT,
			       "another daemon on this data directory "
			       "delivers webhooks: ask that one");
	return 0;
}

static int fire_hook(struct outbox *o, const struct hook_set *hooks,
		     enum event_kind kind, const char *repo, const char *hook,
		     struct outbox_ticket *t, struct err *e)
{
	CLEANUP(event_fini) struct event ev = { 0 };
	const struct hook_spec *h = hook_set_find(hooks, hook);

	if (!h)
		return err_set(e, ERR_NOT_FOUND, "there is no hook '%s'", hook);
	if (!repo)
		repo = some_repo(hooks, h);
	if (!repo)
		return err_set(e, ERR_NOT_FOUND,
			       "hook '%s' listens to no repository that "
			       "exists",
			       hook);
	if (event_now(o, kind, repo, h, &ev, e) < 0)
		return -1;
	return fire_one(o, &ev, hook, t, e);
}

static int fire_repo(struct outbox *o, const struct hook_set *hooks,
		     const char *repo, struct outbox_ticket *t, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < hook_set_count(hooks); i++) {
		const struct hook_spec *h = hook_set_at(hooks, i);

		if (!hook_listens_to_repo(h, repo))
			continue;
		if (fire_hook(o, hooks, EVENT_SYNC, repo, h->name, t, e) < 0)
			return -1;
		n++;
	}
	if (!n)
		return err_set(e, ERR_NOT_FOUND,
			       "no hook listens to repository '%s'", repo);
	return 0;
}

static int fire_again(struct outbox *o, const char *hook, const char *id,
		      struct outbox_ticket *t, struct err *e)
{
	CLEANUP(event_fini) struct event ev = { 0 };
	int found = outbox_log_event(o->options.data_dir, hook, id, &ev, e);

	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_NOT_FOUND,
			       id ? "hook '%s' has no delivery '%s' in its log"
				  : "hook '%s' has no delivery in its log%s",
			       hook, id ? id : "");
	return fire_one(o, &ev, hook, t, e);
}

int outbox_fire(struct outbox *o, enum event_kind kind, const char *repo,
		const char *hook, const char *event_id, int wait_ms,
		void (*each)(void *arg, const struct outbox_answer *a),
		void *arg, struct err *e)
{
	struct outbox_ticket *t = outbox_ticket_new(o);
	struct hook_set *hooks;
	int result;

	if (!t)
		return err_nomem(e);
	pthread_mutex_lock(&o->lock);
	hooks = hook_set_get(o->hooks);
	pthread_mutex_unlock(&o->lock);
	if (kind == EVENT_PUSH)
		result = fire_again(o, hook, event_id, t, e);
	else if (hook)
		result = fire_hook(o, hooks, kind, repo, hook, t, e);
	else
		result = fire_repo(o, hooks, repo, t, e);
	hook_set_put(hooks);
	outbox_wait(t, result < 0 ? 0 : wait_ms, each, arg);
	return result;
}

void outbox_stats(struct outbox *o, struct outbox_stats *out)
{
	int64_t oldest = 0;

	*out = (struct outbox_stats){ 0 };
	pthread_mutex_lock(&o->lock);
	for (const struct slot *s = o->slots; s; s = s->next) {
		out->backlog++;
		if (s->since && (!oldest || s->since < oldest))
			oldest = s->since;
	}
	pthread_mutex_unlock(&o->lock);
	out->oldest_age_s = oldest ? clock_unix() - oldest : 0;
}

/* The slot of the hook that is tried next; NULL where it has none. */
static const struct slot *next_slot(const struct outbox *o, const char *hook)
{
	const struct slot *next = NULL;

	for (const struct slot *s = o->slots; s; s = s->next)
		if (!strcmp(s->hook, hook) &&
		    (!next || s->due_ms < next->due_ms))
			next = s;
	return next;
}

static const char *state_name(const struct hook_status *st,
			      const struct slot *s)
{
	if (s && s->state == SLOT_REJECTED)
		return "rejected";
	if (st && st->is_missing_receiver)
		return "no-receiver";
	if (s)
		return "waiting";
	return st && st->last_time ? "ok" : "idle";
}

/* Seconds since 1970 of a monotonic time in the future. */
static int64_t wall_of(int64_t due_ms)
{
	int64_t left = due_ms - clock_ms();

	return clock_unix() + (left > 0 ? (left + 999) / 1000 : 0);
}

int outbox_hook_state(struct outbox *o, const char *hook, struct buf *json_out,
		      struct err *e)
{
	CLEANUP(json_decrefp) json_t *j = NULL;
	CLEANUP(freep) char *text = NULL;
	const struct hook_status *st;
	const struct slot *s;
	char last[CLOCK_ISO_SIZE], next[CLOCK_ISO_SIZE];
	bool is_tried;

	pthread_mutex_lock(&o->lock);
	st = status_of(o, hook);
	s = next_slot(o, hook);
	is_tried = st && st->last_time;
	j = json_pack("{s:s, s:s?, s:i, s:s?, s:s?, s:i}", "state",
		      state_name(st, s), "last_time",
		      is_tried ? clock_iso_of(st->last_time, last) : NULL,
		      "last_status", is_tried ? st->last_status : 0,
		      "last_answer", is_tried ? st->last_text : NULL,
		      "next_attempt",
		      s && s->waiting && s->state != SLOT_REJECTED
			      ? clock_iso_of(wall_of(s->due_ms), next)
			      : NULL,
		      "attempts", s ? (int)s->attempts : 0);
	pthread_mutex_unlock(&o->lock);
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text)
		return err_nomem(e);
	buf_adds(json_out, text);
	return buf_check(json_out, e);
}
