/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendered refs. The refs carry one `struct shelf`, which holds the listings
 * made from them: one for every way of hiding that was asked for, in practice
 * one. A listing is never taken off the shelf, so the shelf is small: past
 * SHELF_MAX a listing belongs to its user alone.
 *
 * Locks: the shelf's, while a listing is looked up or put on it; a listing's
 * own, while a style is rendered. Never both.
 */
#include "git/ref_listing.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "git/oid_set.h"
#include "git/pktline.h"
#include "git/refs.h"
#include "git/repo_config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHELF_MAX 4

#define TAG_PREFIX "refs/tags/"

struct rendering {
	struct buf lines;
	size_t *offsets; /* of each ref's lines, and the end */
};

struct ref_listing {
	/* set once, then read-only */
	const struct refs *refs; /* not counted: the shelf lives in it */
	size_t n_refs;
	char *hide; /* the patterns, each followed by a NUL */
	size_t hide_len;
	bool *is_hidden; /* by number; NULL: nothing is hidden */
	bool head_is_hidden;
	bool has_symrefs;
	size_t first_shown;
	struct oid_set tips; /* of the shown refs; where something is hidden */

	atomic_uint n_users;
	pthread_mutex_t lock;
	/* under lock until made, then read-only */
	_Atomic(struct rendering *) renderings[N_REF_STYLES];
	bool has_tags;
	unsigned char tags[SHA256_SIZE];
};

struct shelf {
	pthread_mutex_t lock;
	/* under lock */
	struct ref_listing *listings[SHELF_MAX];
	size_t n;
};

static struct rendering *rendering_free(struct rendering *r)
{
	if (!r)
		return NULL;
	buf_fini(&r->lines);
	free(r->offsets);
	free(r);
	return NULL;
}
DEFINE_FREEP(rendering)

static struct ref_listing *ref_listing_free(struct ref_listing *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < N_REF_STYLES; i++)
		rendering_free(l->renderings[i]);
	free(l->hide);
	free(l->is_hidden);
	oid_set_fini(&l->tips);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}
DEFINE_FREEP(ref_listing)

struct ref_listing *ref_listing_put(struct ref_listing *l)
{
	if (l && atomic_fetch_sub(&l->n_users, 1) == 1)
		ref_listing_free(l);
	return NULL;
}

static void shelf_free(void *thing)
{
	struct shelf *shelf = thing;

	for (size_t i = 0; i < shelf->n; i++)
		ref_listing_put(shelf->listings[i]);
	pthread_mutex_destroy(&shelf->lock);
	free(shelf);
}

static struct shelf *shelf_of(struct refs *r, struct err *e)
{
	struct shelf *shelf = refs_attached(r);

	if (shelf)
		return shelf;
	shelf = calloc(1, sizeof *shelf);
	if (!shelf) {
		err_nomem(e);
		return NULL;
	}
	pthread_mutex_init(&shelf->lock, NULL);
	shelf = refs_attach(r, shelf, shelf_free);
	if (!shelf)
		err_nomem(e);
	return shelf;
}

/* The patterns as one piece of memory, to be compared. */
static void join_hide(const struct config_list *hide, struct buf *out)
{
	for (size_t i = 0; i < hide->n; i++)
		buf_add(out, hide->items[i], strlen(hide->items[i]) + 1);
}

static int add_tip(struct ref_listing *l, const struct oid *id, struct err *e)
{
	return oid_set_add(&l->tips, id, e) < 0 ? -1 : 0;
}

static int find_hidden(struct ref_listing *l, const struct config_list *hide,
		       struct err *e)
{
	const struct head *head = refs_head(l->refs);

	l->head_is_hidden = ref_is_hidden(hide, "HEAD");
	l->is_hidden = calloc(l->n_refs + 1, sizeof *l->is_hidden);
	if (!l->is_hidden)
		return err_nomem(e);
	for (size_t i = 0; i < l->n_refs; i++) {
		const struct ref *ref = refs_at(l->refs, i);

		l->is_hidden[i] = ref_is_hidden(hide, ref->name);
		if (!l->is_hidden[i] && add_tip(l, &ref->id, e) < 0)
			return -1;
	}
	if (!l->head_is_hidden && head->id.len && add_tip(l, &head->id, e) < 0)
		return -1;
	return 0;
}

static struct ref_listing *listing_new(struct refs *r,
				       const struct config_list *hide,
				       const struct buf *joined, struct err *e)
{
	CLEANUP(ref_listing_freep) struct ref_listing *l = NULL;

	l = calloc(1, sizeof *l);
	if (!l) {
		err_nomem(e);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	atomic_init(&l->n_users, 1);
	l->refs = r;
	l->n_refs = refs_count(r);
	l->hide_len = joined->len;
	if (joined->len) {
		l->hide = malloc(joined->len);
		if (!l->hide) {
			err_nomem(e);
			return NULL;
		}
		memcpy(l->hide, joined->data, joined->len);
		if (find_hidden(l, hide, e) < 0)
			return NULL;
	}
	for (size_t i = 0; i < l->n_refs && !l->has_symrefs; i++)
		l->has_symrefs = refs_at(r, i)->symref_target != NULL;
	while (l->first_shown < l->n_refs &&
	       !ref_listing_shows(l, l->first_shown))
		l->first_shown++;
	return TAKE(l);
}

/* The listing on the shelf that hides just this, with one more user. */
static struct ref_listing *find_locked(struct shelf *shelf,
				       const struct buf *joined)
{
	for (size_t i = 0; i < shelf->n; i++) {
		struct ref_listing *l = shelf->listings[i];

		if (l->hide_len != joined->len ||
		    (joined->len && memcmp(l->hide, joined->data, joined->len)))
			continue;
		atomic_fetch_add(&l->n_users, 1);
		return l;
	}
	return NULL;
}

static struct ref_listing *find(struct shelf *shelf, const struct buf *joined)
{
	struct ref_listing *l;

	pthread_mutex_lock(&shelf->lock);
	l = find_locked(shelf, joined);
	pthread_mutex_unlock(&shelf->lock);
	return l;
}

struct ref_listing *
ref_listing_get(struct refs *r, const struct config_list *hide, struct err *e)
{
	CLEANUP(buf_fini) struct buf joined = BUF_INIT;
	struct ref_listing *l, *other;
	struct shelf *shelf;

	shelf = shelf_of(r, e);
	if (!shelf)
		return NULL;
	join_hide(hide, &joined);
	if (buf_check(&joined, e) < 0)
		return NULL;
	l = find(shelf, &joined);
	if (l)
		return l;
	l = listing_new(r, hide, &joined, e);
	if (!l)
		return NULL;
	pthread_mutex_lock(&shelf->lock);
	other = find_locked(shelf, &joined); /* made meanwhile */
	if (!other && shelf->n < SHELF_MAX) {
		atomic_fetch_add(&l->n_users, 1);
		shelf->listings[shelf->n++] = l;
	}
	pthread_mutex_unlock(&shelf->lock);
	if (!other)
		return l;
	ref_listing_put(l);
	return other;
}

static void render_ref(struct buf *b, unsigned style, const struct ref *ref)
{
	char hex[OID_MAX_HEX + 1], peeled[OID_MAX_HEX + 1];
	bool has_symref = style & REF_STYLE_SYMREFS && ref->symref_target;
	bool has_peeled = ref->peeled.len > 0;

	oid_hex(&ref->id, hex);
	if (has_peeled)
		oid_hex(&ref->peeled, peeled);
	if (style & REF_STYLE_V0) {
		pkt_addf(b, "%s %s\n", hex, ref->name);
		if (has_peeled)
			pkt_addf(b, "%s %s^{}\n", peeled, ref->name);
		return;
	}
	has_peeled &= (style & REF_STYLE_PEEL) != 0;
	pkt_addf(b, "%s %s%s%s%s%s\n", hex, ref->name,
		 has_symref ? " symref-target:" : "",
		 has_symref ? ref->symref_target : "",
		 has_peeled ? " peeled:" : "", has_peeled ? peeled : "");
}

static struct rendering *render(const struct ref_listing *l, unsigned style,
				struct err *e)
{
	CLEANUP(rendering_freep) struct rendering *r = NULL;

	r = calloc(1, sizeof *r);
	if (r) {
		buf_init_max(&r->lines, REF_LISTING_MAX);
		r->offsets = calloc(l->n_refs + 1, sizeof *r->offsets);
	}
	if (!r || !r->offsets) {
		err_nomem(e);
		return NULL;
	}
	for (size_t i = 0; i < l->n_refs; i++) {
		r->offsets[i] = r->lines.len;
		if (ref_listing_shows(l, i))
			render_ref(&r->lines, style, refs_at(l->refs, i));
	}
	r->offsets[l->n_refs] = r->lines.len;
	if (buf_check(&r->lines, e) < 0) {
		err_wrap(e, "listing the refs");
		return NULL;
	}
	return TAKE(r);
}

static struct rendering *rendering_of(struct ref_listing *l, unsigned style,
				      struct err *e)
{
	struct rendering *r;

	/* Without symbolic refs two styles each are the same. */
	if (!l->has_symrefs && style != REF_STYLE_V0)
		style &= ~REF_STYLE_SYMREFS;
	r = atomic_load_explicit(&l->renderings[style], memory_order_acquire);
	if (r)
		return r;
	pthread_mutex_lock(&l->lock);
	r = atomic_load_explicit(&l->renderings[style], memory_order_relaxed);
	if (!r) {
		r = render(l, style, e);
		atomic_store_explicit(&l->renderings[style], r,
				      memory_order_release);
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

int ref_listing_slice(struct ref_listing *l, unsigned style, size_t first,
		      size_t end, struct span *out, struct err *e)
{
	struct rendering *r = rendering_of(l, style, e);

	if (!r)
		return -1;
	*out = span_of(buf_str(&r->lines) + r->offsets[first],
		       r->offsets[end] - r->offsets[first]);
	return 0;
}

size_t ref_listing_first(const struct ref_listing *l)
{
	return l->first_shown;
}

bool ref_listing_shows(const struct ref_listing *l, size_t ref)
{
	return !l->is_hidden || !l->is_hidden[ref];
}

bool ref_listing_is_tip(const struct ref_listing *l, const struct oid *id)
{
	return l->is_hidden ? oid_set_has(&l->tips, id)
			    : refs_is_tip(l->refs, id);
}

static void digest_tags(const struct ref_listing *l,
			unsigned char out[SHA256_SIZE])
{
	size_t i = refs_lower_bound(l->refs, span_str(TAG_PREFIX));
	struct buf all = BUF_INIT;

	buf_init_max(&all, REF_LISTING_MAX);
	for (; i < l->n_refs; i++) {
		const struct ref *ref = refs_at(l->refs, i);

		if (!span_starts(span_str(ref->name), TAG_PREFIX))
			break;
		if (!ref->peeled.len || !ref_listing_shows(l, i))
			continue;
		buf_add(&all, ref->id.id, ref->id.len);
		buf_add(&all, ref->peeled.id, ref->peeled.len);
	}
	/* Without memory for it nobody may share what is made with it. */
	if (all.failed)
		random_bytes(out, SHA256_SIZE);
	else
		sha256(buf_str(&all), all.len, out);
	buf_fini(&all);
}

const unsigned char *ref_listing_tags(struct ref_listing *l)
{
	pthread_mutex_lock(&l->lock);
	if (!l->has_tags)
		digest_tags(l, l->tags);
	l->has_tags = true;
	pthread_mutex_unlock(&l->lock);
	return l->tags;
}
