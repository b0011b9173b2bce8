/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What git's receive.fsckObjects refuses, with git's message ids.
 *
 * Objects are judged while they are in memory anyway; blobs named .gitmodules
 * and .gitattributes are remembered and judged at the end by fsck_finish().
 * Severities can be changed by id (receive.fsck.<id> = error|warn|ignore) and
 * objects exempted (receive.fsck.skipList).
 * Format: git-fsck(1), "FSCK MESSAGES".
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/object.h"
#include "git/repo_config.h"

struct err;
struct fsck;
struct object_reader;

/* `levels` as in repo_config; a relative skipList is below `git_dir`.
 * `is_strict` makes warnings errors, as receive-pack does. */
struct fsck *fsck_new(enum oid_kind kind, const struct config_list *levels,
		      const char *git_dir, bool is_strict,
		      struct err *e) MUST_CHECK;
struct fsck *fsck_free(struct fsck *f);

/* ERR_MALFORMED: "object <hex>: <msgid>: <words>". */
int fsck_object(struct fsck *f, const struct oid *id, enum object_type type,
		struct span data, struct err *e) MUST_CHECK;

/* Are there special blobs that fsck_finish() must read? */
bool fsck_has_pending(const struct fsck *f);

/* Judge the special blobs, once each, read by `reader`. */
int fsck_finish(struct fsck *f, struct object_reader *reader,
		struct err *e) MUST_CHECK;

/* What was wrong but only warned about: lines "object <hex>: <msgid>: <words>",
 * each ended by LF, the first FSCK_WARNINGS_MAX bytes of them; "" for none. */
#define FSCK_WARNINGS_MAX ((size_t)16 << 10)
const char *fsck_warnings(const struct fsck *f);
