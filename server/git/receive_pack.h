/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serve one push over a stream.
 * Format: gitprotocol-pack(5), reference update; report-status and
 * report-status-v2, with or without side-band.
 *
 * Order (each step durable before the next): pack and index into a quarantine
 * under objects/, checked and connected -> moved into objects/pack ->
 * on_prepared() -> refs committed -> on_committed() -> report -> on_reported().
 * Threads: any number at once, on one repository too.
 */
#pragma once

#include "base/attr.h"
#include "base/stream.h"
#include "git/oid.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct repository;

struct push_limits {
	uint64_t pack_bytes;	 /* 0: none */
	uint64_t object_bytes;	 /* one object inflated; 0: 2 GiB */
	uint64_t inflated_bytes; /* all together; 0: 64 GiB */
	uint32_t objects;	 /* 0: 10,000,000 */
	uint32_t commands;	 /* 0: 100,000 */
	uint32_t push_options;	 /* lines; 0: 256 */
	uint64_t memory;	 /* of the indexer; 0: 64 MiB */
};

struct push_update {
	const char *ref; /* full name */
	struct oid old_id;
	struct oid new_id; /* zero: deleted */
	bool is_forced;	   /* existed and was not an ancestor of new_id */
	bool is_rejected;
	const char *reason; /* one line, where rejected */
};

struct push_options_list {
	const char *const *items;
	size_t n;
};

struct push;

/* Ask the floors above; all optional. `arg` is passed through. */
struct push_handler {
	void *arg;
	/* Policy: may this update be? Called with the new objects readable
	 * (push_diff() works). Non-zero refuses with `reason` (one line). */
	int (*check)(void *arg, struct push *p, const struct push_update *u,
		     struct buf *reason);
	/* All accepted updates, before refs move. -1 fails the push. */
	int (*prepared)(void *arg, struct push *p,
			const struct push_update *updates, size_t n,
			struct err *e);
	/* After the refs moved: the same list, the failed ones rejected.
	 * Also called (all rejected) after prepared() where none could. */
	void (*committed)(void *arg, struct push *p,
			  const struct push_update *updates, size_t n);
	/* What came of one update, before the report; of every one, also where
	 * the pack was refused. */
	void (*settled)(void *arg, const struct push_update *u);
	/* The report has been flushed: lines may still be sent to the user
	 * with push_message(). */
	void (*reported)(void *arg, struct push *p);
};

/* A line for the pusher's terminal ("remote: ..."), without LF; dropped where
 * the client has no side-band. */
void push_message(struct push *p, const char *text);

/* Call `each` with the path of every file that differs between the two commits
 * (a zero id means an empty tree), until it returns non-zero, which is
 * returned; -1 with `e` set. */
int push_diff(struct push *p, const struct oid *old_id,
	      const struct oid *new_id,
	      int (*each)(void *arg, struct span path), void *arg,
	      struct err *e) MUST_CHECK;

const struct push_options_list *push_options(const struct push *p);

/* What HEAD led to when the push began, "refs/heads/main", be it there or not;
 * NULL where HEAD is detached. */
const char *push_head(const struct push *p);

struct receive_pack_options {
	int version; /* 0 or 1; 2 is answered as 0 */
	bool is_stateless;
	bool advertise_only;
	bool http_service_line;
	bool fsck_default;     /* where receive.fsckObjects is not set */
	bool adopt_first_head; /* the doors: point an unborn HEAD at the first
				  branches pushed (main, master, the first) */
	const char
		*quarantine_id; /* [A-Za-z0-9-]+: whose left-overs these are */
	const char *session_id;
	struct push_limits limits;
	const struct push_handler *handler; /* may be NULL */
	uint64_t disk_reserve; /* bytes that must stay free; 0: none */
};

struct receive_pack_result {
	uint32_t n_updates, n_rejected;
	uint32_t n_objects;
	uint64_t pack_bytes;
	bool is_accepted;  /* at least one ref moved */
	bool is_abandoned; /* the client left without a word, not even a flush;
			      go-git does where there is nothing to push */
	char agent[64];
};

int receive_pack(struct repository *r, struct stream *s,
		 const struct receive_pack_options *options,
		 struct receive_pack_result *result, struct err *e) MUST_CHECK;

/* Remove quarantines and locks under `git_dir` whose ID `is_dead` says belongs
 * to no living daemon; those whose ID is none of a daemon's (32 hexadecimal
 * digits) once nothing in them was touched for a day. */
int receive_pack_sweep(const char *git_dir,
		       bool (*is_dead)(void *arg, const char *id), void *arg,
		       struct err *e) MUST_CHECK;
