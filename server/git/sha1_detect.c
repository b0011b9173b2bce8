/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streaming and padding around the block functions, the choice of the engine,
 * and the verdict. Format: FIPS 180-4, 5.1.1.
 */
#include "git/sha1_detect.h"

#include "base/span.h"
#include "git/sha1_dv.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <cpuid.h>

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_sha_and_avx2(void)
{
	unsigned a, b, c, d;

	return has_avx2() && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       b & bit_SHA;
}
#endif

static bool always(void)
{
	return true;
}

const struct sha1_engine sha1_engines[] = {
#if defined(__x86_64__)
	{ "sha-ni+avx2", sha1_blocks_x86, sha1_filter_avx2, has_sha_and_avx2 },
	{ "avx2", sha1_blocks_portable, sha1_filter_avx2, has_avx2 },
#endif
	{ "portable", sha1_blocks_portable, sha1_filter_portable, always },
	{ 0 },
};

static const struct sha1_engine *best = sha1_engines;
static pthread_once_t best_once = PTHREAD_ONCE_INIT;

static void best_find(void)
{
	while (!best->usable())
		best++;
}

void sha1_detect_init_engine(struct sha1_detect *s,
			     const struct sha1_engine *engine)
{
	static const uint32_t start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe,
					   0x10325476, 0xc3d2e1f0 };

	s->engine = engine;
	memcpy(s->h, start, sizeof s->h);
	s->attacked = false;
	s->bytes = 0;
	s->queued = 0;
}

void sha1_detect_init(struct sha1_detect *s)
{
	pthread_once(&best_once, best_find);
	sha1_detect_init_engine(s, best);
}

static void judge_queue(struct sha1_detect *s)
{
	uint32_t masks[SHA1_LANES];

	s->engine->filter(s->queue, s->queued, masks);
	for (unsigned i = 0; i < s->queued; i++)
		if (masks[i])
			s->attacked |= sha1_dv_attacked(masks[i], s->queue + i);
	s->queued = 0;
}

static void add_blocks(struct sha1_detect *s, const unsigned char *p, size_t n)
{
	while (n) {
		size_t take = SHA1_LANES - s->queued;

		if (take > n)
			take = n;
		s->engine->blocks(s->h, p, take, s->queue + s->queued);
		s->queued += (unsigned)take;
		if (s->queued == SHA1_LANES)
			judge_queue(s);
		p += take * SHA1_BLOCK_SIZE;
		n -= take;
	}
}

void sha1_detect_update(struct sha1_detect *s, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t held = s->bytes % SHA1_BLOCK_SIZE;
	size_t take;

	if (!len)
		return;
	s->bytes += len;
	if (held) {
		take = SHA1_BLOCK_SIZE - held;
		if (take > len)
			take = len;
		memcpy(s->tail + held, p, take);
		if (held + take < SHA1_BLOCK_SIZE)
			return;
		add_blocks(s, s->tail, 1);
		p += take;
		len -= take;
	}
	add_blocks(s, p, len / SHA1_BLOCK_SIZE);
	p += len - len % SHA1_BLOCK_SIZE;
	memcpy(s->tail, p, len % SHA1_BLOCK_SIZE);
}

bool sha1_detect_final(struct sha1_detect *s,
		       unsigned char out[SHA1_DETECT_SIZE])
{
	static const unsigned char padding[SHA1_BLOCK_SIZE] = { 0x80 };
	unsigned char length[8];
	size_t held = s->bytes % SHA1_BLOCK_SIZE;

	store_u32be(length, (uint32_t)(s->bytes >> 29));
	store_u32be(length + 4, (uint32_t)(s->bytes << 3));
	sha1_detect_update(s, padding, (held < 56 ? 56 : 120) - held);
	sha1_detect_update(s, length, sizeof length);
	if (s->queued)
		judge_queue(s);
	for (unsigned i = 0; i < 5; i++)
		store_u32be(out + 4 * i, s->h[i]);
	return !s->attacked;
}
