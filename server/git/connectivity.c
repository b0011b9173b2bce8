/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the new tips down to what the refs lead to already.
 *
 * Commits. The walk ends at commits that some ref reaches, asked in this order:
 * is it a ref's value; did it come with this push (then it is new); the commit
 * graph. A commit that is on disk but that no ref reaches is walked as a new
 * one.
 * Trees. An entry that a trusted commit's tree has at the same place is passed
 * over; of the others each must be there and be what the entry says, trees are
 * gone through once. So the cost is that of what changed, whatever the size of
 * the repository; a directory that moved is walked again, once.
 * A walk that fails says nothing about the other tips: where all together are
 * not whole, each is walked alone.
 */
#include "git/connectivity.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/connectivity_walk.h"
#include "git/history.h"
#include "git/refs.h"
#include "git/repository.h"

#include <stdlib.h>

/* So many commits are looked for one by one; for more, all are marked. */
#define ONE_BY_ONE 4
/* Recent bases of deltas; trees lean on each other. */
#define CACHE_BYTES ((size_t)4 << 20)
/* Past so many tips that fail, the rest of a push is not looked at: each of
 * them costs a walk. */
#define FAILED_TIPS_MAX 64

/* What the refs reach, found out when first asked. */
struct trust {
	const struct connectivity_question *question;
	struct snapshot *snapshot;
	struct graph *graph;
	struct object_reader *reader; /* of the snapshot's objects */
	struct commit_list tips;
	struct commit_set history;
	struct commit_list list;
	bool has_tips, has_history;
	unsigned n_asked;
};

static int trust_begin(struct trust *t, const struct connectivity_question *q,
		       struct err *e)
{
	struct snapshot *s = q->snapshot;

	*t = (struct trust){ .question = q, .snapshot = s };
	t->graph = snapshot_graph(s);
	t->reader = object_reader_new(snapshot_objects(s), CACHE_BYTES, e);
	return t->reader ? 0 : -1;
}

static void trust_fini(struct trust *t)
{
	t->reader = object_reader_free(t->reader);
	commit_list_fini(&t->tips);
	commit_list_fini(&t->list);
	commit_set_fini(&t->history);
}

/* A ref that leads nowhere, or to no commit, is passed over. */
static int add_tip(struct trust *t, const struct oid *id, struct err *e)
{
	uint32_t number;

	if (graph_load(t->graph, t->reader, id, &number, e) == 0)
		return commit_list_add(&t->tips, number, e);
	return e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND ? 0 : -1;
}

static int load_tips(struct trust *t, struct err *e)
{
	const struct refs *refs = snapshot_refs(t->snapshot);
	const struct head *head = refs_head(refs);
	const struct ref *ref;

	if (t->has_tips)
		return 0;
	if (head && !head->target && head->id.len &&
	    add_tip(t, head->peeled.len ? &head->peeled : &head->id, e) < 0)
		return -1;
	for (size_t i = 0; i < refs_count(refs); i++) {
		ref = refs_at(refs, i);
		connectivity_tick(t->question);
		if (add_tip(t, ref->peeled.len ? &ref->peeled : &ref->id, e) <
		    0)
			return -1;
	}
	t->has_tips = true;
	return 0;
}

static int in_history(struct trust *t, uint32_t number, struct err *e)
{
	if (!t->has_history && t->n_asked++ < ONE_BY_ONE)
		return graph_reaches(t->graph, t->tips.items, t->tips.n, number,
				     e);
	if (!t->has_history &&
	    history_closure(t->graph, t->tips.items, t->tips.n, &t->history,
			    &t->list, e) < 0)
		return -1;
	t->has_history = true;
	return commit_set_has(&t->history, number);
}

/* Is the commit reachable from a ref? 1, 0, -1. */
static int trust_commit(void *arg, const struct oid *id, struct err *e)
{
	struct trust *t = arg;
	uint32_t number;

	if (refs_is_tip(snapshot_refs(t->snapshot), id))
		return 1;
	if (load_tips(t, e) < 0)
		return -1;
	number = graph_lookup(t->graph, id);
	return number == GRAPH_NONE ? 0 : in_history(t, number, e);
}

static int walk_tips(const struct connectivity_request *request,
		     const struct oid *tips, size_t n, struct oid *missing_out,
		     struct err *e)
{
	struct connectivity_walk walk;
	int r = connectivity_walk_init(&walk, request, e);

	if (r == 0)
		r = connectivity_walk_tips(&walk, tips, n, missing_out, e);
	connectivity_walk_fini(&walk);
	return r;
}

static int each_alone(const struct connectivity_request *request,
		      const struct oid *tips, size_t n, bool *is_connected_out,
		      struct oid *missing_out, struct err *e)
{
	struct oid missing;
	unsigned n_failed = 0;
	int r;

	for (size_t i = 0; i < n && n_failed < FAILED_TIPS_MAX; i++) {
		r = walk_tips(request, &tips[i], 1, &missing, e);
		if (r < 0)
			return -1;
		is_connected_out[i] = r > 0;
		if (r == 0 && n_failed++ == 0)
			*missing_out = missing;
	}
	return 0;
}

int connectivity_check(const struct connectivity_question *q,
		       const struct oid *tips, size_t n, bool *is_connected_out,
		       struct oid *missing_out, struct err *e)
{
	struct objects *known = snapshot_objects(q->snapshot);
	struct trust trust;
	struct connectivity_request request = {
		.question = q,
		.n_old_packs = objects_same_prefix(q->objects, known),
		.trust = trust_commit,
		.arg = &trust,
	};
	int r = trust_begin(&trust, q, e);

	request.graph = trust.graph;
	if (r == 0)
		request.reader = object_reader_new(q->objects, CACHE_BYTES, e);
	r = request.reader ? walk_tips(&request, tips, n, missing_out, e) : -1;
	if (r >= 0) {
		for (size_t i = 0; i < n; i++)
			is_connected_out[i] = r > 0;
	}
	if (r == 0 && n > 1)
		r = each_alone(&request, tips, n, is_connected_out, missing_out,
			       e);
	object_reader_free(request.reader);
	trust_fini(&trust);
	return r < 0 ? -1 : 0;
}
