/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the locks of a transaction and judging it under them.
 *
 * Locks are taken in the order of the names, so that two transactions cannot
 * wait for each other. A new name conflicts with refs above it (a file where it
 * needs a directory) and below it (the reverse), be they loose, packed, or
 * about to be: whoever creates "a" holds a.lock before looking for "a/...", and
 * whoever creates "a/b" holds a/b.lock before looking for a.lock, so one of the
 * two sees the other.
 */
#include "git/ref_transaction_state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/loose_refs.h"
#include "git/objects.h"
#include "git/ref_lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An emptied directory may be removed by others between its making and our
 * lock in it. */
#define LOCK_TRIES 4
/* refs/heads and the like stay when they are empty. */
#define KEPT_ELEMENTS 2

/* -- one item ------------------------------------------------------------- */

/* Follow symbolic refs: the change is one of what they lead to. */
static int name_resolve(const struct ref_transaction *t, struct ref_item *i)
{
	struct err *e = i->change->error;
	struct loose_value value;
	const char *next = i->change->name;

	if (strcmp(next, "HEAD") && ref_name_check(span_str(next), e) < 0)
		return -1;
	for (int n = 0; n <= LOOSE_SYMREF_DEPTH; n++) {
		free(i->name);
		i->name = strdup(next);
		if (!i->name)
			return err_nomem(e);
		if (loose_ref_read(t->git_dir, i->name, t->kind, &value, e) < 0)
			return -1;
		if (value.kind != LOOSE_SYMREF)
			return strcmp(i->name, "HEAD")
				       ? 0
				       : err_set(i->change->error, ERR_CONFLICT,
						 "%s is detached", "HEAD");
		next = value.target;
	}
	return err_set(i->change->error, ERR_CORRUPT,
		       "'%s' leads through too many symbolic refs",
		       i->change->name);
}

/* The first ref above `name` that is in the way, or that somebody is about to
 * create; NULL where there is none. malloc'ed. */
static char *conflict_above(const struct ref_transaction *t, const char *name)
{
	CLEANUP(freep) char *above = strdup(name);
	CLEANUP(freep) char *path = NULL;
	struct packed_line line;
	struct err ignored;
	struct stat st;
	char *slash;

	while (above && (slash = strrchr(above, '/'))) {
		*slash = '\0';
		if (!strchr(above, '/'))
			return NULL;
		free(path);
		path = path_join(t->git_dir, above);
		if (!path)
			return NULL;
		if ((!lstat(path, &st) && !S_ISDIR(st.st_mode)) ||
		    ref_lock_is_held(t->git_dir, above))
			return TAKE(above);
		if (packed_text_find(&t->packed, t->kind, span_str(above),
				     &line, &ignored) > 0)
			return TAKE(above);
	}
	return NULL;
}

/* The same for what is below `name`. */
static char *conflict_below(const struct ref_transaction *t, const char *name)
{
	CLEANUP(freep) char *below = NULL;
	struct span rest = t->packed.lines, before;
	struct packed_line line;
	struct err ignored;

	if (asprintf(&below, "%s/", name) < 0)
		return TAKE(below);
	if (span_take(&rest, packed_text_bound(&t->packed, span_str(below)),
		      &before) &&
	    packed_line_take(&rest, t->kind, &line, &ignored) > 0 &&
	    line.name.len > strlen(below) && span_starts(line.name, below))
		return strndup((const char *)line.name.data, line.name.len);
	return ref_dir_is_used(t->git_dir, name) ? TAKE(below) : NULL;
}

static int conflicts_check(const struct ref_transaction *t, struct ref_item *i)
{
	CLEANUP(freep) char *other = conflict_above(t, i->name);

	if (!other)
		other = conflict_below(t, i->name);
	if (!other)
		return 0;
	return err_set(i->change->error, ERR_CONFLICT,
		       "'%s' exists; cannot create '%s'", other, i->name);
}

static int item_lock(const struct ref_transaction *t, struct ref_item *i,
		     int64_t deadline_ms)
{
	struct err *e = i->change->error;
	int made;

	for (int n = 0; n < LOCK_TRIES; n++) {
		if (!ref_lock_take(t->git_dir, i->name, t->work_dir,
				   deadline_ms, e)) {
			i->is_locked = true;
			e->code = ERR_OK; /* a directory was missing at first */
			return 0;
		}
		if (e->code == ERR_IO)
			break;
		if (e->code != ERR_NOT_FOUND)
			return -1;
		made = ref_dirs_make(t->git_dir, i->name, e);
		if (made < 0)
			break;
		i->has_made_dirs |= made > 0;
	}
	/* A file where a directory is needed is a ref, as a rule. */
	if (e->code == ERR_IO)
		conflicts_check(t, i);
	return -1;
}

/* What the ref holds now, under its lock. */
static int item_read(const struct ref_transaction *t, struct ref_item *i)
{
	struct err *e = i->change->error;
	struct packed_line line;
	struct loose_value value;
	int n;

	if (loose_ref_read(t->git_dir, i->name, t->kind, &value, e) < 0)
		return -1;
	if (value.kind == LOOSE_SYMREF)
		return err_set(i->change->error, ERR_CONFLICT,
			       "'%s' changed meanwhile", i->name);
	i->has_loose = value.kind != LOOSE_ABSENT;
	i->is_broken = value.kind == LOOSE_BROKEN;
	i->current = value.id;
	if (i->has_loose)
		return 0;
	n = packed_text_find(&t->packed, t->kind, span_str(i->name), &line, e);
	if (n > 0)
		i->current = line.id;
	return n < 0 ? -1 : 0;
}

static int item_compare(struct ref_item *i)
{
	const struct oid *old = &i->change->old_id;
	char is[OID_MAX_HEX + 1], expected[OID_MAX_HEX + 1];

	if (!old->len)
		return 0;
	if (i->is_broken)
		return err_set(i->change->error, ERR_CONFLICT,
			       "reference '%s' is broken", i->name);
	if (oid_is_zero(old))
		return i->current.len ? err_set(i->change->error, ERR_CONFLICT,
						"reference '%s' already exists",
						i->name)
				      : 0;
	if (!i->current.len)
		return err_set(
			i->change->error, ERR_CONFLICT,
			"unable to resolve reference '%s': it is not there",
			i->name);
	if (oid_eq(old, &i->current))
		return 0;
	return err_set(i->change->error, ERR_CONFLICT,
		       "is at %s but expected %s", oid_hex(&i->current, is),
		       oid_hex(old, expected));
}

static int item_verify(const struct ref_transaction *t, struct ref_item *i)
{
	const struct oid *new_id = &i->change->new_id;

	if (item_read(t, i) < 0 || item_compare(i) < 0)
		return -1;
	if (oid_is_zero(new_id))
		i->is_same = !i->current.len && !i->has_loose;
	else
		i->is_same = oid_eq(&i->current, new_id);
	if (i->current.len || i->has_loose || oid_is_zero(new_id))
		return 0;
	return conflicts_check(t, i);
}

/* -- all of them ---------------------------------------------------------- */

static void item_fini(const struct ref_transaction *t, struct ref_item *i)
{
	if (i->is_locked)
		ref_lock_drop(t->git_dir, i->name);
	if (i->has_made_dirs || (i->is_done && item_is_deletion(i)))
		ref_dirs_trim(t->git_dir, i->name, KEPT_ELEMENTS);
	free(i->name);
}

static int compare_items(const void *a, const void *b)
{
	const struct ref_item *x = a, *y = b;

	return ref_name_cmp(span_str(x->name), span_str(y->name));
}

/* Drop the items whose change has failed. */
static void items_sift(struct ref_transaction *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->items[i].change->error->code != ERR_OK)
			item_fini(t, &t->items[i]);
		else
			t->items[kept++] = t->items[i];
	}
	t->n = kept;
}

static void items_resolve(struct ref_transaction *t)
{
	for (size_t i = 0; i < t->n; i++)
		(void)!name_resolve(t, &t->items[i]);
	items_sift(t);
	if (t->n)
		qsort(t->items, t->n, sizeof *t->items, compare_items);
}

static bool is_above(struct span above, struct span name)
{
	return name.len > above.len && name.data[above.len] == '/' &&
	       !memcmp(name.data, above.data, above.len);
}

/* The item that is a ref above item `at`; bisects for each of its prefixes. */
static struct ref_item *item_above(const struct ref_transaction *t, size_t at)
{
	struct span name = span_str(t->items[at].name);

	for (size_t n = name.len; n-- > 1;) {
		struct ref_item *found;
		char *prefix;
		struct ref_item key = { 0 };

		if (name.data[n] != '/')
			continue;
		prefix = strndup((const char *)name.data, n);
		key.name = prefix;
		found = prefix ? bsearch(&key, t->items, t->n, sizeof key,
					 compare_items)
			       : NULL;
		free(prefix);
		if (found && is_above(span_str(found->name), name))
			return found;
	}
	return NULL;
}

/* What cannot go together in one transaction. */
static void items_cross_check(struct ref_transaction *t)
{
	struct ref_item *above;

	for (size_t i = 0; i < t->n; i++) {
		struct ref_item *item = &t->items[i];

		if (i && !compare_items(&t->items[i - 1], item)) {
			err_set(item->change->error, ERR_CONFLICT,
				"multiple updates for ref '%s' not allowed",
				item->name);
			err_set(t->items[i - 1].change->error, ERR_CONFLICT,
				"multiple updates for ref '%s' not allowed",
				item->name);
			continue;
		}
		above = item_above(t, i);
		if (above)
			err_set(item->change->error, ERR_CONFLICT,
				"cannot process '%s' and '%s' at the same time",
				above->name, item->name);
	}
	items_sift(t);
}

static void items_lock(struct ref_transaction *t, struct err *e)
{
	int64_t deadline_ms = clock_ms() + REF_LOCK_WAIT_MS;

	for (size_t i = 0; i < t->n; i++)
		(void)!item_lock(t, &t->items[i], deadline_ms);
	items_sift(t);
	/* Read when the locks are held: what it says of them cannot change. */
	t->has_packed = !packed_text_read(t->git_dir, t->kind, &t->packed, e);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->has_packed)
			*t->items[i].change->error = *e;
		else
			(void)!item_verify(t, &t->items[i]);
	}
	items_sift(t);
}

static void transaction_free(struct ref_transaction *t)
{
	struct err ignored;

	if (!t)
		return;
	if (t->has_packed_lock)
		ref_lock_drop(t->git_dir, "packed-refs");
	for (size_t i = 0; i < t->n; i++)
		item_fini(t, &t->items[i]);
	if (t->has_packed)
		packed_text_fini(&t->packed);
	if (t->work_dir && t->owns_work_dir)
		(void)!dir_remove(t->work_dir, &ignored);
	object_reader_free(t->own_reader);
	objects_put(t->own_objects);
	free(t->items);
	free(t->work_dir);
	free(t->git_dir);
	free(t);
}

void ref_transaction_abort(struct ref_transaction *t)
{
	transaction_free(t);
}

static void transaction_freep(struct ref_transaction **t)
{
	transaction_free(*t);
}

static int work_dir_make(struct ref_transaction *t, const char *given,
			 struct err *e)
{
	if (given) {
		t->work_dir = strdup(given);
		return t->work_dir ? 0 : err_nomem(e);
	}
	if (asprintf(&t->work_dir, "%s/objects/incoming-refs-XXXXXX",
		     t->git_dir) < 0) {
		t->work_dir = NULL;
		return err_nomem(e);
	}
	if (dir_make_temp(t->work_dir, e) < 0)
		return -1;
	t->owns_work_dir = true;
	return 0;
}

static struct ref_transaction *transaction_new(const struct ref_place *place,
					       struct ref_change *changes,
					       size_t n, struct err *e)
{
	CLEANUP(transaction_freep) struct ref_transaction *t = NULL;

	t = calloc(1, sizeof *t);
	if (!t)
		return err_nomem(e), NULL;
	t->kind = place->kind;
	t->git_dir = strdup(place->git_dir);
	t->items = calloc(n + 1, sizeof *t->items);
	if (!t->git_dir || !t->items)
		return err_nomem(e), NULL;
	if (work_dir_make(t, place->work_dir, e) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		changes[i].error->code = ERR_OK;
		t->items[t->n++].change = &changes[i];
	}
	return TAKE(t);
}

/* The first failure, as the transaction's own. */
static bool first_failure(const struct ref_change *changes, size_t n,
			  struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (changes[i].error->code == ERR_OK)
			continue;
		*e = *changes[i].error;
		return true;
	}
	return false;
}

static void fail_others(struct ref_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (changes[i].error->code == ERR_OK)
			err_set(changes[i].error, ERR_CONFLICT,
				"atomic transaction failed");
}

struct ref_transaction *ref_transaction_begin_at(const struct ref_place *place,
						 struct ref_change *changes,
						 size_t n, bool is_atomic,
						 struct err *e)
{
	CLEANUP(transaction_freep) struct ref_transaction *t = NULL;

	t = transaction_new(place, changes, n, e);
	if (!t) {
		for (size_t i = 0; i < n; i++)
			*changes[i].error = *e;
		return NULL;
	}
	t->is_atomic = is_atomic;
	items_resolve(t);
	items_cross_check(t);
	items_lock(t, e);
	if (t->n < n && (is_atomic || !t->n)) {
		first_failure(changes, n, e);
		fail_others(changes, n);
		return NULL;
	}
	if (!t->n)
		return err_set(e, ERR_NOT_FOUND, "no refs to change"), NULL;
	return TAKE(t);
}

struct ref_transaction *ref_transaction_begin(const char *git_dir,
					      enum oid_kind kind,
					      struct ref_change *changes,
					      size_t n, bool is_atomic,
					      struct err *e)
{
	const struct ref_place place = { git_dir, kind, NULL };

	return ref_transaction_begin_at(&place, changes, n, is_atomic, e);
}

void ref_transaction_use(struct ref_transaction *t,
			 struct object_reader *reader,
			 const struct ref_log *log)
{
	t->reader = reader;
	t->log = log;
}
