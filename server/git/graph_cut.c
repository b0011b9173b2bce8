/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where history is cut for a client.
 *
 * By depth: level by level, so that every commit is met at its smallest depth.
 * By date and exclusion: everything from the wants that is young enough; what
 * is excluded goes, and where both are asked for, so does everything behind a
 * commit that is too old, as in git's limited walks.
 */
#include "git/graph_walk.h"

#include "base/err.h"

#include <stdlib.h>

/* Of the commits todo.list[from, to): inside; at the end or where the
 * repository ends, boundary; else their parents come next. */
static int cut_level(const struct graph *g, struct graph_todo *todo,
		     size_t from, const struct commit_set *ends, bool is_last,
		     struct commit_set *boundary, struct commit_set *inside,
		     struct err *e)
{
	const struct graph_node *node;
	size_t to = todo->n;
	int rc = 0;

	for (size_t i = from; !rc && i < to; i++) {
		uint32_t number = todo->list[i];

		node = graph_node(g, number);
		rc = commit_set_add(inside, number, e);
		if (!rc && (is_last || node->is_shallow ||
			    (ends && commit_set_has(ends, number))))
			rc = commit_set_add(boundary, number, e);
		else if (!rc)
			rc = graph_todo_push_all(todo, node->parents,
						 node->n_parents, e);
	}
	return rc;
}

int graph_cut_depth(const struct graph *g, const uint32_t *wants, size_t n,
		    uint64_t depth, const struct commit_set *ends,
		    struct commit_set *boundary, struct commit_set *inside,
		    struct err *e)
{
	struct graph_todo todo = { 0 };
	size_t from = 0, to;
	int rc;

	rc = graph_todo_push_all(&todo, wants, n, e);
	/* Levels stay in the list one behind the other; none comes twice. */
	for (uint64_t d = 1; !rc && from < todo.n; d++) {
		to = todo.n;
		rc = cut_level(g, &todo, from, ends, d >= depth, boundary,
			       inside, e);
		from = to;
	}
	graph_todo_fini(&todo);
	return rc;
}

struct rev_cut {
	const struct graph *g;
	int64_t since;
	struct graph_todo young; /* from the wants, not older than `since` */
	struct graph_todo out;	 /* excluded */
};

/* All that is young enough, into `young`, whose list keeps them. */
static int find_young(struct rev_cut *c, const uint32_t *wants, size_t n,
		      bool has_not, struct err *e)
{
	const struct graph_node *node;

	if (graph_todo_push_all(&c->young, wants, n, e) < 0)
		return -1;
	for (size_t i = 0; i < c->young.n; i++) {
		uint32_t number = c->young.list[i];

		node = graph_node(c->g, number);
		if (!c->since || node->date >= c->since) {
			if (graph_todo_push_all(&c->young, node->parents,
						node->n_parents, e) < 0)
				return -1;
			continue;
		}
		commit_set_remove(&c->young.seen, number);
		if (has_not && graph_todo_push(&c->out, number, e) < 0)
			return -1;
	}
	return 0;
}

/* All that is reachable from what is in `out`. */
static int find_out(struct rev_cut *c, const uint32_t *not_tips, size_t n_not,
		    struct err *e)
{
	const struct graph_node *node;

	if (graph_todo_push_all(&c->out, not_tips, n_not, e) < 0)
		return -1;
	while (c->out.n) {
		node = graph_node(c->g, c->out.list[--c->out.n]);
		if (graph_todo_push_all(&c->out, node->parents, node->n_parents,
					e) < 0)
			return -1;
	}
	return 0;
}

static bool is_selected(const struct rev_cut *c, uint32_t number)
{
	return commit_set_has(&c->young.seen, number) &&
	       !commit_set_has(&c->out.seen, number);
}

static bool is_border(const struct rev_cut *c, const struct graph_node *node)
{
	for (uint32_t i = 0; i < node->n_parents; i++) {
		if (!is_selected(c, node->parents[i]))
			return true;
	}
	return node->is_shallow;
}

static int select_all(const struct rev_cut *c, struct commit_set *boundary,
		      struct commit_set *inside, struct err *e)
{
	for (size_t i = 0; i < c->young.n; i++) {
		uint32_t number = c->young.list[i];

		if (!is_selected(c, number))
			continue;
		if (commit_set_add(inside, number, e) < 0)
			return -1;
		if (is_border(c, graph_node(c->g, number)) &&
		    commit_set_add(boundary, number, e) < 0)
			return -1;
	}
	return 0;
}

int graph_cut_rev(const struct graph *g, const uint32_t *wants, size_t n,
		  int64_t since, const uint32_t *not_tips, size_t n_not,
		  struct commit_set *boundary, struct commit_set *inside,
		  struct err *e)
{
	struct rev_cut c = { .g = g, .since = since };
	int rc;

	rc = find_young(&c, wants, n, n_not > 0, e);
	if (!rc && n_not)
		rc = find_out(&c, not_tips, n_not, e);
	if (!rc)
		rc = select_all(&c, boundary, inside, e);
	graph_todo_fini(&c.young);
	graph_todo_fini(&c.out);
	return rc;
}
