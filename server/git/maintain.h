/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a repository quick and small while it is used.
 *
 * Small packs and loose objects become larger packs by copying
 * (pack_rewrite.h), chosen geometrically; loose refs move into
 * packed-refs; what no ref leads to moves into a cruft pack, as git's, and
 * vanishes when the grace period is over since it was first found there;
 * left-overs of crashes are removed.
 * New packs are durable and visible before an old one goes, so that at any
 * moment, after any crash, every object is there. Nothing that a ref, HEAD, a
 * reflog or a pseudo-ref leads to is ever left out; where that cannot be found
 * out, nothing is. Packs with .keep or .promisor are not touched.
 * Readers are not disturbed: what they have mapped stays. While other daemons
 * live on the same disk, replaced packs wait in objects/replaced first
 * (REPLACED_S), since elsewhere a mapping may not outlive its file.
 * Stock git may do anything at the same time; `git gc` and this keep out of
 * each other's way (repo_lock.h).
 * Threads: any; one at a time per repository, the others get ERR_CONFLICT.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct repository;

/* As long as a transfer may take (limits.session-timeout by default). */
#define REPLACED_S 21600
/* Left-overs that nobody can be asked about are left so long after anything in
 * them changed. */
#define LEFTOVER_S 86400

enum maintain_kind {
	MAINTAIN_STEP,	 /* what is past the thresholds */
	MAINTAIN_EXPIRE, /* the same, and what is unreachable */
	MAINTAIN_ALL,	 /* everything, into one pack */
};

struct maintain_options {
	enum maintain_kind kind;
	uint32_t packs_max; /* so many are fine */
	uint32_t loose_max; /* loose objects */
	uint32_t refs_max;  /* loose refs */
	int64_t grace_s;
	const char *daemon_id; /* NULL: none */
	bool is_alone;	       /* no other daemon is on this disk */
	/* Called often: to wait, and to stop (-1 with `e`). May be NULL. */
	int (*tick)(void *arg, struct err *e);
	void *tick_arg;
	/* As for receive_pack_sweep(); NULL: nobody knows. */
	bool (*is_dead)(void *arg, const char *id);
	void *dead_arg;
};

struct maintain_result {
	uint32_t n_packs_before, n_packs; /* not counting kept ones */
	uint32_t n_loose;   /* loose objects that went into a pack */
	uint32_t n_refs;    /* loose refs that went into packed-refs */
	uint32_t n_cruft;   /* unreachable objects that are kept for now */
	uint32_t n_expired; /* that are gone */
	uint64_t bytes;	    /* of packs written */
	/* Why unreachable objects were left as they are; "" where nothing
	 * stood in the way. */
	char problem[248];
};

int repository_maintain(struct repository *r, const struct maintain_options *o,
			struct maintain_result *out, struct err *e) MUST_CHECK;

/* After a crash: remove what is left of packs that were on their way out and
 * lie in `dir`, the work directory. While pushes are under way nothing is: one
 * may be bringing such a pack again. A later sweep finds it. */
int maintain_finish(const char *dir, const char *git_dir,
		    struct err *e) MUST_CHECK;

/* What there is to do, without doing it; cheap. */
struct maintain_look {
	uint32_t n_packs, n_loose, n_loose_refs;
};
int repository_look(struct repository *r, struct maintain_look *out,
		    struct err *e) MUST_CHECK;
/* Is a step due? */
bool maintain_is_due(const struct maintain_look *l,
		     const struct maintain_options *o);
