/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commits of a repository in memory: parents, root tree, date, generation.
 *
 * Filled when first asked about a commit (with all its ancestors, so that
 * generation numbers are true), kept as long as the repository is; a commit
 * never changes, so nothing is ever invalidated. Shallow boundaries of the
 * repository itself (its `shallow` file) are honoured: such commits have no
 * parents here.
 * Generation: 1 + the largest of the parents', 1 for a root.
 * Threads: any; numbers and nodes are stable once handed out.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct graph;
struct object_reader;
struct oid_set;

#define GRAPH_NONE UINT32_MAX

struct graph_node {
	struct oid id;
	struct oid tree;
	bool is_shallow; /* it has parents, but not here */
	int64_t date;
	uint32_t generation;
	uint32_t n_parents;	 /* 0 where the repository itself is shallow */
	const uint32_t *parents; /* numbers */
};

/* Reads `git_dir`/shallow; where that is malformed, every load says so. NULL
 * out of memory. */
struct graph *graph_new(const char *git_dir, enum oid_kind kind) MUST_CHECK;
/* Another one, in which these commits are shallow, too. */
struct graph *graph_new_shallow(const char *git_dir, enum oid_kind kind,
				const struct oid_set *more,
				struct err *e) MUST_CHECK;
struct graph *graph_free(struct graph *g);

/*
 * A graph that has no more of `whole`'s repository than `commits` and what lies
 * within `depth` of them, counted along every path, at least 1: those at the
 * end have no parents in it, as where the repository itself is shallow. What a
 * first shallow clone needs, then, without reading all of history. NULL with
 * `e` set where one is missing or no commit; ERR_LIMIT past GRAPH_CUT_MAX
 * commits, for then the whole is worth more.
 */
#define GRAPH_CUT_MAX 4096
struct graph *graph_new_cut(const struct graph *whole, struct object_reader *r,
			    const struct oid *commits, size_t n, uint64_t depth,
			    struct err *e) MUST_CHECK;

/* False once the `shallow` file is not as it was read: the owner then makes a
 * new graph, as nodes never change. */
bool graph_fresh(const struct graph *g);
/* The ids in the `shallow` file, ascending; for advertisements. */
const struct oid *graph_shallow(const struct graph *g, size_t *n_out);

/* The commit's number, loading it and its ancestors where needed.
 * ERR_NOT_FOUND: absent or its history is; ERR_CONFLICT: not a commit. */
int graph_load(struct graph *g, struct object_reader *r, const struct oid *id,
	       uint32_t *number_out, struct err *e) MUST_CHECK;

/* Its number if it is loaded, else GRAPH_NONE. Never reads. */
uint32_t graph_lookup(struct graph *g, const struct oid *id);

/* Valid for numbers handed out; the node lives as long as the graph. */
const struct graph_node *graph_node(const struct graph *g, uint32_t number);
uint32_t graph_count(const struct graph *g);

/* A set of commit numbers that grows as needed; not for several threads. */
struct commit_set {
	uint64_t *words;
	size_t n_words;
};

int commit_set_add(struct commit_set *s, uint32_t n, struct err *e) MUST_CHECK;
bool commit_set_has(const struct commit_set *s, uint32_t n);
void commit_set_remove(struct commit_set *s, uint32_t n);
void commit_set_fini(struct commit_set *s);

/* Is `ancestor` reachable from any of `tips`? Cut off by generation. 1, 0, or
 * -1 (out of memory). */
int graph_reaches(const struct graph *g, const uint32_t *tips, size_t n_tips,
		  uint32_t ancestor, struct err *e) MUST_CHECK;

/* Are all of `wants` such that a walk from each meets one of `haves` (git's
 * "ok to give up")? 1, 0, -1. */
int graph_all_meet(const struct graph *g, const uint32_t *wants, size_t n_wants,
		   const struct commit_set *haves, struct err *e) MUST_CHECK;

/*
 * Where history is cut for a client. Adds to `boundary` the commits it must
 * take as shallow, to `inside` all commits it may have (boundary included).
 * depth: `depth` commits from each want, counted along every path (at least 1).
 * As git: the last ones are boundary also where they are roots; so are `ends`
 * (NULL: none), where a walk goes no further.
 * since/not: all commits from the wants that are not older than `since` (0: no
 * such limit) nor reachable from `not_tips`; boundary are those with a parent
 * outside. `inside` stays as it was where no commit is selected, which git
 * makes an error.
 * Commits that are shallow in the repository itself are boundary in both.
 */
int graph_cut_depth(const struct graph *g, const uint32_t *wants, size_t n,
		    uint64_t depth, const struct commit_set *ends,
		    struct commit_set *boundary, struct commit_set *inside,
		    struct err *e) MUST_CHECK;
int graph_cut_rev(const struct graph *g, const uint32_t *wants, size_t n,
		  int64_t since, const uint32_t *not_tips, size_t n_not,
		  struct commit_set *boundary, struct commit_set *inside,
		  struct err *e) MUST_CHECK;
