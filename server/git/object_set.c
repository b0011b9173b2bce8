/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of objects, and bits for them. The table of loose objects is asked
 * before the view, which would ask the file system each time.
 */
#include "git/object_set.h"

#include "base/err.h"

#include <stdlib.h>

#define SLOTS_MIN 64

void object_numbers_init(struct object_numbers *n, struct objects *o)
{
	*n = (struct object_numbers){
		.objects = o,
		.n_packed = objects_total(o),
	};
}

void object_numbers_fini(struct object_numbers *n)
{
	free(n->loose);
	free(n->slots);
	*n = (struct object_numbers){ 0 };
}

/* The slot that holds `id`, or the empty one where it belongs. */
static uint32_t slot_of(const struct object_numbers *n, const struct oid *id)
{
	uint32_t i = (uint32_t)oid_hash(id) & (n->n_slots - 1);

	while (n->slots[i] && !oid_eq(&n->loose[n->slots[i] - 1], id))
		i = (i + 1) & (n->n_slots - 1);
	return i;
}

static int slots_grow(struct object_numbers *n, struct err *e)
{
	uint32_t n_slots = n->n_slots ? 2 * n->n_slots : SLOTS_MIN;
	uint32_t *slots = calloc(n_slots, sizeof *slots);

	if (!slots || n_slots < n->n_slots) {
		free(slots);
		return err_nomem(e);
	}
	free(n->slots);
	n->slots = slots;
	n->n_slots = n_slots;
	for (uint32_t i = 0; i < n->n_loose; i++)
		slots[slot_of(n, &n->loose[i])] = i + 1;
	return 0;
}

int object_numbers_add_loose(struct object_numbers *n, const struct oid *id,
			     uint32_t *number_out, struct err *e)
{
	uint32_t slot;

	if (n->n_loose >= n->n_slots / 2 && slots_grow(n, e) < 0)
		return -1;
	slot = slot_of(n, id);
	if (n->slots[slot]) {
		*number_out = n->n_packed + n->slots[slot] - 1;
		return 0;
	}
	if (n->n_loose == n->cap_loose) {
		uint32_t cap = n->cap_loose ? 2 * n->cap_loose : SLOTS_MIN;
		struct oid *loose = realloc(n->loose, cap * sizeof *loose);

		if (!loose)
			return err_nomem(e);
		n->loose = loose;
		n->cap_loose = cap;
	}
	if (n->n_loose >= UINT32_MAX - 1 - n->n_packed)
		return err_set(e, ERR_LIMIT, "too many objects");
	*number_out = n->n_packed + n->n_loose;
	n->loose[n->n_loose++] = *id;
	n->slots[slot] = n->n_loose;
	return 0;
}

int object_numbers_find(struct object_numbers *n, const struct oid *id,
			uint32_t *number_out, struct err *e)
{
	struct object_at at;
	int found;

	if (n->n_loose) {
		uint32_t known = n->slots[slot_of(n, id)];

		if (known) {
			*number_out = n->n_packed + known - 1;
			return 1;
		}
	}
	found = objects_find(n->objects, id, &at, e);
	if (found <= 0)
		return found;
	if (at.pack != OBJECT_LOOSE) {
		*number_out = objects_number(n->objects, &at);
		return 1;
	}
	return object_numbers_add_loose(n, id, number_out, e) < 0 ? -1 : 1;
}

void object_numbers_at(const struct object_numbers *n, uint32_t number,
		       struct object_at *at_out, struct oid *id_out)
{
	if (number < n->n_packed) {
		objects_by_number(n->objects, number, at_out, id_out);
		return;
	}
	*at_out = (struct object_at){ .pack = OBJECT_LOOSE };
	*id_out = n->loose[number - n->n_packed];
}

void object_set_fini(struct object_set *s)
{
	free(s->words);
	*s = (struct object_set){ NULL, 0 };
}

/* Room for `n_words`, and some to spare where it grows word by word. */
static int set_grow(struct object_set *s, size_t n_words, struct err *e)
{
	uint64_t *words;

	if (n_words <= s->n_words)
		return 0;
	words = realloc(s->words, n_words * sizeof *words);
	if (!words)
		return err_nomem(e);
	memset(words + s->n_words, 0, (n_words - s->n_words) * sizeof *words);
	s->words = words;
	s->n_words = n_words;
	return 0;
}

int object_set_add(struct object_set *s, uint32_t number, struct err *e)
{
	size_t word = number / 64;
	uint64_t bit = UINT64_C(1) << (number % 64);

	if (word >= s->n_words && set_grow(s, word + 1 + word / 2, e) < 0)
		return -1;
	if (s->words[word] & bit)
		return 0;
	s->words[word] |= bit;
	return 1;
}

int object_set_merge(struct object_set *s, const struct object_set *other,
		     struct err *e)
{
	if (set_grow(s, other->n_words, e) < 0)
		return -1;
	for (size_t i = 0; i < other->n_words; i++)
		s->words[i] |= other->words[i];
	return 0;
}

void object_set_subtract(struct object_set *s, const struct object_set *other)
{
	size_t n = s->n_words < other->n_words ? s->n_words : other->n_words;

	for (size_t i = 0; i < n; i++)
		s->words[i] &= ~other->words[i];
}

uint32_t object_set_count(const struct object_set *s, uint32_t from,
			  uint32_t to)
{
	uint32_t count = 0;

	for (size_t i = from / 64; i < s->n_words && i * 64 < to; i++) {
		uint64_t word = s->words[i];

		if (i == from / 64)
			word &= ~UINT64_C(0) << (from % 64);
		if (i == to / 64)
			word &= (UINT64_C(1) << (to % 64)) - 1;
		count += (uint32_t)__builtin_popcountll(word);
	}
	return count;
}

uint32_t object_set_next(const struct object_set *s, uint32_t from)
{
	for (size_t i = from / 64; i < s->n_words; i++) {
		uint64_t word = s->words[i];

		if (i == from / 64)
			word &= ~UINT64_C(0) << (from % 64);
		if (word)
			return (uint32_t)(i * 64) +
			       (uint32_t)__builtin_ctzll(word);
	}
	return UINT32_MAX;
}
