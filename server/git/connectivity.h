/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is everything there that a new ref value needs?
 *
 * Trusts only what is reachable from the refs of the snapshot, not what
 * happens to lie in the object store (an unreachable object may have lost its
 * closure). Cost is proportional to what was pushed.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct objects;
struct oid_set;
struct snapshot;

struct connectivity_question {
	struct snapshot *snapshot;
	/* The snapshot's view plus the pushed pack (pack_ingest_objects(), or
	 * the snapshot's own where no pack came). */
	struct objects *objects;
	/* Commits whose parents the pusher does not have; may be NULL. A walk
	 * ends there, too, and adds those to `used` that no ref reaches. */
	const struct oid_set *ends;
	struct oid_set *used;
	void (*tick)(void *arg); /* called all along; may be NULL */
	void *arg;
};

/*
 * For each of `tips` stores in `is_connected_out` whether its closure is whole;
 * ids that are zero count as connected. -1 only where that could not be found
 * out.
 */
int connectivity_check(const struct connectivity_question *q,
		       const struct oid *tips, size_t n, bool *is_connected_out,
		       struct oid *missing_out, struct err *e) MUST_CHECK;
