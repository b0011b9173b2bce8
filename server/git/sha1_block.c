/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression function of SHA-1 in plain C, for every machine.
 */
#include "git/sha1_block.h"

#include "base/attr.h"
#include "base/span.h"

/*
 * One step, and the message word that is needed 16 steps later: done together
 * the two chains of dependencies overlap. The caller rotates the names
 * instead of the values.
 */
#define STEP(t, a, b, c, d, e)                                          \
	do {                                                            \
		e += rotl32(a, 5) + sha1_boolean(t, b, c, d) + w[t] +   \
		     sha1_constant(t);                                  \
		b = rotl32(b, 30);                                      \
		made[t] = e;                                            \
		if ((t) + 16 < SHA1_STEPS)                              \
			w[(t) + 16] = rotl32(w[(t) + 13] ^ w[(t) + 8] ^ \
						     w[(t) + 2] ^ w[t], \
					     1);                        \
	} while (0)

#define STEPS_5(t)                            \
	do {                                  \
		STEP((t) + 0, a, b, c, d, e); \
		STEP((t) + 1, e, a, b, c, d); \
		STEP((t) + 2, d, e, a, b, c); \
		STEP((t) + 3, c, d, e, a, b); \
		STEP((t) + 4, b, c, d, e, a); \
	} while (0)

/* `made` becomes the `a` that each step makes. */
static void compress(uint32_t h[5], const unsigned char *block,
		     uint32_t w[SHA1_STEPS], uint32_t made[SHA1_STEPS])
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load_u32be(block + 4 * t);
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

void sha1_blocks_portable(uint32_t h[5], const unsigned char *p, size_t n,
			  struct sha1_trace *traces)
{
	uint32_t made[SHA1_STEPS] UNINITIALIZED;

	for (struct sha1_trace *tr = traces; tr < traces + n; tr++) {
		compress(h, p, tr->w, made);
		/* Step t made a(t + 1). */
		memcpy(tr->a, made + SHA1_KEPT_FIRST - 1, sizeof tr->a);
		memcpy(tr->h, h, sizeof tr->h);
		p += SHA1_BLOCK_SIZE;
	}
}
