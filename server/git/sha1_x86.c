/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression function of SHA-1 with the SHA extensions of x86.
 * They hold (a, b, c, d) and four message words in one register, the first of
 * them in the highest lane, and do four steps at once; the messages are
 * expanded four words at a time too, so that a trace costs only its stores.
 * They have no AVX encoding: code with wide registers between them is slowed
 * down a hundredfold on some processors, so the filter stays apart.
 * Format: Intel 64 and IA-32 Architectures Software Developer's Manual,
 * volume 2, SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2.
 */
#include "git/sha1_block.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SHA_EXTENSIONS __attribute__((target("sha,sse4.1,ssse3")))

/* The order of the four lanes turned round. */
#define REVERSE 0x1b

/* Four steps make four words; these are the ones that a trace keeps. */
#define KEPT_FIRST (SHA1_KEPT_FIRST / 4)
#define KEPT_LAST  (KEPT_FIRST + SHA1_KEPT_WORDS / 4 - 1)

/* Four steps from step 4 * i on. `m` are the words of these steps. */
#define FOUR_STEPS(i, m)                                                \
	do {                                                            \
		__m128i words_ = (i) ? _mm_sha1nexte_epu32(before, m)   \
				     : _mm_add_epi32(e, m);             \
		_mm_storeu_si128((__m128i *)(void *)(tr->w + 4 * (i)),  \
				 _mm_shuffle_epi32(m, REVERSE));        \
		before = abcd;                                          \
		abcd = _mm_sha1rnds4_epu32(abcd, words_, (i) / 5);      \
		if ((i) >= KEPT_FIRST && (i) <= KEPT_LAST)              \
			keep_words(tr->a + 4 * ((i)-KEPT_FIRST), abcd); \
	} while (0)

/* The four words after those of m0..m3, in place of the first of them. */
#define EXPAND(m0, m1, m2, m3)    \
	(m0 = _mm_sha1msg2_epu32( \
		 _mm_xor_si128(_mm_sha1msg1_epu32(m0, m1), m2), m3))

#define SIXTEEN_STEPS(i)                 \
	do {                             \
		EXPAND(m0, m1, m2, m3);  \
		FOUR_STEPS((i) + 0, m0); \
		EXPAND(m1, m2, m3, m0);  \
		FOUR_STEPS((i) + 1, m1); \
		EXPAND(m2, m3, m0, m1);  \
		FOUR_STEPS((i) + 2, m2); \
		EXPAND(m3, m0, m1, m2);  \
		FOUR_STEPS((i) + 3, m3); \
	} while (0)

/* a, b, c, d before step t are a(t), a(t-1) and a(t-2), a(t-3) rotated. */
SHA_EXTENSIONS static inline void keep_words(uint32_t *a, __m128i abcd)
{
	__m128i turned =
		_mm_or_si128(_mm_slli_epi32(abcd, 2), _mm_srli_epi32(abcd, 30));

	_mm_storeu_si128((__m128i *)(void *)a,
			 _mm_blend_epi16(abcd, turned, 0x0f));
}

SHA_EXTENSIONS static inline __m128i load_words(const unsigned char *p)
{
	const __m128i big_endian =
		_mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);

	return _mm_shuffle_epi8(
		_mm_loadu_si128((const __m128i *)(const void *)p), big_endian);
}

SHA_EXTENSIONS void sha1_blocks_x86(uint32_t h[5], const unsigned char *p,
				    size_t n, struct sha1_trace *traces)
{
	__m128i abcd = _mm_shuffle_epi32(
		_mm_loadu_si128((const __m128i *)(const void *)h), REVERSE);
	__m128i e = _mm_set_epi32((int)h[4], 0, 0, 0);

	for (struct sha1_trace *tr = traces; tr < traces + n; tr++) {
		__m128i abcd_in = abcd, e_in = e, before = abcd;
		__m128i m0 = load_words(p), m1 = load_words(p + 16);
		__m128i m2 = load_words(p + 32), m3 = load_words(p + 48);

		FOUR_STEPS(0, m0);
		FOUR_STEPS(1, m1);
		FOUR_STEPS(2, m2);
		FOUR_STEPS(3, m3);
		SIXTEEN_STEPS(4);
		SIXTEEN_STEPS(8);
		SIXTEEN_STEPS(12);
		SIXTEEN_STEPS(16);
		/* The last e is the a of four steps ago, rotated. */
		e = _mm_sha1nexte_epu32(before, e_in);
		abcd = _mm_add_epi32(abcd, abcd_in);
		_mm_storeu_si128((__m128i *)(void *)tr->h,
				 _mm_shuffle_epi32(abcd, REVERSE));
		tr->h[4] = (uint32_t)_mm_extract_epi32(e, 3);
		p += SHA1_BLOCK_SIZE;
	}
	_mm_storeu_si128((__m128i *)(void *)h,
			 _mm_shuffle_epi32(abcd, REVERSE));
	h[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

#endif
