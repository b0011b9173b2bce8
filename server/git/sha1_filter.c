/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter, written once in the compiler's own vectors of eight lanes: with
 * AVX2 they are registers, elsewhere the compiler splits them.
 */
#include "git/sha1_filter.h"

#include "base/attr.h"
#include "git/sha1_conditions.h"

#include <string.h>

#define FIRST_WORD 32 /* of the conditions, rounded down to fours */
#define WORDS	   36

typedef uint32_t lanes __attribute__((vector_size(4 * SHA1_LANES)));
typedef int32_t signed_lanes __attribute__((vector_size(4 * SHA1_LANES)));

#define WORD(t)	      (w[(t)-FIRST_WORD])
#define TO_SIGN(v, b) ((v) << (31 - (b)))

/* All ones in the lanes where the two bits differ. */
#define BITS_DIFFER(t, b, u, c)                                    \
	((signed_lanes)((b) == (c) ? TO_SIGN(WORD(t) ^ WORD(u), b) \
				   : (TO_SIGN(WORD(t), b) ^        \
				      TO_SIGN(WORD(u), c))) >>     \
	 31)

/*
 * The vectors of each condition in all lanes. Read from memory, which costs
 * nothing beside the `and`; the compiler would rather build the constants,
 * so the filter hides from it what it reads.
 */
#define EIGHT_TIMES(t, b, u, c, odd, vectors)       \
	{                                           \
		vectors, vectors, vectors, vectors, \
		vectors, vectors, vectors, vectors  \
	},
static const lanes condition_vectors[] = { SHA1_CONDITIONS(EIGHT_TIMES) };

#define JUDGE(t, b, u, c, odd, vectors)                         \
	dead[odd] |= ((odd) ? ~(lanes)BITS_DIFFER(t, b, u, c)   \
			    : (lanes)BITS_DIFFER(t, b, u, c)) & \
		     *mask++;

/*
 * How the words of eight blocks come to `w`, block n in lane n. One by one for
 * every machine: without registers of this size a compiler makes much worse of
 * shuffles.
 */
#define GATHER()                                          \
	for (unsigned t = 0; t < WORDS; t++)              \
		for (unsigned i = 0; i < SHA1_LANES; i++) \
	w[t][i] = lane[i]->w[FIRST_WORD + t]

/* Lanes without a block repeat the first. */
#define DEFINE_FILTER(name, load_words)                                  \
	void name(const struct sha1_trace *traces, unsigned n,           \
		  uint32_t masks[SHA1_LANES])                            \
	{                                                                \
		const struct sha1_trace *lane[SHA1_LANES];               \
		const lanes *mask = condition_vectors;                   \
		lanes w[WORDS] UNINITIALIZED, live, dead[2] = { { 0 } }; \
                                                                         \
		for (unsigned i = 0; i < SHA1_LANES; i++)                \
			lane[i] = traces + (i < n ? i : 0);              \
		__asm__("" : "+r"(mask));                                \
		load_words();                                            \
		SHA1_CONDITIONS(JUDGE)                                   \
		live = ~(dead[0] | dead[1]);                             \
		memcpy(masks, &live, sizeof live);                       \
	}

DEFINE_FILTER(sha1_filter_portable, GATHER)

#if defined(__x86_64__)

typedef uint32_t half_lanes __attribute__((vector_size(2 * SHA1_LANES)));

#define SHUFFLE __builtin_shufflevector

/* Words t..t+3 of blocks i and i + 4 side by side. */
#define LOAD_PAIR(out, i, t)                                          \
	do {                                                          \
		half_lanes low_, high_;                               \
		memcpy(&low_, lane[i]->w + (t), sizeof low_);         \
		memcpy(&high_, lane[(i) + 4]->w + (t), sizeof high_); \
		(out) = SHUFFLE(low_, high_, 0, 1, 2, 3, 4, 5, 6, 7); \
	} while (0)

/* Interleave words or pairs of words of two such registers. */
#define LOW_WORDS(x, y)	 SHUFFLE(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH_WORDS(x, y) SHUFFLE(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_PAIRS(x, y)	 SHUFFLE(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_PAIRS(x, y) SHUFFLE(x, y, 2, 3, 10, 11, 6, 7, 14, 15)

/* Four words at a time, in registers; only where the machine has them. */
#define TRANSPOSE_4(w, t)                                 \
	do {                                              \
		lanes r0_, r1_, r2_, r3_, a_, b_, c_, d_; \
		LOAD_PAIR(r0_, 0, t);                     \
		LOAD_PAIR(r1_, 1, t);                     \
		LOAD_PAIR(r2_, 2, t);                     \
		LOAD_PAIR(r3_, 3, t);                     \
		a_ = LOW_WORDS(r0_, r1_);                 \
		b_ = LOW_WORDS(r2_, r3_);                 \
		c_ = HIGH_WORDS(r0_, r1_);                \
		d_ = HIGH_WORDS(r2_, r3_);                \
		(w)[0] = LOW_PAIRS(a_, b_);               \
		(w)[1] = HIGH_PAIRS(a_, b_);              \
		(w)[2] = LOW_PAIRS(c_, d_);               \
		(w)[3] = HIGH_PAIRS(c_, d_);              \
	} while (0)

#define TRANSPOSE()                             \
	for (unsigned t = 0; t < WORDS; t += 4) \
	TRANSPOSE_4(w + t, FIRST_WORD + t)

__attribute__((target("avx2"))) DEFINE_FILTER(sha1_filter_avx2, TRANSPOSE)
#endif
