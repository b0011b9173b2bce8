/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a pack on the wire to a pack and an index on disk.
 *
 * One pass while receiving (hashing as it comes, raw bytes to a file in the
 * quarantine), then deltas resolved without recursion in bounded memory, thin
 * packs completed from the repository, objects checked by fsck, idx v2 and .rev
 * written as git would (byte-identical idx for the same pack).
 * Nothing is visible to readers before pack_ingest_publish().
 * Format: gitformat-pack(5).
 * Limits: struct push_limits; a delta chain of at most
 * PACK_DEPTH_MAX; nothing is allocated by a number the sender claims.
 * Threads: one per ingest; several ingests at once.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "git/objects.h"
#include "git/receive_pack.h"

struct err;
struct fsck;
struct pack_ingest;

#define PACK_DEPTH_MAX 4095

struct pack_ingest_options {
	struct objects *objects;    /* for bases of thin packs, and to compare
				       objects that exist already */
	const char *quarantine_dir; /* exists; the files go there */
	struct push_limits limits;
	struct fsck *fsck; /* NULL: objects are only parsed */
	uint64_t disk_reserve;
	/* Called now and then with what was done; may be NULL. */
	int (*progress)(void *arg, const char *stage, uint64_t done,
			uint64_t total, struct err *e);
	void *progress_arg;
};

/*
 * Receive one pack from `read` (as pkt_reader_raw(): bytes, 0 at the end, -1).
 * Exactly the pack is consumed. Errors: ERR_MALFORMED (the sender's fault),
 * ERR_LIMIT, ERR_NO_SPACE, ERR_NOT_FOUND (a delta base is nowhere), ERR_CLOSED.
 */
struct pack_ingest *pack_ingest_run(const struct pack_ingest_options *options,
				    ssize_t (*read)(void *arg, void *data,
						    size_t n, struct err *e),
				    void *arg, struct err *e) MUST_CHECK;

/* Removes what was not published. Accepts NULL. */
struct pack_ingest *pack_ingest_free(struct pack_ingest *p);

uint32_t pack_ingest_count(const struct pack_ingest *p);
uint64_t pack_ingest_bytes(const struct pack_ingest *p);
/* The trailer as hex: the pack's name; "" where it held no object. */
const char *pack_ingest_name(const struct pack_ingest *p);

/* A view of `options.objects` plus the new pack, for connectivity and policy;
 * valid before publishing. */
struct objects *pack_ingest_objects(const struct pack_ingest *p,
				    struct err *e) MUST_CHECK;

/* fsync and move pack, then rev, then idx into `objects_dir`/pack; durable on
 * return. A pack that is there already is left as it is. */
int pack_ingest_publish(struct pack_ingest *p, const char *objects_dir,
			struct err *e) MUST_CHECK;

/* The pack as it was published, for repository_published(); not before, and
 * NULL where it held no object or was received without a repository. */
struct pack *pack_ingest_published(const struct pack_ingest *p);

/* After a crash: where it was between the renames of pack and index, do the
 * second. `quarantine_dir` is that of the process that died. */
int pack_ingest_finish(const char *quarantine_dir, const char *objects_dir,
		       struct err *e) MUST_CHECK;
