/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streaming and padding around the block functions, and the verdict.
 * Format: FIPS 180-4, 5.1.1.
 */
#include "git/sha1_detect.h"

#include "base/span.h"
#include "git/sha1_dv.h"

void sha1_detect_init(struct sha1_detect *s)
{
	static const uint32_t start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe,
					   0x10325476, 0xc3d2e1f0 };

	memcpy(s->h, start, sizeof s->h);
	s->attacked = false;
	s->bytes = 0;
}

static void detect_blocks(struct sha1_detect *s, const unsigned char *p,
			  size_t n)
{
	uint32_t w[SHA1_STEPS], h[5];

	for (; n; n--, p += SHA1_BLOCK_SIZE) {
		memcpy(h, s->h, sizeof h);
		sha1_block(s->h, p, w);
		s->attacked |= sha1_dv_attacked(UINT32_MAX, h, w);
	}
}

void sha1_detect_update(struct sha1_detect *s, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t held = s->bytes % SHA1_BLOCK_SIZE;
	size_t take;

	s->bytes += len;
	if (held) {
		take = SHA1_BLOCK_SIZE - held;
		if (take > len)
			take = len;
		memcpy(s->tail + held, p, take);
		if (held + take < SHA1_BLOCK_SIZE)
			return;
		detect_blocks(s, s->tail, 1);
		p += take;
		len -= take;
	}
	detect_blocks(s, p, len / SHA1_BLOCK_SIZE);
	p += len - len % SHA1_BLOCK_SIZE;
	len %= SHA1_BLOCK_SIZE;
	if (len)
		memcpy(s->tail, p, len);
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
	for (unsigned i = 0; i < 5; i++)
		store_u32be(out + 4 * i, s->h[i]);
	return !s->attacked;
}
