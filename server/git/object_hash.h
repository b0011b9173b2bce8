/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object ids: the hash of "TYPE SIZE\0" and the object's bytes.
 *
 * The hash is the collision-detecting SHA-1 of sha1_detect.h: it gives the
 * same ids as any SHA-1, and refuses an object whose bytes are half of a
 * collision made by one of the known attacks. Such an object must not be
 * stored: its twin would have the same id.
 * Ownership: a struct object_hash is a plain value of 3.4 kB without
 * resources; it may be copied (the copy goes on from the same place) and left
 * without a final.
 * Threads: any, for different structs. Limits: none, sizes are 64 bits.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "git/oid.h"
#include "git/sha1_detect.h"

#include <stddef.h>
#include <stdint.h>

struct object_hash {
	enum oid_kind kind;
	struct sha1_detect sha1;
};

/*
 * Begin an object of `type` ("commit", "tree", "blob", "tag"; at most
 * OBJECT_TYPE_MAX bytes) and of exactly `size` bytes.
 */
#define OBJECT_TYPE_MAX 16
void object_hash_init(struct object_hash *h, enum oid_kind kind,
		      const char *type, uint64_t size);

/* The next bytes. Faster in pieces of some kB, right in pieces of any size. */
void object_hash_update(struct object_hash *h, const void *data, size_t len);

/*
 * The id. -1, ERR_MALFORMED and a message that names the id where a collision
 * attack was found; `out` is then no id (its `len` is 0). The struct must be
 * begun anew afterwards.
 */
int object_hash_final(struct object_hash *h, struct oid *out,
		      struct err *e) MUST_CHECK;

/* All of it at once, for an object in memory; outcome as of the final. */
int object_hash_buffer(enum oid_kind kind, const char *type, const void *data,
		       size_t len, struct oid *out, struct err *e) MUST_CHECK;
