/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disturbance vectors of SHA-1 and the test whether a block is half of a
 * collision that follows one of them.
 *
 * All known attacks follow a disturbance vector of S. Manuel's two classes,
 * I(K,b) and II(K,b): each prescribes the XOR difference of the two expanded
 * messages, and a step at which both computations are in the same state. So
 * from one block alone the twin can be computed, forwards and backwards from
 * that step; if its chaining value comes out the same, it is an attack.
 * Used by sha1_*.c and their tests only. Threads: any.
 */
#pragma once

#include "git/sha1_block.h"

#include <stdbool.h>
#include <stdint.h>

/* The 32 vectors of Stevens and Shumow; bit n of a mask is vector n. */
#define SHA1_DV_COUNT 32

struct sha1_dv {
	uint8_t type;	   /* 1 or 2 */
	uint8_t k, b;	   /* place in the expanded message, bit rotation */
	uint8_t same_step; /* before this step both states are equal */
};

extern const struct sha1_dv sha1_dvs[SHA1_DV_COUNT];

/* The XOR differences of the 80 expanded words under vector `n`. */
const uint32_t *sha1_dv_difference(unsigned n);

/*
 * Is a block half of a collision under one of the vectors in `mask`? `h` is
 * the chaining value before the block, `w` its expanded message.
 */
bool sha1_dv_attacked(uint32_t mask, const uint32_t h[5],
		      const uint32_t w[SHA1_STEPS]);
