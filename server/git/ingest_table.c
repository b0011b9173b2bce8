/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of entries grows with what arrives, never with what was claimed.
 *
 * Children. OFS_DELTAs hang on their base in a list; the child with most
 * descendants stands apart, to be visited last: a base whose last child is
 * being resolved can be dropped, so that only those bases wait for which a
 * lighter branch is worked on, and each of these halves what is left. At most
 * log2(n) objects are held for OFS_DELTAs, however chains branch. REF_DELTAs
 * are found by binary search, since the id of a base may come late.
 */
#include "git/ingest.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdlib.h>

#define TABLE_FIRST 1024

static int grow(void **array, uint32_t cap, size_t size, struct err *e)
{
	void *grown = reallocarray(*array, cap, size);

	if (!grown)
		return err_nomem(e);
	*array = grown;
	return 0;
}

static uint32_t next_cap(uint32_t cap)
{
	return cap ? cap + cap / 2 : TABLE_FIRST;
}

int ingest_table_add(struct pack_ingest *p, uint64_t offset, struct err *e)
{
	void *index = p->index, *nodes = p->nodes;
	uint32_t cap = next_cap(p->cap);

	if (p->n >= INGEST_NONE / 2)
		return err_set(e, ERR_LIMIT, "too many objects in one pack");
	if (p->n == p->cap) {
		if (grow(&index, cap, sizeof *p->index, e) < 0)
			return -1;
		p->index = index;
		if (grow(&nodes, cap, sizeof *p->nodes, e) < 0)
			return -1;
		p->nodes = nodes;
		p->cap = cap;
	}
	p->index[p->n] = (struct pack_index_entry){ .offset = offset };
	p->nodes[p->n] = (struct ingest_node){ .next = INGEST_NONE,
					       .first = INGEST_NONE,
					       .heavy = INGEST_NONE,
					       .weight = 1 };
	p->n++;
	return 0;
}

uint32_t ingest_table_at(const struct pack_ingest *p, uint64_t offset)
{
	uint32_t low = 0, high = p->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (p->index[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->n && p->index[low].offset == offset ? low : INGEST_NONE;
}

int ingest_table_add_ref(struct pack_ingest *p, uint32_t entry,
			 const unsigned char *base, struct err *e)
{
	void *refs = p->refs;
	uint32_t cap = next_cap(p->cap_refs);
	struct ingest_ref *ref;

	if (p->n_refs == p->cap_refs) {
		if (grow(&refs, cap, sizeof *p->refs, e) < 0)
			return -1;
		p->refs = refs;
		p->cap_refs = cap;
	}
	ref = &p->refs[p->n_refs++];
	*ref = (struct ingest_ref){ .entry = entry };
	memcpy(ref->base, base, oid_size(p->kind));
	return 0;
}

static int by_base(const void *a, const void *b)
{
	const struct ingest_ref *x = a, *y = b;
	int order = memcmp(x->base, y->base, sizeof x->base);

	if (order)
		return order;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

void ingest_table_link(struct pack_ingest *p)
{
	struct ingest_node *node, *base;
	uint32_t child, parent;

	/* From the back: a base stands before what leans on it, so that a
	 * child's weight is whole, and its own children are linked already,
	 * when it is hung on its base. */
	for (child = p->n; child--;) {
		node = &p->nodes[child];
		if (node->stored != OBJECT_OFS_DELTA)
			continue;
		parent = node->next;
		base = &p->nodes[parent];
		node->next = INGEST_NONE;
		base->weight += node->weight;
		if (base->heavy != INGEST_NONE &&
		    p->nodes[base->heavy].weight >= node->weight) {
			node->next = base->first;
			base->first = child;
			continue;
		}
		if (base->heavy != INGEST_NONE) {
			p->nodes[base->heavy].next = base->first;
			base->first = base->heavy;
		}
		base->heavy = child;
	}
	if (p->n_refs > 1)
		qsort(p->refs, p->n_refs, sizeof *p->refs, by_base);
}

uint32_t ingest_table_first_ref(const struct pack_ingest *p,
				const unsigned char *base)
{
	uint32_t low = 0, high = p->n_refs, middle;
	size_t n = oid_size(p->kind);

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(p->refs[middle].base, base, n) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < p->n_refs && !memcmp(p->refs[low].base, base, n))
		return low;
	return p->n_refs;
}

void ingest_table_take_refs(struct pack_ingest *p, const unsigned char *id,
			    uint32_t *first_out, uint32_t *end_out)
{
	uint32_t at = ingest_table_first_ref(p, id);

	*first_out = *end_out = at;
	if (at == p->n_refs || p->refs[at].is_taken)
		return;
	p->refs[at].is_taken = true;
	while (at < p->n_refs &&
	       !memcmp(p->refs[at].base, id, oid_size(p->kind)))
		at++;
	*end_out = at;
}

uint64_t ingest_table_end(const struct pack_ingest *p, uint32_t entry)
{
	return entry + 1 < p->n ? p->index[entry + 1].offset : p->end;
}

struct oid ingest_id(const struct pack_ingest *p, uint32_t entry)
{
	return oid_from_bytes(p->index[entry].id, oid_size(p->kind));
}
