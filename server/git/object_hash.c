/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header that git puts before an object's bytes, and the refusal of
 * objects in which a collision attack was found. The hashing itself is
 * sha1_detect's. Format: gitobject, "TYPE SIZE\0".
 */
#include "git/object_hash.h"

#include <inttypes.h>
#include <stdio.h>

/* A type, a space, 20 digits of 64 bits and the NUL. */
#define HEADER_MAX (OBJECT_TYPE_MAX + 1 + 20 + 1)

void object_hash_init(struct object_hash *h, enum oid_kind kind,
		      const char *type, uint64_t size)
{
	char header[HEADER_MAX];
	int len = snprintf(header, sizeof header, "%.*s %" PRIu64,
			   OBJECT_TYPE_MAX, type, size);

	h->kind = kind;
	sha1_detect_init(&h->sha1);
	sha1_detect_update(&h->sha1, header, (size_t)len + 1);
}

void object_hash_update(struct object_hash *h, const void *data, size_t len)
{
	sha1_detect_update(&h->sha1, data, len);
}

int object_hash_final(struct object_hash *h, struct oid *out, struct err *e)
{
	unsigned char digest[SHA1_DETECT_SIZE];
	char hex[OID_MAX_HEX + 1];
	bool attacked = !sha1_detect_final(&h->sha1, digest);

	*out = oid_from_bytes(digest, oid_size(h->kind));
	if (!attacked)
		return 0;
	oid_hex(out, hex);
	*out = (struct oid){ .len = 0 };
	return err_set(e, ERR_MALFORMED,
		       "SHA-1 collision attack detected in object %s", hex);
}

int object_hash_buffer(enum oid_kind kind, const char *type, const void *data,
		       size_t len, struct oid *out, struct err *e)
{
	struct object_hash h;

	object_hash_init(&h, kind, type, len);
	object_hash_update(&h, data, len);
	return object_hash_final(&h, out, e);
}
