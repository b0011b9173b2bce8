/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks of a whole repository, beside git's own lock files for refs.
 *
 * Pushes share GIT_DIR/headwater-pushes from before they look at the
 * repository until their refs moved; whoever makes objects vanish has it alone:
 * so no push counts on an object that is about to go. Maintenance is done by
 * one at a time: it has GIT_DIR/headwater-maintenance, and GIT_DIR/gc.pid
 * so that `git gc` keeps away, too. The kernel lets go of the first two however
 * a process ends.
 * Threads: any; each lock belongs to the descriptor that was returned.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* A descriptor to be closed, also where the file system has no such locks (then
 * repo_lock_alone() fails, and nothing ever vanishes). Waits for whoever is
 * alone, who is quick. -1: who goes on without may lose what it counts on. */
int repo_lock_pushes(const char *git_dir, struct err *e) MUST_CHECK;

/* Without waiting: ERR_CONFLICT where pushes are under way. */
int repo_lock_alone(const char *git_dir, struct err *e) MUST_CHECK;

struct gc_lock {
	int fd;
	char *pid_file; /* ours, to be removed; NULL */
};

/* Be the one that maintains. `id` is this daemon's (NULL: none), `is_dead` says
 * of another one's that it is not any more (NULL: nobody knows). ERR_CONFLICT
 * names who is at it. */
int gc_lock_take(const char *git_dir, const char *id,
		 bool (*is_dead)(void *arg, const char *id), void *arg,
		 struct gc_lock *out, struct err *e) MUST_CHECK;
void gc_lock_drop(struct gc_lock *l);

/* Remove the gc.pid of a daemon that is dead. */
void gc_lock_sweep(const char *git_dir,
		   bool (*is_dead)(void *arg, const char *id), void *arg);

/* Remember, on the disk, when something was last done under the lock; and when
 * that was, in seconds since 1970 (0: never). */
void gc_lock_note(const struct gc_lock *l, int64_t unix_seconds);
int64_t gc_lock_noted(const char *git_dir);
