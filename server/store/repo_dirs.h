/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside repo_store: the directories of repositories, whatever they hold.
 *
 * ROOT/a/b.git is the repository "a/b"; no element of a name begins with a
 * dot, so ROOT/.trash is none. Symbolic links are not followed below ROOT.
 * Names are canonical (store/names.h). Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* Which directory it is, whatever it is called. */
struct dir_id {
	uint64_t dev, ino;
};

static inline bool dir_id_eq(const struct dir_id *a, const struct dir_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* "ROOT/NAME.git", malloc'ed; NULL out of memory. */
char *repo_dir_path(const char *root, const char *name) MUST_CHECK;

/* ERR_NOT_FOUND where it is not there, ERR_DENIED where a link or something
 * else stands in its way. */
int repo_dir_find(const char *root, const char *name, struct dir_id *out,
		  struct err *e) MUST_CHECK;

/* Make "ROOT/a" for "a/b", durably. */
int repo_dir_make_parents(const char *root, const char *name,
			  struct err *e) MUST_CHECK;

/* Out of sight in one rename, then removed. 0 also where it is not there. */
int repo_dir_delete(const char *root, const char *name,
		    struct err *e) MUST_CHECK;
/* Remove what deletions left, and creations whose process died. */
void repo_dir_sweep(const char *root);

int repo_dir_usage(const char *root, const char *name, uint64_t *bytes_out,
		   struct err *e) MUST_CHECK;
int repo_dir_each(const char *root, int (*each)(void *arg, const char *name),
		  void *arg, struct err *e) MUST_CHECK;
