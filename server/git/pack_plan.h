/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a plan, for pack_plan.c, tag_follow.c and pack_emit.c; whoever
 * wants a pack uses pack_emit.h.
 */
#pragma once

#include "base/attr.h"
#include "git/object_set.h"
#include "git/pack_emit.h"
#include "git/pack_write_index.h"

struct err;
struct graph;
struct reach;
struct refs;
struct repo_config;

/* What a plan is made from: a snapshot's parts. */
struct pack_source {
	struct objects *objects;
	struct graph *graph;
	struct reach *reach;		  /* NULL: nothing is kept */
	const struct refs *refs;	  /* for include_tag; NULL: no refs */
	const struct repo_config *config; /* NULL: no ref is hidden */
};

/*
 * What is noted of each entry that goes out, for whoever makes an index of the
 * pack: its place, CRC and id, in the order of the pack. A delta that would be
 * the end of a chain of more than `depth_max` goes out whole.
 */
struct pack_record {
	struct pack_index_entry *entries; /* room for the plan's count */
	uint8_t *depths;		  /* beside them */
	uint32_t n;
	uint8_t depth_max;
};

struct pack_plan {
	struct snapshot *snapshot; /* NULL where made from parts */
	struct objects *objects;
	struct object_reader *reader;
	struct object_numbers numbers;
	struct object_set send;
	struct object_set known; /* at the client; empty unless thin */
	struct pack_progress progress;
	bool has_ofs_delta;
	int level; /* of what is deflated anew; 0: the fast one */
	struct pack_record *record; /* NULL: nobody wants to know */
	uint32_t count;
	/* Only with `stats.is_whole_pack`: the pack that is sent as it is. */
	uint32_t whole_pack;
	struct pack_plan_stats stats;
};

struct pack_plan *pack_plan_make(const struct pack_source *source,
				 const struct pack_request *request,
				 const struct pack_progress *progress,
				 struct err *e) MUST_CHECK;

/* Add the annotated tags (of tags ...) whose object is in `send`. */
int tag_follow(const struct pack_source *source, struct object_reader *reader,
	       struct object_numbers *numbers, const struct object_set *known,
	       struct object_set *send, struct err *e) MUST_CHECK;
