/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From commits and trees to the set of objects they lead to.
 *
 * Every tree is read once, trees and blobs that were seen are not looked at
 * again, gitlinks are passed over. With a filter the set is the one that
 * git rev-list --objects --filter gives: what the caller names is sent
 * whatever the filter says, what lies below it is judged; with tree:DEPTH a
 * tree that is met again nearer to its root is walked again.
 * Nothing recurses: pending trees are on a stack of 16 bytes for each.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/filter.h"
#include "git/object_set.h"

struct err;
struct graph;
struct history;
struct pack_progress;

struct walk_tree;
struct walk_recent;

struct walk {
	struct object_reader *reader;
	struct object_numbers *numbers;
	struct filter filter;
	const struct pack_progress *progress; /* may be NULL */
	/* Not to be sent nor walked: what is there. May be NULL. */
	const struct object_set *known;
	struct object_set *send; /* the outcome */
	/* private */
	struct object_set seen; /* besides `send`; only with a filter */
	struct walk_tree *stack;
	size_t n_stack;
	size_t cap_stack;
	uint32_t *depths; /* by number: least depth met, plus one */
	size_t n_depths;
	struct walk_recent *recent;
	uint64_t n_ticks;
};

/* Set the public members, then init, walk, fini. */
int walk_init(struct walk *w, struct err *e) MUST_CHECK;
void walk_fini(struct walk *w);

/* A commit that travels: itself (unless only others are asked for) and its
 * tree with all below. */
int walk_commit(struct walk *w, const struct oid *commit,
		const struct oid *tree, struct err *e) MUST_CHECK;

/* Something the caller names: sent whatever the filter says. A tree's content
 * is walked; nothing else is followed. */
int walk_named(struct walk *w, const struct oid *id, enum object_type type,
	       struct err *e) MUST_CHECK;

/*
 * What the trees at the edge have in common with the new ones, into `known`:
 * where a directory exists on both sides its old content is marked, level by
 * level, so the cost is that of what changed.
 */
int walk_edges(struct walk *w, const struct graph *g,
	       const struct history *history, struct object_set *known,
	       struct err *e) MUST_CHECK;
