/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which commits travel: those that the wants lead to and the haves do not.
 *
 * History is cut at the commits of `shallow` and `unshallow`: they have no
 * parents here. Those of `unshallow` count as there (without their parents),
 * and their parents as wanted, as upload-pack does when a client deepens.
 * Cost: the commits that travel, and those that are not older than them.
 * Threads: plain values over a graph that any thread may use.
 */
#pragma once

#include "base/attr.h"
#include "git/graph.h"

struct err;

struct history_request {
	const struct graph *graph;
	const uint32_t *wants;
	size_t n_wants;
	const uint32_t *haves;
	size_t n_haves;
	const struct commit_set *shallow;   /* NULL: none */
	const struct commit_set *unshallow; /* NULL: none */
};

struct commit_list {
	uint32_t *items;
	size_t n;
	size_t cap;
};

struct history {
	/* That travel, children before parents. */
	struct commit_list news;
	/* That are there and are a parent of one that travels; where history is
	 * cut also the haves themselves, for they may lie beside it. */
	struct commit_list edges;
	/* Some of the commits that are there, all of them in the end. */
	struct commit_set there;
};

int history_walk(const struct history_request *request, struct history *out,
		 struct err *e) MUST_CHECK;
void history_fini(struct history *h);

/* All commits that `tips` lead to, nearest first, into `list`, and
 * into `set`; those that are in `set` already (with all of theirs) are left
 * out. */
int history_closure(const struct graph *g, const uint32_t *tips, size_t n,
		    struct commit_set *set, struct commit_list *list,
		    struct err *e) MUST_CHECK;

int commit_list_add(struct commit_list *l, uint32_t number,
		    struct err *e) MUST_CHECK;
void commit_list_fini(struct commit_list *l);
