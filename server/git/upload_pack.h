/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serve one fetch (clone, ls-remote, poll) over a stream.
 * Format: gitprotocol-pack(5), gitprotocol-v2(5), gitprotocol-http(5);
 * capabilities as the table in capabilities.c says.
 * Every failure goes out as an ERR pkt-line, or on band 3 once a pack has
 * begun, before -1 is returned.
 * Threads: any number of calls at once, on one repository too.
 */
#pragma once

#include "base/attr.h"
#include "base/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct pack_cache;
struct repository;

/* What one fetch may cost; zero means the default in parentheses. */
struct fetch_limits {
	uint32_t wants;	       /* want lines (100,000) */
	uint32_t haves;	       /* have lines (1,000,000) */
	uint32_t lines;	       /* pkt-lines of a request in all (2,000,000) */
	uint32_t ref_prefixes; /* ls-refs (65,536, as git) */
	uint32_t commands;     /* v2 requests in one connection (10,000) */
};

struct upload_pack_options {
	int version;		 /* 0, 1 or 2: what the client asked for */
	bool is_stateless;	 /* --stateless-rpc: one request, one answer */
	bool advertise_only;	 /* --http-backend-info-refs: and no more */
	bool http_service_line;	 /* "# service=git-upload-pack" and a flush */
	bool refuse_unreachable; /* the doors: also in v2, also trees, blobs */
	const char *session_id; /* for the session-id capability; may be NULL */
	struct pack_cache *cache; /* may be NULL */
	struct fetch_limits limits;
};

/* What happened, for the log and the metrics. */
struct upload_pack_result {
	const char *kind; /* "list", "clone", "shallow", "fetch", "none", ... */
	uint32_t n_wants, n_haves;
	uint32_t n_objects;
	uint64_t pack_bytes;
	int64_t first_byte_us; /* from the end of the request to the pack */
	bool is_cache_hit;
	char agent[64]; /* the client's, escaped, "" if it said none */
};

int upload_pack(struct repository *r, struct stream *s,
		const struct upload_pack_options *options,
		struct upload_pack_result *result, struct err *e) MUST_CHECK;

/* 0, 1 or 2 from a GIT_PROTOCOL or Git-Protocol value of any content: the
 * highest "version=N" among its colon-separated items, else 0. */
int protocol_version(struct span value);

/* True where answering this complete v2 request body needs no pack and little
 * time (ls-refs): the HTTP door then answers without a worker. */
bool upload_pack_is_light(struct span body, int version);
