/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How stored entries are reused, one after the other, and where they went.
 *
 * An entry that is no delta is copied. A delta is copied as long as its base
 * goes before it at the same distance, gets a new head where the base moved, is
 * on another pack's copy or at the client, and is not reused where its base
 * does not travel or where that could make a circle: a base in the same pack
 * must be the very copy the delta was made for, one elsewhere must have gone
 * before. Format: gitformat-pack(5). Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/pack_file.h"
#include "git/pack_plan.h"

struct err;

/* Bytes from `start` to `end` of a pack went out at `out`; of an entry that
 * did not go out as it was only the first byte counts. */
struct segment {
	uint64_t start;
	uint64_t end;
	uint64_t out;
};

struct segments {
	struct segment *items; /* ascending by start */
	size_t n;
	size_t cap;
};

int segments_add(struct segments *s, uint64_t start, uint64_t end, uint64_t out,
		 struct err *e) MUST_CHECK;
bool segments_find(const struct segments *s, uint64_t offset,
		   uint64_t *out_out);

enum reuse_kind {
	REUSE_COPY, /* head and stream as they are */
	REUSE_OFS,  /* the stream behind a new head, `distance` */
	REUSE_REF,  /* the stream behind a new head, `base` */
	REUSE_NOT,
};

struct reuse {
	enum reuse_kind kind;
	bool is_delta;
	struct pack_entry entry;
	struct span stream; /* deflated, exactly */
	uint64_t distance;
	struct oid base;
};

/* One entry of pack `pack`, to go out at offset `at_out`. */
struct reuse_query {
	const struct pack_plan *plan;
	const struct segments *packs; /* what went out, of each pack */
	uint32_t pack;
	const struct pack_order *order;
	uint32_t rank;
	uint64_t at_out;
};

int reuse_decide(const struct reuse_query *q, struct reuse *out,
		 struct err *e) MUST_CHECK;

/* The head of an entry into `out`; returns its length. `distance` for an
 * OFS_DELTA, `base` for a REF_DELTA. */
#define ENTRY_HEAD_MAX 64
size_t entry_head(unsigned char out[ENTRY_HEAD_MAX], enum object_type type,
		  uint64_t size, uint64_t distance, const struct oid *base);
