/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole repository as one file: for `repo export`, `--seed` and backups.
 *
 * Format: gitformat-bundle(5), written as version 2, read as 2 and 3 (sha1, no
 * filter). A bundle with prerequisites is a difference and is refused.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/stream.h"
#include "git/receive_pack.h"

struct err;
struct repository;
struct snapshot;

/* Every ref and all they reach. ERR_NOT_FOUND where there is no ref: git has no
 * empty bundles. */
int bundle_write(struct snapshot *s, struct stream *out,
		 struct err *e) MUST_CHECK;

struct bundle_options {
	const char *quarantine_id; /* as in receive_pack_options */
	struct push_limits limits;
	uint64_t disk_reserve;
	bool skip_fsck; /* only ids, deltas and connectivity are checked */
};

struct bundle_result {
	uint32_t n_refs;
	uint32_t n_objects;
};

/*
 * Fill an empty repository: objects checked as a push's are
 * (receive.fsck.* of its config obeyed), refs made in one atomic step, HEAD
 * pointed at the branch the bundle's HEAD is on. ERR_CONFLICT where the
 * repository has a ref already: nothing is read then.
 */
int bundle_import(struct repository *r, struct stream *in,
		  const struct bundle_options *options,
		  struct bundle_result *out, struct err *e) MUST_CHECK;
