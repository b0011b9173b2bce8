/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three stages: tips and tags, down to commits, trees and blobs; commits, which
 * leave their trees behind and find the trusted trees to compare with; trees.
 * Between the functions here 1 means "go on", 0 "something is missing", which
 * stands in w->missing, -1 an error.
 */
#include "git/connectivity_walk.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/graph.h"
#include "git/oid_set.h"

#include <stdlib.h>

#define NO_NUMBER UINT32_MAX
/* Tags of tags, as object_peel() has it. */
#define TAGS_MAX 1000

int connectivity_walk_init(struct connectivity_walk *w,
			   const struct connectivity_request *request,
			   struct err *e)
{
	(void)e;
	*w = (struct connectivity_walk){ .request = request };
	w->kind = objects_kind(request->question->objects);
	object_numbers_init(&w->numbers, request->question->objects);
	return 0;
}

void connectivity_walk_fini(struct connectivity_walk *w)
{
	object_numbers_fini(&w->numbers);
	object_set_fini(&w->seen_commits);
	object_set_fini(&w->seen_trees);
	object_set_fini(&w->seen_blobs);
	free(w->commits);
	free(w->roots);
	free(w->trees);
}

/* Room for one more in `*array`. */
static int room(void *array, size_t n, size_t *cap, size_t size, struct err *e)
{
	size_t wanted = *cap ? 2 * *cap : 64;
	void *grown, *old;

	if (n < *cap)
		return 0;
	memcpy(&old, array, sizeof old);
	grown = reallocarray(old, wanted, size);
	if (!grown)
		return err_nomem(e);
	memcpy(array, &grown, sizeof grown);
	*cap = wanted;
	return 0;
}

static int is_missing(struct connectivity_walk *w, const struct oid *id)
{
	if (!w->missing.len)
		w->missing = *id;
	return 0;
}

/* The number of an object that must be there. */
static int find(struct connectivity_walk *w, const struct oid *id,
		uint32_t *number_out, struct err *e)
{
	int r = object_numbers_find(&w->numbers, id, number_out, e);

	return r ? r : is_missing(w, id);
}

/* The whole object, which must be a `type`; the caller calls object_fini(). */
static int read_object(struct connectivity_walk *w, uint32_t number,
		       enum object_type type, struct object *out, struct err *e)
{
	struct object_at at;
	struct oid id;

	object_numbers_at(&w->numbers, number, &at, &id);
	if (object_read_at(w->request->reader, &at, &id, OBJECT_SIZE_MAX, out,
			   e) < 0)
		return e->code == ERR_NOT_FOUND ? is_missing(w, &id) : -1;
	return out->type == type ? 1 : is_missing(w, &id);
}

/* -- commits ------------------------------------------------------------------
 */

static bool was_pushed(const struct connectivity_walk *w, uint32_t number)
{
	struct object_at at;
	struct oid id;

	object_numbers_at(&w->numbers, number, &at, &id);
	return at.pack != OBJECT_LOOSE && at.pack >= w->request->n_old_packs;
}

static bool is_shallow(const struct connectivity_walk *w, const struct oid *id)
{
	const struct oid *ids;
	size_t n = 0;

	if (!w->request->graph)
		return false;
	ids = graph_shallow(w->request->graph, &n);
	while (n && !oid_eq(&ids[n - 1], id))
		n--;
	return n > 0;
}

/* Does the pusher's history end at this commit, which has parents? One that a
 * ref reaches is whole all the same, also where it came again. 1, 0, -1. */
static int is_end(const struct connectivity_walk *w, const struct oid *id,
		  struct err *e)
{
	const struct connectivity_question *q = w->request->question;
	int r;

	if (!q->ends || !oid_set_has(q->ends, id))
		return 0;
	r = w->request->trust(w->request->arg, id, e);
	if (r)
		return r;
	return oid_set_add(q->used, id, e) < 0 ? -1 : 1;
}

/* A trusted commit: its tree is one to compare with, if it can be read. */
static int add_base(struct connectivity_walk *w, uint32_t number, struct err *e)
{
	CLEANUP(object_fini) struct object o = { .type = OBJECT_NONE };
	struct commit_view commit;
	struct object_at at;
	struct oid id;

	if (w->n_bases == CONNECTIVITY_BASES)
		return 1;
	object_numbers_at(&w->numbers, number, &at, &id);
	if (object_read_at(w->request->reader, &at, &id, OBJECT_SIZE_MAX, &o,
			   e) < 0 ||
	    o.type != OBJECT_COMMIT ||
	    commit_parse(span_of(o.data, o.size), w->kind, &commit, e) < 0)
		return 1;
	for (size_t i = 0; i < w->n_bases; i++) {
		if (oid_eq(&w->bases[i], &commit.tree))
			return 1;
	}
	w->bases[w->n_bases++] = commit.tree;
	return 1;
}

static int need_commit(struct connectivity_walk *w, const struct oid *id,
		       struct err *e)
{
	uint32_t number;
	int r = find(w, id, &number, e);

	if (r <= 0)
		return r;
	r = object_set_add(&w->seen_commits, number, e);
	if (r <= 0)
		return r < 0 ? -1 : 1;
	if (!was_pushed(w, number)) {
		r = w->request->trust(w->request->arg, id, e);
		if (r)
			return r < 0 ? -1 : add_base(w, number, e);
	}
	if (room(&w->commits, w->n_commits, &w->cap_commits, sizeof *w->commits,
		 e) < 0)
		return -1;
	w->commits[w->n_commits++] = number;
	return 1;
}

static int look_at_commit(struct connectivity_walk *w, uint32_t number,
			  struct err *e)
{
	CLEANUP(object_fini) struct object o = { .type = OBJECT_NONE };
	struct commit_view commit;
	struct object_at at;
	struct oid id, parent;
	int r = read_object(w, number, OBJECT_COMMIT, &o, e);

	if (r <= 0)
		return r;
	if (commit_parse(span_of(o.data, o.size), w->kind, &commit, e) < 0 ||
	    room(&w->roots, w->n_roots, &w->cap_roots, sizeof *w->roots, e) < 0)
		return -1;
	w->roots[w->n_roots++] = commit.tree;
	object_numbers_at(&w->numbers, number, &at, &id);
	if (is_shallow(w, &id) || !commit.parents.len)
		return 1;
	r = is_end(w, &id, e);
	if (r)
		return r;
	r = 1;
	while (r > 0 && commit_parent(&commit.parents, w->kind, &parent))
		r = need_commit(w, &parent, e);
	return r;
}

static int walk_commits(struct connectivity_walk *w, struct err *e)
{
	int r = 1;

	while (r > 0 && w->n_commits) {
		connectivity_tick(w->request->question);
		r = look_at_commit(w, w->commits[--w->n_commits], e);
	}
	return r;
}

/* -- trees
 * --------------------------------------------------------------------- */

static int need_tree(struct connectivity_walk *w, const struct oid *id,
		     const uint32_t bases[CONNECTIVITY_BASES], struct err *e)
{
	struct connectivity_tree *tree;
	uint32_t number;
	int r = find(w, id, &number, e);

	if (r <= 0)
		return r;
	r = object_set_add(&w->seen_trees, number, e);
	if (r <= 0)
		return r < 0 ? -1 : 1;
	if (room(&w->trees, w->n_trees, &w->cap_trees, sizeof *w->trees, e) < 0)
		return -1;
	tree = &w->trees[w->n_trees++];
	tree->number = number;
	memcpy(tree->bases, bases, sizeof tree->bases);
	return 1;
}

static int need_blob(struct connectivity_walk *w, const struct oid *id,
		     struct err *e)
{
	enum object_type type;
	uint32_t number;
	uint64_t size;
	int r = find(w, id, &number, e);

	if (r <= 0)
		return r;
	r = object_set_add(&w->seen_blobs, number, e);
	if (r <= 0)
		return r < 0 ? -1 : 1;
	if (object_info(w->request->reader, id, &type, &size, e) < 0)
		return e->code == ERR_NOT_FOUND ? is_missing(w, id) : -1;
	return type == OBJECT_BLOB ? 1 : is_missing(w, id);
}

/* The trees to compare with, gone through in step with the one that is judged:
 * entries stand in the same order in all. */
struct bases {
	struct object objects[CONNECTIVITY_BASES];
	struct span rest[CONNECTIVITY_BASES];
	struct tree_entry next[CONNECTIVITY_BASES];
	bool has_next[CONNECTIVITY_BASES];
};

/* A base that cannot be read is none. */
static void base_next(struct bases *b, size_t i, enum oid_kind kind)
{
	struct err ignored;

	b->has_next[i] =
		tree_next(&b->rest[i], kind, &b->next[i], &ignored) > 0;
}

static void bases_begin(struct connectivity_walk *w, struct bases *b,
			const struct connectivity_tree *tree)
{
	struct err ignored;
	struct object_at at;
	struct oid id;

	memset(b, 0, sizeof *b);
	for (size_t i = 0; i < CONNECTIVITY_BASES; i++) {
		if (tree->bases[i] == NO_NUMBER)
			continue;
		object_numbers_at(&w->numbers, tree->bases[i], &at, &id);
		if (object_read_at(w->request->reader, &at, &id,
				   OBJECT_SIZE_MAX, &b->objects[i],
				   &ignored) < 0 ||
		    b->objects[i].type != OBJECT_TREE)
			continue;
		b->rest[i] = span_of(b->objects[i].data, b->objects[i].size);
		base_next(b, i, w->kind);
	}
}

static void bases_fini(struct bases *b)
{
	for (size_t i = 0; i < CONNECTIVITY_BASES; i++)
		object_fini(&b->objects[i]);
}

/* Order of entries in a tree: a directory's name counts with a slash. */
static int entry_order(const struct tree_entry *a, const struct tree_entry *b)
{
	size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = memcmp(a->name.data, b->name.data, n);
	int x, y;

	if (order)
		return order;
	x = n < a->name.len ? a->name.data[n] : MODE_IS_TREE(a->mode) ? '/' : 0;
	y = n < b->name.len ? b->name.data[n] : MODE_IS_TREE(b->mode) ? '/' : 0;
	return x - y;
}

/* The entry of base `i` with the name and kind of `entry`; NULL for none. */
static const struct tree_entry *base_at(struct bases *b, size_t i,
					const struct tree_entry *entry,
					enum oid_kind kind)
{
	while (b->has_next[i] && entry_order(&b->next[i], entry) < 0)
		base_next(b, i, kind);
	if (!b->has_next[i] || !span_eq(b->next[i].name, entry->name) ||
	    MODE_IS_TREE(b->next[i].mode) != MODE_IS_TREE(entry->mode) ||
	    MODE_IS_GITLINK(b->next[i].mode))
		return NULL;
	return &b->next[i];
}

static int need_entry(struct connectivity_walk *w, struct bases *b,
		      const struct tree_entry *entry, struct err *e)
{
	uint32_t numbers[CONNECTIVITY_BASES];
	const struct tree_entry *base;

	if (MODE_IS_GITLINK(entry->mode))
		return 1;
	for (size_t i = 0; i < CONNECTIVITY_BASES; i++) {
		numbers[i] = NO_NUMBER;
		base = base_at(b, i, entry, w->kind);
		if (!base)
			continue;
		if (oid_eq(&base->id, &entry->id))
			return 1;
		if (MODE_IS_TREE(base->mode) &&
		    object_numbers_find(&w->numbers, &base->id, &numbers[i],
					e) <= 0)
			numbers[i] = NO_NUMBER;
	}
	return MODE_IS_TREE(entry->mode) ? need_tree(w, &entry->id, numbers, e)
					 : need_blob(w, &entry->id, e);
}

static int look_at_tree(struct connectivity_walk *w,
			const struct connectivity_tree *tree, struct err *e)
{
	CLEANUP(object_fini) struct object o = { .type = OBJECT_NONE };
	CLEANUP(bases_fini) struct bases bases = { .has_next = { false } };
	struct tree_entry entry;
	struct span rest;
	int r = read_object(w, tree->number, OBJECT_TREE, &o, e);

	if (r <= 0)
		return r;
	bases_begin(w, &bases, tree);
	rest = span_of(o.data, o.size);
	while ((r = tree_next(&rest, w->kind, &entry, e)) > 0) {
		r = need_entry(w, &bases, &entry, e);
		if (r <= 0)
			return r;
	}
	return r < 0 ? -1 : 1;
}

static int walk_trees(struct connectivity_walk *w, struct err *e)
{
	struct connectivity_tree tree;
	int r = 1;

	while (r > 0 && w->n_trees) {
		tree = w->trees[--w->n_trees];
		connectivity_tick(w->request->question);
		r = look_at_tree(w, &tree, e);
	}
	return r;
}

static int walk_roots(struct connectivity_walk *w, struct err *e)
{
	uint32_t numbers[CONNECTIVITY_BASES];
	int r = 1;

	for (size_t i = 0; i < CONNECTIVITY_BASES; i++) {
		numbers[i] = NO_NUMBER;
		if (i < w->n_bases &&
		    object_numbers_find(&w->numbers, &w->bases[i], &numbers[i],
					e) <= 0)
			numbers[i] = NO_NUMBER;
	}
	for (size_t i = 0; r > 0 && i < w->n_roots; i++) {
		size_t j = 0;

		while (j < w->n_bases && !oid_eq(&w->bases[j], &w->roots[i]))
			j++;
		if (j < w->n_bases)
			continue;
		r = need_tree(w, &w->roots[i], numbers, e);
		if (r > 0)
			r = walk_trees(w, e);
	}
	return r;
}

/* -- tips
 * ---------------------------------------------------------------------- */

static int need_tip(struct connectivity_walk *w, const struct oid *tip,
		    struct err *e)
{
	static const uint32_t none[CONNECTIVITY_BASES] = { NO_NUMBER, NO_NUMBER,
							   NO_NUMBER };
	enum object_type type, said = OBJECT_NONE;
	struct oid id = *tip;
	struct tag_view tag;
	uint64_t size;

	for (unsigned n = 0; n < TAGS_MAX; n++) {
		CLEANUP(object_fini) struct object o = { .type = OBJECT_NONE };

		if (object_info(w->request->reader, &id, &type, &size, e) < 0)
			return e->code == ERR_NOT_FOUND ? is_missing(w, &id)
							: -1;
		if (said != OBJECT_NONE && said != type)
			return is_missing(w, &id);
		if (type == OBJECT_COMMIT)
			return need_commit(w, &id, e);
		if (type == OBJECT_TREE)
			return need_tree(w, &id, none, e);
		if (type == OBJECT_BLOB)
			return need_blob(w, &id, e);
		if (object_read(w->request->reader, &id, OBJECT_SIZE_MAX, &o,
				e) < 0 ||
		    tag_parse(span_of(o.data, o.size), w->kind, &tag, e) < 0)
			return -1;
		id = tag.target;
		said = tag.type;
	}
	return is_missing(w, tip);
}

int connectivity_walk_tips(struct connectivity_walk *w, const struct oid *tips,
			   size_t n, struct oid *missing_out, struct err *e)
{
	int r = 1;

	for (size_t i = 0; r > 0 && i < n; i++) {
		if (!oid_is_zero(&tips[i]))
			r = need_tip(w, &tips[i], e);
	}
	if (r > 0)
		r = walk_commits(w, e);
	if (r > 0)
		r = walk_roots(w, e);
	if (r > 0) /* those that were tips themselves */
		r = walk_trees(w, e);
	if (r == 0)
		*missing_out = w->missing;
	return r;
}
