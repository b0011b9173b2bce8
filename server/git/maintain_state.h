/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One maintenance from the inside: what the parts of it share.
 *
 *   maintain.c         the order of things
 *   maintain_list.c    which packs and loose objects there are
 *   maintain_packs.c   new packs for old
 *   maintain_expire.c  what is unreachable, and since when
 *   maintain_sweep.c   old packs and left-overs go
 */
#pragma once

#include "git/maintain.h"
#include "git/object_set.h"
#include "git/oid.h"

struct pack_plan;
struct snapshot;

/* A pack of the repository's own directory that may be replaced. */
struct old_pack {
	uint32_t number; /* in the snapshot's objects */
	char *stem;	 /* its path without ".pack" */
	uint32_t count;
	int64_t mtime_ns;
	bool is_cruft;
	uint32_t n_unreachable;
	bool is_chosen;	  /* to be replaced */
	bool has_expired; /* something in it is not to be had afterwards */
};

struct maintain {
	/* set once, then read-only */
	struct repository *repository;
	const char *git_dir;
	char *objects_dir, *pack_dir, *work_dir;
	const struct maintain_options *options;
	struct maintain_result *result;
	int64_t now; /* seconds since 1970 */

	struct snapshot *snapshot;
	struct objects *objects; /* the snapshot's */
	struct old_pack *packs;	 /* ascending by count */
	size_t n_packs;
	struct oid *loose;
	size_t n_loose, cap_loose;

	/* maintain_expire.c; NULL: nothing is known, all counts as reachable */
	struct pack_plan *reachable;
	uint32_t *times;     /* of unreachable objects, by number; 0: none */
	struct oid *expired; /* that are to go */
	size_t n_expired, cap_expired;
};

static inline int maintain_tick(const struct maintain *m, struct err *e)
{
	return m->options->tick ? m->options->tick(m->options->tick_arg, e) : 0;
}

/* maintain_list.c: from the directories. */
int maintain_list_packs(struct maintain *m, struct err *e) MUST_CHECK;
int maintain_list_loose(struct maintain *m, struct err *e) MUST_CHECK;
/* "STEM.SUFFIX" is there, or that cannot be told: what depends on its absence
 * is not done then. */
bool old_pack_has(const char *stem, const char *suffix);

/* maintain_expire.c: fill `reachable`, `times`, `expired`, and what the packs
 * have of it. 0 also where that cannot be: then result->problem says why. */
int maintain_reach(struct maintain *m, struct err *e) MUST_CHECK;
bool maintain_is_reachable(struct maintain *m, const struct oid *id);
/* Of an unreachable one; 0 where it is to go. */
uint32_t maintain_time_of(struct maintain *m, const struct oid *id);
/* Packs of which something is to go may: nobody pushes, and no ref leads there
 * now. A descriptor to be closed when they are gone; -1. */
int maintain_may_expire(struct maintain *m, struct err *e) MUST_CHECK;

/* maintain_packs.c */
int maintain_packs(struct maintain *m, struct err *e) MUST_CHECK;

/* maintain_sweep.c */
int maintain_drop_packs(struct maintain *m, const char *const new_names[2],
			struct err *e) MUST_CHECK;
int maintain_drop_loose(struct maintain *m, struct err *e) MUST_CHECK;
int maintain_sweep(struct maintain *m, struct err *e) MUST_CHECK;
