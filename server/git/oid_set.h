/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of object ids that keeps the order in which they came.
 *
 * A stranger may choose the ids: they are hashed with random numbers of the
 * set's own, all bytes of them, so that nobody can make them meet.
 * Limits: the caller's; it holds about 45 bytes for each id.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;

struct oid_set {
	struct oid *items; /* in order of arrival */
	size_t n;
	size_t cap;
	uint32_t *slots; /* 1 + index into items; 0: free */
	size_t n_slots;	 /* a power of two */
	uint64_t seed[OID_MAX_SIZE / 8];
};

void oid_set_fini(struct oid_set *s);

/* 1 added, 0 it was there, -1. */
int oid_set_add(struct oid_set *s, const struct oid *id,
		struct err *e) MUST_CHECK;
bool oid_set_has(const struct oid_set *s, const struct oid *id);

/* Sort `n` ids bytewise. */
void oid_sort(struct oid *ids, size_t n);
