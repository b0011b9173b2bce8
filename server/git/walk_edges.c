/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What new trees have in common with those at the edge, found level by level:
 * the trees that stand at one path are a group, new ones and old ones. The
 * content of the old ones is marked; then those entries that are trees make
 * groups by name, and a group with both new and old trees is looked into.
 * A tree is looked into once in each role, wherever else it stands: trees that
 * hold the same tree many times, at many levels, would never end otherwise.
 * Names are compared by a hash: two that share it are one group, which marks
 * more than was needed and nothing that is wrong.
 */
#include "base/err.h"
#include "git/history.h"
#include "git/walk.h"

#include <stdlib.h>

struct member {
	uint64_t name;
	uint32_t number;
	bool is_new; /* old ones stand before new ones */
};

struct group {
	struct member *members;
	size_t n;
	size_t cap;
};

struct edge_walk {
	struct walk *walk;
	struct object_set *known;
	struct object_set read_old;
	struct object_set read_new;
	struct group *stack;
	size_t n_stack;
	size_t cap_stack;
};

static void group_fini(struct group *g)
{
	free(g->members);
}

static int group_add(struct group *g, uint64_t name, uint32_t number,
		     bool is_new, struct err *e)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 32;
		struct member *members =
			realloc(g->members, cap * sizeof *members);

		if (!members)
			return err_nomem(e);
		g->members = members;
		g->cap = cap;
	}
	g->members[g->n++] = (struct member){ name, number, is_new };
	return 0;
}

static int member_cmp(const void *a_, const void *b_)
{
	const struct member *a = a_, *b = b_;

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->is_new != b->is_new)
		return a->is_new ? 1 : -1;
	return (a->number > b->number) - (a->number < b->number);
}

/* FNV-1a: names are short and a collision harmless. */
static uint64_t name_hash(struct span name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ name.data[i]) * UINT64_C(1099511628211);
	return h;
}

/* Mark what an old tree holds; gather what trees there are below. An old
 * tree's content may be missing: nothing that is sent depends on it. */
static int read_entry(struct edge_walk *w, const struct tree_entry *entry,
		      bool is_new, struct group *below, struct err *e)
{
	bool is_tree = MODE_IS_TREE(entry->mode);
	uint32_t number;
	int found;

	if (MODE_IS_GITLINK(entry->mode) || (is_new && !is_tree))
		return 0;
	found = object_numbers_find(w->walk->numbers, &entry->id, &number, e);
	if (found <= 0)
		return found;
	if (!is_new && object_set_add(w->known, number, e) < 0)
		return -1;
	if (!is_tree || (is_new && object_set_has(w->known, number)))
		return 0;
	return group_add(below, name_hash(entry->name), number, is_new, e);
}

static int read_member(struct edge_walk *w, const struct member *m,
		       struct group *below, struct err *e)
{
	CLEANUP(object_fini) struct object tree = { 0 };
	struct object_numbers *numbers = w->walk->numbers;
	enum oid_kind kind = objects_kind(numbers->objects);
	struct tree_entry entry;
	struct object_at at;
	struct span rest;
	struct oid id;
	int more;

	more = object_set_add(m->is_new ? &w->read_new : &w->read_old,
			      m->number, e);
	if (more <= 0)
		return more;
	object_numbers_at(numbers, m->number, &at, &id);
	if (object_read_at(w->walk->reader, &at, &id, OBJECT_SIZE_MAX, &tree,
			   e) < 0)
		return e->code == ERR_NOT_FOUND && !m->is_new ? 0 : -1;
	rest = span_of(tree.data, tree.size);
	while ((more = tree_next(&rest, kind, &entry, e)) > 0) {
		if (read_entry(w, &entry, m->is_new, below, e) < 0)
			return -1;
	}
	return more;
}

static int push_group(struct edge_walk *w, const struct member *members,
		      size_t n, struct err *e)
{
	struct group *g;

	if (w->n_stack == w->cap_stack) {
		size_t cap = w->cap_stack ? 2 * w->cap_stack : 64;

		g = realloc(w->stack, cap * sizeof *g);
		if (!g)
			return err_nomem(e);
		w->stack = g;
		w->cap_stack = cap;
	}
	g = &w->stack[w->n_stack];
	*g = (struct group){ malloc(n * sizeof *members), n, n };
	if (!g->members)
		return err_nomem(e);
	memcpy(g->members, members, n * sizeof *members);
	w->n_stack++;
	return 0;
}

/* Put the groups that have both old and new trees on the stack. */
static int push_groups(struct edge_walk *w, struct group *g, struct err *e)
{
	size_t end;

	if (g->n)
		qsort(g->members, g->n, sizeof *g->members, member_cmp);
	for (size_t start = 0; start < g->n; start = end) {
		struct member *first = &g->members[start];

		end = start + 1;
		while (end < g->n && g->members[end].name == first->name)
			end++;
		if (first->is_new || !g->members[end - 1].is_new)
			continue;
		if (push_group(w, first, end - start, e) < 0)
			return -1;
	}
	return 0;
}

static int look_into(struct edge_walk *w, const struct group *g, struct err *e)
{
	CLEANUP(group_fini) struct group below = { NULL, 0, 0 };

	for (size_t i = 0; i < g->n; i++) {
		const struct member *m = &g->members[i];

		if (m->is_new && object_set_has(w->known, m->number))
			continue;
		if (read_member(w, m, &below, e) < 0)
			return -1;
	}
	return push_groups(w, &below, e);
}

/* The root trees of the commits, as one group. */
static int add_roots(struct edge_walk *w, const struct graph *g,
		     const struct commit_list *commits, bool is_new,
		     struct group *roots, struct err *e)
{
	for (size_t i = 0; i < commits->n; i++) {
		const struct graph_node *node =
			graph_node(g, commits->items[i]);
		uint32_t number;
		int found = object_numbers_find(w->walk->numbers, &node->tree,
						&number, e);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (!is_new && object_set_add(w->known, number, e) < 0)
			return -1;
		if (group_add(roots, 0, number, is_new, e) < 0)
			return -1;
	}
	return 0;
}

/* The edge commits themselves are there as well. */
static int mark_commits(struct edge_walk *w, const struct graph *g,
			const struct commit_list *commits, struct err *e)
{
	for (size_t i = 0; i < commits->n; i++) {
		const struct oid *id = &graph_node(g, commits->items[i])->id;
		uint32_t number;
		int found =
			object_numbers_find(w->walk->numbers, id, &number, e);

		if (found < 0 ||
		    (found && object_set_add(w->known, number, e) < 0))
			return -1;
	}
	return 0;
}

static int walk_groups(struct edge_walk *w, const struct graph *g,
		       const struct history *history, struct err *e)
{
	CLEANUP(group_fini) struct group roots = { NULL, 0, 0 };

	if (mark_commits(w, g, &history->edges, e) < 0 ||
	    add_roots(w, g, &history->edges, false, &roots, e) < 0 ||
	    add_roots(w, g, &history->news, true, &roots, e) < 0 ||
	    push_groups(w, &roots, e) < 0)
		return -1;
	while (w->n_stack) {
		CLEANUP(group_fini)
		struct group group = w->stack[--w->n_stack];

		if (look_into(w, &group, e) < 0)
			return -1;
	}
	return 0;
}

int walk_edges(struct walk *walk, const struct graph *g,
	       const struct history *history, struct object_set *known,
	       struct err *e)
{
	struct edge_walk w = { .walk = walk, .known = known };
	int result = 0;

	if (history->edges.n)
		result = walk_groups(&w, g, history, e);
	while (w.n_stack)
		group_fini(&w.stack[--w.n_stack]);
	free(w.stack);
	object_set_fini(&w.read_old);
	object_set_fini(&w.read_new);
	return result;
}
