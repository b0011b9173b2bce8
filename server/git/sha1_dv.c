/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disturbance vectors, their message differences and the recompression.
 *
 * A disturbance vector is a sequence of 80 words that obeys the message
 * expansion; bit b of word t starts a local collision at step t. Sixteen
 * words in a row define it (S. Manuel, "Classification and generation of
 * disturbance vectors for collision attacks against SHA-1", 2011):
 *   I(K,b)   words K..K+14 are 0, word K+15 is 2^b;
 *   II(K,b)  words K+1 and K+3 are 2^(b-1), word K+15 is 2^b, the others 0.
 * A local collision is a disturbance of bit b and the corrections of the five
 * steps after it, at bits b+5, b, b-2, b-2, b-2. States are equal before a
 * step when the five words before it are 0.
 */
#include "git/sha1_dv.h"

#include <pthread.h>
#include <string.h>

#define LOCAL_COLLISION 5 /* steps that correct a disturbance */

/* Equality is taken as near to the end as the zeros of the vector allow. */
const struct sha1_dv sha1_dvs[SHA1_DV_COUNT] = {
	{ 1, 43, 0, 58 }, { 1, 44, 0, 58 }, { 1, 45, 0, 58 }, { 1, 46, 0, 58 },
	{ 1, 46, 2, 58 }, { 1, 47, 0, 58 }, { 1, 47, 2, 58 }, { 1, 48, 0, 58 },
	{ 1, 48, 2, 58 }, { 1, 49, 0, 58 }, { 1, 49, 2, 58 }, { 1, 50, 0, 58 },
	{ 1, 50, 2, 58 }, { 1, 51, 0, 58 }, { 1, 51, 2, 58 }, { 1, 52, 0, 58 },
	{ 2, 45, 0, 58 }, { 2, 46, 0, 58 }, { 2, 46, 2, 58 }, { 2, 47, 0, 58 },
	{ 2, 48, 0, 58 }, { 2, 49, 0, 58 }, { 2, 49, 2, 58 }, { 2, 50, 0, 65 },
	{ 2, 50, 2, 65 }, { 2, 51, 0, 65 }, { 2, 51, 2, 65 }, { 2, 52, 0, 65 },
	{ 2, 53, 0, 65 }, { 2, 54, 0, 65 }, { 2, 55, 0, 65 }, { 2, 56, 0, 65 },
};

static uint32_t differences[SHA1_DV_COUNT][SHA1_STEPS];
static pthread_once_t differences_once = PTHREAD_ONCE_INIT;

/* The vector's words from -5 on, so that word t is at index t + 5. */
static void dv_words(const struct sha1_dv *dv,
		     uint32_t v[SHA1_STEPS + LOCAL_COLLISION])
{
	unsigned first = dv->k + LOCAL_COLLISION;

	memset(v, 0, (SHA1_STEPS + LOCAL_COLLISION) * sizeof *v);
	v[first + 15] = rotl32(1, dv->b);
	if (dv->type == 2)
		v[first + 1] = v[first + 3] = rotl32(1, dv->b + 31u);
	for (unsigned t = first + 16; t < SHA1_STEPS + LOCAL_COLLISION; t++)
		v[t] = rotl32(v[t - 3] ^ v[t - 8] ^ v[t - 14] ^ v[t - 16], 1);
	for (unsigned t = first; t-- > 0;)
		v[t] = rotl32(v[t + 16], 31) ^ v[t + 13] ^ v[t + 8] ^ v[t + 2];
}

static void differences_fill(void)
{
	uint32_t words[SHA1_STEPS + LOCAL_COLLISION];

	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		const uint32_t *v = words + LOCAL_COLLISION;

		dv_words(&sha1_dvs[n], words);
		for (int t = 0; t < SHA1_STEPS; t++)
			differences[n][t] =
				v[t] ^ rotl32(v[t - 1], 5) ^ v[t - 2] ^
				rotl32(v[t - 3] ^ v[t - 4] ^ v[t - 5], 30);
	}
}

const uint32_t *sha1_dv_difference(unsigned n)
{
	pthread_once(&differences_once, differences_fill);
	return differences[n];
}

/* s[0..4] are a..e. */
static void step_forward(uint32_t s[5], unsigned t, uint32_t w)
{
	uint32_t a = rotl32(s[0], 5) + sha1_boolean(t, s[1], s[2], s[3]) +
		     s[4] + sha1_constant(t) + w;

	s[4] = s[3];
	s[3] = s[2];
	s[2] = rotl32(s[1], 30);
	s[1] = s[0];
	s[0] = a;
}

static void step_back(uint32_t s[5], unsigned t, uint32_t w)
{
	uint32_t a = s[0];

	s[0] = s[1];
	s[1] = rotl32(s[2], 2);
	s[2] = s[3];
	s[3] = s[4];
	s[4] = a - rotl32(s[0], 5) - sha1_boolean(t, s[1], s[2], s[3]) -
	       sha1_constant(t) - w;
}

/* `state` is the one before the step at which both halves agree. */
static bool twin_collides(unsigned n, const uint32_t state[5],
			  const uint32_t h_out[5], const uint32_t w[SHA1_STEPS])
{
	const uint32_t *diff = sha1_dv_difference(n);
	unsigned same = sha1_dvs[n].same_step;
	uint32_t last[5], first[5], unequal = 0;

	memcpy(last, state, sizeof last);
	memcpy(first, state, sizeof first);
	for (unsigned t = same; t < SHA1_STEPS; t++)
		step_forward(last, t, w[t] ^ diff[t]);
	for (unsigned t = same; t-- > 0;)
		step_back(first, t, w[t] ^ diff[t]);
	for (unsigned i = 0; i < 5; i++)
		unequal |= (first[i] + last[i]) ^ h_out[i];
	return !unequal;
}

bool sha1_dv_attacked(uint32_t mask, const uint32_t h[5],
		      const uint32_t w[SHA1_STEPS])
{
	uint32_t s[5], at_58[5], at_65[5];

	memcpy(s, h, sizeof s);
	for (unsigned t = 0; t < SHA1_STEPS; t++) {
		if (t == 58)
			memcpy(at_58, s, sizeof s);
		if (t == 65)
			memcpy(at_65, s, sizeof s);
		step_forward(s, t, w[t]);
	}
	for (unsigned i = 0; i < 5; i++)
		s[i] += h[i];
	for (; mask; mask &= mask - 1) {
		unsigned n = (unsigned)__builtin_ctz(mask);
		bool late = sha1_dvs[n].same_step == 65;

		if (twin_collides(n, late ? at_65 : at_58, s, w))
			return true;
	}
	return false;
}
