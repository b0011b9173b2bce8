/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole transaction through one rename of packed-refs.
 *
 * A loose file would hide what packed-refs says, so that loose values of the
 * refs concerned are first moved into packed-refs (which changes nothing for a
 * reader) and their files removed. Then one rewrite holds all new values and
 * none of the deleted refs: its rename is the moment of the commit, for readers
 * and across a crash. A single deletion needs no moment in common: packed-refs
 * goes first, as in git, and the file is what decides.
 * packed-refs.lock is held until the loose files are gone, or git pack-refs
 * could pack a value that was just deleted.
 */
#include "git/ref_transaction_state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"
#include "git/ref_lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORK_FILE	 "packed-refs"
#define PEEL_CACHE_BYTES ((size_t)1 << 20)

static void textp(struct packed_text *t)
{
	packed_text_fini(t);
}

/* Which value of an item goes into the file. */
enum step {
	STEP_OLD, /* the loose one it has, if any */
	STEP_NEW, /* the new one; none for a deletion */
};

static struct object_reader *reader_of(struct ref_transaction *t, struct err *e)
{
	CLEANUP(freep) char *dir = NULL;

	if (t->reader)
		return t->reader;
	if (t->own_reader)
		return t->own_reader;
	dir = path_join(t->git_dir, "objects");
	if (!dir)
		return err_nomem(e), NULL;
	t->own_objects = objects_open(dir, t->kind, NULL, e);
	if (t->own_objects)
		t->own_reader =
			object_reader_new(t->own_objects, PEEL_CACHE_BYTES, e);
	return t->own_reader;
}

static int line_add(struct ref_transaction *t, struct buf *b,
		    const struct ref_item *item, const struct oid *id,
		    struct err *e)
{
	struct object_reader *reader = reader_of(t, e);
	struct oid peeled;

	if (!reader || ref_object_look(reader, id, &peeled, e) < 0)
		return -1;
	packed_line_add(b, span_str(item->name), id, &peeled);
	return 0;
}

static bool is_in_step(const struct ref_item *i, enum step step)
{
	if (i->is_same)
		return false;
	return step == STEP_NEW || (i->has_loose && !i->is_broken);
}

/* The next item of this step, from `at` on; t->n at the end. */
static size_t item_next(const struct ref_transaction *t, size_t at,
			enum step step)
{
	while (at < t->n && !is_in_step(&t->items[at], step))
		at++;
	return at;
}

static int item_add(struct ref_transaction *t, struct buf *b,
		    const struct ref_item *item, enum step step, struct err *e)
{
	if (step == STEP_OLD)
		return line_add(t, b, item, &item->current, e);
	if (item_is_deletion(item))
		return 0;
	return line_add(t, b, item, &item->change->new_id, e);
}

/* A line of the old file as one of the new, which claims to know what every
 * tag peels to. */
static int line_keep(struct ref_transaction *t, struct buf *b,
		     const struct packed_line *line, unsigned traits,
		     struct err *e)
{
	struct object_reader *reader;
	struct oid peeled;

	if (line->peeled.len || packed_is_known_unpeeled(traits, line->name)) {
		buf_addspan(b, line->bytes);
		return 0;
	}
	reader = reader_of(t, e);
	if (!reader || ref_object_look(reader, &line->id, &peeled, e) < 0)
		return -1;
	packed_line_add(b, line->name, &line->id, &peeled);
	return 0;
}

/* Copy the old file up to `until`: at once where its header is as good. */
static int lines_keep(struct ref_transaction *t, struct buf *b,
		      struct span lines, unsigned traits, struct err *e)
{
	struct packed_line line;
	int n;

	if (traits & PACKED_FULLY_PEELED) {
		buf_addspan(b, lines);
		return 0;
	}
	while ((n = packed_line_take(&lines, t->kind, &line, e)) > 0)
		if (line_keep(t, b, &line, traits, e) < 0)
			return -1;
	return n;
}

static int text_render(struct ref_transaction *t, const struct packed_text *old,
		       enum step step, struct buf *b, struct err *e)
{
	struct span rest = old->lines, before;
	size_t done = 0;

	buf_adds(b, PACKED_REFS_HEADER);
	for (size_t i = item_next(t, 0, step); i < t->n;
	     i = item_next(t, i + 1, step)) {
		const struct ref_item *item = &t->items[i];
		struct span name = span_str(item->name);
		size_t until = packed_text_bound(old, name);
		struct packed_line line;
		struct span look;
		int n;

		if (until < done || !span_take(&rest, until - done, &before))
			return err_set(e, ERR_CORRUPT,
				       "packed-refs is not in order");
		done = until;
		if (lines_keep(t, b, before, old->traits, e) < 0)
			return -1;
		look = rest;
		n = packed_line_take(&look, t->kind, &line, e);
		if (n < 0)
			return -1;
		if (n && span_eq(line.name, name)) {
			done += line.bytes.len;
			rest = look;
		}
		if (item_add(t, b, item, step, e) < 0)
			return -1;
	}
	return lines_keep(t, b, rest, old->traits, e);
}

/* Rewrite the file for one step, durably. */
static int file_rewrite(struct ref_transaction *t,
			const struct packed_text *old, enum step step,
			struct err *e)
{
	CLEANUP(buf_fini) struct buf b;
	CLEANUP(freep) char *to = path_join(t->git_dir, "packed-refs");
	enum ref_undo undo;

	buf_init_max(&b, PACKED_REFS_MAX);
	if (!to)
		return err_nomem(e);
	if (text_render(t, old, step, &b, e) < 0 || buf_check(&b, e) < 0 ||
	    work_file_put(t, WORK_FILE, buf_span(&b), e) < 0)
		return -1;
	if (work_file_publish(t, WORK_FILE, to, &undo) < 0)
		return err_errno(e, "replacing packed-refs");
	if (!dir_sync(t->git_dir, e))
		return 0;
	if (!work_file_undo(t, WORK_FILE, to, undo))
		err_wrap(e, "it may have moved all the same");
	return -1;
}

static bool has_line_for(const struct ref_transaction *t,
			 const struct packed_text *text)
{
	struct packed_line line;
	struct err ignored;

	for (size_t i = 0; i < t->n; i++)
		if (!item_is_deletion(&t->items[i]) ||
		    packed_text_find(text, t->kind, span_str(t->items[i].name),
				     &line, &ignored))
			return true;
	return false;
}

#define GONE_NAME_SIZE 32

/* Its loose file goes into the work directory, or comes back from there. */
static int loose_move(const struct ref_transaction *t, size_t i, bool is_back)
{
	CLEANUP(freep) char *path = path_join(t->git_dir, t->items[i].name);
	CLEANUP(freep) char *gone = NULL;
	char name[GONE_NAME_SIZE];

	snprintf(name, sizeof name, "gone-%zu", i);
	gone = path_join(t->work_dir, name);
	if (!path || !gone) {
		errno = ENOMEM;
		return -1;
	}
	return is_back ? rename(gone, path) : rename(path, gone);
}

/* Their directories could not be made durable: as it was. */
static void loose_restore(struct ref_transaction *t, struct dir_list *dirs,
			  struct err *e)
{
	struct err ignored;

	for (size_t i = 0; i < t->n; i++) {
		struct ref_item *item = &t->items[i];

		if (item->undo != UNDO_SWAP)
			continue;
		item->undo = UNDO_NOTHING;
		if (loose_move(t, i, true) < 0)
			err_wrap(e, "%s may be gone all the same", item->name);
		else
			item->has_loose = true;
	}
	(void)!dir_list_sync(dirs, &ignored);
}

/* Remove the loose files, durably, or none. */
static int loose_remove(struct ref_transaction *t, struct err *e)
{
	struct dir_list dirs = { 0 };
	int result = 0;

	for (size_t i = 0; !result && i < t->n; i++) {
		struct ref_item *item = &t->items[i];

		if (!item->has_loose || item->is_same)
			continue;
		if (!loose_move(t, i, false))
			item->undo = UNDO_SWAP;
		else if (errno != ENOENT)
			result = err_errno(e, "removing %s", item->name);
		if (!result)
			result = dir_list_add(&dirs, t->git_dir, item->name,
					      false, e);
		item->has_loose = item->has_loose && result < 0;
	}
	if (!result)
		result = dir_list_sync(&dirs, e);
	if (result < 0)
		loose_restore(t, &dirs, e);
	for (size_t i = 0; i < t->n; i++)
		t->items[i].undo = UNDO_NOTHING;
	dir_list_fini(&dirs);
	return result;
}

/* Several refs, some with files of their own: move those values first. */
static bool needs_moving(const struct ref_transaction *t)
{
	size_t n = 0, n_loose = 0;

	for (size_t i = 0; i < t->n; i++) {
		n += !t->items[i].is_same;
		n_loose += is_in_step(&t->items[i], STEP_OLD);
	}
	return n_loose && (n > 1 || !item_is_deletion(&t->items[0]));
}

static int text_now(struct ref_transaction *t, struct packed_text *out,
		    struct err *e)
{
	return packed_text_read(t->git_dir, t->kind, out, e);
}

static int move_loose(struct ref_transaction *t, struct err *e)
{
	CLEANUP(textp) struct packed_text text = { 0 };

	if (!needs_moving(t))
		return 0;
	if (text_now(t, &text, e) < 0 ||
	    file_rewrite(t, &text, STEP_OLD, e) < 0)
		return -1;
	return loose_remove(t, e);
}

static int commit_new(struct ref_transaction *t, struct err *e)
{
	CLEANUP(textp) struct packed_text text = { 0 };

	if (text_now(t, &text, e) < 0)
		return -1;
	if (has_line_for(t, &text) && file_rewrite(t, &text, STEP_NEW, e) < 0)
		return -1;
	return loose_remove(t, e);
}

int ref_commit_packed(struct ref_transaction *t, struct err *e)
{
	if (ref_lock_take(t->git_dir, "packed-refs", t->work_dir,
			  clock_ms() + REF_LOCK_WAIT_MS, e) < 0)
		return -1;
	t->has_packed_lock = true;
	if (move_loose(t, e) < 0 || commit_new(t, e) < 0)
		return -1;
	for (size_t i = 0; i < t->n; i++)
		t->items[i].is_done = !t->items[i].is_same;
	return 0;
}

int ref_transaction_pack(struct ref_transaction *t, uint32_t *n_out,
			 struct err *e)
{
	CLEANUP(textp) struct packed_text text = { 0 };
	int result;

	for (size_t i = 0; i < t->n; i++) {
		*n_out += t->items[i].is_same && t->items[i].has_loose;
		t->items[i].is_same = !t->items[i].is_same;
	}
	result = ref_lock_take(t->git_dir, "packed-refs", t->work_dir,
			       clock_ms() + REF_LOCK_WAIT_MS, e);
	t->has_packed_lock = result == 0;
	if (result == 0)
		result = text_now(t, &text, e);
	if (result == 0)
		result = file_rewrite(t, &text, STEP_OLD, e);
	if (result == 0)
		result = loose_remove(t, e);
	ref_transaction_abort(t);
	return result;
}
