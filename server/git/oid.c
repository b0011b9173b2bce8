/* SPDX-License-Identifier: Apache-2.0 */
/* Object ids as values; the text form is read strictly. */
#include "git/oid.h"

#include "base/digest.h"

#include <string.h>

struct oid oid_from_bytes(const unsigned char *bytes, size_t len)
{
	struct oid id = { .len = (uint8_t)len };

	memcpy(id.id, bytes, len);
	return id;
}

struct oid oid_zero(enum oid_kind kind)
{
	return (struct oid){ .len = (uint8_t)oid_size(kind) };
}

bool oid_is_zero(const struct oid *id)
{
	static const unsigned char zero[OID_MAX_SIZE];

	return !memcmp(id->id, zero, sizeof zero);
}

bool oid_eq(const struct oid *a, const struct oid *b)
{
	return a->len == b->len && !memcmp(a->id, b->id, a->len);
}

int oid_cmp(const struct oid *a, const struct oid *b)
{
	return memcmp(a->id, b->id, OID_MAX_SIZE);
}

bool oid_parse(struct span hex, enum oid_kind kind, struct oid *out)
{
	return hex.len == 2 * oid_size(kind) && oid_take(&hex, kind, out);
}

bool oid_take(struct span *s, enum oid_kind kind, struct oid *out)
{
	struct oid id = oid_zero(kind);
	struct span digits, rest = *s;

	if (!span_take(&rest, 2 * oid_size(kind), &digits))
		return false;
	if (hex_decode((const char *)digits.data, oid_size(kind), id.id) < 0)
		return false;
	*s = rest;
	*out = id;
	return true;
}

char *oid_hex(const struct oid *id, char out[OID_MAX_HEX + 1])
{
	hex_encode(id->id, id->len, out);
	return out;
}
