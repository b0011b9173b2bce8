/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1 that notices when its input is one half of a collision.
 *
 * Digests are those of any SHA-1 (FIPS 180-4). Beside them each block is
 * tested for the message differences of all known collision attacks:
 * M. Stevens, "Counter-cryptanalysis" (CRYPTO 2013); M. Stevens and
 * D. Shumow, "Speeding up detection of SHA-1 collision attacks using
 * unavoidable attack conditions" (USENIX Security 2017). An innocent input is
 * taken for an attack with a probability below 2^-155 per block.
 * Blocks are hashed one by one and judged by eights, with the SHA extensions
 * and AVX2 where the processor has them.
 * Threads: any, for different structs; a struct is a plain value of 3.4 kB.
 */
#pragma once

#include "git/sha1_block.h"
#include "git/sha1_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA1_DETECT_SIZE 20

/* The two inner loops, by what they need of the processor. */
struct sha1_engine {
	const char *name;
	sha1_blocks_fn *blocks;
	sha1_filter_fn *filter;
	bool (*usable)(void);
};

/* Fastest first; ends with a NULL name. The last one is always usable. */
extern const struct sha1_engine sha1_engines[];

struct sha1_detect {
	const struct sha1_engine *engine;
	uint64_t bytes; /* fed so far */
	uint32_t h[5];
	bool attacked;
	unsigned queued; /* traces that wait to be judged */
	unsigned char tail[SHA1_BLOCK_SIZE];
	struct sha1_trace queue[SHA1_LANES];
};

/* With the fastest engine of this processor, or with the one given. */
void sha1_detect_init(struct sha1_detect *s);
void sha1_detect_init_engine(struct sha1_detect *s,
			     const struct sha1_engine *engine);

void sha1_detect_update(struct sha1_detect *s, const void *data, size_t len);

/* The digest, always; false where an attack was found on the way. */
bool sha1_detect_final(struct sha1_detect *s,
		       unsigned char out[SHA1_DETECT_SIZE]);
