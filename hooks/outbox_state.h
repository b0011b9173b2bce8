/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the outbox's own files share: events that are told, slots that order
 * and coalesce them, waiters. Not for anybody else.
 *
 * A slot is one (hook, repository, ref) with something to tell. It holds at
 * most two events: one in flight and the newest that waits; anything between
 * is superseded. An event is shared by the slots of all hooks that listen; its
 * batch's file goes when the last event of it has gone.
 * Lock order: outbox.lock before everything but the callbacks of
 * outbox_options, which are called without it.
 */
#pragma once

#include "base/attr.h"
#include "hooks/delivery.h"
#include "hooks/event.h"
#include "hooks/hook_set.h"
#include "hooks/outbox.h"
#include "hooks/retry.h"

#include <pthread.h>
#include <stdbool.h>

/* One file in ready/. */
struct batch {
	struct batch *next;
	char *name;
	size_t n_live; /* events of it that are still to be told */
};

struct told {
	struct event event;
	struct batch *batch; /* NULL: only in memory (start, test, sync) */
	uint64_t serial;     /* order of arrival */
	unsigned n_refs;
};

enum slot_state { SLOT_WAITING, SLOT_REJECTED };

struct slot {
	struct slot *next;
	char *hook;
	char *repo;
	char *ref;
	struct told *waiting;
	struct told *in_flight;
	unsigned attempts;
	int64_t due_ms;
	int64_t since; /* seconds since 1970 of the oldest unheard event */
	enum slot_state state;
};

/* The last thing that is known of a hook. */
struct hook_status {
	struct hook_status *next;
	char *name;
	int64_t last_time; /* 0: never */
	int last_status;
	int64_t last_duration_ms;
	enum verdict last_verdict;
	bool is_missing_receiver; /* the last answer of a Receiver was 404 */
	char last_text[256];
	unsigned n_logged; /* lines in its log file */
};

/* Somebody waits for the first answer of a hook to an event. */
struct waiter {
	struct waiter *next;
	char *hook;
	char *repo;
	char *ref;
	char *target;
	uint64_t serial;
	bool is_answered;
	bool is_final;
	bool is_heard;
	int status;
	int64_t duration_ms;
	char text[256];
};

/* A hook to be fired once after the start. */
struct start {
	char *hook;
	char *repo;
	int64_t due_ms;
};

struct outbox {
	/* set once, then read-only */
	struct outbox_options options;
	char *dir; /* DATA/outbox */
	char *daemon_id;

	/* delivery thread only */
	struct start *starts;
	size_t n_starts, next_start;
	bool takes_own;	 /* batches of this daemon are taken up too */
	int64_t look_ms; /* when to look for work of other daemons again */

	/* under lock */
	pthread_mutex_t lock;
	struct delivery *delivery; /* NULL before outbox_start() */
	pthread_cond_t answered;
	struct hook_set *hooks;
	struct batch *batches;
	struct slot *slots;
	struct hook_status *statuses;
	struct waiter *waiters;
	uint64_t serial;
	uint64_t sequence; /* of staged batches */
	int lock_fd;	   /* DATA/outbox/lock; -1: not the deliverer */
};

/* outbox_slots.c; all with the lock held. */
struct told *told_new(struct outbox *o, const struct event *ev,
		      struct batch *batch);
void told_put(struct outbox *o, struct told *t);
struct batch *batch_new(struct outbox *o, const char *name);
void batch_settle(struct outbox *o, struct batch *b);
/* Hand `t` to every hook that listens, or to `hook` alone. The number of
 * slots it went to. */
size_t slots_offer(struct outbox *o, struct told *t, const char *hook,
		   int64_t due_ms);
void slot_tidy(struct outbox *o);
void slots_reconsider(struct outbox *o, struct hook_set *before);
void slots_free(struct outbox *o);
struct hook_status *status_of(struct outbox *o, const char *hook);

/* outbox.c: a ticket without anything staged, and an event only in memory for
 * it. The second with the lock held. */
struct outbox_ticket *outbox_ticket_new(struct outbox *o);
void outbox_offer(struct outbox_ticket *t, const struct event *ev,
		  const char *hook);

/* outbox_deliver.c */
int outbox_tick(void *arg);

/* outbox_log.c; with the lock held. */
void outbox_log_add(struct outbox *o, struct hook_status *status,
		    const struct told *t, const struct delivery_answer *a,
		    const char *sentence, unsigned attempt);
/* The event of a log line by id (NULL: the newest). 1, 0, -1. */
int outbox_log_event(const char *data_dir, const char *hook, const char *id,
		     struct event *out, struct err *e);
