/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction from the inside: locked by ref_transaction.c, applied by
 * ref_commit.c, ref_commit_packed.c. */
#pragma once

#include "git/packed_refs.h"
#include "git/ref_transaction.h"

struct objects;

/* One change that is still in the running. */
struct ref_item {
	struct ref_change *change;
	char *name;	    /* symbolic refs followed */
	struct oid current; /* under the lock; len 0: there is none */
	bool is_locked;
	bool has_loose; /* a file of its own, whatever is in it */
	bool is_broken; /* and nothing of use is in it */
	bool has_made_dirs;
	bool is_same; /* holds the new value already */
	bool is_done;
};

struct ref_transaction {
	char *git_dir;
	char *work_dir;
	bool owns_work_dir;
	enum oid_kind kind;
	bool is_atomic;
	struct ref_item *items; /* sorted by name; failed ones are taken out */
	size_t n;
	struct packed_text packed; /* as begin() saw it */
	bool has_packed;
	bool has_packed_lock;

	/* by ref_transaction_use() */
	struct object_reader *reader;
	const struct ref_log *log;

	/* made where no reader was given */
	struct objects *own_objects;
	struct object_reader *own_reader;
};

static inline bool item_is_deletion(const struct ref_item *i)
{
	return oid_is_zero(&i->change->new_id);
}

/* Remove GIT_DIR/NAME and friends of a directory list at the end: dirs whose
 * entries changed. */
struct dir_list {
	char **paths;
	size_t n, room;
};
int dir_list_add(struct dir_list *l, const char *git_dir, const char *name,
		 bool with_parents, struct err *e) MUST_CHECK;
int dir_list_sync(struct dir_list *l, struct err *e) MUST_CHECK;
void dir_list_fini(struct dir_list *l);

/* Write WORK_DIR/FILE durably. */
int work_file_put(const struct ref_transaction *t, const char *file,
		  struct span text, struct err *e) MUST_CHECK;

/* All through packed-refs: 0, or -1 and nothing is changed. */
int ref_commit_packed(struct ref_transaction *t, struct err *e) MUST_CHECK;

/* git's reflogs, of an item that is done. */
void ref_log_write(const struct ref_transaction *t, const struct ref_item *i,
		   const char *head);
