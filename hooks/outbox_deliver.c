/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the delivery thread does: begin what is due, judge what was answered,
 * look for what other daemons left.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "hooks/outbox_files.h"
#include "hooks/outbox_recover.h"
#include "hooks/outbox_state.h"

#include <string.h>

/* How often the deliverer looks for batches of other daemons, and others for
 * the deliverer's lock: whoever takes over does so within a second. */
#define LOOK_MS	   2000
#define STANDBY_MS 500

static struct metric_family deliveries =
	METRIC_COUNTER("headwater_hook_deliveries",
		       "Webhook requests by what came of them.", "result");
static struct metric_family durations =
	METRIC_HISTOGRAM("headwater_hook_delivery_seconds",
			 "Time a receiver took to answer.", NULL);

/* One request in flight. */
struct attempt {
	struct outbox *outbox;
	struct slot *slot;
};

static const char *const verdict_names[] = {
	[VERDICT_HEARD] = "heard",
	[VERDICT_AGAIN] = "again",
	[VERDICT_FINAL] = "rejected",
};

static void note_status(struct hook_status *s, const struct delivery_answer *a,
			enum verdict verdict, bool is_receiver,
			const char *sentence)
{
	s->last_time = clock_unix();
	s->last_status = a->status;
	s->last_duration_ms = a->duration_ms;
	s->last_verdict = verdict;
	s->is_missing_receiver = is_receiver && a->status == 404;
	snprintf(s->last_text, sizeof s->last_text, "%s", sentence);
}

static void tell_waiters(struct outbox *o, const struct slot *s,
			 const struct delivery_answer *a, enum verdict verdict,
			 const char *sentence)
{
	for (struct waiter *w = o->waiters; w; w = w->next) {
		if (w->is_answered || w->serial > s->in_flight->serial ||
		    strcmp(w->hook, s->hook) || strcmp(w->repo, s->repo) ||
		    strcmp(w->ref, s->ref))
			continue;
		w->is_answered = true;
		w->is_final = verdict != VERDICT_AGAIN;
		w->is_heard = verdict == VERDICT_HEARD;
		w->status = a->status;
		w->duration_ms = a->duration_ms;
		snprintf(w->text, sizeof w->text, "%s", sentence);
	}
	pthread_cond_broadcast(&o->answered);
}

/* What the slot does after an answer. Takes what was in flight. */
static void slot_settle(struct outbox *o, struct slot *s,
			const struct delivery_answer *a, enum verdict verdict)
{
	struct told *t = TAKE(s->in_flight);
	uint32_t random;

	s->attempts++;
	if (verdict == VERDICT_HEARD || s->waiting) {
		/* Heard, or a newer state waits and this one is history. */
		if (verdict == VERDICT_HEARD) {
			s->attempts = 0;
			s->since = s->waiting ? s->waiting->event.time : 0;
		}
		told_put(o, t);
	} else {
		s->waiting = t;
	}
	if (verdict == VERDICT_AGAIN) {
		random_bytes(&random, sizeof random);
		s->due_ms = clock_ms() + retry_delay_ms(s->attempts, a, random);
	}
	if (verdict == VERDICT_FINAL && s->waiting == t)
		s->state = SLOT_REJECTED;
}

static void log_delivery(const struct slot *s, const struct told *t,
			 const struct delivery_answer *a, enum verdict verdict,
			 const char *sentence)
{
	char after[OID_MAX_HEX + 1];

	log_event(verdict == VERDICT_HEARD ? LEVEL_INFO : LEVEL_WARN,
		  "hook.delivery", "hook", s->hook, "repo", s->repo, "ref",
		  s->ref, "after", oid_hex(&t->event.after, after), "kind",
		  event_kind_name(t->event.kind), "id", t->event.id, "result",
		  verdict_names[verdict], "status",
		  fmt_u64((uint64_t)a->status), "duration_ms",
		  fmt_u64((uint64_t)a->duration_ms), "attempt",
		  fmt_u64(s->attempts + 1), "answer", sentence, NULL);
}

static void on_answer(void *arg, const struct delivery_answer *a)
{
	CLEANUP(buf_fini) struct buf sentence = BUF_INIT;
	struct attempt *attempt = arg;
	struct outbox *o = attempt->outbox;
	struct slot *s = attempt->slot;
	struct hook_status *status;
	const struct hook_spec *h;
	enum verdict verdict;
	bool is_receiver;

	free(attempt);
	pthread_mutex_lock(&o->lock);
	h = hook_set_find(o->hooks, s->hook);
	is_receiver = h && hook_is_receiver(h, s->repo);
	verdict = retry_verdict(a, is_receiver);
	retry_sentence(a, is_receiver, &sentence);
	metric_add(&deliveries, 1, verdict_names[verdict]);
	metric_observe(&durations, (double)a->duration_ms / 1000);
	log_delivery(s, s->in_flight, a, verdict, buf_str(&sentence));
	status = status_of(o, s->hook);
	if (status) {
		note_status(status, a, verdict, is_receiver,
			    buf_str(&sentence));
		outbox_log_add(o, status, s->in_flight, a, buf_str(&sentence),
			       s->attempts + 1);
	}
	tell_waiters(o, s, a, verdict, buf_str(&sentence));
	slot_settle(o, s, a, verdict);
	slot_tidy(o);
	pthread_mutex_unlock(&o->lock);
}

static int request_fill(struct outbox *o, const struct hook_spec *h,
			const struct event *ev, struct buf *url,
			struct buf *headers, struct buf *body, struct err *e)
{
	CLEANUP(buf_fini) struct buf scratch = BUF_INIT;
	struct event_urls urls = { 0 };

	if (o->options.urls)
		o->options.urls(o->options.arg, ev->repo, &scratch, &urls);
	if (hook_url_for(h, ev->repo, url, e) < 0 ||
	    event_body(ev, &urls, body, e) < 0)
		return -1;
	dialect_headers(h->dialect, ev, h->secret, buf_span(body), headers);
	if (h->bearer) {
		buf_addf(headers, "Authorization: Bearer %s", h->bearer);
		buf_addc(headers, '\0');
	}
	return buf_check(headers, e);
}

static int begin(struct outbox *o, struct slot *s, const struct hook_spec *h,
		 struct err *e)
{
	CLEANUP(buf_fini) struct buf url = BUF_INIT;
	CLEANUP(buf_fini) struct buf headers = BUF_INIT;
	CLEANUP(buf_fini) struct buf body = BUF_INIT;
	CLEANUP(freep) struct attempt *attempt = NULL;
	struct delivery_request r = { 0 };

	if (request_fill(o, h, &s->waiting->event, &url, &headers, &body, e) <
	    0)
		return -1;
	attempt = malloc(sizeof *attempt);
	if (!attempt)
		return err_nomem(e);
	*attempt = (struct attempt){ o, s };
	r.url = buf_str(&url);
	r.headers = buf_span(&headers);
	r.body = buf_span(&body);
	r.ca_file = h->ca_file;
	r.done = on_answer;
	r.arg = attempt;
	if (delivery_post(o->delivery, &r, e) < 0)
		return -1;
	attempt = NULL;
	s->in_flight = TAKE(s->waiting);
	return 0;
}

/* Begin everything that is due; the time of what is due next, or -1. */
static int64_t begin_due(struct outbox *o, int64_t now)
{
	int64_t next = -1;

	for (struct slot *s = o->slots; s; s = s->next) {
		const struct hook_spec *h;
		struct err e;

		if (!s->waiting || s->in_flight || s->state == SLOT_REJECTED)
			continue;
		h = hook_set_find(o->hooks, s->hook);
		if (s->due_ms <= now && h && begin(o, s, h, &e) < 0)
			s->due_ms = now + RETRY_FIRST_MS;
		if (s->waiting && (next < 0 || s->due_ms < next))
			next = s->due_ms;
	}
	return next;
}

/* Is `ref` of the repository there and listened to? Then tell `hook`. */
static bool start_with(struct outbox *o, const struct start *st,
		       const char *ref, int64_t now)
{
	struct event ev = { .kind = EVENT_START, .time = clock_unix() };
	struct told *t;
	struct err ignored;
	size_t n = 0;

	if (o->options.ref_value(o->options.arg, st->repo, ref, &ev.after,
				 &ignored) != 1)
		return false;
	ev.before = ev.after;
	event_id_make(ev.id);
	ev.repo = st->repo;
	ev.ref = strdup(ref);
	ev.default_branch =
		ev.ref && !strncmp(ref, "refs/heads/", 11) ? ev.ref + 11 : NULL;
	if (!ev.ref)
		return false;
	pthread_mutex_lock(&o->lock);
	t = told_new(o, &ev, NULL);
	if (t) {
		n = slots_offer(o, t, st->hook, now);
		told_put(o, t);
	}
	pthread_mutex_unlock(&o->lock);
	free(ev.ref);
	return n > 0;
}

/* The default branch if the hook listens to it, else the first branch that the
 * hook names. */
static void fire_start(struct outbox *o, const struct start *st, int64_t now)
{
	CLEANUP(freep) char *ref = NULL;
	CLEANUP(freep) char *named = NULL;
	const struct hook_spec *h;

	ref = o->options.default_ref(o->options.arg, st->repo);
	if (ref && start_with(o, st, ref, now))
		return;
	pthread_mutex_lock(&o->lock);
	h = hook_set_find(o->hooks, st->hook);
	if (h && h->branches.n &&
	    asprintf(&named, "refs/heads/%s", h->branches.items[0]) < 0)
		named = NULL;
	pthread_mutex_unlock(&o->lock);
	if (named)
		(void)start_with(o, st, named, now);
}

static int64_t fire_starts(struct outbox *o, int64_t now)
{
	while (o->next_start < o->n_starts) {
		const struct start *st = &o->starts[o->next_start];

		if (st->due_ms > now)
			return st->due_ms;
		fire_start(o, st, now);
		o->next_start++;
	}
	return -1;
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

int outbox_tick(void *arg)
{
	struct outbox *o = arg;
	int64_t now = clock_ms(), next, wait;
	bool is_deliverer, has_looked = now >= o->look_ms;

	if (has_looked)
		outbox_look(o);
	pthread_mutex_lock(&o->lock);
	is_deliverer = o->lock_fd >= 0;
	pthread_mutex_unlock(&o->lock);
	if (has_looked)
		o->look_ms = now + (is_deliverer ? LOOK_MS : STANDBY_MS);
	next = o->look_ms;
	if (is_deliverer) {
		next = sooner(next, fire_starts(o, now));
		pthread_mutex_lock(&o->lock);
		next = sooner(next, begin_due(o, now));
		pthread_mutex_unlock(&o->lock);
	}
	wait = next - clock_ms();
	return wait < 0 ? 0 : (int)wait;
}
