/* SPDX-License-Identifier: Apache-2.0 */
/* What struct refs is made of, for the files that make and read one. */
#pragma once

#include "base/files.h"
#include "git/loose_refs.h"
#include "git/packed_refs.h"
#include "git/refs.h"

#include <pthread.h>

/* What somebody derived from the refs, and how it is freed. */
struct refs_attachment {
	void *thing;
	void (*free_thing)(void *);
};

struct refs {
	/* set once, then read-only */
	char *git_dir;
	enum oid_kind kind;
	struct file_sig head_sig;
	struct head head;
	char *head_target;
	struct packed_refs *packed;
	struct loose_dir **dirs; /* sorted by path */
	size_t n_dirs;
	struct ref *symrefs; /* those that lead to something */
	size_t n_symrefs;
	const struct ref **all; /* sorted by name */
	size_t n;
	size_t n_broken;
	_Atomic size_t n_owners;

	/* under tips_lock; made when first asked for */
	pthread_mutex_t tips_lock;
	uint32_t *tips; /* 1 + index into `all`, by oid_hash(); 0: empty */
	size_t tips_mask;

	/* refs_attach(): set once */
	_Atomic(struct refs_attachment *) attachment;
};
