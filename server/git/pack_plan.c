/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects travel.
 *
 * Whole closures (no haves, no cut, no filter) come from reach.h, where most of
 * the walk is kept. Otherwise: the commits that travel (history.h), what their
 * trees share with those at the edge, and a walk through the rest (walk.h).
 * What the client has may be more than what the edge tells; closures that are
 * kept and lie within it are left out as well, where no history is cut.
 */
#include "git/pack_plan.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/history.h"
#include "git/pack_file.h"
#include "git/reach.h"
#include "git/repository.h"
#include "git/walk.h"

#include <stdlib.h>

/* Recent bases of deltas while trees are walked. Four times as much would make
 * a walk through 60,000 commits a quarter faster and small ones slower, and
 * what a clone may take is 4 MB. */
#define CACHE_BYTES ((size_t)2 << 20)
/* A chain of tags is followed so far, as object_peel() does. */
#define TAGS_MAX 1000

/* An object that is wanted by name and is no commit. */
struct named {
	struct oid id;
	enum object_type type;
};

struct planner {
	const struct pack_source *source;
	const struct pack_request *request;
	struct pack_plan *plan;
	struct object_set known;
	struct commit_list wants;
	struct commit_list haves;
	struct named *named;
	size_t n_named;
	size_t cap_named;
};

static int add_named(struct planner *p, const struct oid *id,
		     enum object_type type, struct err *e)
{
	if (p->n_named == p->cap_named) {
		size_t cap = p->cap_named ? 2 * p->cap_named : 16;
		struct named *named = realloc(p->named, cap * sizeof *named);

		if (!named)
			return err_nomem(e);
		p->named = named;
		p->cap_named = cap;
	}
	p->named[p->n_named++] = (struct named){ *id, type };
	return 0;
}

static int missing(const struct oid *id, struct err *e)
{
	char hex[OID_MAX_HEX + 1];

	return err_set(e, ERR_CORRUPT, "object %s is missing",
		       oid_hex(id, hex));
}

/* 1 and its number where it is a commit whose history is there; 0. */
static int commit_of(struct planner *p, const struct oid *id,
		     uint32_t *number_out, struct err *e)
{
	*number_out = graph_lookup(p->source->graph, id);
	if (*number_out != GRAPH_NONE)
		return 1;
	if (graph_load(p->source->graph, p->plan->reader, id, number_out, e) ==
	    0)
		return 1;
	return e->code == ERR_CONFLICT ? 0 : -1;
}

/* Read a tag, and replace `id` by what it points at. */
static int step_tag(struct planner *p, struct oid *id, struct err *e)
{
	CLEANUP(object_fini) struct object tag = { 0 };
	enum oid_kind kind = objects_kind(p->source->objects);
	struct tag_view view;

	if (object_read(p->plan->reader, id, OBJECT_SIZE_MAX, &tag, e) < 0 ||
	    tag_parse(span_of(tag.data, tag.size), kind, &view, e) < 0)
		return -1;
	*id = view.target;
	return 0;
}

/* A want: tags on the way are sent, too. */
static int add_want(struct planner *p, struct oid id, struct err *e)
{
	for (int i = 0; i < TAGS_MAX; i++) {
		enum object_type type;
		uint32_t number;
		uint64_t size;
		int is_commit = commit_of(p, &id, &number, e);

		if (is_commit > 0)
			return commit_list_add(&p->wants, number, e);
		if (is_commit < 0)
			return e->code == ERR_NOT_FOUND ? missing(&id, e) : -1;
		if (object_info(p->plan->reader, &id, &type, &size, e) < 0)
			return e->code == ERR_NOT_FOUND ? missing(&id, e) : -1;
		if (add_named(p, &id, type, e) < 0)
			return -1;
		if (type != OBJECT_TAG)
			return 0;
		if (step_tag(p, &id, e) < 0)
			return -1;
	}
	return err_set(e, ERR_LIMIT, "a chain of more than %d tags", TAGS_MAX);
}

/* A have: a commit; anything else only counts for itself. One that is not here
 * with all its history says nothing. */
static int add_have(struct planner *p, struct oid id, struct err *e)
{
	for (int i = 0; i < TAGS_MAX; i++) {
		enum object_type type;
		uint32_t number;
		uint64_t size;
		int found = commit_of(p, &id, &number, e);

		if (found > 0)
			return commit_list_add(&p->haves, number, e);
		if (found < 0)
			return e->code == ERR_NOT_FOUND ? 0 : -1;
		found = object_numbers_find(&p->plan->numbers, &id, &number, e);
		if (found <= 0 || object_set_add(&p->known, number, e) < 0)
			return found;
		if (object_info(p->plan->reader, &id, &type, &size, e) < 0 ||
		    type != OBJECT_TAG || step_tag(p, &id, e) < 0)
			return 0;
	}
	return 0;
}

static int resolve(struct planner *p, struct err *e)
{
	for (size_t i = 0; i < p->request->n_haves; i++) {
		if (add_have(p, p->request->haves[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; i < p->request->n_wants; i++) {
		if (add_want(p, p->request->wants[i], e) < 0)
			return -1;
	}
	return 0;
}

static bool is_closure(const struct pack_request *r)
{
	return !r->n_haves && !r->shallow && !r->unshallow && !r->filter.is_set;
}

static int plan_closure(struct planner *p, struct err *e)
{
	const struct reach_request request = {
		.reach = p->source->reach,
		.graph = p->source->graph,
		.reader = p->plan->reader,
		.tips = p->wants.items,
		.n_tips = p->wants.n,
		.progress = &p->plan->progress,
	};

	return reach_closure(&request, &p->plan->numbers, &p->plan->send, e);
}

static int walk_all(struct planner *p, struct walk *w,
		    const struct history *history, struct err *e)
{
	const struct graph *g = p->source->graph;

	for (size_t i = 0; i < p->n_named; i++) {
		if (walk_named(w, &p->named[i].id, p->named[i].type, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < history->news.n; i++) {
		const struct graph_node *node =
			graph_node(g, history->news.items[i]);

		if (walk_commit(w, &node->id, &node->tree, e) < 0)
			return -1;
	}
	/* Commits that are named are sent whatever the filter says. */
	for (size_t i = 0; w->filter.has_type && i < p->wants.n; i++) {
		uint32_t number = p->wants.items[i];

		if (!commit_set_has(&history->there, number) &&
		    walk_named(w, &graph_node(g, number)->id, OBJECT_COMMIT,
			       e) < 0)
			return -1;
	}
	return 0;
}

/* Mark what the client has, as far as that pays. */
static int mark_known(struct planner *p, struct walk *w,
		      const struct history *history, struct err *e)
{
	const struct pack_request *r = p->request;

	if (walk_edges(w, p->source->graph, history, &p->known, e) < 0)
		return -1;
	if (r->shallow || r->unshallow || !p->source->reach || !history->news.n)
		return 0;
	return reach_kept(p->source->reach, &history->there, &p->plan->numbers,
			  &p->known, e);
}

static int plan_walk(struct planner *p, const struct history *history,
		     struct err *e)
{
	struct walk w = {
		.reader = p->plan->reader,
		.numbers = &p->plan->numbers,
		.filter = p->request->filter,
		.progress = &p->plan->progress,
		.known = &p->known,
		.send = &p->plan->send,
	};
	int result;

	if (walk_init(&w, e) < 0)
		return -1;
	result = mark_known(p, &w, history, e);
	if (!result)
		result = walk_all(p, &w, history, e);
	walk_fini(&w);
	return result;
}

static int plan_objects(struct planner *p, struct err *e)
{
	const struct history_request request = {
		.graph = p->source->graph,
		.wants = p->wants.items,
		.n_wants = p->wants.n,
		.haves = p->haves.items,
		.n_haves = p->haves.n,
		.shallow = p->request->shallow,
		.unshallow = p->request->unshallow,
	};
	CLEANUP(history_fini) struct history history = { 0 };

	if (is_closure(p->request)) {
		/* Only the objects that are named are left to be walked. */
		if (plan_closure(p, e) < 0)
			return -1;
	} else if (history_walk(&request, &history, e) < 0) {
		return -1;
	}
	return plan_walk(p, &history, e);
}

/*
 * A delta may lean on what the client has. One that asked for a filter may lack
 * blobs or deep trees that history says it has; where only blobs are left out,
 * none travel, and trees are there.
 */
static bool may_be_thin(const struct pack_request *r)
{
	const struct filter *f = &r->filter;

	if (!r->is_thin)
		return false;
	return !f->is_set || (f->has_blob_limit && !f->blob_limit &&
			      !f->has_tree_depth && !f->has_type);
}

/* Is one pack all that is sent, from its first object to its last? */
static void find_whole_pack(struct pack_plan *p)
{
	uint32_t first = 0;

	if (!p->has_ofs_delta || !p->count)
		return;
	for (uint32_t i = 0; i < objects_pack_count(p->objects); i++) {
		const struct pack *pack = objects_pack(p->objects, i);
		uint32_t n = pack_count(pack);

		if (n == p->count && pack_sum(pack) != PACK_SUM_WRONG &&
		    object_set_count(&p->send, first, first + n) == n) {
			p->stats.is_whole_pack = true;
			p->whole_pack = i;
			return;
		}
		first += n;
	}
}

static int fill(struct planner *p, struct err *e)
{
	struct pack_plan *plan = p->plan;
	uint32_t end;

	if (resolve(p, e) < 0 || plan_objects(p, e) < 0)
		return -1;
	if (p->request->include_tag &&
	    tag_follow(p->source, plan->reader, &plan->numbers, &p->known,
		       &plan->send, e) < 0)
		return -1;
	end = plan->numbers.n_packed + plan->numbers.n_loose;
	plan->count = object_set_count(&plan->send, 0, end);
	find_whole_pack(plan);
	if (may_be_thin(p->request)) {
		plan->known = p->known;
		p->known = (struct object_set){ NULL, 0 };
	}
	return 0;
}

struct pack_plan *pack_plan_make(const struct pack_source *source,
				 const struct pack_request *request,
				 const struct pack_progress *progress,
				 struct err *e)
{
	struct pack_plan *plan = calloc(1, sizeof *plan);
	struct planner p = {
		.source = source,
		.request = request,
		.plan = plan,
	};
	int result;

	if (!plan) {
		err_nomem(e);
		return NULL;
	}
	if (progress)
		plan->progress = *progress;
	plan->has_ofs_delta = request->has_ofs_delta;
	plan->objects = objects_get(source->objects);
	object_numbers_init(&plan->numbers, plan->objects);
	plan->reader = object_reader_new(plan->objects, CACHE_BYTES, e);
	result = plan->reader ? fill(&p, e) : -1;
	object_set_fini(&p.known);
	commit_list_fini(&p.wants);
	commit_list_fini(&p.haves);
	free(p.named);
	return result < 0 ? pack_plan_free(plan) : plan;
}

struct pack_plan *pack_plan_new(struct snapshot *s,
				const struct pack_request *request,
				const struct pack_progress *progress,
				struct err *e)
{
	struct graph *whole = snapshot_graph(s);
	bool is_whole = !request->graph || request->graph == whole;
	const struct pack_source source = {
		.objects = snapshot_objects(s),
		.graph = is_whole ? whole : request->graph,
		/* Its numbers are the whole graph's. */
		.reach = is_whole ? snapshot_reach(s) : NULL,
		.refs = snapshot_refs(s),
		.config = snapshot_config(s),
	};
	struct pack_plan *plan = pack_plan_make(&source, request, progress, e);

	if (plan)
		plan->snapshot = snapshot_get(s);
	return plan;
}

struct pack_plan *pack_plan_free(struct pack_plan *p)
{
	if (!p)
		return NULL;
	object_reader_free(p->reader);
	object_numbers_fini(&p->numbers);
	object_set_fini(&p->send);
	object_set_fini(&p->known);
	objects_put(p->objects);
	if (p->snapshot)
		snapshot_put(p->snapshot);
	free(p);
	return NULL;
}

uint32_t pack_plan_count(const struct pack_plan *p)
{
	return p->count;
}

void pack_plan_stats(const struct pack_plan *p, struct pack_plan_stats *out)
{
	*out = p->stats;
}
