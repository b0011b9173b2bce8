/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the services offer, in git's order, and what a client asked for.
 * Format: gitprotocol-capabilities(5), gitprotocol-v2(5). What depends on a
 * key of the repository's config says so in the table of capabilities.c.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct repo_config;

/* Those a client can ask for in a first "want" or command line. */
enum capability {
	CAP_AGENT,
	CAP_ATOMIC,
	CAP_DEEPEN_NOT,
	CAP_DEEPEN_RELATIVE,
	CAP_DEEPEN_SINCE,
	CAP_DELETE_REFS,
	CAP_FILTER,
	CAP_INCLUDE_TAG,
	CAP_MULTI_ACK,
	CAP_MULTI_ACK_DETAILED,
	CAP_NO_DONE,
	CAP_NO_PROGRESS,
	CAP_OBJECT_FORMAT,
	CAP_OFS_DELTA,
	CAP_PUSH_OPTIONS,
	CAP_QUIET,
	CAP_REPORT_STATUS,
	CAP_REPORT_STATUS_V2,
	CAP_SESSION_ID,
	CAP_SHALLOW,
	CAP_SIDE_BAND,
	CAP_SIDE_BAND_64K,
	CAP_THIN_PACK,
	N_CAPABILITIES
};

/* What the offer depends on. */
struct capability_context {
	const struct repo_config *config;
	const char *session_id;	 /* NULL: none to tell */
	const char *head_target; /* for symref=HEAD:...; NULL: not told */
	bool is_stateless;
};

enum capability_list { UPLOAD_CAPABILITIES, RECEIVE_CAPABILITIES };

/* Append the words, separated by single spaces, none in front. */
void capabilities_add(struct buf *b, enum capability_list list,
		      const struct capability_context *c);

/* Append the whole advertisement of version 2, flush included. */
void capabilities_add_v2(struct buf *b, const struct capability_context *c);

/* What one client said. Values borrow from the text. */
struct capabilities {
	uint32_t bits;
	struct span agent;
	struct span object_format;
	struct span session_id;
};

/* Add the words of `text` to `c`; unknown ones are passed over, as git does. */
void capabilities_parse(struct span text, struct capabilities *c);

static inline bool capabilities_has(const struct capabilities *c,
				    enum capability cap)
{
	return c->bits >> cap & 1;
}

/* -1 with git's sentence where the client counts in other object ids. */
int object_format_check(struct span format, struct err *e) MUST_CHECK;

/* A client's name for logs: what is not printable ASCII becomes "?". */
void agent_copy(struct span agent, char *out, size_t size);
