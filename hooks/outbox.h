/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhook events on disk before refs are visible, delivered at least once
 * after, in order per hook and ref, coalesced to the newest state.
 *
 * DATA/outbox/staged/ID-SEQ	events of a push whose refs may not have moved
 * DATA/outbox/ready/EVENT	events to deliver
 * DATA/outbox/log/HOOK		the last deliveries, one JSON object a line
 * DATA/outbox/lock		held by the daemon that delivers
 *
 * stage (fsync) -> refs commit -> release (rename) -> delivery. After a crash
 * outbox_recover() compares what dead daemons left staged with the refs and
 * releases what happened. Where no hook listens nothing is written.
 * Limits: an undelivered event per hook and ref, OUTBOX_DELETIONS_MAX of them
 * of refs that are gone, OUTBOX_LOG_MAX log lines per
 * hook.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "hooks/event.h"

struct err;
struct outbox;
struct hook_set; /* hooks/hook_set.h */

#define OUTBOX_LOG_MAX	     50
#define OUTBOX_DELETIONS_MAX 100 /* of refs that are gone, unheard */

struct outbox_options {
	const char *data_dir;
	const char *daemon_id;	/* whose staged events these are */
	struct hook_set *hooks; /* the set in force; a reference is taken */
	/* The present value of a ref for recovery and start events: 1 and
	 * `*out`; 0 where it does not exist; -1. */
	int (*ref_value)(void *arg, const char *repo, const char *ref,
			 struct oid *out, struct err *e);
	/* "refs/heads/main" of a repository, malloc'ed; NULL where unborn. */
	char *(*default_ref)(void *arg, const char *repo);
	/* URLs of a repository; the strings live as long as the buffer. */
	void (*urls)(void *arg, const char *repo, struct buf *scratch,
		     struct event_urls *out);
	bool (*is_dead)(void *arg, const char *daemon_id);
	void *arg;
};

/* Opens DATA/outbox and recovers; starts nothing. */
struct outbox *outbox_open(const struct outbox_options *options,
			   struct err *e) MUST_CHECK;
/* Waits up to `drain_ms` for deliveries in flight; what is undelivered stays
 * on disk. Accepts NULL. */
struct outbox *outbox_close(struct outbox *o, int drain_ms);

/* Start the delivery thread (it waits for the lock where another daemon has
 * it) and, spread over a few seconds, one event per hook. */
int outbox_start(struct outbox *o, struct err *e) MUST_CHECK;

/* The staged events of one push; NULL inside where no hook listens. */
struct outbox_ticket;

/* Durable on return. */
int outbox_stage(struct outbox *o, struct event *events, size_t n,
		 struct outbox_ticket **ticket_out, struct err *e) MUST_CHECK;
/* The refs of events with `happened[i]` have moved; the others are dropped.
 * Delivery begins at once. */
void outbox_release(struct outbox_ticket *t, const bool *happened);

/* Swap the set in force: hooks that changed or came back are tried again at
 * once, events of those that are gone are dropped. */
void outbox_set_hooks(struct outbox *o, struct hook_set *hooks);

/* What one hook answered, or that it has not. */
struct outbox_answer {
	const char *hook;
	const char
		*target; /* "Receiver flux-system/cluster", or the URL's host */
	const char *ref;
	int status; /* HTTP status; 0: no answer */
	int64_t duration_ms;
	const char *text; /* one sentence, also for 0 */
	bool is_final;	  /* delivered, or not to be tried again */
	bool is_heard;	  /* delivered */
};

/* Wait up to `wait_ms` for the first answer of each hook; `each` is called
 * once per hook. Frees the ticket. Accepts NULL. */
void outbox_wait(struct outbox_ticket *t, int wait_ms,
		 void (*each)(void *arg, const struct outbox_answer *a),
		 void *arg);

/* Hooks of the repository that exist but whose filters let none of `refs`
 * through: `each` gets the hook's name and what it listens to. */
void outbox_not_fired(struct outbox *o, const char *repo,
		      const char *const *refs, size_t n,
		      void (*each)(void *arg, const char *hook,
				   const char *listens_to),
		      void *arg);

/* Fire now, wait up to `wait_ms` each: `hook test` (one hook), `sync` (all of
 * a repository, `hook` NULL), `redeliver` (one hook, `event_id` or newest). */
int outbox_fire(struct outbox *o, enum event_kind kind, const char *repo,
		const char *hook, const char *event_id, int wait_ms,
		void (*each)(void *arg, const struct outbox_answer *a),
		void *arg, struct err *e) MUST_CHECK;

/* The last deliveries of a hook as a JSON array; without a daemon too. */
int outbox_log(const char *data_dir, const char *hook, struct buf *json_out,
	       struct err *e) MUST_CHECK;

struct outbox_stats {
	uint64_t backlog;     /* events not yet heard */
	int64_t oldest_age_s; /* of the oldest of them */
};
void outbox_stats(struct outbox *o, struct outbox_stats *out);

/* State of one hook as a JSON object: last_status, last_answer, last_time,
 * next_attempt, state ("ok", "waiting", "rejected", "no-receiver", "idle"). */
int outbox_hook_state(struct outbox *o, const char *hook, struct buf *json_out,
		      struct err *e) MUST_CHECK;
