/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and random bytes, by OpenSSL's libcrypto. Object ids are not made
 * here: they need the collision-detecting SHA-1 of git/.
 * Threads: any, for different digests.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE	20
#define SHA256_SIZE	32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)

struct digest; /* opaque: one running digest */

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256 };

/* NULL only when out of memory. */
struct digest *digest_new(enum digest_kind kind);
void digest_update(struct digest *d, const void *data, size_t n);
/* Writes SHA1_SIZE or SHA256_SIZE bytes; digest_reset() begins anew. */
void digest_final(struct digest *d, unsigned char *out);
void digest_reset(struct digest *d);
struct digest *digest_free(struct digest *d);

void sha256(const void *data, size_t n, unsigned char out[SHA256_SIZE]);
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
		 unsigned char out[SHA256_SIZE]);
void hmac_sha1(const void *key, size_t key_len, const void *data, size_t n,
	       unsigned char out[SHA1_SIZE]);

/* 2 * n lower-case digits and a NUL into `out`. */
void hex_encode(const void *data, size_t n, char *out);
/* `n` bytes from 2 * n digits of either case; -1 where they are not digits. */
int hex_decode(const char *hex, size_t n, unsigned char *out);

/* Standard base64 with padding, NUL-terminated, malloc'ed; NULL out of
 * memory. */
char *base64_encode(const void *data, size_t n) MUST_CHECK;
/* Strict standard base64; padding optional. Returns malloc'ed bytes and their
 * number, or NULL where it is not base64. */
void *base64_decode(const char *text, size_t len, size_t *n_out) MUST_CHECK;

/* Cryptographically strong. Aborts where the kernel has none to give. */
void random_bytes(void *out, size_t n);

/* Give back what libcrypto keeps for this thread. It does so by itself when a
 * thread ends, which for a detached one may be after main(). */
void crypto_thread_end(void);

/* Time independent of where the difference is. */
int bytes_equal(const void *a, const void *b, size_t n);
