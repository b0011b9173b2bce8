/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disturbance vectors, their message differences and the recompression.
 *
 * A disturbance vector is a sequence of words that obeys the message
 * expansion; bit b of word t starts a local collision at step t. Sixteen
 * words in a row define it (S. Manuel, "Classification and generation of
 * disturbance vectors for collision attacks against SHA-1", 2011):
 *   I(K,b)   words K to K+14 are 0, word K+15 is 2^b;
 *   II(K,b)  words K+1 and K+3 are 2^(b-1), word K+15 is 2^b, the others 0.
 * A local collision is a disturbance of bit b and the corrections of the five
 * steps after it, at bits b+5, b, b-2, b-2, b-2. States are equal before a
 * step when the five words before it are 0.
 */
#include "git/sha1_dv.h"

#include <pthread.h>
#include <string.h>

#define SHA1_DV_ROW(name, type, k, b, step) { type, k, b, step },
const struct sha1_dv sha1_dvs[SHA1_DV_COUNT] = { SHA1_DV_TABLE(SHA1_DV_ROW) };

static uint32_t differences[SHA1_DV_COUNT][SHA1_STEPS];
static pthread_once_t differences_once = PTHREAD_ONCE_INIT;

void sha1_dv_words(unsigned n, uint32_t v[SHA1_DV_WORDS])
{
	const struct sha1_dv *dv = &sha1_dvs[n];
	unsigned k = dv->k + SHA1_DV_BEFORE;

	memset(v, 0, SHA1_DV_WORDS * sizeof *v);
	v[k + 15] = rotl32(1, dv->b);
	if (dv->type == 2)
		v[k + 1] = v[k + 3] = rotl32(1, dv->b + 31u);
	for (unsigned t = k + 16; t < SHA1_DV_WORDS; t++)
		v[t] = rotl32(v[t - 3] ^ v[t - 8] ^ v[t - 14] ^ v[t - 16], 1);
	for (unsigned t = k; t-- > 0;)
		v[t] = rotl32(v[t + 16], 31) ^ v[t + 13] ^ v[t + 8] ^ v[t + 2];
}

static void differences_fill(void)
{
	uint32_t v[SHA1_DV_WORDS];

	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		sha1_dv_words(n, v);
		for (unsigned t = 0; t < SHA1_STEPS; t++)
			differences[n][t] =
				v[t + 5] ^ rotl32(v[t + 4], 5) ^ v[t + 3] ^
				rotl32(v[t + 2] ^ v[t + 1] ^ v[t], 30);
	}
}

const uint32_t *sha1_dv_difference(unsigned n)
{
	pthread_once(&differences_once, differences_fill);
	return differences[n];
}

/* s is (a, b, c, d, e). */
static inline void step_forward(uint32_t s[5], unsigned t, uint32_t w)
{
	uint32_t a = rotl32(s[0], 5) + sha1_boolean(t, s[1], s[2], s[3]) +
		     s[4] + sha1_constant(t) + w;

	s[4] = s[3];
	s[3] = s[2];
	s[2] = rotl32(s[1], 30);
	s[1] = s[0];
	s[0] = a;
}

static inline void step_back(uint32_t s[5], unsigned t, uint32_t w)
{
	uint32_t a = s[0];

	s[0] = s[1];
	s[1] = rotl32(s[2], 2);
	s[2] = s[3];
	s[3] = s[4];
	s[4] = a - rotl32(s[0], 5) - sha1_boolean(t, s[1], s[2], s[3]) -
	       sha1_constant(t) - w;
}

/* Five steps at a time, so that words change names instead of places. */
#define UNROLL _Pragma("GCC unroll 5")

/* From before step `t` to the chaining value; one loop for each function. */
static inline void go_back(uint32_t s[5], unsigned t, const uint32_t *w,
			   const uint32_t *diff)
{
	UNROLL for (; t > 60; t--) step_back(s, t - 1, w[t - 1] ^ diff[t - 1]);
	UNROLL for (; t > 40; t--) step_back(s, t - 1, w[t - 1] ^ diff[t - 1]);
	UNROLL for (; t > 20; t--) step_back(s, t - 1, w[t - 1] ^ diff[t - 1]);
	UNROLL for (; t > 0; t--) step_back(s, t - 1, w[t - 1] ^ diff[t - 1]);
}

static inline void go_forward(uint32_t s[5], unsigned t, const uint32_t *w,
			      const uint32_t *diff)
{
	UNROLL for (; t < 60; t++) step_forward(s, t, w[t] ^ diff[t]);
	UNROLL for (; t < SHA1_STEPS; t++) step_forward(s, t, w[t] ^ diff[t]);
}

void sha1_dv_twin(unsigned n, const struct sha1_trace *tr, uint32_t h_in[5],
		  uint32_t h_out[5])
{
	const uint32_t *diff = sha1_dv_difference(n);
	unsigned same = sha1_dvs[n].same_step;
	const uint32_t *a = tr->a + (same - SHA1_KEPT_FIRST);
	uint32_t s[5] = { a[0], a[-1], rotl32(a[-2], 30), rotl32(a[-3], 30),
			  rotl32(a[-4], 30) };
	uint32_t r[5] = { s[0], s[1], s[2], s[3], s[4] };

	go_forward(s, same, tr->w, diff);
	go_back(r, same, tr->w, diff);
	for (unsigned i = 0; i < 5; i++) {
		h_in[i] = r[i];
		h_out[i] = r[i] + s[i];
	}
}

bool sha1_dv_attacked(uint32_t mask, const struct sha1_trace *tr)
{
	uint32_t h_in[5], h_out[5];

	for (; mask; mask &= mask - 1) {
		sha1_dv_twin((unsigned)__builtin_ctz(mask), tr, h_in, h_out);
		if (!memcmp(h_out, tr->h, sizeof h_out))
			return true;
	}
	return false;
}
