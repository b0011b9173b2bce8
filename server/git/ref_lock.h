/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git's lock files, marked: every lock of a transaction is a hard link to the
 * file MARK in its work directory. Where the file system has no links, a lock
 * is a file of its own, which no sweep can tell.
 * Threads: one per mark.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

#define REF_LOCK_MARK "mark"

/* Create WORK_DIR/mark. */
int ref_lock_mark(const char *work_dir, struct err *e) MUST_CHECK;

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
