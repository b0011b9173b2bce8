/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing refs, durably, beside other daemons and stock git.
 *
 * Locks have git's own names (REF.lock, packed-refs.lock, HEAD.lock) and carry
 * the name of the transaction's work directory, so that after a crash it can be
 * told whose they are (ref_lock.h). begin() takes them,
 * compares old values under them and checks directory/file conflicts against
 * loose and packed refs and within the transaction; commit() makes everything
 * durable before it returns. An atomic transaction of more than one change, or
 * any deletion, goes through one rewrite of packed-refs, so that it is all or
 * nothing across a crash too. Format: gitrepository-layout(5),
 * git-pack-refs(1). Threads: any; two transactions on one repository exclude
 * each other by the lock files. A lock held by somebody else is waited for up
 * to REF_LOCK_WAIT_MS and then ERR_CONFLICT names the file.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct object_reader;
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

/* The same with a work directory of the caller's, on the file system of
 * `git_dir` (a quarantine); NULL: one is made. */
struct ref_place {
	const char *git_dir;
	enum oid_kind kind;
	const char *work_dir;
};
struct ref_transaction *ref_transaction_begin_at(const struct ref_place *place,
						 struct ref_change *changes,
						 size_t n, bool is_atomic,
						 struct err *e) MUST_CHECK;

/* Before commit: who peels new tags (else the repository's objects are opened
 * for it), and what is written to reflogs. `reader` and the strings are
 * borrowed until commit. Reflogs that exist are always written to. */
struct ref_log {
	const char *ident;   /* "NAME <EMAIL> SECONDS ZONE" */
	const char *message; /* "push" */
	bool is_on;	     /* core.logAllRefUpdates */
	bool with_odd_refs;  /* it is "always" */
};
void ref_transaction_use(struct ref_transaction *t,
			 struct object_reader *reader,
			 const struct ref_log *log);

/* Apply what begin() accepted. Errors go to the changes; -1 where an atomic
 * transaction could not be applied (then nothing is). Frees. */
int ref_transaction_commit(struct ref_transaction *t, struct err *e) MUST_CHECK;

/* Instead of commit(), where the new values are those that the refs have: move
 * loose ones into packed-refs. Counts them. What has another value by now stays
 * as it is. Frees. */
int ref_transaction_pack(struct ref_transaction *t, uint32_t *n_out,
			 struct err *e) MUST_CHECK;

/* Drop every lock, change nothing. Accepts NULL. Frees. */
void ref_transaction_abort(struct ref_transaction *t);

/* Point HEAD at `target` ("refs/heads/main"), durably. */
int ref_set_head(const char *git_dir, const char *target,
		 struct err *e) MUST_CHECK;

/* The same in a work directory of the caller's. */
int ref_set_head_at(const struct ref_place *place, const char *target,
		    struct err *e) MUST_CHECK;
