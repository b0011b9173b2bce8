/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a graph, for graph.c and graph_load.c; everybody else sees
 * graph.h.
 *
 * Locks: `load_lock` (one loader), then `table_lock` (the table).
 */
#pragma once

#include "base/attr.h"
#include "git/graph.h"
#include "git/graph_shallow.h"

#include <pthread.h>
#include <stdatomic.h>

#define GRAPH_BLOCK_BITS 10 /* the first block has 1,024 nodes */
#define GRAPH_BLOCKS	 22 /* and the last one ends at 2^32 */
#define GRAPH_FEW	 2  /* parents that need no memory of their own */

struct node {
	struct graph_node public;
	uint32_t few[GRAPH_FEW];
	uint32_t *many; /* malloc'ed, where there are more */
};

struct graph {
	enum oid_kind kind;
	struct shallow_list shallow;
	_Atomic(struct node *) blocks[GRAPH_BLOCKS];
	_Atomic uint32_t count; /* nodes that may be seen */
	uint32_t n;		/* nodes there are; the loader's */
	pthread_mutex_t load_lock;
	pthread_rwlock_t table_lock;
	uint32_t *table; /* number + 1; 0 is free */
	unsigned table_bits;
	uint64_t seed; /* so that nobody can make ids for one slot */
};

/* Takes over `shallow`, also where there is no memory. */
struct graph *graph_alloc(enum oid_kind kind,
			  struct shallow_list *shallow) MUST_CHECK;

struct node *graph_node_of(const struct graph *g, uint32_t number);

/* Give `id` a number, if it has none. The loader's. */
int graph_intern(struct graph *g, const struct oid *id, uint32_t *number_out,
		 struct err *e) MUST_CHECK;

/* Take back all numbers from `count` on. The loader's. */
void graph_roll_back(struct graph *g, uint32_t count);
