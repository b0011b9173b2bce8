/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding out what client and server have in common.
 * Format: gitprotocol-pack(5), "Packfile Negotiation".
 * Limits: only objects that are there are kept; whether enough is known is
 * worked out anew only when something was learnt, and ever more rarely once it
 * was done often, so that haves cannot make a request quadratic.
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"
#include "git/graph.h"
#include "git/oid_set.h"

struct err;
struct fetch_request;
struct upload;

struct negotiation {
	struct oid_set common; /* in the order they were told */
	struct oid last;       /* the newest of them */

	struct commit_set have; /* commits of `common` and their parents */
	uint32_t *wants;	/* numbers of the wanted commits */
	size_t n_wants;
	bool has_wants;
	bool is_enough; /* sticks: haves only grow */
	size_t n_evaluations;
	size_t evaluate_at; /* no earlier than with this many in common */
};

void negotiation_fini(struct negotiation *n);

/* The client has `id`: 1 so have we, 0 we do not, -1. */
int negotiation_have(struct upload *u, struct negotiation *n,
		     const struct fetch_request *q, const struct oid *id,
		     struct err *e) MUST_CHECK;

/* Does a walk from every want meet what is common? 1, 0, -1. */
int negotiation_is_enough(struct upload *u, struct negotiation *n,
			  const struct fetch_request *q,
			  struct err *e) MUST_CHECK;

/*
 * Versions 0 and 1: read haves and answer them up to "done". 1: a pack is due;
 * 0: the connection ends here (stateless, more haves to come in the next
 * request); -1.
 */
int negotiate_v0(struct upload *u, struct negotiation *n,
		 const struct fetch_request *q, struct err *e) MUST_CHECK;
