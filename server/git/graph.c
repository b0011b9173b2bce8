/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes lie in blocks that double in size and never move, so that a number or a
 * pointer once handed out is good without a lock. A hash table leads from ids
 * to numbers.
 *
 * Loading gives numbers as commits are met and goes through them in that order,
 * which is a breadth-first walk without a queue. Until all of it is there and
 * generations are known, the new numbers lie beyond `count` and nobody sees
 * them; where something is missing they are taken back, last one first, which
 * leaves the hash table exactly as it was.
 *
 * Locks: `load_lock` (one loader), then `table_lock` (the table).
 */
#include "git/graph.h"

#include "base/digest.h"
#include "base/err.h"
#include "git/graph_shallow.h"
#include "git/objects.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BLOCK_BITS 10 /* the first block has 1,024 nodes */
#define BLOCKS	   22 /* and the last one ends at 2^32 */
#define TABLE_BITS 10 /* at first */
#define COUNT_MAX  (UINT32_MAX - (1u << BLOCK_BITS))
#define FEW	   2 /* parents that need no memory of their own */

/* Handled, so that what stock git put there can be served. */
#define COMMIT_SIZE_MAX ((size_t)256 << 20)

/* `generation` of a commit whose parents are being looked at. */
#define GENERATION_OPEN UINT32_MAX

struct node {
	struct graph_node public;
	uint32_t few[FEW];
	uint32_t *many; /* malloc'ed, where there are more */
};

struct graph {
	enum oid_kind kind;
	struct shallow_list shallow;
	_Atomic(struct node *) blocks[BLOCKS];
	_Atomic uint32_t count; /* nodes that may be seen */
	uint32_t n;		/* nodes there are; the loader's */
	pthread_mutex_t load_lock;
	pthread_rwlock_t table_lock;
	uint32_t *table; /* number + 1; 0 is free */
	unsigned table_bits;
	uint64_t seed; /* so that nobody can make ids for one slot */
};

struct graph *graph_new(const char *git_dir, enum oid_kind kind)
{
	struct graph *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->kind = kind;
	random_bytes(&g->seed, sizeof g->seed);
	g->seed |= 1;
	g->table_bits = TABLE_BITS;
	g->table = calloc((size_t)1 << TABLE_BITS, sizeof *g->table);
	if (!g->table || shallow_read(&g->shallow, git_dir, kind) < 0) {
		free(g->table);
		free(g);
		return NULL;
	}
	pthread_mutex_init(&g->load_lock, NULL);
	pthread_rwlock_init(&g->table_lock, NULL);
	return g;
}

/* -- nodes ----------------------------------------------------------------- */

static struct node *node_of(const struct graph *g, uint32_t number)
{
	uint64_t m = (uint64_t)number + (1u << BLOCK_BITS);
	unsigned top = 63 - (unsigned)__builtin_clzll(m);

	return atomic_load_explicit(&g->blocks[top - BLOCK_BITS],
				    memory_order_acquire) +
	       (m - (UINT64_C(1) << top));
}

const struct graph_node *graph_node(const struct graph *g, uint32_t number)
{
	return &node_of(g, number)->public;
}

uint32_t graph_count(const struct graph *g)
{
	return atomic_load(&g->count);
}

/* Make the block that `number` lies in, if it is the first one there. */
static int block_make(struct graph *g, uint32_t number, struct err *e)
{
	uint64_t m = (uint64_t)number + (1u << BLOCK_BITS);
	unsigned top = 63 - (unsigned)__builtin_clzll(m);
	struct node *block;

	if (atomic_load(&g->blocks[top - BLOCK_BITS]))
		return 0;
	block = calloc((size_t)1 << top, sizeof *block);
	if (!block)
		return err_nomem(e);
	atomic_store(&g->blocks[top - BLOCK_BITS], block);
	return 0;
}

struct graph *graph_free(struct graph *g)
{
	if (!g)
		return NULL;
	for (uint32_t i = 0; i < g->n; i++)
		free(node_of(g, i)->many);
	for (unsigned i = 0; i < BLOCKS; i++)
		free(atomic_load(&g->blocks[i]));
	pthread_mutex_destroy(&g->load_lock);
	pthread_rwlock_destroy(&g->table_lock);
	shallow_fini(&g->shallow);
	free(g->table);
	free(g);
	return NULL;
}

bool graph_fresh(const struct graph *g)
{
	return shallow_fresh(&g->shallow);
}

const struct oid *graph_shallow(const struct graph *g, size_t *n_out)
{
	*n_out = g->shallow.n;
	return g->shallow.ids;
}

/* -- table ----------------------------------------------------------------- */

/* The slot of `id`, or the free one where it would go. A lock is held, or one
 * is the loader. */
static size_t slot_of(const struct graph *g, const struct oid *id)
{
	size_t mask = ((size_t)1 << g->table_bits) - 1;
	size_t at = (size_t)(oid_hash(id) * g->seed >> (64 - g->table_bits));

	while (g->table[at] &&
	       !oid_eq(&node_of(g, g->table[at] - 1)->public.id, id))
		at = (at + 1) & mask;
	return at;
}

uint32_t graph_lookup(struct graph *g, const struct oid *id)
{
	uint32_t found;

	pthread_rwlock_rdlock(&g->table_lock);
	found = g->table[slot_of(g, id)];
	pthread_rwlock_unlock(&g->table_lock);
	if (!found || found > atomic_load(&g->count))
		return GRAPH_NONE;
	return found - 1;
}

/* Twice the table, filled in the order of numbers. Write lock held. */
static int table_grow(struct graph *g, struct err *e)
{
	uint32_t *old = g->table;

	g->table = calloc((size_t)2 << g->table_bits, sizeof *g->table);
	if (!g->table) {
		g->table = old;
		return err_nomem(e);
	}
	g->table_bits++;
	free(old);
	for (uint32_t i = 0; i < g->n; i++)
		g->table[slot_of(g, &node_of(g, i)->public.id)] = i + 1;
	return 0;
}

/* Give `id` a number, if it has none. */
static int intern(struct graph *g, const struct oid *id, uint32_t *number_out,
		  struct err *e)
{
	size_t slot = slot_of(g, id);
	int rc = 0;

	if (g->table[slot]) {
		*number_out = g->table[slot] - 1;
		return 0;
	}
	if (g->n >= COUNT_MAX)
		return err_set(e, ERR_LIMIT, "more than %u commits", COUNT_MAX);
	if (block_make(g, g->n, e) < 0)
		return -1;
	pthread_rwlock_wrlock(&g->table_lock);
	if (g->n >= (size_t)1 << (g->table_bits - 1))
		rc = table_grow(g, e);
	if (!rc) {
		*node_of(g, g->n) = (struct node){ .public.id = *id };
		g->table[slot_of(g, id)] = g->n + 1;
		*number_out = g->n++;
	}
	pthread_rwlock_unlock(&g->table_lock);
	return rc;
}

/* Take back all numbers from `count` on. */
static void roll_back(struct graph *g, uint32_t count)
{
	pthread_rwlock_wrlock(&g->table_lock);
	while (g->n > count) {
		struct node *node = node_of(g, g->n - 1);

		g->table[slot_of(g, &node->public.id)] = 0;
		free(node->many);
		*node = (struct node){ 0 };
		g->n--;
	}
	pthread_rwlock_unlock(&g->table_lock);
}

/* -- loading --------------------------------------------------------------- */

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

	if (n > FEW) {
		parents = node->many = calloc(n, sizeof *parents);
		if (!parents)
			return err_nomem(e);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!commit_parent(&lines, g->kind, &parent) ||
		    intern(g, &parent, &parents[i], e) < 0)
			return -1;
	}
	node->public.parents = parents;
	node->public.n_parents = n;
	return 0;
}

static int fill_node(struct graph *g, struct node *node, struct object *o,
		     struct err *e)
{
	struct commit_view view;

	if (o->type != OBJECT_COMMIT)
		return err_set(e, ERR_CONFLICT, "it is a %s, not a commit",
			       object_type_name(o->type));
	if (commit_parse(span_of(o->data, o->size), g->kind, &view, e) < 0)
		return -1;
	node->public.tree = view.tree;
	node->public.date = view.date;
	if (shallow_has(&g->shallow, &node->public.id)) {
		node->public.is_shallow = true;
		return 0;
	}
	return fill_parents(g, node, view.parents, e);
}

/* Read what `number` stands for. */
static int load_one(struct graph *g, struct object_reader *r, uint32_t number,
		    struct err *e)
{
	struct node *node = node_of(g, number);
	char hex[OID_MAX_HEX + 1];
	struct object o;
	int rc;

	if (object_read(r, &node->public.id, COMMIT_SIZE_MAX, &o, e) < 0)
		return -1;
	rc = fill_node(g, node, &o, e);
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
	struct graph_node *node = &node_of(g, frame->number)->public;
	struct graph_node *parent;

	if (frame->next == node->n_parents) {
		node->generation = frame->best + 1;
		f->n--;
		return 0;
	}
	parent = &node_of(g, node->parents[frame->next])->public;
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
		struct graph_node *node = &node_of(g, i)->public;

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

	if (intern(g, id, number_out, e) < 0)
		return -1;
	for (uint32_t i = first; i < g->n; i++) {
		if (load_one(g, r, i, e) == 0)
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
		roll_back(g, count);
	else
		atomic_store(&g->count, g->n);
	pthread_mutex_unlock(&g->load_lock);
	return rc;
}
