/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is it there? For ids that a client claims to have, of which most may be
 * unknown and a million may come: what costs system calls is asked once, not
 * once an id. Directories of loose objects are looked for when an id first
 * falls into one; packs that came after the view was opened are not looked for.
 * Who must not miss an object asks objects_find().
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct loose_dirs;
struct objects;

struct object_glance {
	const struct objects *objects; /* the caller's; outlives this */
	struct loose_dirs *dirs;       /* one a source, made at first use */
};

void object_glance_init(struct object_glance *g, const struct objects *o);
void object_glance_fini(struct object_glance *g);

/* 1 there; 0 not, as far as was looked; -1 out of memory, or a file cannot be
 * looked at. */
int object_glance(struct object_glance *g, const struct oid *id,
		  struct err *e) MUST_CHECK;
