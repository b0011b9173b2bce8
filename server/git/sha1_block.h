/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression function of SHA-1 (FIPS 180-4, 6.1.2), in plain C and with
 * the instructions that processors have for it. Each block leaves a trace,
 * from which it can later be judged without being hashed again.
 * Used by sha1_*.c and their tests only; everyone else wants object_hash.h.
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA1_STEPS	80
#define SHA1_BLOCK_SIZE 64

/* A trace keeps the states before steps 57 to 68. */
#define SHA1_KEPT_FIRST 53
#define SHA1_KEPT_WORDS 16

/*
 * Each step makes one word, the next `a`. With a(t) the `a` before step t,
 * the state before it is a(t), a(t-1) and, rotated left by 30, a(t-2),
 * a(t-3), a(t-4).
 */
struct sha1_trace {
	uint32_t w[SHA1_STEPS];	     /* the expanded message */
	uint32_t a[SHA1_KEPT_WORDS]; /* a(53) to a(68) */
	uint32_t h[5];		     /* the chaining value after the block */
};

static inline uint32_t rotl32(uint32_t v, unsigned n)
{
	return v << (n & 31) | v >> (-n & 31);
}

/* The constant of step `t`. */
static inline uint32_t sha1_constant(unsigned t)
{
	return t < 20	? 0x5a827999
	       : t < 40 ? 0x6ed9eba1
	       : t < 60 ? 0x8f1bbcdc
			: 0xca62c1d6;
}

/* The boolean function of step `t`: choice, parity, majority, parity. */
static inline uint32_t sha1_boolean(unsigned t, uint32_t b, uint32_t c,
				    uint32_t d)
{
	if (t < 20)
		return d ^ (b & (c ^ d));
	if (t >= 40 && t < 60)
		return (b & c) | (d & (b | c));
	return b ^ c ^ d;
}

/* Chain `h` over `n` blocks, one trace each. */
typedef void sha1_blocks_fn(uint32_t h[5], const unsigned char *p, size_t n,
			    struct sha1_trace *traces);

sha1_blocks_fn sha1_blocks_portable;

#if defined(__x86_64__)
/* Needs the SHA extensions and SSE4.1. */
sha1_blocks_fn sha1_blocks_x86;
#endif
