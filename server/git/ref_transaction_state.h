/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction from the inside: locked by ref_transaction.c, applied by
 * ref_commit.c, ref_commit_packed.c. */
#pragma once

#include "git/packed_refs.h"
#include "git/ref_transaction.h"

struct objects;

/*
 * A file of the repository takes another's place, or goes, but so that it can
 * come back: what is replaced is kept in the work directory. A refused change
 * must not stay where its last flush failed.
 */
enum ref_undo {
	UNDO_NOTHING,
	UNDO_SWAP,   /* what was there is in the work directory */
	UNDO_REMOVE, /* nothing was there */
	UNDO_LOST,   /* the file system cannot swap: it is gone */
};

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
	enum ref_undo undo; /* of its loose file */
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

/* Directories whose entries changed, to be made durable. A new file's parents
 * are among them, whoever made them: a push that is not through yet may have.
 */
struct dir_list {
	char **paths;
	size_t n, room;
};
int dir_list_add(struct dir_list *l, const char *git_dir, const char *name,
		 bool is_new, struct err *e) MUST_CHECK;
int dir_list_sync(struct dir_list *l, struct err *e) MUST_CHECK;
void dir_list_fini(struct dir_list *l);

/* Write WORK_DIR/FILE durably. */
int work_file_put(const struct ref_transaction *t, const char *file,
		  struct span text, struct err *e) MUST_CHECK;

/* Rename WORK_DIR/FILE to `to`; -1 with errno. */
int work_file_publish(const struct ref_transaction *t, const char *file,
		      const char *to, enum ref_undo *undo_out) MUST_CHECK;
/* And back. False where it could not be. */
bool work_file_undo(const struct ref_transaction *t, const char *file,
		    const char *to, enum ref_undo undo);

/* All through packed-refs: 0, or -1 and nothing is changed. */
int ref_commit_packed(struct ref_transaction *t, struct err *e) MUST_CHECK;

/* git's reflogs, of an item that is done. */
void ref_log_write(const struct ref_transaction *t, const struct ref_item *i,
		   const char *head);
