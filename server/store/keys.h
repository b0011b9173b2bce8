/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys of users: which are accepted, and what they are called.
 *
 * Accepted: ssh-ed25519, ecdsa-sha2-nistp256, -nistp384, -nistp521, ssh-rsa
 * from 2048 bits on, sk-ssh-ed25519@openssh.com and
 * sk-ecdsa-sha2-nistp256@openssh.com. Certificates, ssh-dss and everything
 * else are refused with a sentence.
 * Format: a line of authorized_keys(5) without options; blobs as RFC 4253 6.6,
 * RFC 5656 3.1, RFC 8709 4 and OpenSSH's PROTOCOL.u2f.
 * Limits: PUBLIC_KEY_BLOB_MAX, PUBLIC_KEY_RSA_MAX.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "base/digest.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

#define PUBLIC_KEY_BLOB_MAX    4096  /* bytes; RSA of 16384 bits takes 2100 */
#define PUBLIC_KEY_RSA_MIN     2048  /* bits */
#define PUBLIC_KEY_RSA_MAX     16384 /* bits, as OpenSSH */
#define PUBLIC_KEY_COMMENT_MAX 256   /* bytes */

/* "SHA256:", 43 digits of base64, NUL. */
#define FINGERPRINT_SIZE (sizeof "SHA256:" + 43)

struct public_key {
	const char *type;    /* of a static table */
	unsigned char *blob; /* malloc'ed */
	size_t blob_len;
	unsigned char sha256[SHA256_SIZE]; /* of the blob */
	char fingerprint[FINGERPRINT_SIZE];
	char *comment; /* malloc'ed; "" where there is none */
	unsigned bits;
};

void public_key_fini(struct public_key *k);

/* One line "TYPE BASE64 [COMMENT]", white space around it ignored.
 * ERR_MALFORMED (no key), ERR_DENIED (a key that is not accepted). */
int public_key_parse(struct span line, struct public_key *out,
		     struct err *e) MUST_CHECK;

/* The same from the blob a client offers. */
int public_key_from_blob(struct span blob, struct public_key *out,
			 struct err *e) MUST_CHECK;

bool public_key_eq(const struct public_key *a, const struct public_key *b);

/* "SHA256:..." of any blob. Returns `out`. */
char *fingerprint_of(struct span blob, char out[FINGERPRINT_SIZE]);

/* "TYPE BASE64", and " COMMENT" where there is one: malloc'ed, NULL out of
 * memory. */
char *public_key_text(const struct public_key *k) MUST_CHECK;
