/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loose refs: one file each, below refs/.
 *
 * One struct per directory, immutable and counted, so that a snapshot reads
 * again only the directories that changed.
 * Format: gitrepository-layout(5): "HEX LF" or "ref: NAME LF"; a symbolic link
 * to a ref's path is an old form of the latter.
 * Limits: LOOSE_REF_MAX bytes of a file are looked at.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/files.h"
#include "git/refs.h"

struct err;
struct object_reader;

#define LOOSE_REF_MAX	   4096
#define LOOSE_SYMREF_DEPTH 5 /* git's own: links of links */

enum loose_kind {
	LOOSE_ABSENT, /* nothing there, or a directory */
	LOOSE_ID,
	LOOSE_SYMREF,
	LOOSE_BROKEN,
};

/* What one file holds. */
struct loose_value {
	enum loose_kind kind;
	struct oid id;
	char target[LOOSE_REF_MAX]; /* of a LOOSE_SYMREF */
};

/* Read GIT_DIR/NAME, "HEAD" or a full name. -1 where the disk fails. */
int loose_ref_read(const char *git_dir, const char *name, enum oid_kind kind,
		   struct loose_value *out, struct err *e) MUST_CHECK;

struct loose_file {
	struct ref ref; /* id without len: no value of its own */
	char *symref;	/* direct target, not yet followed */
	struct file_sig sig;
	bool is_broken;
};

struct loose_dir {
	char *path; /* "refs/heads" */
	struct file_sig sig;
	struct loose_file *files; /* sorted by name */
	size_t n_files;
	char **subdirs; /* full: "refs/heads/feature" */
	size_t n_subdirs;
	size_t n_broken;
	_Atomic size_t n_owners;
};

/* Read one directory; `previous` (may be NULL) is taken over where it is
 * unchanged. 1; 0 where it is no longer there; -1. */
int loose_dir_load(const char *git_dir, const char *path, enum oid_kind kind,
		   struct object_reader *reader, struct loose_dir *previous,
		   struct loose_dir **out, struct err *e) MUST_CHECK;
struct loose_dir *loose_dir_get(struct loose_dir *d);
struct loose_dir *loose_dir_put(struct loose_dir *d);

/* Does the disk still show what was read? `is_strict`: a signature that is too
 * young to trust is a no, and each file is looked at (for whoever edits them
 * in place) where there are no more than LOOSE_STAT_MAX. */
#define LOOSE_STAT_MAX 256
bool loose_dir_same(const char *git_dir, const struct loose_dir *d,
		    bool is_strict);
