/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header that git puts before an object's bytes, and the refusal of
 * objects in which a collision attack was found. The hashing itself is
 * sha1_detect's. Format: gitobject, "TYPE SIZE\0".
 */
#include "git/object_hash.h"

#include <string.h>

/* A type, a space, 20 digits of 64 bits and the NUL. */
#define DIGITS_MAX 20
#define HEADER_MAX (OBJECT_TYPE_MAX + 1 + DIGITS_MAX + 1)

/* "TYPE SIZE\0" by hand: for small objects snprintf would take as long as the
 * hashing. Returns its length, the NUL included. */
static size_t make_header(char header[HEADER_MAX], const char *type,
			  uint64_t size)
{
	char digits[DIGITS_MAX];
	size_t len = strnlen(type, OBJECT_TYPE_MAX), n = 0;

	memcpy(header, type, len);
	header[len++] = ' ';
	do {
		digits[n++] = (char)('0' + size % 10);
		size /= 10;
	} while (size);
	while (n)
		header[len++] = digits[--n];
	header[len++] = '\0';
	return len;
}

void object_hash_init(struct object_hash *h, enum oid_kind kind,
		      const char *type, uint64_t size)
{
	char header[HEADER_MAX];

	h->kind = kind;
	sha1_detect_init(&h->sha1);
	sha1_detect_update(&h->sha1, header, make_header(header, type, size));
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
	struct object_hash h UNINITIALIZED;

	object_hash_init(&h, kind, type, len);
	object_hash_update(&h, data, len);
	return object_hash_final(&h, out, e);
}
