/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client wants: the lines that versions 0, 1 and 2 have in common, read
 * strictly, and the decision whether the client may have it.
 * Format: gitprotocol-pack(5), gitprotocol-v2(5), "fetch".
 * Limits: wants, and shallow and deepen-not lines together, each by
 * fetch_limits.wants; ids must name objects that are there.
 * Ownership: ids are kept, text is not.
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"
#include "git/filter.h"
#include "git/oid_set.h"
#include "git/pktline.h"

struct err;
struct upload;

/* A depth that means all of history. */
#define DEPTH_INFINITE INT32_MAX

enum multi_ack { ACK_SINGLE, ACK_MULTI, ACK_DETAILED };

struct wanted_ref {
	struct oid id;
	size_t name; /* offset in wanted_names */
};

struct fetch_request {
	struct oid_set wants;
	struct oid_set shallows; /* the client's, those we know */
	struct oid_set not_ids;	 /* deepen-not, as objects */
	int32_t depth;		 /* 0: no limit asked for */
	int64_t since;		 /* 0: no limit asked for */
	struct filter filter;

	bool is_relative, is_thin, has_ofs_delta, no_progress, include_tag;
	bool is_done, waits_for_done, has_sideband_all; /* version 2 */
	bool has_filter; /* version 0: the capability was taken up */
	bool no_done;
	enum multi_ack multi_ack;
	enum sideband sideband;

	struct wanted_ref *wanted_refs;
	size_t n_wanted_refs;
	struct buf wanted_names; /* each followed by a NUL */
	uint32_t n_want_lines, n_shallow_lines;
};

void fetch_request_init(struct fetch_request *q);
void fetch_request_fini(struct fetch_request *q);

/* True where the client asked for a cut in history. */
bool fetch_request_deepens(const struct fetch_request *q);

/* shallow, deepen, deepen-since, deepen-not, filter: 1 taken, 0 none of
 * these, -1. */
int fetch_request_line(struct upload *u, struct fetch_request *q,
		       struct span line, struct err *e) MUST_CHECK;

/* The id of a want or want-ref that was read. ERR_NOT_FOUND, in git's words,
 * where there is no such object. */
int fetch_request_want(struct upload *u, struct fetch_request *q,
		       const struct oid *id, struct err *e) MUST_CHECK;
int fetch_request_want_ref(struct upload *u, struct fetch_request *q,
			   struct span name, struct err *e) MUST_CHECK;

/* Lines that exclude each other: ERR_MALFORMED. */
int fetch_request_check(const struct fetch_request *q,
			struct err *e) MUST_CHECK;

/*
 * May the client have all it wants? Version 0 keeps to what was advertised and
 * the keys uploadpack.allow*; version 2 lets any object be had, as git does,
 * unless options->refuse_unreachable: then every want must be reachable from a
 * visible ref (uploadpack.allowAnySHA1InWant lifts it). ERR_DENIED with
 * "upload-pack: not our ref ID".
 */
int fetch_request_authorize(struct upload *u, const struct fetch_request *q,
			    struct err *e) MUST_CHECK;

/* Which of `ids` may be told of under the same rule. Costs about as much for
 * many as for one. */
int fetch_request_may_see(struct upload *u, const struct oid_set *ids,
			  bool *may_out, struct err *e) MUST_CHECK;
