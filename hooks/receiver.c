/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a Flux Receiver.
 *
 * Format: "/hook/" and the SHA-256 of token, name and namespace, one after the
 * other with nothing between, in lower-case digits. The controller compares
 * the request's path with that text byte for byte, so anything more or less
 * is not a Receiver's.
 */
#include "hooks/receiver.h"

#include "base/digest.h"

#include <assert.h>
#include <string.h>

#define PREFIX "/hook/"

static_assert(RECEIVER_PATH_SIZE == sizeof PREFIX + 2 * SHA256_SIZE,
	      "the path holds one SHA-256");

char *receiver_path(struct span token, const char *name, const char *ns,
		    char out[RECEIVER_PATH_SIZE])
{
	struct digest *d = digest_new(DIGEST_SHA256);
	unsigned char hash[SHA256_SIZE];

	if (!d)
		return NULL;
	digest_update(d, token.data, token.len);
	digest_update(d, name, strlen(name));
	digest_update(d, ns, strlen(ns));
	digest_final(d, hash);
	digest_free(d);
	memcpy(out, PREFIX, sizeof PREFIX);
	hex_encode(hash, sizeof hash, out + strlen(PREFIX));
	return out;
}

bool receiver_path_is(const char *path)
{
	struct span s = span_str(path);

	if (!span_skip(&s, PREFIX) || s.len != 2 * SHA256_SIZE)
		return false;
	return strspn((const char *)s.data, "0123456789abcdef") == s.len;
}
