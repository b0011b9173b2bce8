/* SPDX-License-Identifier: Apache-2.0 */
/* One check from the inside: repo_check.c, check_objects.c, check_refs.c. */
#pragma once

#include "base/attr.h"
#include "git/repo_check.h"

struct fsck;
struct object_reader;
struct objects;
struct oid;
struct snapshot;

struct check {
	struct repository *repository;
	const char *git_dir;
	const struct check_options *options;
	struct check_result *result;
	struct snapshot *snapshot;
	struct objects *objects; /* the snapshot's */
	struct object_reader *reader;
	struct fsck *fsck;
};

int check_tick(const struct check *c, struct err *e) MUST_CHECK;
/* One more problem; what does not apply is NULL. */
void check_tell(struct check *c, const struct oid *object, const char *ref,
		const char *file, const char *message);

int check_objects(struct check *c, struct err *e) MUST_CHECK;
int check_refs(struct check *c, struct err *e) MUST_CHECK;
