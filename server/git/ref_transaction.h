/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing refs, durably, beside other daemons and stock git.
 *
 * Locks are git's own files (REF.lock, packed-refs.lock, HEAD.lock), created
 * with O_EXCL. begin() takes them, compares old values under them and checks
 * directory/file conflicts against loose and packed refs and within the
 * transaction; commit() makes everything durable before it returns. An atomic
 * transaction of more than one change, or any deletion, goes through one
 * rewrite of packed-refs, so that it is all or nothing across a crash too.
 * Format: gitrepository-layout(5), git-pack-refs(1).
 * Threads: any; two transactions on one repository exclude each other by the
 * lock files. A lock held by somebody else is waited for up to
 * REF_LOCK_WAIT_MS and then ERR_CONFLICT names the file.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct ref_transaction;

#define REF_LOCK_WAIT_MS 1000

struct ref_change {
	const char *name;
	struct oid old_id; /* zero: must not exist; len 0: whatever it is */
	struct oid new_id; /* zero: delete */
	/* out: ERR_OK, or why this one cannot be (ERR_CONFLICT, ERR_MALFORMED,
	 * ERR_NO_SPACE, ...), in git's words where git has some */
	struct err *error;
};

/*
 * Lock and verify. Changes that fail have their `error` set and take no
 * further part; with `is_atomic` one failure fails all. NULL with `e` set where
 * nothing is left to do.
 */
struct ref_transaction *ref_transaction_begin(const char *git_dir,
					      enum oid_kind kind,
					      struct ref_change *changes,
					      size_t n, bool is_atomic,
					      struct err *e) MUST_CHECK;

/* Apply what begin() accepted. Errors go to the changes; -1 where an atomic
 * transaction could not be applied (then nothing is). Frees. */
int ref_transaction_commit(struct ref_transaction *t, struct err *e) MUST_CHECK;

/* Drop every lock, change nothing. Accepts NULL. Frees. */
void ref_transaction_abort(struct ref_transaction *t);

/* Point HEAD at `target` ("refs/heads/main"), durably. */
int ref_set_head(const char *git_dir, const char *target,
		 struct err *e) MUST_CHECK;
