/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox on disk: batches of events, one JSON object a line.
 *
 * DATA/outbox/staged/ID-SEQ.events	written and fsynced before refs move
 * DATA/outbox/ready/ID-SEQ.events	the same file, renamed, after they have
 *
 * A batch is one push. A batch that cannot be read is moved aside to
 * DATA/outbox/damaged/, so that it neither blocks the others nor is lost.
 * Threads: any; a batch has one owner.
 */
#pragma once

#include "base/attr.h"
#include "hooks/event.h"

#include <stdbool.h>

struct err;

struct event_batch {
	char *name; /* the file's */
	struct event *events;
	size_t n;
};

/* Make the directories below `dir` ("DATA/outbox"); remove from them what the
 * dead were writing. */
int outbox_files_init(const char *dir, struct err *e) MUST_CHECK;

/* Write staged/NAME durably. */
int outbox_files_stage(const char *dir, const char *name,
		       const struct event *events, size_t n,
		       struct err *e) MUST_CHECK;

/* staged/NAME becomes ready/NAME, with only the events `keep` says; with none,
 * it goes. Not durable by itself: recovery repeats it. */
int outbox_files_release(const char *dir, const char *name,
			 const struct event *events, size_t n, const bool *keep,
			 struct err *e) MUST_CHECK;

/* All batches were heard. */
void outbox_files_drop(const char *dir, const char *name);

/* Call `each` with every batch of `kind` ("staged", "ready"), oldest name
 * first; it takes the batch over and calls event_batch_fini(). */
int outbox_files_scan(const char *dir, const char *kind,
		      int (*each)(void *arg, struct event_batch *b,
				  struct err *e),
		      void *arg, struct err *e) MUST_CHECK;

void event_batch_fini(struct event_batch *b);

/* The ID in "ID-SEQ.events" into `out`; false where the name is not ours. */
bool outbox_files_owner(const char *name, char *out, size_t size);
