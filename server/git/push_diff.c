/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files differ between two commits: two trees walked side by side, only
 * where they differ, on a stack of our own.
 * Limits: DIFF_DEPTH_MAX levels, DIFF_BYTES_MAX of trees held at a time; both
 * are errors, never a shorter answer.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "git/object.h"
#include "git/objects.h"

#include <string.h>

#define DIFF_DEPTH_MAX 2048
#define DIFF_BYTES_MAX ((size_t)256 << 20)
#define PATH_BYTES_MAX ((size_t)1 << 20)

/* One side of one level; an absent tree has nothing in it. */
struct side {
	struct object tree;
	struct span rest;
	struct tree_entry entry;
	bool has_entry;
};

struct level {
	struct side sides[2];
	size_t path_len; /* of the directory, with its "/" */
};

struct diff {
	struct push *p;
	struct level *levels;
	size_t n, room;
	size_t bytes;
	struct buf path;
	int (*each)(void *arg, struct span path);
	void *arg;
};

static int side_next(struct diff *d, struct side *s, struct err *e)
{
	int n = tree_next(&s->rest, d->p->kind, &s->entry, e);

	s->has_entry = n > 0;
	return n < 0 ? -1 : 0;
}

static int side_open(struct diff *d, struct side *s, const struct oid *id,
		     struct err *e)
{
	if (id) {
		if (object_read(d->p->reader, id, DIFF_BYTES_MAX - d->bytes,
				&s->tree, e) < 0)
			return -1;
		if (s->tree.type != OBJECT_TREE)
			return err_set(e, ERR_CORRUPT, "a tree is a %s",
				       object_type_name(s->tree.type));
		d->bytes += s->tree.size;
		s->rest = span_of(s->tree.data, s->tree.size);
	}
	return side_next(d, s, e);
}

static void level_close(struct diff *d)
{
	struct level *l = &d->levels[--d->n];

	for (int i = 0; i < 2; i++) {
		d->bytes -= l->sides[i].tree.size;
		object_fini(&l->sides[i].tree);
	}
}

/* Go down into trees that differ; NULL for a side that has none. */
static int level_open(struct diff *d, const struct oid *a, const struct oid *b,
		      struct err *e)
{
	struct level *grown, *l;

	if (d->n == DIFF_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "more than %d directories deep",
			       DIFF_DEPTH_MAX);
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 16;
		grown = reallocarray(d->levels, d->room, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		d->levels = grown;
	}
	l = &d->levels[d->n++];
	*l = (struct level){ .path_len = d->path.len };
	if (side_open(d, &l->sides[0], a, e) < 0 ||
	    side_open(d, &l->sides[1], b, e) < 0)
		return -1;
	return 0;
}

/* git's order: a tree's name counts as if it ended in "/". */
static int entry_cmp(const struct tree_entry *a, const struct tree_entry *b)
{
	size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = memcmp(a->name.data, b->name.data, n);
	unsigned char x, y;

	if (order)
		return order;
	x = a->name.len > n	    ? a->name.data[n]
	    : MODE_IS_TREE(a->mode) ? '/'
				    : '\0';
	y = b->name.len > n	    ? b->name.data[n]
	    : MODE_IS_TREE(b->mode) ? '/'
				    : '\0';
	return x - y;
}

/* -1: only the old side has it; 1: only the new; 0: both. */
static int level_side(const struct level *l)
{
	const struct side *a = &l->sides[0], *b = &l->sides[1];

	if (!a->has_entry || !b->has_entry)
		return a->has_entry ? -1 : 1;
	return entry_cmp(&a->entry, &b->entry);
}

/* A tree is gone into, anything else is told. */
static int differ(struct diff *d, const struct tree_entry *a,
		  const struct tree_entry *b, struct err *e)
{
	const struct tree_entry *named = a ? a : b;
	int n = 0;

	buf_addspan(&d->path, named->name);
	if (buf_check(&d->path, e) < 0)
		return -1;
	if (MODE_IS_TREE(named->mode)) {
		buf_addc(&d->path, '/');
		return level_open(d, a ? &a->id : NULL, b ? &b->id : NULL, e);
	}
	n = d->each(d->arg, buf_span(&d->path));
	return n;
}

/* One entry, or pair of entries, of the innermost level. Non-zero ends. */
static int step(struct diff *d, struct err *e)
{
	struct level *l = &d->levels[d->n - 1];
	struct tree_entry a = l->sides[0].entry, b = l->sides[1].entry;
	int side = level_side(l);

	buf_truncate(&d->path, l->path_len);
	if (side <= 0 && side_next(d, &l->sides[0], e) < 0)
		return -1;
	if (side >= 0 && side_next(d, &l->sides[1], e) < 0)
		return -1;
	if (side < 0)
		return differ(d, &a, NULL, e);
	if (side > 0)
		return differ(d, NULL, &b, e);
	if (oid_eq(&a.id, &b.id) && a.mode == b.mode)
		return 0;
	return differ(d, &a, &b, e);
}

static int walk(struct diff *d, struct err *e)
{
	int n = 0;

	while (!n && d->n) {
		const struct level *l = &d->levels[d->n - 1];

		if (!l->sides[0].has_entry && !l->sides[1].has_entry)
			level_close(d);
		else
			n = step(d, e);
	}
	return n;
}

/* The tree of what `id` leads to: 1; 0 where it leads to none; -1. */
static int tree_of(struct push *p, const struct oid *id, struct oid *out,
		   struct err *e)
{
	struct commit_view view;
	struct object commit;
	enum object_type type;
	struct oid target;
	int n;

	if (oid_is_zero(id))
		return 0;
	if (object_peel(p->reader, id, &target, &type, e) < 0)
		return -1;
	*out = target;
	if (type != OBJECT_COMMIT)
		return type == OBJECT_TREE;
	if (object_read(p->reader, &target, DIFF_BYTES_MAX, &commit, e) < 0)
		return -1;
	n = commit_parse(span_of(commit.data, commit.size), p->kind, &view, e);
	object_fini(&commit);
	*out = view.tree;
	return n < 0 ? -1 : 1;
}

int push_diff(struct push *p, const struct oid *old_id,
	      const struct oid *new_id,
	      int (*each)(void *arg, struct span path), void *arg,
	      struct err *e)
{
	struct diff d = { .p = p, .each = each, .arg = arg };
	struct oid a, b;
	int has_a = tree_of(p, old_id, &a, e);
	int has_b = has_a < 0 ? -1 : tree_of(p, new_id, &b, e);
	int n;

	if (has_b < 0)
		return -1;
	if (has_a && has_b && oid_eq(&a, &b))
		return 0;
	buf_init_max(&d.path, PATH_BYTES_MAX);
	n = level_open(&d, has_a ? &a : NULL, has_b ? &b : NULL, e);
	if (!n)
		n = walk(&d, e);
	while (d.n)
		level_close(&d);
	free(d.levels);
	buf_fini(&d.path);
	return n;
}
