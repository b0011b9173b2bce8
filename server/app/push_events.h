/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a push means to the floors above git: may it be, who is told, what the
 * pusher sees.
 *
 * protect-branch and protect-path are judged here; accepted updates are staged
 * in the outbox before refs move and released after; once the report is out
 * the pusher is told which hook was called and what it answered, for as long as
 * the configured moment.
 * Ownership: borrows everything it is given for the length of one push.
 * Threads: one per push.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "git/receive_pack.h"

struct outbox;
struct outbox_ticket;
struct repo_settings;
struct repository;

struct push_events {
	/* set by the caller */
	struct outbox *outbox; /* NULL: nobody is told */
	struct repository *repository;
	const struct repo_settings *settings;
	const char *repo;   /* its name */
	const char *pusher; /* the key's name */
	const char *peer;   /* where from */
	bool bypasses;	    /* protect-path does not bind this key */
	int hook_wait_ms;   /* how long answers are shown */

	/* its own */
	struct outbox_ticket *ticket;
	char *default_branch;
	struct buf summary; /* "refs/heads/main 1111111..2222222, ..." */
	uint32_t n_summarised;
	char **moved; /* full names of refs that moved, the first ones */
	size_t n_moved;
};

/* Fill `handler` so that receive_pack() asks `p`. */
void push_events_init(struct push_events *p, struct push_handler *handler);
void push_events_fini(struct push_events *p);

/* Each ref with its old and new value, for the log; the last ones, where others
 * were logged already because there are many. */
const char *push_events_summary(const struct push_events *p);
