/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The refs of one repository as they were at one moment.
 *
 * Read from loose files and packed-refs as git does (a loose ref wins; a broken
 * one is left out and counted; symbolic refs under refs/ resolved), sorted by
 * name bytewise, annotated tags fully peeled. Immutable and counted.
 * Format: gitrepository-layout(5), git-pack-refs(1).
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct object_reader;
struct refs;

struct ref {
	const char *name; /* "refs/heads/main" */
	struct oid id;
	struct oid peeled;	   /* len 0 where `id` is not a tag */
	const char *symref_target; /* NULL for an ordinary ref */
};

struct head {
	const char *target; /* "refs/heads/main"; NULL when detached */
	struct oid id;	    /* len 0 when unborn; may name what is not there */
	struct oid peeled;  /* as in struct ref */
};

/*
 * Load from the repository directory `git_dir`. `reader` peels tags whose
 * packed-refs line does not and leaves out refs whose object is absent (NULL:
 * neither is done); with `previous`, what has not changed is taken over. NULL
 * with `e` set: ERR_CORRUPT names the file and what is wrong.
 */
struct refs *refs_load(const char *git_dir, enum oid_kind kind,
		       struct object_reader *reader, struct refs *previous,
		       struct err *e) MUST_CHECK;
struct refs *refs_get(struct refs *r);
struct refs *refs_put(struct refs *r);

/* False once something changed on disk, by stat(2) of HEAD, packed-refs and
 * the directories under refs/; a signature too young to trust counts as
 * changed. */
bool refs_fresh(const struct refs *r);

/* Refs left out because what they hold is no id, or names an absent object. */
size_t refs_broken(const struct refs *r);

size_t refs_count(const struct refs *r);
const struct ref *refs_at(const struct refs *r, size_t i);
const struct ref *refs_find(const struct refs *r, const char *name);
/* First index whose name is >= `prefix`, for walking a range. */
size_t refs_lower_bound(const struct refs *r, struct span prefix);
const struct head *refs_head(const struct refs *r);

/* True where some ref (or HEAD) has exactly this id. */
bool refs_is_tip(const struct refs *r, const struct oid *id);

/*
 * One slot for what is derived from these refs (ls_refs.c keeps rendered
 * listings there). The first refs_attach() wins: its `thing` is kept, returned
 * by all calls from then on, and freed with the refs; a later one frees its
 * own. refs_attached() is NULL until then; refs_attach() only out of memory.
 */
void *refs_attached(const struct refs *r);
void *refs_attach(struct refs *r, void *thing, void (*free_thing)(void *));

/* git-check-ref-format(1) on a full name, plus our own: at most 2,048 bytes,
 * components of at most 255. ERR_MALFORMED says which rule. */
int ref_name_check(struct span name, struct err *e) MUST_CHECK;

/* Order of names: by their bytes. */
int ref_name_cmp(struct span a, struct span b);
