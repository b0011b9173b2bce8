/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view: looking up and numbering.
 *
 * Looking up goes through the packs one by one. In a pack of few objects that
 * is one look at the fan-out, whose range is mostly empty, so that dozens of
 * small packs beside a large one cost little.
 */
#include "git/objects.h"

#include "base/cleanup.h"
#include "git/loose.h"
#include "git/objects_view.h"

#include <stdlib.h>

struct objects *objects_alloc(enum oid_kind kind)
{
	struct objects *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	atomic_init(&o->n_refs, 1);
	o->kind = kind;
	o->late = calloc(1, sizeof *o->late);
	o->first = calloc(1, sizeof *o->first);
	if (!o->late || !o->first) {
		free(o->late);
		free(o->first);
		free(o);
		return NULL;
	}
	pthread_mutex_init(&o->late->lock, NULL);
	return o;
}

struct objects *objects_get(struct objects *o)
{
	atomic_fetch_add(&o->n_refs, 1);
	return o;
}

struct objects *objects_put(struct objects *o)
{
	if (!o || atomic_fetch_sub(&o->n_refs, 1) != 1)
		return NULL;
	for (size_t i = 0; i < o->n_sources; i++) {
		free(o->sources[i].dir);
		free(o->sources[i].pack_dir);
		free(o->sources[i].alternates);
	}
	for (uint32_t i = 0; i < o->n_packs; i++)
		pack_put(o->packs[i]);
	for (size_t i = 0; i < o->n_broken; i++) {
		free(o->broken[i].path);
		free(o->broken[i].index);
	}
	objects_put(o->late->view);
	pthread_mutex_destroy(&o->late->lock);
	free(o->late);
	free(o->sources);
	free(o->packs);
	free(o->first);
	free(o->broken);
	free(o);
	return NULL;
}

int objects_add_pack(struct objects *o, struct pack *p, struct err *e)
{
	uint32_t n = o->n_packs, *first;
	struct pack **packs;

	/* UINT32_MAX is no number. */
	if (pack_count(p) >= UINT32_MAX - o->first[n])
		return err_set(e, ERR_LIMIT, "more than 2^32 packed objects");
	packs = reallocarray(o->packs, (size_t)n + 1, sizeof *packs);
	if (packs)
		o->packs = packs;
	first = reallocarray(o->first, (size_t)n + 2, sizeof *first);
	if (first)
		o->first = first;
	if (!packs || !first)
		return err_nomem(e);
	o->packs[n] = p;
	o->first[n + 1] = o->first[n] + pack_count(p);
	o->n_packs++;
	return 0;
}

static bool source_is_fresh(const struct object_source *s)
{
	struct file_sig packs, alternates;
	struct err ignored;

	return !file_sig_racy(&s->pack_sig) &&
	       !file_sig_racy(&s->alternates_sig) &&
	       file_sig_take(s->pack_dir, false, &packs, &ignored) == 0 &&
	       file_sig_take(s->alternates, false, &alternates, &ignored) ==
		       0 &&
	       file_sig_eq(&packs, &s->pack_sig) &&
	       file_sig_eq(&alternates, &s->alternates_sig);
}

static bool broken_is_fresh(const struct broken_pack *b)
{
	struct file_sig sig, index_sig;
	struct err ignored;

	return !file_sig_racy(&b->sig) && !file_sig_racy(&b->index_sig) &&
	       file_sig_take(b->path, false, &sig, &ignored) == 0 &&
	       file_sig_take(b->index, false, &index_sig, &ignored) == 0 &&
	       file_sig_eq(&sig, &b->sig) &&
	       file_sig_eq(&index_sig, &b->index_sig);
}

bool objects_fresh(const struct objects *o)
{
	for (uint32_t i = 0; i < o->n_packs; i++) {
		if (pack_is_damaged(o->packs[i]))
			return false;
	}
	for (size_t i = 0; i < o->n_sources; i++) {
		if (!source_is_fresh(&o->sources[i]))
			return false;
	}
	for (size_t i = 0; i < o->n_broken; i++) {
		if (!broken_is_fresh(&o->broken[i]))
			return false;
	}
	return true;
}

uint32_t objects_same_prefix(const struct objects *a, const struct objects *b)
{
	uint32_t n = 0;

	while (n < a->n_packs && n < b->n_packs && a->packs[n] == b->packs[n])
		n++;
	return n;
}

enum oid_kind objects_kind(const struct objects *o)
{
	return o->kind;
}

const char *objects_dir(const struct objects *o)
{
	return o->sources[0].dir;
}

uint32_t objects_pack_count(const struct objects *o)
{
	return o->n_packs;
}

struct pack *objects_pack(const struct objects *o, uint32_t pack)
{
	return o->packs[pack];
}

bool objects_has_pack(const struct objects *o, const char *path)
{
	for (uint32_t i = o->n_packs; i--;)
		if (!strcmp(pack_path(o->packs[i]), path))
			return true;
	return false;
}

int objects_find_packed(const struct objects *o, const struct oid *id,
			uint32_t from, struct object_at *out)
{
	for (uint32_t i = from; i < o->n_packs; i++) {
		if (pack_find(o->packs[i], id, &out->pos)) {
			out->pack = i;
			return 1;
		}
	}
	return 0;
}

struct objects *objects_newer(const struct objects *o, struct err *e)
{
	struct objects *view = NULL;

	e->code = ERR_OK;
	if (objects_fresh(o))
		return NULL;
	pthread_mutex_lock(&o->late->lock);
	view = o->late->view;
	if (!view || !objects_fresh(view)) {
		view = objects_open_from(objects_dir(o), o->kind,
					 view ? view : o, e);
		if (view) {
			objects_put(o->late->view);
			o->late->view = view;
		}
	}
	if (view)
		objects_get(view);
	pthread_mutex_unlock(&o->late->lock);
	return view;
}

int objects_missing(const struct objects *o, struct err *e)
{
	for (uint32_t i = 0; i < o->n_packs; i++) {
		if (pack_is_damaged(o->packs[i]))
			return pack_check(o->packs[i], e);
	}
	if (!o->n_broken)
		return 0;
	*e = o->broken[0].why;
	return -1;
}

int objects_not_found(const struct objects *o, const struct oid *id,
		      struct err *e)
{
	char hex[OID_MAX_HEX + 1];

	oid_hex(id, hex);
	if (objects_missing(o, e) < 0)
		return err_wrap(e, "object %s is not to be had", hex);
	for (size_t i = 0; i < o->n_sources; i++) {
		if (o->sources[i].is_missing)
			return err_set(e, ERR_NOT_FOUND,
				       "object %s is not there, nor is the "
				       "alternate directory %s",
				       hex, o->sources[i].dir);
	}
	return err_set(e, ERR_NOT_FOUND, "object %s is not there", hex);
}

/* Beyond the packs of the view. */
static int find_elsewhere(const struct objects *o, const struct oid *id,
			  struct err *e)
{
	CLEANUP(objects_putp) struct objects *newer = NULL;
	struct object_at at;
	int rc;

	for (size_t i = 0; i < o->n_sources; i++) {
		rc = loose_find(o->sources[i].dir, id, e);
		if (rc)
			return rc;
	}
	newer = objects_newer(o, e);
	if (!newer)
		return e->code == ERR_OK ? objects_missing(o, e) : -1;
	if (objects_find_packed(newer, id, 0, &at))
		return 1;
	return objects_missing(newer, e);
}

int objects_find(const struct objects *o, const struct oid *id,
		 struct object_at *out, struct err *e)
{
	if (objects_find_packed(o, id, 0, out)) {
		if (pack_offset(o->packs[out->pack], out->pos, &out->offset,
				e) < 0)
			return -1;
		return 1;
	}
	*out = (struct object_at){ .pack = OBJECT_LOOSE };
	return find_elsewhere(o, id, e);
}

uint32_t objects_number(const struct objects *o, const struct object_at *at)
{
	return at->pack == OBJECT_LOOSE ? UINT32_MAX
					: o->first[at->pack] + at->pos;
}

uint32_t objects_total(const struct objects *o)
{
	return o->first[o->n_packs];
}

/* The pack whose range holds `number`. Empty packs hold none. */
static uint32_t pack_of_number(const struct objects *o, uint32_t number)
{
	uint32_t low = 0, high = o->n_packs, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (o->first[middle] <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void objects_by_number(const struct objects *o, uint32_t number,
		       struct object_at *at_out, struct oid *id_out)
{
	uint32_t pack = pack_of_number(o, number);
	struct err ignored;

	at_out->pack = pack;
	at_out->pos = number - o->first[pack];
	/* 0 is no offset: reading there says what is damaged. */
	if (pack_offset(o->packs[pack], at_out->pos, &at_out->offset,
			&ignored) < 0)
		at_out->offset = 0;
	pack_id(o->packs[pack], at_out->pos, id_out);
}
