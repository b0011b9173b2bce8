/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs, or some of their objects, as one new pack.
 *
 * Stored bytes are copied; what is deflated anew is loose, or a delta whose
 * base does not go along or whose chain grew longer than REWRITE_DEPTH_MAX. The
 * new pack leans on nothing outside. Each object goes in once. Every copied
 * entry is compared with its CRC in the old index; where an index cannot be
 * read whole, the rewriting fails.
 * The files lie in a work directory, durable, until pack_rewrite_publish():
 * nothing is visible before, and nothing old is touched at all.
 * Format: gitformat-pack(5); index and .rev as `git index-pack` writes them.
 * Limits: 40 bytes for each object, one object that is deflated anew.
 * Threads: any; one at a time per work directory.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

#include <stdint.h>

struct err;
struct objects;

/* As git's pack.depth. */
#define REWRITE_DEPTH_MAX 50

struct pack_rewrite {
	struct objects *objects;
	const uint32_t *packs; /* numbers in `objects`, oldest first */
	uint32_t n_packs;
	const struct oid *loose; /* these go in, too */
	size_t n_loose;
	/* Does this one go in? NULL: all do. */
	bool (*is_wanted)(void *arg, const struct oid *id);
	/* Makes it a cruft pack: when was the object last known to be of use?
	 * Seconds since 1970. */
	uint32_t (*time_of)(void *arg, const struct oid *id);
	void *arg;
	const char *work_dir;
	const char *prefix; /* of the file names there */
	/* Called often; -1 stops. May be NULL. */
	int (*tick)(void *arg, struct err *e);
	void *tick_arg;
};

struct pack_rewritten {
	char name[OID_MAX_HEX + 1]; /* the trailer: pack-NAME.pack */
	uint32_t count;		    /* 0: nothing was wanted, no file there */
	uint64_t bytes;		    /* of the pack */
};

int pack_rewrite(const struct pack_rewrite *w, struct pack_rewritten *out,
		 struct err *e) MUST_CHECK;

/* Into `pack_dir`, index last; durable on return. */
int pack_rewrite_publish(const struct pack_rewrite *w,
			 const struct pack_rewritten *pack,
			 const char *pack_dir, struct err *e) MUST_CHECK;
