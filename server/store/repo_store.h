/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories by name: DATA/repos/NAME.git, opened when first asked for.
 *
 * A repository is served if the state has it; a directory alone is not. No
 * symbolic link below DATA/repos is followed, so a name leads to its own
 * directory or to nothing, and access by one name is never access to another.
 * Owns: DATA/repos. What is deleted goes to DATA/repos/.trash first, in one
 * rename: a crash leaves a repository whole or gone.
 * Limits: `memory_max` bytes in caches of all repositories; least recently
 * used ones give theirs up first.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct repo_store; /* opaque */
struct repository;
struct state;

/* `data_dir` has the layout of store/data_dir.h. */
struct repo_store *repo_store_new(const char *data_dir, uint64_t memory_max,
				  struct err *e) MUST_CHECK;
/* Accepts NULL, returns NULL. */
struct repo_store *repo_store_free(struct repo_store *rs);
DEFINE_FREEP(repo_store)

/*
 * The repository of that canonical name; the caller puts it back. ERR_NOT_FOUND
 * where the state does not have it or the disk does not; other errors as
 * repository_open().
 */
struct repository *repo_store_open(struct repo_store *rs, const struct state *s,
				   const char *name, struct err *e) MUST_CHECK;

/*
 * Make it, HEAD at `branch`, or adopt the directory that is there: then
 * `*is_new_out` is false, and what is no repository is an error. Durable.
 */
int repo_store_create(struct repo_store *rs, const char *name,
		      const char *branch, bool *is_new_out,
		      struct err *e) MUST_CHECK;

/* Remove it with all it holds; 0 also where it is not there. */
int repo_store_delete(struct repo_store *rs, const char *name,
		      struct err *e) MUST_CHECK;

/* Is its directory there? Says nothing of its content. */
bool repo_store_exists(struct repo_store *rs, const char *name);

/* "DATA/repos/NAME.git", malloc'ed; NULL out of memory. */
char *repo_store_path(const struct repo_store *rs, const char *name) MUST_CHECK;

/* Bytes its files take on the disk. */
int repo_store_usage(struct repo_store *rs, const char *name,
		     uint64_t *bytes_out, struct err *e) MUST_CHECK;

/* Call `each` with the name of every directory that could be served, in no
 * order, until it returns non-zero, which is returned. */
int repo_store_each(struct repo_store *rs,
		    int (*each)(void *arg, const char *name), void *arg,
		    struct err *e) MUST_CHECK;

/* Finish deletions that a crash cut short. At start, and now and then. */
void repo_store_sweep(struct repo_store *rs);

/* Bytes in caches now, and how many repositories are open. */
uint64_t repo_store_memory(struct repo_store *rs, size_t *n_open_out);
