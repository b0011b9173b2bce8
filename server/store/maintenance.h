/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When repositories are maintained (git/maintain.h says what that is).
 *
 * One thread, at the lowest priority for CPU and disk, one repository at a
 * time: soon after pushes made enough new packs, every MAINTENANCE_LOOK_S all
 * that are past a threshold, once a day each for what is unreachable, and
 * whatever somebody asks for. It pauses while there is much to serve, for a
 * while.
 * Several daemons on one directory do not get in each other's way, nor does
 * stock git.
 * Owns: nothing but its thread. Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"
#include "git/maintain.h"
#include "git/repo_check.h"

#include <stdbool.h>
#include <stdint.h>

struct data_dir;
struct err;
struct maintenance; /* opaque */
struct repo_store;
struct state_store;

#define MAINTENANCE_LOOK_S   600
#define MAINTENANCE_EXPIRE_S 86400

struct maintenance_settings {
	bool is_on;		     /* else only what is asked for is done */
	uint32_t packs, loose, refs; /* more of them are too many */
	int64_t grace_s;
};
#define MAINTENANCE_DEFAULTS                                          \
	{                                                             \
		.is_on = true, .packs = 20, .loose = 500, .refs = 50, \
		.grace_s = 14 * 86400,                                \
	}

struct maintenance_options {
	struct state_store *states;
	struct repo_store *repos;
	struct data_dir *dir;
	/* As they are now; NULL: the defaults. */
	void (*settings)(void *arg, struct maintenance_settings *out);
	/* Is there so much to serve that this should pause? NULL: never. */
	bool (*is_busy)(void *arg);
	void *arg;
};

struct maintenance *maintenance_new(const struct maintenance_options *options,
				    struct err *e) MUST_CHECK;
/* Without it, maintenance_run() works in the caller's thread. */
int maintenance_start(struct maintenance *m, struct err *e) MUST_CHECK;
/* Ends what is under way, which leaves nothing behind; nothing begins any more.
 * Accepts NULL. */
void maintenance_stop(struct maintenance *m);
/* The same, when nobody calls any more. Accepts NULL, returns NULL. */
struct maintenance *maintenance_free(struct maintenance *m);
DEFINE_FREEP(maintenance)

/* Something was pushed there. */
void maintenance_hint(struct maintenance *m, const char *repo);

/* Do everything for this repository, and wait for it. ERR_NOT_FOUND;
 * ERR_CONFLICT where somebody else is at it; ERR_CLOSED at the end. */
int maintenance_run(struct maintenance *m, const char *repo,
		    struct maintain_result *out, struct err *e) MUST_CHECK;

/* Check it (git/repo_check.h), and wait: problems are told in whatever thread.
 */
int maintenance_check(struct maintenance *m, const char *repo,
		      void (*problem)(void *arg, const struct check_problem *p),
		      void *arg, struct check_result *out,
		      struct err *e) MUST_CHECK;

struct maintenance_status {
	char repo[256];	      /* that is worked on; "" for none */
	uint64_t n_runs;      /* that changed something, since the start */
	char last_repo[256];  /* of the last one; "" for none */
	int64_t last_unix;    /* when it ended */
	char last_error[248]; /* of the last one that failed; "" for none */
};
void maintenance_status(struct maintenance *m, struct maintenance_status *out);
