/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git's lock files, signed: a lock of ours is a symbolic link whose target is
 * the name of its owner's work directory. git's O_EXCL respects it like any
 * file, and whose it is survives a loss of power whenever the lock does, which
 * the content of a file would not without a flush of its own. Where a file
 * system has no such links a lock is a plain file, which no sweep can tell.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* What the first loose value of a transaction is called in its work directory;
 * the others count on. */
#define REF_WORK_FIRST "ref-0"

/*
 * Create GIT_DIR/NAME.lock, waiting for its holder until `deadline_ms` (of the
 * monotonic clock). 0; -1 with ERR_CONFLICT naming a lock that is held,
 * ERR_NOT_FOUND where its directory is not there, ERR_IO where something on the
 * way is no directory.
 */
int ref_lock_take(const char *git_dir, const char *name, const char *work_dir,
		  int64_t deadline_ms, struct err *e) MUST_CHECK;
void ref_lock_drop(const char *git_dir, const char *name);
/* Replace GIT_DIR/NAME, whose lock is held, by `text`: whole and durable; what
 * is half written lies in WORK_DIR. */
int ref_lock_replace(const char *git_dir, const char *name,
		     const char *work_dir, struct span text,
		     struct err *e) MUST_CHECK;
bool ref_lock_is_held(const char *git_dir, const char *name);

/* Make the directories above GIT_DIR/NAME; 1 where one was made. */
int ref_dirs_make(const char *git_dir, const char *name,
		  struct err *e) MUST_CHECK;
/* Remove those that are empty, but never the first `keep` elements. */
void ref_dirs_trim(const char *git_dir, const char *name, int keep);
/* Remove GIT_DIR/NAME where it is a directory that holds only directories;
 * false where it holds something else. True where it is not there. */
bool ref_dir_clear(const char *git_dir, const char *name);
/* Is there anything but directories in it? */
bool ref_dir_is_used(const char *git_dir, const char *name);

/* After a crash: remove the locks of refs, packed-refs, HEAD and shallow for
 * whose owner (the name of a work directory) and time of making (seconds)
 * `is_dead` is true. Others' and git's own stay. */
int ref_locks_sweep(const char *git_dir,
		    bool (*is_dead)(void *arg, const char *owner,
				    int64_t made_at),
		    void *arg, struct err *e) MUST_CHECK;
