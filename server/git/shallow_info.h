/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the client's history ends: what its shallow and deepen lines come to,
 * told to it as shallow and unshallow lines and to the pack as sets.
 * Format: gitprotocol-pack(5), "shallow" and "unshallow"; gitprotocol-v2(5),
 * "shallow-info".
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"
#include "git/graph.h"
#include "git/oid_set.h"

struct buf;
struct err;
struct fetch_request;
struct upload;

struct shallow_info {
	const struct graph *graph; /* whose numbers the sets below are */
	bool has_lines;		   /* the client awaits a section */
	struct oid_set told;	   /* to be shallow from now on */
	struct oid_set untold;	   /* no longer shallow */
	struct commit_set shallow; /* without parents after this fetch */
	struct commit_set unshallow;
	struct oid_set more_wants; /* parents of what is no longer shallow */
};

void shallow_info_fini(struct shallow_info *i);

/* Before it is worked out for a client that has nothing yet, as far as is
 * known: where it wants no more than a few commits of history, let u->graph be
 * one of those alone. Haves are for the whole one: upload_whole_graph(). */
void shallow_info_narrow(struct upload *u, const struct fetch_request *q);

/* Work it out. The wants must have been authorized. */
int shallow_info_compute(struct upload *u, const struct fetch_request *q,
			 struct shallow_info *out, struct err *e) MUST_CHECK;

/* Append the lines, without anything around them. */
void shallow_info_add(struct upload *u, const struct shallow_info *i);

/* The repository's own shallow commits, as versions 0 and 1 advertise them. */
void shallow_info_advertise(const struct upload *u, struct buf *out);

/* Append the ids of a set's members to `out`, sorted. */
int commit_set_ids(const struct graph *g, const struct commit_set *s,
		   struct oid_set *out, struct err *e) MUST_CHECK;

/* The numbers of the commits that `ids` lead to; what is no commit is left
 * out. malloc'ed. */
int commits_of(struct upload *u, const struct oid_set *ids,
	       uint32_t **numbers_out, size_t *n_out, struct err *e) MUST_CHECK;
