/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reachability over the loaded commits. An ancestor has a smaller generation
 * than its descendants, so a walk ends where generations are no larger than
 * that of what it looks for.
 */
#include "git/graph_walk.h"

#include "base/err.h"

#include <stdlib.h>

void graph_todo_fini(struct graph_todo *t)
{
	free(t->list);
	commit_set_fini(&t->seen);
	*t = (struct graph_todo){ 0 };
}

int graph_todo_push(struct graph_todo *t, uint32_t number, struct err *e)
{
	size_t cap = t->cap ? 2 * t->cap : 64;
	uint32_t *list;

	if (commit_set_has(&t->seen, number))
		return 0;
	if (commit_set_add(&t->seen, number, e) < 0)
		return -1;
	if (t->n == t->cap) {
		list = reallocarray(t->list, cap, sizeof *list);
		if (!list)
			return err_nomem(e);
		t->list = list;
		t->cap = cap;
	}
	t->list[t->n++] = number;
	return 0;
}

int graph_todo_push_all(struct graph_todo *t, const uint32_t *numbers, size_t n,
			struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (graph_todo_push(t, numbers[i], e) < 0)
			return -1;
	}
	return 0;
}

int graph_reaches(const struct graph *g, const uint32_t *tips, size_t n_tips,
		  uint32_t ancestor, struct err *e)
{
	uint32_t least = graph_node(g, ancestor)->generation;
	struct graph_todo todo = { 0 };
	const struct graph_node *node;
	uint32_t number;
	int rc;

	rc = graph_todo_push_all(&todo, tips, n_tips, e);
	while (!rc && todo.n) {
		number = todo.list[--todo.n];
		node = graph_node(g, number);
		if (number == ancestor)
			rc = 1;
		else if (node->generation > least)
			rc = graph_todo_push_all(&todo, node->parents,
						 node->n_parents, e);
	}
	graph_todo_fini(&todo);
	return rc;
}

/* -- all wants meet a have ------------------------------------------------- */

/* A commit on the path from a want, and its parent to try next. */
struct step {
	uint32_t number;
	uint32_t next;
};

struct meet {
	const struct graph *g;
	const struct commit_set *haves;
	uint32_t least;		/* generation of the haves; older meet none */
	struct commit_set good; /* meet one */
	struct commit_set seen; /* good, on the path, or meet none */
	struct step *path;
	size_t n;
	size_t cap;
};

static uint32_t least_generation(const struct graph *g,
				 const struct commit_set *s)
{
	uint32_t least = UINT32_MAX, number, generation;
	uint64_t word;

	for (size_t i = 0; i < s->n_words; i++) {
		for (word = s->words[i]; word; word &= word - 1) {
			number = (uint32_t)(i * 64) +
				 (uint32_t)__builtin_ctzll(word);
			generation = graph_node(g, number)->generation;
			if (generation < least)
				least = generation;
		}
	}
	return least;
}

static int path_push(struct meet *m, uint32_t number, struct err *e)
{
	size_t cap = m->cap ? 2 * m->cap : 64;
	struct step *path;

	if (m->n == m->cap) {
		path = reallocarray(m->path, cap, sizeof *path);
		if (!path)
			return err_nomem(e);
		m->path = path;
		m->cap = cap;
	}
	m->path[m->n++] = (struct step){ number, 0 };
	return commit_set_add(&m->seen, number, e);
}

static bool is_met(const struct meet *m, uint32_t number)
{
	return commit_set_has(m->haves, number) ||
	       commit_set_has(&m->good, number);
}

/* Everything on the path meets what its end meets. */
static int path_is_good(struct meet *m, struct err *e)
{
	while (m->n) {
		if (commit_set_add(&m->good, m->path[--m->n].number, e) < 0)
			return -1;
	}
	return 1;
}

/* Depth first from one want. 1, 0, -1. */
static int want_meets(struct meet *m, uint32_t want, struct err *e)
{
	const struct graph_node *node;
	uint32_t parent;

	if (is_met(m, want))
		return 1;
	if (path_push(m, want, e) < 0)
		return -1;
	while (m->n) {
		struct step *top = &m->path[m->n - 1];

		node = graph_node(m->g, top->number);
		if (top->next == node->n_parents ||
		    node->generation <= m->least) {
			m->n--;
			continue;
		}
		parent = node->parents[top->next++];
		if (is_met(m, parent))
			return path_is_good(m, e);
		if (!commit_set_has(&m->seen, parent) &&
		    path_push(m, parent, e) < 0)
			return -1;
	}
	return 0;
}

int graph_all_meet(const struct graph *g, const uint32_t *wants, size_t n_wants,
		   const struct commit_set *haves, struct err *e)
{
	struct meet m = { .g = g,
			  .haves = haves,
			  .least = least_generation(g, haves) };
	int rc = 1;

	for (size_t i = 0; rc == 1 && i < n_wants; i++)
		rc = want_meets(&m, wants[i], e);
	commit_set_fini(&m.good);
	commit_set_fini(&m.seen);
	free(m.path);
	return rc;
}
