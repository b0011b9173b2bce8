/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading gives numbers as commits are met and goes through them in that order,
 * which is a breadth-first walk without a queue. Until all of it is there and
 * generations are known, the new numbers lie beyond `count` and nobody sees
 * them; where something is missing they are taken back, last one first, which
 * leaves the hash table exactly as it was.
 */
#include "base/err.h"
#include "git/graph_inside.h"
#include "git/objects.h"

#include <stdlib.h>

/* Handled, so that what stock git put there can be served. */
#define COMMIT_SIZE_MAX ((size_t)256 << 20)

/* `generation` of a commit whose parents are being looked at. */
#define GENERATION_OPEN UINT32_MAX

/* commit_parse() saw to it that these are whole lines and nothing else. */
static uint32_t count_parents(struct span lines, enum oid_kind kind)
{
	size_t line = strlen("parent ") + 2 * oid_size(kind) + strlen("\n");

	return (uint32_t)(lines.len / line);
}

/* Numbers for the parents of `node`, new ones where they are met first. */
static int fill_parents(struct graph *g, struct node *node, struct span lines,
			struct err *e)
{
	uint32_t n = count_parents(lines, g->kind);
	uint32_t *parents = node->few;
	struct oid parent;

	if (n > GRAPH_FEW) {
		parents = node->many = calloc(n, sizeof *parents);
		if (!parents)
			return err_nomem(e);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!commit_parent(&lines, g->kind, &parent) ||
		    graph_intern(g, &parent, &parents[i], e) < 0)
			return -1;
	}
	node->public.parents = parents;
	node->public.n_parents = n;
	return 0;
}

static int fill_node(struct graph *g, struct node *node, struct object *o,
		     bool is_cut, struct err *e)
{
	struct commit_view view;

	if (o->type != OBJECT_COMMIT)
		return err_set(e, ERR_CONFLICT, "it is a %s, not a commit",
			       object_type_name(o->type));
	if (commit_parse(span_of(o->data, o->size), g->kind, &view, e) < 0)
		return -1;
	node->public.tree = view.tree;
	node->public.date = view.date;
	if (is_cut || shallow_has(&g->shallow, &node->public.id)) {
		node->public.is_shallow = true;
		return 0;
	}
	return fill_parents(g, node, view.parents, e);
}

/* Read what `number` stands for; without parents where it is cut. */
static int load_one(struct graph *g, struct object_reader *r, uint32_t number,
		    bool is_cut, struct err *e)
{
	struct node *node = graph_node_of(g, number);
	char hex[OID_MAX_HEX + 1];
	struct object o;
	int rc;

	if (object_read(r, &node->public.id, COMMIT_SIZE_MAX, &o, e) < 0)
		return -1;
	rc = fill_node(g, node, &o, is_cut, e);
	object_fini(&o);
	if (rc < 0)
		err_wrap(e, "object %s", oid_hex(&node->public.id, hex));
	return rc;
}

/* A commit whose parents are being gone through. */
struct frame {
	uint32_t number;
	uint32_t next; /* parent to look at */
	uint32_t best; /* largest generation so far */
};

struct frames {
	struct frame *list;
	size_t n;
	size_t cap;
};

static int frames_push(struct frames *f, uint32_t number, struct err *e)
{
	size_t cap = f->cap ? 2 * f->cap : 64;
	struct frame *list;

	if (f->n == f->cap) {
		list = reallocarray(f->list, cap, sizeof *list);
		if (!list)
			return err_nomem(e);
		f->list = list;
		f->cap = cap;
	}
	f->list[f->n++] = (struct frame){ number, 0, 0 };
	return 0;
}

/* One step at the last frame: look at a parent, or be done with it. */
static int frames_step(struct graph *g, struct frames *f, struct err *e)
{
	struct frame *frame = &f->list[f->n - 1];
	struct graph_node *node = &graph_node_of(g, frame->number)->public;
	struct graph_node *parent;

	if (frame->next == node->n_parents) {
		node->generation = frame->best + 1;
		f->n--;
		return 0;
	}
	parent = &graph_node_of(g, node->parents[frame->next])->public;
	if (parent->generation == GENERATION_OPEN)
		return err_set(e, ERR_CORRUPT,
			       "a commit that is its own ancestor");
	if (!parent->generation) {
		parent->generation = GENERATION_OPEN;
		return frames_push(f, node->parents[frame->next], e);
	}
	if (parent->generation > frame->best)
		frame->best = parent->generation;
	frame->next++;
	return 0;
}

/* The generations of all from `first` on. The last ones met are mostly the
 * oldest, so from there the way down is short. */
static int fill_generations(struct graph *g, uint32_t first, struct err *e)
{
	struct frames f = { NULL, 0, 0 };
	int rc = 0;

	for (uint32_t i = g->n; !rc && i-- > first;) {
		struct graph_node *node = &graph_node_of(g, i)->public;

		if (node->generation)
			continue;
		node->generation = GENERATION_OPEN;
		rc = frames_push(&f, i, e);
		while (!rc && f.n)
			rc = frames_step(g, &f, e);
	}
	free(f.list);
	return rc;
}

/* Load `id` and all its ancestors. Load lock held. */
static int load_all(struct graph *g, struct object_reader *r,
		    const struct oid *id, uint32_t *number_out, struct err *e)
{
	uint32_t first = g->n;
	char hex[OID_MAX_HEX + 1];

	if (graph_intern(g, id, number_out, e) < 0)
		return -1;
	for (uint32_t i = first; i < g->n; i++) {
		if (load_one(g, r, i, false, e) == 0)
			continue;
		if (i == first)
			return -1;
		/* What was asked for is a commit: not its fault. */
		if (e->code == ERR_CONFLICT)
			e->code = ERR_CORRUPT;
		return err_wrap(e, "history of %s", oid_hex(id, hex));
	}
	return fill_generations(g, first, e);
}

int graph_load(struct graph *g, struct object_reader *r, const struct oid *id,
	       uint32_t *number_out, struct err *e)
{
	uint32_t count;
	int rc;

	*number_out = graph_lookup(g, id);
	if (*number_out != GRAPH_NONE)
		return 0;
	if (g->shallow.why.code != ERR_OK) {
		*e = g->shallow.why;
		return -1;
	}
	pthread_mutex_lock(&g->load_lock);
	count = g->n;
	rc = load_all(g, r, id, number_out, e);
	if (rc < 0)
		graph_roll_back(g, count);
	else
		atomic_store(&g->count, g->n);
	pthread_mutex_unlock(&g->load_lock);
	return rc;
}

/* All down to `depth`, level by level; the last ones without parents. */
static int load_levels(struct graph *g, struct object_reader *r, uint64_t depth,
		       struct err *e)
{
	uint32_t from = 0, to;

	for (uint64_t d = 1; from < g->n; d++) {
		if (g->n > GRAPH_CUT_MAX)
			return err_set(e, ERR_LIMIT, "more than %d commits",
				       GRAPH_CUT_MAX);
		to = g->n;
		for (; from < to; from++) {
			if (load_one(g, r, from, d >= depth, e) < 0)
				return -1;
		}
	}
	return fill_generations(g, 0, e);
}

struct graph *graph_new_cut(const struct graph *whole, struct object_reader *r,
			    const struct oid *commits, size_t n, uint64_t depth,
			    struct err *e)
{
	struct shallow_list shallow;
	struct graph *g;
	uint32_t number;
	int rc = 0;

	if (shallow_copy(&shallow, &whole->shallow, e) < 0)
		return NULL;
	g = graph_alloc(whole->kind, &shallow);
	if (!g)
		return err_nomem(e), NULL;
	for (size_t i = 0; !rc && i < n; i++)
		rc = graph_intern(g, &commits[i], &number, e);
	if (!rc)
		rc = load_levels(g, r, depth, e);
	if (rc < 0)
		return graph_free(g);
	atomic_store(&g->count, g->n);
	return g;
}
