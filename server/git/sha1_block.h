/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the collision-detecting SHA-1 share: the compression
 * function of FIPS 180-4, which leaves the expanded message behind.
 * Used by sha1_*.c and their tests only; everyone else wants object_hash.h.
 */
#pragma once

#include <stdint.h>

#define SHA1_STEPS	80
#define SHA1_BLOCK_SIZE 64

static inline uint32_t rotl32(uint32_t v, unsigned n)
{
	return v << (n & 31) | v >> (-n & 31);
}

/* Step constant and boolean function of step `t`. */
static inline uint32_t sha1_constant(unsigned t)
{
	return t < 20	? 0x5a827999
	       : t < 40 ? 0x6ed9eba1
	       : t < 60 ? 0x8f1bbcdc
			: 0xca62c1d6;
}

static inline uint32_t sha1_boolean(unsigned t, uint32_t b, uint32_t c,
				    uint32_t d)
{
	if (t < 20)
		return d ^ (b & (c ^ d));
	if (t >= 40 && t < 60)
		return (b & c) | (d & (b | c));
	return b ^ c ^ d;
}

/* Chain `h` over one block; the 80 words of its expanded message to `w`. */
void sha1_block(uint32_t h[5], const unsigned char block[SHA1_BLOCK_SIZE],
		uint32_t w[SHA1_STEPS]);
