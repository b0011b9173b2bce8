/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which disturbance vectors may a block follow? A filter before the costly
 * test: a difference that follows a vector forces relations between bits of
 * the expanded message (the unavoidable conditions of sha1_conditions.h), and
 * a block that breaks one of them cannot be half of such a collision. Of a
 * random block 0.06 vectors are left, on average.
 * Used by sha1_*.c and their tests only. Threads: any.
 */
#pragma once

#include "git/sha1_block.h"

#include <stdint.h>

/* Blocks are judged by eights, one in each lane of a vector register. */
#define SHA1_LANES 8

/* For each of `n` traces, 1 to 8, the vectors its block may follow, bit k for
 * vector k. All eight masks are written; those from `n` on mean nothing. */
typedef void sha1_filter_fn(const struct sha1_trace *traces, unsigned n,
			    uint32_t masks[SHA1_LANES]);

sha1_filter_fn sha1_filter_portable;

#if defined(__x86_64__)
sha1_filter_fn sha1_filter_avx2;
#endif
