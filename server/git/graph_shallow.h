/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `shallow` file of a repository: commits whose parents it does not have.
 * Format: gitformat-shallow; one id a line. Threads: immutable once read.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "base/files.h"
#include "git/oid_set.h"

struct shallow_list {
	char *path;
	struct file_sig sig;
	struct oid *ids; /* ascending */
	size_t n;
	struct err why; /* code ERR_OK, or why the file could not be read */
};

/* A file that is not there is an empty list. -1 only out of memory. */
int shallow_read(struct shallow_list *s, const char *git_dir,
		 enum oid_kind kind) MUST_CHECK;
/* The ids of another list, or its `why` as the error. */
int shallow_copy(struct shallow_list *s, const struct shallow_list *from,
		 struct err *e) MUST_CHECK;
/* As if these stood in the file, too. */
int shallow_extend(struct shallow_list *s, const struct oid_set *more,
		   struct err *e) MUST_CHECK;
void shallow_fini(struct shallow_list *s);

bool shallow_has(const struct shallow_list *s, const struct oid *id);
/* False once the file is another one. */
bool shallow_fresh(const struct shallow_list *s);
