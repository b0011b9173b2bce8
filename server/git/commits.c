/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, and no more. */
#include "git/commits.h"

#include "git/graph.h"
#include "git/reach.h"

#include <stdlib.h>

/* A commit with its parents and its place in the hash table, roughly. */
#define COMMIT_BYTES 160

struct commits *commits_new(const char *git_dir, enum oid_kind kind)
{
	struct commits *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->n_owners = 1;
	c->graph = graph_new(git_dir, kind);
	c->reach = reach_new();
	return c->graph && c->reach ? c : commits_put(c);
}

struct commits *commits_get(struct commits *c)
{
	atomic_fetch_add_explicit(&c->n_owners, 1, memory_order_relaxed);
	return c;
}

struct commits *commits_put(struct commits *c)
{
	if (!c || atomic_fetch_sub(&c->n_owners, 1) != 1)
		return NULL;
	reach_free(c->reach);
	graph_free(c->graph);
	free(c);
	return NULL;
}

bool commits_fresh(const struct commits *c)
{
	return graph_fresh(c->graph);
}

size_t commits_memory(const struct commits *c)
{
	return (size_t)graph_count(c->graph) * COMMIT_BYTES +
	       reach_memory(c->reach);
}
