/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of upload-pack share while they serve one connection: the
 * snapshot, lines in, lines out. Internal to upload_pack.c and its parts.
 *
 * Lines to the client are gathered in `out` and written when the next line
 * must be waited for, so that an exchange costs one write each way.
 * Limits: lines are counted per request; `out` is written whenever it passes
 * UPLOAD_OUT_MAX.
 * Threads: one.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "git/capabilities.h"
#include "git/object_glance.h"
#include "git/pktline.h"
#include "git/upload_pack.h"

struct fetch_request;
struct graph;
struct object_reader;
struct objects;
struct ref_listing;
struct refs;
struct repo_config;
struct snapshot;

#define UPLOAD_OUT_MAX ((size_t)64 << 10)

struct upload {
	/* set once, then read-only */
	struct repository *repository;
	struct snapshot *snapshot;
	struct refs *refs;	 /* the snapshot's */
	struct objects *objects; /* the snapshot's */
	struct graph *graph;	 /* the snapshot's, or `cut` */
	const struct repo_config *config;
	const struct upload_pack_options *options;
	struct fetch_limits limits; /* none is zero */
	struct ref_listing *listing;
	struct object_reader *reader;
	struct object_glance glance; /* over `objects` */
	struct graph *cut; /* own: no more than a shallow clone needs */

	struct upload_pack_result *result;
	struct stream *stream;
	struct pkt_reader in;
	struct buf out;
	uint64_t lines_before; /* those of earlier requests */
	int64_t request_us;    /* when the last line came in */
	bool flush_is_due;     /* read ahead; upload_read() gives it next */

	/* How an error would have to go out. */
	enum sideband error_band; /* SIDEBAND_NONE: as an ERR line */
	bool pack_is_raw;	  /* nothing can be said any more */
	bool has_sideband_all;	  /* lines are packets of band 1 */
};

/* The next line; what was gathered goes out first where it must be waited
 * for. An error past the limit of lines. */
int upload_read(struct upload *u, struct pkt *out, struct err *e) MUST_CHECK;

/* Write what was gathered, and push it out. */
int upload_flush(struct upload *u, struct err *e) MUST_CHECK;

/* One line to the client, on band 1 where sideband-all is in force. */
void upload_addf(struct upload *u, const char *format, ...) PRINTF_LIKE(2, 3);

/* What was gathered, then `spans` as they are. */
int upload_write_spans(struct upload *u, const struct span *spans, size_t n,
		       struct err *e) MUST_CHECK;

/* Go over to the snapshot's graph, where numbers are others. */
void upload_whole_graph(struct upload *u);

/* What is offered, for the advertisements. */
void upload_capability_context(const struct upload *u,
			       struct capability_context *out);

/* Quote what a client sent in a sentence: cut, control bytes as "?". */
#define UPLOAD_SHOWN_MAX 96
const char *upload_shown(struct span s, char out[UPLOAD_SHOWN_MAX]);

/* The protocols: everything between the snapshot and the last byte. */
int upload_v0(struct upload *u, struct err *e) MUST_CHECK;
int upload_v2(struct upload *u, struct err *e) MUST_CHECK;
