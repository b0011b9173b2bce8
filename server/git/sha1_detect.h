/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1 that notices when its input is one half of a collision.
 *
 * Digests are those of any SHA-1 (FIPS 180-4). Beside them each block is
 * tested for the message differences of all published collision attacks:
 * M. Stevens, "Counter-cryptanalysis" (CRYPTO 2013); M. Stevens and
 * D. Shumow, "Speeding up detection of SHA-1 collision attacks using
 * unavoidable attack conditions" (USENIX Security 2017). A random input is
 * taken for an attack with a probability of about 2^-150 per block.
 * Threads: any, for different structs; a struct is a plain value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA1_DETECT_SIZE  20
#define SHA1_DETECT_BLOCK 64

struct sha1_detect {
	uint32_t h[5];
	bool attacked;
	uint64_t bytes; /* fed so far */
	unsigned char tail[SHA1_DETECT_BLOCK];
};

void sha1_detect_init(struct sha1_detect *s);
void sha1_detect_update(struct sha1_detect *s, const void *data, size_t len);

/* The digest, always; false where an attack was found on the way. */
bool sha1_detect_final(struct sha1_detect *s,
		       unsigned char out[SHA1_DETECT_SIZE]);
