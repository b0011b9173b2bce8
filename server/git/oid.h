/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object ids: 20 bytes of SHA-1 today, room for the 32 of SHA-256, and the
 * length always at hand, so that no code above counts on 20.
 * Format: gitformat-hash-function-transition; text form is lower-case hex.
 * Threads: plain values.
 */
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_MAX_SIZE  32
#define OID_MAX_HEX   (2 * OID_MAX_SIZE)
#define OID_SHA1_SIZE 20

struct oid {
	unsigned char id[OID_MAX_SIZE]; /* zero beyond `len` */
	uint8_t len;			/* 20; 0 means "no id" */
};

/* How objects of one repository are named. */
enum oid_kind { OID_SHA1 };

static inline size_t oid_size(enum oid_kind kind)
{
	(void)kind;
	return OID_SHA1_SIZE;
}

struct oid oid_from_bytes(const unsigned char *bytes, size_t len);

/* All zeroes: git's word for "no object" in a ref update. */
struct oid oid_zero(enum oid_kind kind);
bool oid_is_zero(const struct oid *id);

bool oid_eq(const struct oid *a, const struct oid *b);
/* Order of the bytes, as in an index. */
int oid_cmp(const struct oid *a, const struct oid *b);

/* Exactly 2 * size lower- or upper-case digits; false for anything else. */
bool oid_parse(struct span hex, enum oid_kind kind, struct oid *out);
/* Take the id off the front of `s`; what follows is not looked at. */
bool oid_take(struct span *s, enum oid_kind kind, struct oid *out);

/* Hex and a NUL into `out`. Returns `out`. */
char *oid_hex(const struct oid *id, char out[OID_MAX_HEX + 1]);

/* A well-mixed 64 bits of it, for hash tables. */
static inline uint64_t oid_hash(const struct oid *id)
{
	uint64_t h;

	memcpy(&h, id->id, sizeof h);
	return h;
}
