/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression function of SHA-1 in plain C, for every machine.
 * Format: FIPS 180-4, 6.1.2.
 */
#include "git/sha1_block.h"

#include "base/span.h"

/* One step; the caller rotates the names instead of the values. */
#define STEP(t, a, b, c, d, e)                                        \
	do {                                                          \
		e += rotl32(a, 5) + sha1_boolean(t, b, c, d) + w[t] + \
		     sha1_constant(t);                                \
		b = rotl32(b, 30);                                    \
	} while (0)

#define STEPS_5(t)                            \
	do {                                  \
		STEP((t) + 0, a, b, c, d, e); \
		STEP((t) + 1, e, a, b, c, d); \
		STEP((t) + 2, d, e, a, b, c); \
		STEP((t) + 3, c, d, e, a, b); \
		STEP((t) + 4, b, c, d, e, a); \
	} while (0)

void sha1_block(uint32_t h[5], const unsigned char block[SHA1_BLOCK_SIZE],
		uint32_t w[SHA1_STEPS])
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load_u32be(block + 4 * t);
	for (unsigned t = 16; t < SHA1_STEPS; t++)
		w[t] = rotl32(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	/* One loop for each boolean function. */
	for (unsigned t = 0; t < 20; t += 5)
		STEPS_5(t);
	for (unsigned t = 20; t < 40; t += 5)
		STEPS_5(t);
	for (unsigned t = 40; t < 60; t += 5)
		STEPS_5(t);
	for (unsigned t = 60; t < 80; t += 5)
		STEPS_5(t);
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}
