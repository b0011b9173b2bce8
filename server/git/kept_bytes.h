/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one finished or growing answer: an unlinked file of their own,
 * or a pack that was lent.
 *
 * One writes while others read what is there; a span that was given stays valid
 * until kept_close().
 * Threads: kept_append() is the writer's alone and needs no lock; all others
 * are called under one.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "git/map_guard.h"

struct err;
struct kept_chunk;

struct kept_bytes {
	uint64_t size; /* what is good of it; whoever holds the lock counts */
	int fd;	       /* -1: none (yet, or any more) */
	struct kept_chunk *chunks;
	size_t n_chunks;
	bool is_lent;
	struct guarded_map lent;
};

#define KEPT_BYTES_INIT  \
	{                \
		.fd = -1 \
	}

/* Put `data` behind the first `size` bytes; in a file in `dir`, or nowhere
 * where they are lent already. */
int kept_append(struct kept_bytes *k, const char *dir, struct span data,
		struct err *e) MUST_CHECK;
/* Nothing is appended any more: all is mapped, and the descriptor closed. */
int kept_seal(struct kept_bytes *k, struct err *e) MUST_CHECK;
/* Some of what lies at `offset`, which is below `size`; ERR_CORRUPT where a
 * lent file lost bytes. */
int kept_read(struct kept_bytes *k, uint64_t offset, struct span *out,
	      struct err *e) MUST_CHECK;
void kept_close(struct kept_bytes *k);
