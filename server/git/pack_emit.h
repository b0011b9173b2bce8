/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From "these are wanted, those are there" to the bytes of a pack.
 *
 * plan: which objects travel (the walk), and how (copied as stored, base
 * distance rewritten, or inflated and deflated anew where the base does not
 * travel). emit: the bytes, in runs straight from the mapped packs.
 * A plan holds its snapshot; it and its emission are a pure function of the
 * request, so finished responses can be kept by pack_cache.
 * Limits: memory is proportional to the number of objects sent (about 16 bytes
 * each) plus one object that must be deflated anew.
 * Threads: one at a time per plan.
 */
#pragma once

#include "base/attr.h"
#include "git/filter.h"
#include "git/graph.h"

struct err;
struct pack_plan;
struct snapshot;

struct pack_request {
	/* Whose numbers are in the sets below; NULL: the snapshot's. */
	struct graph *graph;
	const struct oid *wants; /* commits, tags, trees, blobs */
	size_t n_wants;
	const struct oid *haves; /* known to be at the client, with closure */
	size_t n_haves;
	/* Commits whose parents the client does not get or have (its shallow
	 * boundary after this fetch); NULL where history is whole. */
	const struct commit_set *shallow;
	/* Commits that the client had as shallow before and that now get their
	 * parents: their trees are there, their history is not. */
	const struct commit_set *unshallow;
	struct filter filter;
	bool is_thin;	    /* deltas may lean on what the client has */
	bool has_ofs_delta; /* the client understands OFS_DELTA */
	bool include_tag;   /* add annotated tags of commits that travel */
};

/* Called now and then during long work: for keep-alives and progress, and to
 * stop (-1 with `e` set). */
struct pack_progress {
	int (*tick)(void *arg, const char *stage, uint64_t done, uint64_t total,
		    struct err *e);
	void *arg;
};

struct pack_plan *pack_plan_new(struct snapshot *s,
				const struct pack_request *request,
				const struct pack_progress *progress,
				struct err *e) MUST_CHECK;
struct pack_plan *pack_plan_free(struct pack_plan *p);

uint32_t pack_plan_count(const struct pack_plan *p);
/* Deltas copied, entries copied whole, entries deflated anew. */
struct pack_plan_stats {
	uint32_t n_reused_delta;
	uint32_t n_reused;
	uint32_t n_deflated;
	bool is_whole_pack;
};
void pack_plan_stats(const struct pack_plan *p, struct pack_plan_stats *out);

/* The pack that is sent as it lies, trailer and all, or NULL. */
struct pack;
const struct pack *pack_plan_whole(const struct pack_plan *p);

/*
 * Call `write` with pieces of the pack in order: header, entries, trailer.
 * A piece is at most PACK_PIECE_MAX bytes, may lie in a mapping, and is valid
 * until `write` returns.
 */
#define PACK_PIECE_MAX ((size_t)256 << 10)
int pack_emit(struct pack_plan *p,
	      int (*write)(void *arg, struct span piece, struct err *e),
	      void *arg, struct err *e) MUST_CHECK;
