/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that keeps objects alive: refs, HEAD, reflogs, pseudo-refs.
 * Threads: a plain function.
 */
#pragma once

#include "base/attr.h"
#include "git/oid_set.h"

struct err;
struct snapshot;

/* Adds to `out`. ERR_CONFLICT where there is more than can be told (a work
 * tree's index, a ref that leads nowhere). What a reflog names and is not there
 * is left out, as git does. */
int maintain_roots(struct snapshot *s, struct oid_set *out,
		   struct err *e) MUST_CHECK;
