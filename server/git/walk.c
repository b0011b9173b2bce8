/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through trees. Versions of a directory share nearly all of their
 * entries, so most of the time goes to entries that were met before: a small
 * table of the ids that were met last answers for them without a look-up.
 */
#include "git/walk.h"

#include "base/err.h"
#include "git/pack_emit.h"

#include <stdlib.h>

/* Half a megabyte of recent ids: most of a level-2 cache. */
#define N_RECENT 16384
/* Trees between two calls of tick(): some milliseconds. */
#define TICK_TREES 512

struct walk_tree {
	uint64_t depth; /* of its entries, from the root tree's 0 */
	uint32_t number;
};

struct walk_recent {
	unsigned char ids[N_RECENT][OID_MAX_SIZE];
};

int walk_init(struct walk *w, struct err *e)
{
	w->seen = (struct object_set){ NULL, 0 };
	w->stack = NULL;
	w->n_stack = w->cap_stack = 0;
	w->depths = NULL;
	w->n_depths = 0;
	w->n_ticks = 0;
	w->recent = calloc(1, sizeof *w->recent);
	if (!w->recent)
		return err_nomem(e);
	/* The id of zeroes belongs to this slot and must not be found. */
	memset(w->recent->ids[0], 0xff, OID_MAX_SIZE);
	return 0;
}

void walk_fini(struct walk *w)
{
	object_set_fini(&w->seen);
	free(w->stack);
	free(w->depths);
	free(w->recent);
	w->stack = NULL;
	w->depths = NULL;
	w->recent = NULL;
}

static bool shows(const struct walk *w, enum object_type type)
{
	return !w->filter.has_type || w->filter.type == type;
}

static bool shows_blobs(const struct walk *w)
{
	bool has_none = w->filter.has_blob_limit && !w->filter.blob_limit;

	return shows(w, OBJECT_BLOB) && !has_none;
}

/* Is there any use in reading a tree whose entries are that deep? */
static bool walks_entries(const struct walk *w, uint64_t depth)
{
	if (w->filter.has_type && w->filter.type != OBJECT_TREE &&
	    w->filter.type != OBJECT_BLOB)
		return false;
	return !w->filter.has_tree_depth || depth < w->filter.tree_depth;
}

static int missing(const struct oid *id, struct err *e)
{
	char hex[OID_MAX_HEX + 1];

	return err_set(e, ERR_CORRUPT, "object %s is missing",
		       oid_hex(id, hex));
}

static int number_of(struct walk *w, const struct oid *id, uint32_t *number_out,
		     struct err *e)
{
	int found = object_numbers_find(w->numbers, id, number_out, e);

	return found == 0 ? missing(id, e) : found;
}

static int push(struct walk *w, uint32_t number, uint64_t depth, struct err *e)
{
	if (w->n_stack == w->cap_stack) {
		size_t cap = w->cap_stack ? 2 * w->cap_stack : 256;
		struct walk_tree *stack =
			realloc(w->stack, cap * sizeof *stack);

		if (!stack)
			return err_nomem(e);
		w->stack = stack;
		w->cap_stack = cap;
	}
	w->stack[w->n_stack++] = (struct walk_tree){ depth, number };
	return 0;
}

/* 1 where the tree was not met at this depth or a lesser one. */
static int is_nearer(struct walk *w, uint32_t number, uint64_t depth,
		     struct err *e)
{
	/* Deeper than this no two depths differ for the filter: trees that deep
	 * do not exist. */
	uint32_t mark =
		depth < UINT32_MAX - 1 ? (uint32_t)depth + 1 : UINT32_MAX;

	if (number >= w->n_depths) {
		size_t n = w->numbers->n_packed;
		uint32_t *depths;

		if (number >= n)
			n = number + (size_t)number / 2 + 64;
		depths = w->n_depths ? realloc(w->depths, n * sizeof *depths)
				     : calloc(n, sizeof *depths);
		if (!depths)
			return err_nomem(e);
		if (w->n_depths)
			memset(depths + w->n_depths, 0,
			       (n - w->n_depths) * sizeof *depths);
		w->depths = depths;
		w->n_depths = n;
	}
	if (w->depths[number] && w->depths[number] <= mark)
		return 0;
	w->depths[number] = mark;
	return 1;
}

/* 1 where the object was not met before. */
static int is_first(struct walk *w, uint32_t number, struct err *e)
{
	return object_set_add(w->filter.is_set ? &w->seen : w->send, number, e);
}

static int meet_tree(struct walk *w, uint32_t number, uint64_t depth,
		     struct err *e)
{
	int is_new;

	if (!walks_entries(w, depth))
		return 0;
	is_new = w->filter.has_tree_depth ? is_nearer(w, number, depth, e)
					  : is_first(w, number, e);
	if (is_new <= 0)
		return is_new;
	if (shows(w, OBJECT_TREE) && object_set_add(w->send, number, e) < 0)
		return -1;
	if (!walks_entries(w, depth + 1))
		return 0;
	return push(w, number, depth + 1, e);
}

static int meet_blob(struct walk *w, uint32_t number, const struct oid *id,
		     struct err *e)
{
	int is_new = is_first(w, number, e);
	enum object_type type;
	uint64_t size;

	if (is_new <= 0 || !w->filter.is_set)
		return is_new < 0 ? -1 : 0;
	if (w->filter.has_blob_limit) {
		if (object_info(w->reader, id, &type, &size, e) < 0)
			return -1;
		if (size >= w->filter.blob_limit)
			return 0;
	}
	return object_set_add(w->send, number, e) < 0 ? -1 : 0;
}

/* Depths matter, so an id that was met may have to be met again. */
static bool is_recent(struct walk *w, const struct oid *id)
{
	unsigned char *slot = w->recent->ids[oid_hash(id) % N_RECENT];

	if (w->filter.has_tree_depth)
		return false;
	if (!memcmp(slot, id->id, OID_MAX_SIZE))
		return true;
	memcpy(slot, id->id, OID_MAX_SIZE);
	return false;
}

static int meet_entry(struct walk *w, const struct tree_entry *entry,
		      uint64_t depth, struct err *e)
{
	bool is_tree = MODE_IS_TREE(entry->mode);
	uint32_t number;

	if (MODE_IS_GITLINK(entry->mode) || (!is_tree && !shows_blobs(w)) ||
	    is_recent(w, &entry->id))
		return 0;
	if (number_of(w, &entry->id, &number, e) < 0)
		return -1;
	if (w->known && object_set_has(w->known, number))
		return 0;
	return is_tree ? meet_tree(w, number, depth, e)
		       : meet_blob(w, number, &entry->id, e);
}

static int tick(struct walk *w, struct err *e)
{
	const struct pack_progress *p = w->progress;

	if (!p || !p->tick || ++w->n_ticks % TICK_TREES)
		return 0;
	return p->tick(p->arg, "Counting objects", w->n_ticks, 0, e);
}

static int read_tree(struct walk *w, uint32_t number, struct object *out,
		     struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	struct object_at at;
	struct oid id;

	object_numbers_at(w->numbers, number, &at, &id);
	if (object_read_at(w->reader, &at, &id, OBJECT_SIZE_MAX, out, e) < 0) {
		if (e->code == ERR_NOT_FOUND)
			return missing(&id, e);
		return err_wrap(e, "object %s", oid_hex(&id, hex));
	}
	if (out->type == OBJECT_TREE)
		return tick(w, e);
	return err_set(e, ERR_CORRUPT, "object %s is no tree",
		       oid_hex(&id, hex));
}

static int walk_one(struct walk *w, const struct walk_tree *at, struct err *e)
{
	CLEANUP(object_fini) struct object tree = { 0 };
	enum oid_kind kind = objects_kind(w->numbers->objects);
	struct tree_entry entry;
	struct span rest;
	int more;

	if (read_tree(w, at->number, &tree, e) < 0)
		return -1;
	rest = span_of(tree.data, tree.size);
	while ((more = tree_next(&rest, kind, &entry, e)) > 0) {
		if (meet_entry(w, &entry, at->depth, e) < 0)
			return -1;
	}
	return more;
}

static int drain(struct walk *w, struct err *e)
{
	while (w->n_stack) {
		struct walk_tree at = w->stack[--w->n_stack];

		if (walk_one(w, &at, e) < 0)
			return -1;
	}
	return 0;
}

int walk_commit(struct walk *w, const struct oid *commit,
		const struct oid *tree, struct err *e)
{
	uint32_t number;

	if (number_of(w, commit, &number, e) < 0)
		return -1;
	if (shows(w, OBJECT_COMMIT) && object_set_add(w->send, number, e) < 0)
		return -1;
	if (tick(w, e) < 0)
		return -1;
	if (!walks_entries(w, 0) || is_recent(w, tree))
		return 0;
	if (number_of(w, tree, &number, e) < 0)
		return -1;
	if (w->known && object_set_has(w->known, number))
		return 0;
	if (meet_tree(w, number, 0, e) < 0)
		return -1;
	return drain(w, e);
}

int walk_named(struct walk *w, const struct oid *id, enum object_type type,
	       struct err *e)
{
	int is_new;
	uint32_t number;

	if (number_of(w, id, &number, e) < 0)
		return -1;
	if (w->known && object_set_has(w->known, number))
		return 0;
	is_new = is_first(w, number, e);
	if (is_new < 0 || object_set_add(w->send, number, e) < 0)
		return -1;
	if (!is_new || type != OBJECT_TREE)
		return 0;
	/* Below a tree that is named, depth is counted from its entries. */
	if (w->filter.has_tree_depth && is_nearer(w, number, 0, e) < 0)
		return -1;
	if (!walks_entries(w, 0))
		return 0;
	if (push(w, number, 0, e) < 0)
		return -1;
	return drain(w, e);
}
