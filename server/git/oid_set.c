/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of indices into an array, at most half full, probed in line. */
#include "git/oid_set.h"

#include "base/digest.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS ((size_t)16)
#define SEEDS	    (OID_MAX_SIZE / 8)

void oid_set_fini(struct oid_set *s)
{
	free(s->items);
	free(s->slots);
	*s = (struct oid_set){ 0 };
}

/* Multilinear in halves of 64 bits; the upper bits are the good ones. */
static uint64_t hash(const struct oid_set *s, const struct oid *id)
{
	uint64_t words[SEEDS], h = 0;

	memcpy(words, id->id, sizeof words);
	for (size_t i = 0; i < SEEDS; i++)
		h += (s->seed[i] + (words[i] & UINT32_MAX)) *
		     (s->seed[(i + 1) % SEEDS] + (words[i] >> 32));
	return h;
}

/* The slot of `id`, or the free one where it would go. */
static size_t find_slot(const struct oid_set *s, const struct oid *id)
{
	size_t mask = s->n_slots - 1;
	size_t at = (size_t)(hash(s, id) >> 32) & mask;

	while (s->slots[at] && !oid_eq(&s->items[s->slots[at] - 1], id))
		at = (at + 1) & mask;
	return at;
}

static int grow(struct oid_set *s, struct err *e)
{
	size_t n_slots = s->n_slots ? 2 * s->n_slots : FIRST_SLOTS;
	uint32_t *slots;
	struct oid *items;

	if (!s->n_slots)
		random_bytes(s->seed, sizeof s->seed);
	if (n_slots / 2 >= UINT32_MAX)
		return err_set(e, ERR_LIMIT, "too many object ids");
	items = reallocarray(s->items, n_slots / 2, sizeof *items);
	if (!items)
		return err_nomem(e);
	s->items = items;
	slots = calloc(n_slots, sizeof *slots);
	if (!slots)
		return err_nomem(e);
	free(s->slots);
	s->slots = slots;
	s->n_slots = n_slots;
	s->cap = n_slots / 2;
	for (size_t i = 0; i < s->n; i++)
		s->slots[find_slot(s, &s->items[i])] = (uint32_t)(i + 1);
	return 0;
}

int oid_set_add(struct oid_set *s, const struct oid *id, struct err *e)
{
	size_t slot;

	if (oid_set_has(s, id))
		return 0;
	if (s->n == s->cap && grow(s, e) < 0)
		return -1;
	slot = find_slot(s, id);
	s->items[s->n++] = *id;
	s->slots[slot] = (uint32_t)s->n;
	return 1;
}

bool oid_set_has(const struct oid_set *s, const struct oid *id)
{
	return s->n && s->slots[find_slot(s, id)];
}

static int compare(const void *a, const void *b)
{
	return oid_cmp(a, b);
}

void oid_sort(struct oid *ids, size_t n)
{
	if (n)
		qsort(ids, n, sizeof *ids, compare);
}
