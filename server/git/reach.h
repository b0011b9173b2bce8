/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is reachable: closures as bitmaps, kept per repository.
 *
 * A closure is everything a set of commits leads to: commits, trees, blobs. It
 * is made by one walk when first needed, and kept by its tips; a later one
 * begins with those kept that lie within it, so that after a push only what
 * was pushed is walked. Bits are numbers of the newest view of the objects and
 * go on being true while views only append packs; else all are dropped.
 * Limits: REACH_BYTES_MAX in all, least recently used goes first.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/object_set.h"

struct err;
struct commit_set;
struct graph;
struct pack_progress;
struct reach;
struct snapshot;

#define REACH_BYTES_MAX ((size_t)16 << 20)

/* What one repository keeps (snapshot_reach()). Commits are numbers of one
 * graph: whoever makes a new graph makes a new one of these, too. */
struct reach *reach_new(void) MUST_CHECK;
struct reach *reach_free(struct reach *k);
size_t reach_memory(struct reach *k);
void reach_trim(struct reach *k);

struct reach_request {
	struct reach *reach; /* NULL: nothing is kept */
	struct graph *graph;
	struct object_reader *reader; /* of the view in `numbers` */
	const uint32_t *tips;	      /* numbers of commits */
	size_t n_tips;
	const struct pack_progress *progress; /* may be NULL */
};

/* Adds the closure of the tips to `set`. ERR_CORRUPT names what is missing. */
int reach_closure(const struct reach_request *request,
		  struct object_numbers *numbers, struct object_set *set,
		  struct err *e) MUST_CHECK;

/* Adds every closure that is kept and whose tips are all in `within`; walks
 * nothing. */
int reach_kept(struct reach *k, const struct commit_set *within,
	       struct object_numbers *numbers, struct object_set *set,
	       struct err *e) MUST_CHECK;

/*
 * Is every one of `ids` reachable from the refs that `is_visible` admits (the
 * refs themselves included; NULL admits all)? For wants and for connectivity.
 * Answered by tip comparison, then the commit graph, then closures. 1; 0 with
 * `*missing_out` the first one that is not; -1.
 */
int reach_check(struct snapshot *s, const struct oid *ids, size_t n,
		bool (*is_visible)(void *arg, const char *ref_name), void *arg,
		struct oid *missing_out, struct err *e) MUST_CHECK;

/* The same with an answer for each of them. */
int reach_check_each(struct snapshot *s, const struct oid *ids, size_t n,
		     bool (*is_visible)(void *arg, const char *ref_name),
		     void *arg, bool *is_reachable_out,
		     struct err *e) MUST_CHECK;
