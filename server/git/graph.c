/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes lie in blocks that double in size and never move, so that a number or a
 * pointer once handed out is good without a lock. A hash table leads from ids
 * to numbers. graph_load.c fills them.
 */
#include "git/graph_inside.h"

#include "base/digest.h"
#include "base/err.h"

#include <stdlib.h>

#define TABLE_BITS 10 /* at first */
#define COUNT_MAX  (UINT32_MAX - (1u << GRAPH_BLOCK_BITS))

struct graph *graph_alloc(enum oid_kind kind, struct shallow_list *shallow)
{
	struct graph *g = calloc(1, sizeof *g);

	if (!g) {
		shallow_fini(shallow);
		return NULL;
	}
	g->kind = kind;
	g->shallow = *shallow;
	*shallow = (struct shallow_list){ 0 };
	random_bytes(&g->seed, sizeof g->seed);
	g->seed |= 1;
	pthread_mutex_init(&g->load_lock, NULL);
	pthread_rwlock_init(&g->table_lock, NULL);
	g->table_bits = TABLE_BITS;
	g->table = calloc((size_t)1 << TABLE_BITS, sizeof *g->table);
	return g->table ? g : graph_free(g);
}

struct graph *graph_new(const char *git_dir, enum oid_kind kind)
{
	struct shallow_list shallow;

	if (shallow_read(&shallow, git_dir, kind) < 0)
		return NULL;
	return graph_alloc(kind, &shallow);
}

struct graph *graph_new_shallow(const char *git_dir, enum oid_kind kind,
				const struct oid_set *more, struct err *e)
{
	struct graph *g = graph_new(git_dir, kind);

	if (!g)
		return err_nomem(e), NULL;
	return shallow_extend(&g->shallow, more, e) < 0 ? graph_free(g) : g;
}

/* -- nodes ----------------------------------------------------------------- */

struct node *graph_node_of(const struct graph *g, uint32_t number)
{
	uint64_t m = (uint64_t)number + (1u << GRAPH_BLOCK_BITS);
	unsigned top = 63 - (unsigned)__builtin_clzll(m);

	return atomic_load_explicit(&g->blocks[top - GRAPH_BLOCK_BITS],
				    memory_order_acquire) +
	       (m - (UINT64_C(1) << top));
}

const struct graph_node *graph_node(const struct graph *g, uint32_t number)
{
	return &graph_node_of(g, number)->public;
}

uint32_t graph_count(const struct graph *g)
{
	return atomic_load(&g->count);
}

/* Make the block that `number` lies in, if it is the first one there. */
static int block_make(struct graph *g, uint32_t number, struct err *e)
{
	uint64_t m = (uint64_t)number + (1u << GRAPH_BLOCK_BITS);
	unsigned top = 63 - (unsigned)__builtin_clzll(m);
	struct node *block;

	if (atomic_load(&g->blocks[top - GRAPH_BLOCK_BITS]))
		return 0;
	block = calloc((size_t)1 << top, sizeof *block);
	if (!block)
		return err_nomem(e);
	atomic_store(&g->blocks[top - GRAPH_BLOCK_BITS], block);
	return 0;
}

struct graph *graph_free(struct graph *g)
{
	if (!g)
		return NULL;
	for (uint32_t i = 0; i < g->n; i++)
		free(graph_node_of(g, i)->many);
	for (unsigned i = 0; i < GRAPH_BLOCKS; i++)
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
	       !oid_eq(&graph_node_of(g, g->table[at] - 1)->public.id, id))
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
		g->table[slot_of(g, &graph_node_of(g, i)->public.id)] = i + 1;
	return 0;
}

int graph_intern(struct graph *g, const struct oid *id, uint32_t *number_out,
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
		*graph_node_of(g, g->n) = (struct node){ .public.id = *id };
		g->table[slot_of(g, id)] = g->n + 1;
		*number_out = g->n++;
	}
	pthread_rwlock_unlock(&g->table_lock);
	return rc;
}

void graph_roll_back(struct graph *g, uint32_t count)
{
	pthread_rwlock_wrlock(&g->table_lock);
	while (g->n > count) {
		struct node *node = graph_node_of(g, g->n - 1);

		g->table[slot_of(g, &node->public.id)] = 0;
		free(node->many);
		*node = (struct node){ 0 };
		g->n--;
	}
	pthread_rwlock_unlock(&g->table_lock);
}
