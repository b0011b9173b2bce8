/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository's commits in memory, and what is kept of reachability: one
 * thing, for the closures in `reach` are numbers of `graph`. Shared by all
 * snapshots until the repository's own `shallow` file changes, which is the one
 * thing that gives a commit other parents; then new ones begin, empty.
 * Ownership: counted. Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

#include <stdatomic.h>
#include <stdbool.h>

struct graph;
struct reach;

struct commits {
	/* set once, then read-only */
	struct graph *graph;
	struct reach *reach;
	_Atomic size_t n_owners;
};

/* Reads `git_dir`/shallow, no commit yet. NULL out of memory. */
struct commits *commits_new(const char *git_dir, enum oid_kind kind) MUST_CHECK;
struct commits *commits_get(struct commits *c);
struct commits *commits_put(struct commits *c);

/* False once the `shallow` file is another one. */
bool commits_fresh(const struct commits *c);

/* Bytes held: an estimate for the graph. */
size_t commits_memory(const struct commits *c);
