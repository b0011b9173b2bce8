/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object filters of partial clones.
 * Format: git-rev-list(1), --filter=<filter-spec>; combine: with its
 * percent-encoding. blob:none, blob:limit=N[kmg], tree:DEPTH,
 * object:type=TYPE, combine:A+B.
 * Limits: FILTER_SPEC_MAX bytes, FILTER_PARTS_MAX simple filters.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "git/object.h"

struct err;
struct repo_config;

#define FILTER_SPEC_MAX	 4096
#define FILTER_PARTS_MAX 32

/* All parts of a combine folded into one; a field that no part set is off. */
struct filter {
	bool is_set;
	bool has_blob_limit;
	uint64_t blob_limit; /* blobs of this size and larger are left out */
	bool has_tree_depth;
	uint64_t tree_depth;
	bool has_type;
	enum object_type type; /* OBJECT_NONE: contradictory, nothing passes */
};

/* ERR_MALFORMED for nonsense, ERR_DENIED for a kind that the config or we do
 * not serve, in git's words where it has some. */
int filter_parse(struct span spec, const struct repo_config *config,
		 struct filter *out, struct err *e) MUST_CHECK;

/* The same filter in one canonical spelling, for cache keys. */
void filter_canonical(const struct filter *f, struct buf *out);
