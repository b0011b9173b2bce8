/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of objects: one bit for each, by number.
 *
 * Packed objects have the numbers of their view (objects_number()); behind them
 * stand the loose ones that were met, in the order in which they were met.
 * Ownership: the numbers borrow the view; a set owns its words.
 * Limits: 2^32 - 2 objects; a bit for each packed object of the view, 40 bytes
 * or so for each loose one that is met.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/objects.h"

struct err;

struct object_numbers {
	struct objects *objects;
	uint32_t n_packed;
	uint32_t n_loose;
	uint32_t cap_loose;
	struct oid *loose;
	uint32_t *slots; /* open addressing: index into `loose` plus one */
	uint32_t n_slots;
};

void object_numbers_init(struct object_numbers *n, struct objects *o);
void object_numbers_fini(struct object_numbers *n);

/* 1 with its number; 0 where there is no such object; -1. */
int object_numbers_find(struct object_numbers *n, const struct oid *id,
			uint32_t *number_out, struct err *e) MUST_CHECK;
/* The number of a loose object that may have gone since; -1 out of memory. */
int object_numbers_add_loose(struct object_numbers *n, const struct oid *id,
			     uint32_t *number_out, struct err *e) MUST_CHECK;
/* What has that number. */
void object_numbers_at(const struct object_numbers *n, uint32_t number,
		       struct object_at *at_out, struct oid *id_out);

struct object_set {
	uint64_t *words;
	size_t n_words;
};

void object_set_fini(struct object_set *s);

static inline bool object_set_has(const struct object_set *s, uint32_t number)
{
	size_t word = number / 64;

	return word < s->n_words && (s->words[word] >> (number % 64) & 1);
}

/* 1 where it was not in the set, 0 where it was, -1 out of memory. */
int object_set_add(struct object_set *s, uint32_t number,
		   struct err *e) MUST_CHECK;
/* Everything in `other`, too. */
int object_set_merge(struct object_set *s, const struct object_set *other,
		     struct err *e) MUST_CHECK;
/* Nothing that is in `other`. */
void object_set_subtract(struct object_set *s, const struct object_set *other);
/* How many of the numbers from `from` to `to` - 1. */
uint32_t object_set_count(const struct object_set *s, uint32_t from,
			  uint32_t to);
/* The first member from `from` on; UINT32_MAX where there is none. */
uint32_t object_set_next(const struct object_set *s, uint32_t from);
