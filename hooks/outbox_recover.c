/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A staged batch of a dead daemon says what was about to happen. A ref that has
 * the new value now has happened and is told; any other is not: either it never
 * moved, or it moved on and whoever moved it has staged that.
 */
#include "hooks/outbox_recover.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "base/log.h"
#include "hooks/outbox_files.h"
#include "hooks/outbox_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define OWNER_SIZE 80

static bool has_happened(struct outbox *o, const struct event *ev)
{
	struct oid now;
	struct err ignored;
	int there = o->options.ref_value(o->options.arg, ev->repo, ev->ref,
					 &now, &ignored);

	if (there < 0)
		return true; /* unknown: told once too often is harmless */
	return there ? oid_eq(&now, &ev->after) : ev->is_deleted;
}

static bool is_ours_to_judge(struct outbox *o, const char *name)
{
	char owner[OWNER_SIZE];

	if (!outbox_files_owner(name, owner, sizeof owner))
		return true;
	return strcmp(owner, o->daemon_id) &&
	       o->options.is_dead(o->options.arg, owner);
}

static int judge(void *arg, struct event_batch *b, struct err *e)
{
	struct outbox *o = arg;
	CLEANUP(event_batch_fini) struct event_batch batch = *b;
	CLEANUP(freep) bool *keep = NULL;
	size_t n_kept = 0;
	int result;

	if (!is_ours_to_judge(o, batch.name))
		return 0;
	keep = calloc(batch.n ? batch.n : 1, sizeof *keep);
	if (!keep)
		return err_nomem(e);
	for (size_t i = 0; i < batch.n; i++) {
		keep[i] = has_happened(o, &batch.events[i]);
		n_kept += keep[i];
	}
	result = outbox_files_release(o->dir, batch.name, batch.events, batch.n,
				      keep, e);
	if (result < 0 && e->code == ERR_NOT_FOUND)
		return 0; /* another daemon was faster */
	if (!result)
		log_info("outbox.recovered", "batch", batch.name, "events",
			 fmt_u64(batch.n), "happened", fmt_u64(n_kept), NULL);
	return result;
}

int outbox_recover(struct outbox *o, struct err *e)
{
	return outbox_files_scan(o->dir, "staged", judge, o, e);
}

static bool is_known(const struct outbox *o, const char *name)
{
	for (const struct batch *b = o->batches; b; b = b->next)
		if (!strcmp(b->name, name))
			return true;
	return false;
}

/* With the lock held. */
static void take_batch(struct outbox *o, const struct event_batch *b)
{
	struct batch *batch = batch_new(o, b->name);

	if (!batch)
		return; /* it is still on disk; the next look finds it */
	batch->n_live++;
	for (size_t i = 0; i < b->n; i++) {
		struct told *t = told_new(o, &b->events[i], batch);

		if (!t)
			continue;
		slots_offer(o, t, NULL, clock_ms());
		told_put(o, t);
	}
	batch->n_live--;
	batch_settle(o, batch);
}

static int take(void *arg, struct event_batch *b, struct err *e)
{
	struct outbox *o = arg;
	CLEANUP(event_batch_fini) struct event_batch batch = *b;
	char owner[OWNER_SIZE];

	(void)e;
	/* Our own are in memory already, or heard since the file was read. */
	if (!o->takes_own &&
	    outbox_files_owner(batch.name, owner, sizeof owner) &&
	    !strcmp(owner, o->daemon_id))
		return 0;
	pthread_mutex_lock(&o->lock);
	if (!is_known(o, batch.name))
		take_batch(o, &batch);
	pthread_mutex_unlock(&o->lock);
	return 0;
}

int outbox_take_ready(struct outbox *o, struct err *e)
{
	return outbox_files_scan(o->dir, "ready", take, o, e);
}

/* Try for the lock that makes us the one who delivers. */
static bool become_deliverer(struct outbox *o)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;
	bool is_deliverer;

	pthread_mutex_lock(&o->lock);
	is_deliverer = o->lock_fd >= 0;
	pthread_mutex_unlock(&o->lock);
	if (is_deliverer)
		return true;
	if (asprintf(&path, "%s/lock", o->dir) < 0) {
		path = NULL;
		return false;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, file_mode_in(o->dir));
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	pthread_mutex_lock(&o->lock);
	o->lock_fd = take_fd(&fd);
	pthread_mutex_unlock(&o->lock);
	/* Pushes of ours that came before are only on disk. */
	o->takes_own = true;
	return true;
}

void outbox_look(struct outbox *o)
{
	struct err e;

	if (!become_deliverer(o))
		return;
	if (outbox_recover(o, &e) < 0 || outbox_take_ready(o, &e) < 0)
		log_warn("outbox.look", "error", e.message, NULL);
	o->takes_own = false;
}
