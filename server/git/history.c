/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk through commits in the order of their generation, largest first: when
 * a commit's turn comes, all of its descendants had theirs, so whether it is
 * there is known for good. The walk ends when nothing in the queue can travel.
 */
#include "git/history.h"

#include "base/err.h"

#include <stdlib.h>

/* Haves that lie beside a cut history and are looked at for trees in common;
 * more would cost time and spare little. */
#define EDGE_HAVES_MAX 1024

struct queued {
	uint32_t generation;
	uint32_t number;
};

struct painter {
	const struct history_request *request;
	struct history *out;
	struct commit_set seen;
	struct queued *heap;
	size_t n_heap;
	size_t cap_heap;
	size_t n_undecided; /* in the heap and not known to be there */
};

int commit_list_add(struct commit_list *l, uint32_t number, struct err *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		uint32_t *items = realloc(l->items, cap * sizeof *items);

		if (!items)
			return err_nomem(e);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = number;
	return 0;
}

void commit_list_fini(struct commit_list *l)
{
	free(l->items);
	*l = (struct commit_list){ NULL, 0, 0 };
}

void history_fini(struct history *h)
{
	commit_list_fini(&h->news);
	commit_list_fini(&h->edges);
	commit_set_fini(&h->there);
}

static int heap_push(struct painter *p, uint32_t number, struct err *e)
{
	uint32_t generation = graph_node(p->request->graph, number)->generation;
	size_t i = p->n_heap;

	if (p->n_heap == p->cap_heap) {
		size_t cap = p->cap_heap ? 2 * p->cap_heap : 64;
		struct queued *heap = realloc(p->heap, cap * sizeof *heap);

		if (!heap)
			return err_nomem(e);
		p->heap = heap;
		p->cap_heap = cap;
	}
	p->n_heap++;
	for (; i; i = (i - 1) / 2) {
		struct queued *up = &p->heap[(i - 1) / 2];

		if (up->generation >= generation)
			break;
		p->heap[i] = *up;
	}
	p->heap[i] = (struct queued){ generation, number };
	return 0;
}

static uint32_t heap_pop(struct painter *p)
{
	uint32_t number = p->heap[0].number;
	struct queued last = p->heap[--p->n_heap];
	size_t i = 0;

	for (;;) {
		size_t down = 2 * i + 1;

		if (down >= p->n_heap)
			break;
		if (down + 1 < p->n_heap &&
		    p->heap[down + 1].generation > p->heap[down].generation)
			down++;
		if (p->heap[down].generation <= last.generation)
			break;
		p->heap[i] = p->heap[down];
		i = down;
	}
	if (p->n_heap)
		p->heap[i] = last;
	return number;
}

/* A commit is met: as wanted, or as being there. */
static int meet(struct painter *p, uint32_t number, bool is_there,
		struct err *e)
{
	bool is_new = !commit_set_has(&p->seen, number);

	if (is_new) {
		if (commit_set_add(&p->seen, number, e) < 0 ||
		    heap_push(p, number, e) < 0)
			return -1;
		p->n_undecided++;
	}
	if (!is_there || commit_set_has(&p->out->there, number))
		return 0;
	p->n_undecided--;
	return commit_set_add(&p->out->there, number, e);
}

/* The parents as this walk knows them: none where history is cut. */
static uint32_t parents_of(const struct history_request *r, uint32_t number,
			   const uint32_t **parents_out)
{
	const struct graph_node *node = graph_node(r->graph, number);

	*parents_out = node->parents;
	if ((r->shallow && commit_set_has(r->shallow, number)) ||
	    (r->unshallow && commit_set_has(r->unshallow, number)))
		return 0;
	return node->n_parents;
}

static int meet_unshallow(struct painter *p, struct err *e)
{
	const struct commit_set *set = p->request->unshallow;

	for (size_t i = 0; set && i < set->n_words * 64; i++) {
		const struct graph_node *node;

		if (!(set->words[i / 64] >> (i % 64) & 1))
			continue;
		if (meet(p, (uint32_t)i, true, e) < 0)
			return -1;
		node = graph_node(p->request->graph, (uint32_t)i);
		for (uint32_t k = 0; k < node->n_parents; k++) {
			if (meet(p, node->parents[k], false, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int paint(struct painter *p, struct err *e)
{
	const struct history_request *r = p->request;

	for (size_t i = 0; i < r->n_haves; i++) {
		if (meet(p, r->haves[i], true, e) < 0)
			return -1;
	}
	if (meet_unshallow(p, e) < 0)
		return -1;
	for (size_t i = 0; i < r->n_wants; i++) {
		if (meet(p, r->wants[i], false, e) < 0)
			return -1;
	}
	while (p->n_undecided) {
		uint32_t number = heap_pop(p);
		bool is_there = commit_set_has(&p->out->there, number);
		const uint32_t *parents;
		uint32_t n = parents_of(r, number, &parents);

		for (uint32_t i = 0; i < n; i++) {
			if (meet(p, parents[i], is_there, e) < 0)
				return -1;
		}
		if (is_there)
			continue;
		p->n_undecided--;
		if (commit_list_add(&p->out->news, number, e) < 0)
			return -1;
	}
	return 0;
}

static int edge_add(struct history *h, struct commit_set *edges,
		    uint32_t number, struct err *e)
{
	if (commit_set_has(edges, number))
		return 0;
	if (commit_set_add(edges, number, e) < 0)
		return -1;
	return commit_list_add(&h->edges, number, e);
}

/* The haves where history is cut: they need not be its parents. */
static int add_haves(const struct history_request *r, struct history *h,
		     struct commit_set *edges, struct err *e)
{
	for (size_t i = 0; i < r->n_haves && i < EDGE_HAVES_MAX; i++) {
		if (edge_add(h, edges, r->haves[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; r->unshallow && i < r->unshallow->n_words * 64;
	     i++) {
		if (h->edges.n >= 2 * EDGE_HAVES_MAX)
			break;
		if ((r->unshallow->words[i / 64] >> (i % 64) & 1) &&
		    edge_add(h, edges, (uint32_t)i, e) < 0)
			return -1;
	}
	return 0;
}

static int find_edges(const struct history_request *r, struct history *h,
		      struct err *e)
{
	CLEANUP(commit_set_fini) struct commit_set edges = { NULL, 0 };

	for (size_t i = 0; i < h->news.n; i++) {
		const uint32_t *parents;
		uint32_t n = parents_of(r, h->news.items[i], &parents);

		for (uint32_t k = 0; k < n; k++) {
			if (commit_set_has(&h->there, parents[k]) &&
			    edge_add(h, &edges, parents[k], e) < 0)
				return -1;
		}
	}
	if (!r->shallow && !r->unshallow)
		return 0;
	return add_haves(r, h, &edges, e);
}

int history_walk(const struct history_request *request, struct history *out,
		 struct err *e)
{
	struct painter p = { .request = request, .out = out };
	int result;

	*out = (struct history){ 0 };
	result = paint(&p, e);
	commit_set_fini(&p.seen);
	free(p.heap);
	if (result < 0 || find_edges(request, out, e) < 0) {
		history_fini(out);
		return -1;
	}
	return 0;
}

static int closure_meet(struct commit_set *set, struct commit_list *list,
			uint32_t number, struct err *e)
{
	if (commit_set_has(set, number))
		return 0;
	if (commit_set_add(set, number, e) < 0)
		return -1;
	return commit_list_add(list, number, e);
}

int history_closure(const struct graph *g, const uint32_t *tips, size_t n,
		    struct commit_set *set, struct commit_list *list,
		    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (closure_meet(set, list, tips[i], e) < 0)
			return -1;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct graph_node *node = graph_node(g, list->items[i]);

		for (uint32_t k = 0; k < node->n_parents; k++) {
			if (closure_meet(set, list, node->parents[k], e) < 0)
				return -1;
		}
	}
	return 0;
}
