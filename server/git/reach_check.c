/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this reachable? Four questions, cheap ones first, each only about what the
 * ones before left open: is it a ref's own value; a commit in the history of
 * one; a tag on the way from one; a tree or blob in the closure of all.
 */
#include "git/reach.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/history.h"
#include "git/pack_emit.h"
#include "git/refs.h"
#include "git/repository.h"
#include "git/walk.h"

#include <stdlib.h>

/* For reading trees; recent bases of deltas. */
#define CACHE_BYTES ((size_t)8 << 20)
/* So many commits are looked for one by one; for more, all are marked. */
#define ONE_BY_ONE 4

enum answer { OPEN, REACHABLE, UNREACHABLE };

struct asked {
	struct oid id;
	size_t place; /* in the caller's array */
	enum answer answer;
};

struct check {
	struct snapshot *snapshot;
	struct graph *graph;
	struct object_reader *reader;
	struct asked *asked; /* ascending by id */
	size_t n;
	bool (*is_visible)(void *arg, const char *ref_name);
	void *arg;
	struct commit_list tips;
	struct object_numbers numbers;
	struct object_set closure;
};

static int asked_cmp(const void *a_, const void *b_)
{
	const struct asked *a = a_, *b = b_;

	return oid_cmp(&a->id, &b->id);
}

static size_t n_open(const struct check *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->asked[i].answer == OPEN;
	return n;
}

/* This object is reachable; several may have asked for it. */
static void answer_id(struct check *c, const struct oid *id)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (oid_cmp(&c->asked[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < c->n && oid_eq(&c->asked[low].id, id); low++)
		c->asked[low].answer = REACHABLE;
}

/* Call `visit` for each visible ref, a detached HEAD first. */
static int each_ref(struct check *c,
		    int (*visit)(struct check *c, const struct oid *id,
				 const struct oid *peeled, struct err *e),
		    struct err *e)
{
	const struct refs *refs = snapshot_refs(c->snapshot);
	const struct head *head = refs_head(refs);

	if (head && !head->target && head->id.len &&
	    (!c->is_visible || c->is_visible(c->arg, "HEAD")) &&
	    visit(c, &head->id, &head->peeled, e) < 0)
		return -1;
	for (size_t i = 0; i < refs_count(refs); i++) {
		const struct ref *ref = refs_at(refs, i);

		if (c->is_visible && !c->is_visible(c->arg, ref->name))
			continue;
		if (visit(c, &ref->id, &ref->peeled, e) < 0)
			return -1;
	}
	return 0;
}

static int visit_value(struct check *c, const struct oid *id,
		       const struct oid *peeled, struct err *e)
{
	(void)e;
	answer_id(c, id);
	if (peeled->len)
		answer_id(c, peeled);
	return 0;
}

/* Gather the tips of history; a ref that leads nowhere is passed over. */
static int visit_tip(struct check *c, const struct oid *id,
		     const struct oid *peeled, struct err *e)
{
	uint32_t number;

	if (graph_load(c->graph, c->reader, peeled->len ? peeled : id, &number,
		       e) < 0)
		return e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND ? 0
									   : -1;
	return commit_list_add(&c->tips, number, e);
}

/* Tags of tags: those between the ref's value and what it means. */
static int visit_tags(struct check *c, const struct oid *id,
		      const struct oid *peeled, struct err *e)
{
	struct tag_view view = { .target = *id, .type = OBJECT_TAG };

	if (!peeled->len)
		return 0;
	while (view.type == OBJECT_TAG) {
		CLEANUP(object_fini) struct object tag = { 0 };

		answer_id(c, &view.target);
		if (object_read(c->reader, &view.target, OBJECT_SIZE_MAX, &tag,
				e) < 0)
			return e->code == ERR_NOT_FOUND ? 0 : -1;
		if (tag.type != OBJECT_TAG)
			return 0;
		if (tag_parse(span_of(tag.data, tag.size), OID_SHA1, &view, e) <
		    0)
			return -1;
	}
	return 0;
}

/* Refs that mean a tree or a blob add it, with all below. */
static int visit_other(struct check *c, const struct oid *id,
		       const struct oid *peeled, struct err *e)
{
	struct walk w = {
		.reader = c->reader,
		.numbers = &c->numbers,
		.send = &c->closure,
	};
	enum object_type type;
	uint64_t size;
	int result;

	if (peeled->len)
		id = peeled;
	if (graph_lookup(c->graph, id) != GRAPH_NONE)
		return 0;
	if (object_info(c->reader, id, &type, &size, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	if (type != OBJECT_TREE && type != OBJECT_BLOB)
		return 0;
	if (walk_init(&w, e) < 0)
		return -1;
	result = walk_named(&w, id, type, e);
	walk_fini(&w);
	return result;
}

static int check_commits(struct check *c, struct err *e)
{
	CLEANUP(commit_set_fini) struct commit_set history = { NULL, 0 };
	CLEANUP(commit_list_fini) struct commit_list list = { NULL, 0, 0 };
	bool is_many = n_open(c) > ONE_BY_ONE;

	if (each_ref(c, visit_tip, e) < 0)
		return -1;
	if (is_many && history_closure(c->graph, c->tips.items, c->tips.n,
				       &history, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		struct asked *a = &c->asked[i];
		uint32_t number = graph_lookup(c->graph, &a->id);
		int reaches;

		if (a->answer != OPEN || number == GRAPH_NONE)
			continue;
		if (is_many)
			reaches = commit_set_has(&history, number);
		else
			reaches = graph_reaches(c->graph, c->tips.items,
						c->tips.n, number, e);
		if (reaches < 0)
			return -1;
		a->answer = reaches ? REACHABLE : UNREACHABLE;
	}
	return 0;
}

/* What is no commit that the graph knows: a tag, a tree, a blob, a commit that
 * nothing leads to, or nothing. */
static int sort_out(struct check *c, bool *has_tag, bool *has_other,
		    struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		struct asked *a = &c->asked[i];
		enum object_type type;
		uint64_t size;

		if (a->answer != OPEN)
			continue;
		if (object_info(c->reader, &a->id, &type, &size, e) < 0) {
			if (e->code != ERR_NOT_FOUND)
				return -1;
			type = OBJECT_NONE;
		}
		if (type == OBJECT_TAG)
			*has_tag = true;
		else if (type == OBJECT_TREE || type == OBJECT_BLOB)
			*has_other = true;
		else
			a->answer = UNREACHABLE;
	}
	return 0;
}

static int check_closure(struct check *c, struct err *e)
{
	const struct reach_request request = {
		.reach = snapshot_reach(c->snapshot),
		.graph = c->graph,
		.reader = c->reader,
		.tips = c->tips.items,
		.n_tips = c->tips.n,
	};

	if (reach_closure(&request, &c->numbers, &c->closure, e) < 0 ||
	    each_ref(c, visit_other, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		struct asked *a = &c->asked[i];
		uint32_t number;
		int found;

		if (a->answer != OPEN)
			continue;
		found = object_numbers_find(&c->numbers, &a->id, &number, e);
		if (found < 0)
			return -1;
		if (found && object_set_has(&c->closure, number))
			a->answer = REACHABLE;
	}
	return 0;
}

static int check_all(struct check *c, struct err *e)
{
	bool has_tag = false, has_other = false;

	if (each_ref(c, visit_value, e) < 0)
		return -1;
	if (!n_open(c))
		return 0;
	if (check_commits(c, e) < 0 || sort_out(c, &has_tag, &has_other, e) < 0)
		return -1;
	if (has_tag && each_ref(c, visit_tags, e) < 0)
		return -1;
	return has_other ? check_closure(c, e) : 0;
}

static int first_missing(const struct check *c, struct oid *missing_out)
{
	size_t first = c->n;

	for (size_t i = 0; i < c->n; i++) {
		const struct asked *a = &c->asked[i];

		if (a->answer != REACHABLE && a->place < first) {
			first = a->place;
			*missing_out = a->id;
		}
	}
	return first == c->n;
}

static void check_fini(struct check *c)
{
	object_reader_free(c->reader);
	object_numbers_fini(&c->numbers);
	object_set_fini(&c->closure);
	commit_list_fini(&c->tips);
	free(c->asked);
}

/* Fill `c`, whose first members are set, and answer. */
static int check(struct check *c, const struct oid *ids, struct err *e)
{
	c->graph = snapshot_graph(c->snapshot);
	object_numbers_init(&c->numbers, snapshot_objects(c->snapshot));
	c->asked = calloc(c->n, sizeof *c->asked);
	if (!c->asked)
		return err_nomem(e);
	for (size_t i = 0; i < c->n; i++)
		c->asked[i] = (struct asked){ ids[i], i, OPEN };
	qsort(c->asked, c->n, sizeof *c->asked, asked_cmp);
	c->reader = object_reader_new(snapshot_objects(c->snapshot),
				      CACHE_BYTES, e);
	return c->reader ? check_all(c, e) : -1;
}

int reach_check(struct snapshot *s, const struct oid *ids, size_t n,
		bool (*is_visible)(void *arg, const char *ref_name), void *arg,
		struct oid *missing_out, struct err *e)
{
	CLEANUP(check_fini)
	struct check c = { s, .n = n, .is_visible = is_visible, .arg = arg };

	if (!n)
		return 1;
	return check(&c, ids, e) < 0 ? -1 : first_missing(&c, missing_out);
}

int reach_check_each(struct snapshot *s, const struct oid *ids, size_t n,
		     bool (*is_visible)(void *arg, const char *ref_name),
		     void *arg, bool *is_reachable_out, struct err *e)
{
	CLEANUP(check_fini)
	struct check c = { s, .n = n, .is_visible = is_visible, .arg = arg };

	if (!n)
		return 0;
	if (check(&c, ids, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		is_reachable_out[c.asked[i].place] =
			c.asked[i].answer == REACHABLE;
	return 0;
}
