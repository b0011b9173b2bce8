/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disturbance vectors of SHA-1 and the test whether a block is half of a
 * collision that follows one of them.
 *
 * All known attacks follow a disturbance vector of S. Manuel's two classes,
 * I(K,b) and II(K,b): each prescribes the XOR difference of the two expanded
 * messages, and a step at which both computations are in the same state. So
 * from one block alone its twin can be computed, forwards and backwards from
 * that step; if its chaining value comes out the same, it is an attack.
 * Used by sha1_*.c and their tests only. Threads: any.
 */
#pragma once

#include "git/sha1_block.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The 32 vectors of Stevens and Shumow: name, class, K, b, and the step before
 * which both states are equal.
 */
#define SHA1_DV_TABLE(DV)         \
	DV(I_43_0, 1, 43, 0, 58)  \
	DV(I_44_0, 1, 44, 0, 58)  \
	DV(I_45_0, 1, 45, 0, 58)  \
	DV(I_46_0, 1, 46, 0, 58)  \
	DV(I_46_2, 1, 46, 2, 58)  \
	DV(I_47_0, 1, 47, 0, 58)  \
	DV(I_47_2, 1, 47, 2, 58)  \
	DV(I_48_0, 1, 48, 0, 58)  \
	DV(I_48_2, 1, 48, 2, 58)  \
	DV(I_49_0, 1, 49, 0, 58)  \
	DV(I_49_2, 1, 49, 2, 58)  \
	DV(I_50_0, 1, 50, 0, 58)  \
	DV(I_50_2, 1, 50, 2, 58)  \
	DV(I_51_0, 1, 51, 0, 58)  \
	DV(I_51_2, 1, 51, 2, 58)  \
	DV(I_52_0, 1, 52, 0, 58)  \
	DV(II_45_0, 2, 45, 0, 58) \
	DV(II_46_0, 2, 46, 0, 58) \
	DV(II_46_2, 2, 46, 2, 58) \
	DV(II_47_0, 2, 47, 0, 58) \
	DV(II_48_0, 2, 48, 0, 58) \
	DV(II_49_0, 2, 49, 0, 58) \
	DV(II_49_2, 2, 49, 2, 58) \
	DV(II_50_0, 2, 50, 0, 65) \
	DV(II_50_2, 2, 50, 2, 65) \
	DV(II_51_0, 2, 51, 0, 65) \
	DV(II_51_2, 2, 51, 2, 65) \
	DV(II_52_0, 2, 52, 0, 65) \
	DV(II_53_0, 2, 53, 0, 65) \
	DV(II_54_0, 2, 54, 0, 65) \
	DV(II_55_0, 2, 55, 0, 65) \
	DV(II_56_0, 2, 56, 0, 65)

#define SHA1_DV_NUMBER(name, type, k, b, step) SHA1_DV_##name,
enum sha1_dv_number { SHA1_DV_TABLE(SHA1_DV_NUMBER) SHA1_DV_COUNT };
#undef SHA1_DV_NUMBER

struct sha1_dv {
	uint8_t type, k, b, same_step;
};

extern const struct sha1_dv sha1_dvs[SHA1_DV_COUNT];

/* Words -5 to 79 of vector `n`; word t at index t + 5. */
#define SHA1_DV_BEFORE 5
#define SHA1_DV_WORDS  (SHA1_STEPS + SHA1_DV_BEFORE)
void sha1_dv_words(unsigned n, uint32_t v[SHA1_DV_WORDS]);

/* The XOR differences of the 80 expanded words under vector `n`. */
const uint32_t *sha1_dv_difference(unsigned n);

/* The chaining values before and after the twin of a block under `n`. */
void sha1_dv_twin(unsigned n, const struct sha1_trace *tr, uint32_t h_in[5],
		  uint32_t h_out[5]);

/* Is the block half of a collision under one of the vectors in `mask`, where
 * bit n stands for vector n? */
bool sha1_dv_attacked(uint32_t mask, const struct sha1_trace *tr);
