/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a repository sound? What git fsck does, by our own readers: every pack and
 * its index, every object's bytes against its id and its format, every ref's
 * name and value, and whether everything is there that refs lead to.
 *
 * Nothing is changed. It may be pushed to meanwhile; what is judged is one
 * snapshot, with the packs that it has.
 * Limits: one object in memory; CHECK_PROBLEMS_MAX problems are told, all are
 * counted.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct repository;

#define CHECK_PROBLEMS_MAX 1000

/* What is wrong with what; what does not apply is NULL. Borrowed. */
struct check_problem {
	const char *object; /* hex */
	const char *ref;
	const char *file; /* a pack, below the repository */
	const char *message;
	bool is_warning; /* what git fsck would only warn about */
};

struct check_options {
	void (*problem)(void *arg, const struct check_problem *p);
	/* Called often: -1 stops. May be NULL. */
	int (*tick)(void *arg, struct err *e);
	void *arg;
};

struct check_result {
	uint64_t n_objects; /* copies in packs, and loose ones */
	uint64_t n_refs;
	uint64_t n_problems; /* without warnings */
};

/* 0 also where there are problems; -1 where it could not be looked at. */
int repository_check(struct repository *r, const struct check_options *o,
		     struct check_result *out, struct err *e) MUST_CHECK;
