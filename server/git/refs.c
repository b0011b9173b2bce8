/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up in a loaded set of refs. */
#include "git/refs_view.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <stdatomic.h>

struct refs *refs_get(struct refs *r)
{
	atomic_fetch_add_explicit(&r->n_owners, 1, memory_order_relaxed);
	return r;
}

static void attachment_free(struct refs_attachment *a)
{
	if (!a)
		return;
	a->free_thing(a->thing);
	free(a);
}

void *refs_attached(const struct refs *r)
{
	struct refs_attachment *a;

	a = atomic_load_explicit(&r->attachment, memory_order_acquire);
	return a ? a->thing : NULL;
}

void *refs_attach(struct refs *r, void *thing, void (*free_thing)(void *))
{
	struct refs_attachment *mine = malloc(sizeof *mine), *first = NULL;

	if (!mine) {
		free_thing(thing);
		return NULL;
	}
	*mine = (struct refs_attachment){ thing, free_thing };
	if (atomic_compare_exchange_strong(&r->attachment, &first, mine))
		return thing;
	attachment_free(mine);
	return first->thing;
}

struct refs *refs_put(struct refs *r)
{
	if (!r || atomic_fetch_sub(&r->n_owners, 1) != 1)
		return NULL;
	attachment_free(atomic_load(&r->attachment));
	for (size_t i = 0; i < r->n_dirs; i++)
		loose_dir_put(r->dirs[i]);
	packed_refs_put(r->packed);
	pthread_mutex_destroy(&r->tips_lock);
	free(r->dirs);
	free(r->symrefs);
	free(r->all);
	free(r->tips);
	free(r->head_target);
	free(r->git_dir);
	free(r);
	return NULL;
}

static bool is_unchanged(const struct refs *r, const char *name, bool is_link,
			 const struct file_sig *sig)
{
	CLEANUP(freep) char *path = path_join(r->git_dir, name);
	struct file_sig now;
	struct err ignored;

	if (!path || file_sig_racy(sig))
		return false;
	return !file_sig_take(path, is_link, &now, &ignored) &&
	       file_sig_eq(sig, &now);
}

bool refs_fresh(const struct refs *r)
{
	if (!is_unchanged(r, "HEAD", true, &r->head_sig) ||
	    !is_unchanged(r, "packed-refs", false, &r->packed->sig))
		return false;
	for (size_t i = 0; i < r->n_dirs; i++)
		if (!loose_dir_same(r->git_dir, r->dirs[i], true))
			return false;
	return true;
}

size_t refs_broken(const struct refs *r)
{
	return r->n_broken;
}

size_t refs_count(const struct refs *r)
{
	return r->n;
}

const struct ref *refs_at(const struct refs *r, size_t i)
{
	return r->all[i];
}

size_t refs_lower_bound(const struct refs *r, struct span prefix)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (ref_name_cmp(span_str(r->all[at]->name), prefix) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

const struct ref *refs_find(const struct refs *r, const char *name)
{
	size_t at = refs_lower_bound(r, span_str(name));

	return at < r->n && !strcmp(r->all[at]->name, name) ? r->all[at] : NULL;
}

const struct head *refs_head(const struct refs *r)
{
	return &r->head;
}

/* Half full at most, so that a miss is short. */
static bool tips_make(struct refs *r)
{
	size_t size = 16;

	while (size < 2 * r->n)
		size *= 2;
	r->tips = calloc(size, sizeof *r->tips);
	if (!r->tips)
		return false;
	r->tips_mask = size - 1;
	for (size_t i = 0; i < r->n; i++) {
		size_t at = oid_hash(&r->all[i]->id) & r->tips_mask;

		/* One entry an id is enough. */
		while (r->tips[at] &&
		       !oid_eq(&r->all[r->tips[at] - 1]->id, &r->all[i]->id))
			at = (at + 1) & r->tips_mask;
		r->tips[at] = (uint32_t)i + 1;
	}
	return true;
}

static bool tips_has(const struct refs *r, const struct oid *id)
{
	size_t at = oid_hash(id) & r->tips_mask;

	for (; r->tips[at]; at = (at + 1) & r->tips_mask)
		if (oid_eq(&r->all[r->tips[at] - 1]->id, id))
			return true;
	return false;
}

/* Without memory for the table, the long way. */
static bool scan_has(const struct refs *r, const struct oid *id)
{
	for (size_t i = 0; i < r->n; i++)
		if (oid_eq(&r->all[i]->id, id))
			return true;
	return false;
}

bool refs_is_tip(const struct refs *shared, const struct oid *id)
{
	/* The table is the one part that is made late, under its lock. */
	union {
		const struct refs *in;
		struct refs *out;
	} r = { shared };
	bool is_made;

	if (oid_eq(&shared->head.id, id))
		return true;
	pthread_mutex_lock(&r.out->tips_lock);
	is_made = r.out->tips || tips_make(r.out);
	pthread_mutex_unlock(&r.out->tips_lock);
	return is_made ? tips_has(shared, id) : scan_has(shared, id);
}
