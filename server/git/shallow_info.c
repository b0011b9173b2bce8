/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shallow boundaries. The graph says where a depth or a date cuts history; here
 * that is compared with what the client said it has. Where the repository
 * itself is shallow, the graph counts that as a cut like any other.
 */
#include "git/shallow_info.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "git/fetch_request.h"
#include "git/objects.h"
#include "git/pktline.h"
#include "git/upload_session.h"

#include <stdlib.h>

void shallow_info_fini(struct shallow_info *i)
{
	oid_set_fini(&i->told);
	oid_set_fini(&i->untold);
	oid_set_fini(&i->more_wants);
	commit_set_fini(&i->shallow);
	commit_set_fini(&i->unshallow);
}

/* What one computation needs besides its result. */
struct work {
	bool is_cut_off;       /* the repository itself is shallow */
	struct oid_set client; /* client's shallow commits that may count */
	uint32_t *heads;
	size_t n_heads;
	struct commit_set boundary, inside;
	struct commit_set ends; /* of the client's history, if it stays so */
};

static void work_fini(struct work *w)
{
	oid_set_fini(&w->client);
	free(w->heads);
	commit_set_fini(&w->boundary);
	commit_set_fini(&w->inside);
	commit_set_fini(&w->ends);
}

static bool is_cut_off(const struct upload *u)
{
	size_t n;

	graph_shallow(u->graph, &n);
	return n > 0;
}

/* The commit that `id` leads to: 1; 0 where there is none, or its history is
 * missing; -1. */
static int commit_of(struct upload *u, const struct oid *id,
		     uint32_t *number_out, struct err *e)
{
	enum object_type type;
	struct oid peeled;

	*number_out = graph_lookup(u->graph, id);
	if (*number_out != GRAPH_NONE)
		return 1;
	if (object_peel(u->reader, id, &peeled, &type, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	if (type != OBJECT_COMMIT)
		return 0;
	if (graph_load(u->graph, u->reader, &peeled, number_out, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	return 1;
}

int commits_of(struct upload *u, const struct oid_set *ids,
	       uint32_t **numbers_out, size_t *n_out, struct err *e)
{
	CLEANUP(freep) uint32_t *numbers = NULL;
	size_t n = 0;

	numbers = calloc(ids->n + 1, sizeof *numbers);
	if (!numbers)
		return err_nomem(e);
	for (size_t i = 0; i < ids->n; i++) {
		int rc = commit_of(u, &ids->items[i], &numbers[n], e);

		if (rc < 0)
			return -1;
		n += rc > 0;
	}
	*numbers_out = TAKE(numbers);
	*n_out = n;
	return 0;
}

/* The smallest member from `from` on, or GRAPH_NONE. */
static uint32_t next_member(const struct commit_set *s, uint32_t from)
{
	size_t word = from / 64;
	uint64_t bits;

	if (word >= s->n_words)
		return GRAPH_NONE;
	bits = s->words[word] >> (from % 64) << (from % 64);
	while (!bits) {
		if (++word >= s->n_words)
			return GRAPH_NONE;
		bits = s->words[word];
	}
	return (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
}

int commit_set_ids(const struct graph *g, const struct commit_set *s,
		   struct oid_set *out, struct err *e)
{
	for (uint32_t n = next_member(s, 0); n != GRAPH_NONE;
	     n = next_member(s, n + 1))
		if (oid_set_add(out, &graph_node(g, n)->id, e) < 0)
			return -1;
	return 0;
}

/* The client's shallow commits that it may have more of: all where we do not
 * judge by what is visible, else those that are. */
static int find_client(struct upload *u, const struct fetch_request *q,
		       struct work *w, struct err *e)
{
	CLEANUP(freep) bool *may_see = NULL;

	if (!q->shallows.n)
		return 0;
	may_see = calloc(q->shallows.n, sizeof *may_see);
	if (!may_see)
		return err_nomem(e);
	if (fetch_request_may_see(u, &q->shallows, may_see, e) < 0)
		return -1;
	for (size_t i = 0; i < q->shallows.n; i++) {
		if (may_see[i] &&
		    oid_set_add(&w->client, &q->shallows.items[i], e) < 0)
			return -1;
	}
	return 0;
}

/* A client that does not deepen gets nothing behind its shallow commits, and
 * need not hear of where the repository ends there. */
static int find_ends(struct upload *u, const struct fetch_request *q,
		     struct work *w, struct err *e)
{
	for (size_t i = 0; i < q->shallows.n; i++) {
		uint32_t number = GRAPH_NONE;
		int rc = commit_of(u, &q->shallows.items[i], &number, e);

		if (rc > 0)
			rc = commit_set_add(&w->ends, number, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int cut_by_rev(struct upload *u, const struct fetch_request *q,
		      struct work *w, struct err *e)
{
	CLEANUP(freep) uint32_t *not_tips = NULL;
	size_t n_not;

	if (commits_of(u, &q->not_ids, &not_tips, &n_not, e) < 0)
		return -1;
	if (graph_cut_rev(u->graph, w->heads, w->n_heads, q->since, not_tips,
			  n_not, &w->boundary, &w->inside, e) < 0)
		return -1;
	if (next_member(&w->inside, 0) == GRAPH_NONE)
		return err_set(e, ERR_MALFORMED,
			       "no commits selected for shallow requests");
	return 0;
}

static int cut(struct upload *u, const struct fetch_request *q, struct work *w,
	       struct err *e)
{
	bool is_by_rev = q->since || q->not_ids.n;
	bool is_relative =
		q->is_relative && q->depth && q->depth != DEPTH_INFINITE;
	uint64_t depth = q->depth ? (uint64_t)q->depth : DEPTH_INFINITE;
	int rc;

	if (commits_of(u, is_relative ? &w->client : &q->wants, &w->heads,
		       &w->n_heads, e) < 0)
		return -1;
	if (is_by_rev)
		rc = cut_by_rev(u, q, w, e);
	else /* relative: counted from below the commits that are there */
		rc = graph_cut_depth(u->graph, w->heads, w->n_heads,
				     depth + is_relative,
				     fetch_request_deepens(q) ? NULL : &w->ends,
				     &w->boundary, &w->inside, e);
	return rc;
}

/* A commit that was shallow and is not any more: its parents travel. */
static int unshallow(struct upload *u, struct shallow_info *i, uint32_t number,
		     struct err *e)
{
	const struct graph_node *node = graph_node(u->graph, number);

	if (oid_set_add(&i->untold, &node->id, e) < 0 ||
	    commit_set_add(&i->unshallow, number, e) < 0)
		return -1;
	for (uint32_t p = 0; p < node->n_parents; p++) {
		const struct oid *id =
			&graph_node(u->graph, node->parents[p])->id;

		if (oid_set_add(&i->more_wants, id, e) < 0)
			return -1;
	}
	return 0;
}

/* Everything the client had as shallow, or stays so. */
static int sort_client(struct upload *u, const struct fetch_request *q,
		       const struct work *w, struct shallow_info *i,
		       struct err *e)
{
	bool is_whole = q->depth == DEPTH_INFINITE && !w->is_cut_off;

	for (size_t c = 0; c < q->shallows.n; c++) {
		const struct oid *id = &q->shallows.items[c];
		uint32_t n = GRAPH_NONE;
		bool is_inside;
		int rc = commit_of(u, id, &n, e);

		if (rc < 0)
			return -1;
		if (!rc)
			continue;
		is_inside = is_whole ? oid_set_has(&w->client, id)
				     : commit_set_has(&w->inside, n) &&
					       !commit_set_has(&w->boundary, n);
		if (fetch_request_deepens(q) && is_inside)
			rc = unshallow(u, i, n, e);
		else
			rc = commit_set_add(&i->shallow, n, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int tell_boundary(struct upload *u, const struct fetch_request *q,
			 const struct commit_set *boundary,
			 struct shallow_info *i, struct err *e)
{
	for (uint32_t n = next_member(boundary, 0); n != GRAPH_NONE;
	     n = next_member(boundary, n + 1)) {
		const struct oid *id = &graph_node(u->graph, n)->id;

		if (commit_set_has(&i->shallow, n))
			continue;
		if (commit_set_add(&i->shallow, n, e) < 0)
			return -1;
		if (!oid_set_has(&q->shallows, id) &&
		    oid_set_add(&i->told, id, e) < 0)
			return -1;
	}
	return 0;
}

/* The commits that the wants lead to, those that are there. False where all of
 * them are in memory already, or something is not as it should be. */
static bool has_new_commits(struct upload *u, const struct fetch_request *q,
			    struct oid_set *commits)
{
	bool has_new = false;

	for (size_t i = 0; i < q->wants.n; i++) {
		enum object_type type;
		struct oid id;
		struct err e;

		if (object_peel(u->reader, &q->wants.items[i], &id, &type, &e) <
		    0)
			return false;
		if (type != OBJECT_COMMIT)
			continue;
		if (oid_set_add(commits, &id, &e) < 0)
			return false;
		has_new |= graph_lookup(u->graph, &id) == GRAPH_NONE;
	}
	return has_new;
}

void shallow_info_narrow(struct upload *u, const struct fetch_request *q)
{
	CLEANUP(oid_set_fini) struct oid_set commits = { 0 };
	bool is_by_depth = q->depth && q->depth != DEPTH_INFINITE &&
			   !q->since && !q->not_ids.n && !q->is_relative;
	struct err e;

	/* Where this fails, the whole graph has the words for it. */
	if (is_by_depth && !q->shallows.n && has_new_commits(u, q, &commits))
		u->cut = graph_new_cut(u->graph, u->reader, commits.items,
				       commits.n, (uint64_t)q->depth, &e);
	if (u->cut)
		u->graph = u->cut;
}

/* Where the repository itself ends behind what travels: a cut by date, by ref
 * or counted from the client's commits need not have come that far, and git
 * then sends what cannot be completed. */
static int tell_own_ends(struct upload *u, const struct fetch_request *q,
			 struct shallow_info *i, struct err *e)
{
	CLEANUP(work_fini) struct work w = { 0 };
	const struct oid_set *sets[] = { &q->wants, &i->more_wants };

	for (size_t s = 0; s < ARRAY_SIZE(sets); s++) {
		free(w.heads);
		w.heads = NULL;
		if (commits_of(u, sets[s], &w.heads, &w.n_heads, e) < 0 ||
		    graph_cut_depth(u->graph, w.heads, w.n_heads, UINT64_MAX,
				    &i->shallow, &w.boundary, &w.inside, e) < 0)
			return -1;
	}
	return tell_boundary(u, q, &w.boundary, i, e);
}

int shallow_info_compute(struct upload *u, const struct fetch_request *q,
			 struct shallow_info *out, struct err *e)
{
	CLEANUP(work_fini) struct work w = { 0 };
	bool deepens = fetch_request_deepens(q);

	out->graph = u->graph;
	w.is_cut_off = is_cut_off(u);
	/* Versions 0 and 1 have advertised the repository's own. */
	out->has_lines = deepens || (u->options->version == 2 &&
				     (q->shallows.n || w.is_cut_off));
	if (!deepens && !q->shallows.n && !w.is_cut_off)
		return 0;
	if ((deepens ? find_client(u, q, &w, e) : find_ends(u, q, &w, e)) < 0)
		return -1;
	if ((deepens || w.is_cut_off) && cut(u, q, &w, e) < 0)
		return -1;
	if (sort_client(u, q, &w, out, e) < 0)
		return -1;
	if (tell_boundary(u, q, &w.boundary, out, e) < 0)
		return -1;
	return w.is_cut_off ? tell_own_ends(u, q, out, e) : 0;
}

void shallow_info_add(struct upload *u, const struct shallow_info *i)
{
	char hex[OID_MAX_HEX + 1];

	for (size_t n = 0; n < i->told.n; n++)
		upload_addf(u, "shallow %s", oid_hex(&i->told.items[n], hex));
	for (size_t n = 0; n < i->untold.n; n++)
		upload_addf(u, "unshallow %s",
			    oid_hex(&i->untold.items[n], hex));
}

void shallow_info_advertise(const struct upload *u, struct buf *out)
{
	const struct oid *ours;
	char hex[OID_MAX_HEX + 1];
	size_t n;

	ours = graph_shallow(u->graph, &n);
	for (size_t i = 0; i < n; i++)
		pkt_addf(out, "shallow %s\n", oid_hex(&ours[i], hex));
}
