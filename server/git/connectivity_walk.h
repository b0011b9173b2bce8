/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of connectivity.c over objects; see there. Nothing recurses.
 * Limits: three bits for each packed object, 24 bytes for each tree that waits.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/connectivity.h"
#include "git/object_set.h"

struct err;
struct graph;

struct connectivity_request {
	const struct connectivity_question *question;
	struct object_reader *reader; /* of its objects */
	struct graph *graph;	      /* for shallow commits; may be NULL */
	uint32_t n_old_packs; /* what lies in the ones behind was pushed */
	/* Is this commit, which was not pushed, whole with all its history?
	 * 1, 0, -1. */
	int (*trust)(void *arg, const struct oid *commit, struct err *e);
	void *arg;
};

static inline void connectivity_tick(const struct connectivity_question *q)
{
	if (q->tick)
		q->tick(q->arg);
}

/* Trees of trusted commits that are compared with; more are not needed to be
 * right, only to be quick. */
#define CONNECTIVITY_BASES 3

struct connectivity_tree {
	uint32_t number;
	uint32_t bases[CONNECTIVITY_BASES]; /* UINT32_MAX: none */
};

struct connectivity_walk {
	const struct connectivity_request *request;
	enum oid_kind kind;
	struct object_numbers numbers;
	/* By what they were met as: no object is two things. */
	struct object_set seen_commits, seen_trees, seen_blobs;
	struct oid missing; /* len 0: nothing so far */
	uint32_t *commits;  /* to be looked at */
	size_t n_commits, cap_commits;
	struct oid *roots; /* trees of the new commits */
	size_t n_roots, cap_roots;
	struct connectivity_tree *trees;
	size_t n_trees, cap_trees;
	struct oid bases[CONNECTIVITY_BASES]; /* root trees */
	size_t n_bases;
};

int connectivity_walk_init(struct connectivity_walk *w,
			   const struct connectivity_request *request,
			   struct err *e) MUST_CHECK;
void connectivity_walk_fini(struct connectivity_walk *w);

/* Are all of the tips there with what they need? 1; 0 with `*missing_out` what
 * is missing or not what another object says; -1. */
int connectivity_walk_tips(struct connectivity_walk *w, const struct oid *tips,
			   size_t n, struct oid *missing_out,
			   struct err *e) MUST_CHECK;
