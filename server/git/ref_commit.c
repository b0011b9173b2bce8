/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying a transaction. A few updates are written as loose files, each
 * renamed into place; anything that must be whole, deletes or is many goes
 * through packed-refs.
 * Everything is written and durable before the first rename; the directories
 * are made durable once each, after the last. Where that last step fails, what
 * was moved is moved back: a refused change leaves the ref as it was.
 */
#include "git/ref_transaction_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/loose_refs.h"
#include "git/ref_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Above so many updates one rewrite of packed-refs costs less than an fsync
 * each. */
#define LOOSE_UPDATES_MAX 16

/* -- directories to make durable ------------------------------------------ */

static int list_put(struct dir_list *l, char *path, struct err *e)
{
	char **grown;

	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		grown = reallocarray(l->paths, l->room, sizeof *grown);
		if (!grown) {
			free(path);
			return err_nomem(e);
		}
		l->paths = grown;
	}
	l->paths[l->n++] = path;
	return 0;
}

/* Made, durably, with the repository, and never removed. */
static bool is_lasting(const char *dir)
{
	return !strcmp(dir, "refs") || !strcmp(dir, "refs/heads") ||
	       !strcmp(dir, "refs/tags");
}

int dir_list_add(struct dir_list *l, const char *git_dir, const char *name,
		 bool is_new, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	size_t base = strlen(git_dir);
	char *slash, *copy;

	if (!path)
		return err_nomem(e);
	while ((slash = strrchr(path + base, '/'))) {
		*slash = '\0';
		copy = strdup(path);
		if (!copy)
			return err_nomem(e);
		if (list_put(l, copy, e) < 0)
			return -1;
		if (!is_new || slash == path + base ||
		    is_lasting(path + base + 1))
			return 0;
	}
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int dir_list_sync(struct dir_list *l, struct err *e)
{
	if (l->n)
		qsort(l->paths, l->n, sizeof *l->paths, compare_paths);
	for (size_t i = l->n; i--;) { /* children first */
		if (i + 1 < l->n && !strcmp(l->paths[i], l->paths[i + 1]))
			continue;
		if (dir_sync(l->paths[i], e) < 0 && e->code != ERR_NOT_FOUND)
			return -1;
	}
	return 0;
}

void dir_list_fini(struct dir_list *l)
{
	while (l->n)
		free(l->paths[--l->n]);
	free(l->paths);
}

int work_file_put(const struct ref_transaction *t, const char *file,
		  struct span text, struct err *e)
{
	CLEANUP(freep) char *path = path_join(t->work_dir, file);
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	CLEANUP(closep) int fd = -1;

	if (!path)
		return err_nomem(e);
	fd = open(path, flags, 0666);
	/* What was replaced before; somebody may still be reading it. */
	if (fd < 0 && errno == EEXIST && !unlink(path))
		fd = open(path, flags, 0666);
	if (fd < 0)
		return err_errno(e, "creating %s", path);
	if (fd_write_full(fd, text.data, text.len, e) < 0)
		return err_wrap(e, "%s", path);
	if (fsync(fd) < 0)
		return err_errno(e, "making %s durable", path);
	return 0;
}

static int swap(const char *a, const char *b)
{
	return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

int work_file_publish(const struct ref_transaction *t, const char *file,
		      const char *to, enum ref_undo *undo_out)
{
	CLEANUP(freep) char *from = path_join(t->work_dir, file);
	struct stat st;
	bool is_there = !lstat(to, &st) && S_ISREG(st.st_mode);

	if (!from) {
		errno = ENOMEM;
		return -1;
	}
	*undo_out = UNDO_SWAP;
	if (is_there && !swap(from, to))
		return 0;
	if (is_there && errno != EINVAL && errno != ENOSYS)
		return -1;
	*undo_out = is_there ? UNDO_LOST : UNDO_REMOVE;
	return rename(from, to);
}

bool work_file_undo(const struct ref_transaction *t, const char *file,
		    const char *to, enum ref_undo undo)
{
	CLEANUP(freep) char *from = path_join(t->work_dir, file);

	switch (undo) {
	case UNDO_SWAP:
		return from && !swap(from, to);
	case UNDO_REMOVE:
		return !unlink(to);
	default:
		return undo == UNDO_NOTHING;
	}
}

/* -- loose files ---------------------------------------------------------- */

#define WORK_NAME_SIZE 32

static void work_name(size_t i, char out[WORK_NAME_SIZE])
{
	snprintf(out, WORK_NAME_SIZE, "ref-%zu", i);
}

static int loose_write(struct ref_transaction *t, size_t i)
{
	const struct ref_change *c = t->items[i].change;
	char text[OID_MAX_HEX + 2], name[WORK_NAME_SIZE];
	size_t n;

	oid_hex(&c->new_id, text);
	n = strlen(text);
	text[n] = '\n';
	work_name(i, name);
	return work_file_put(t, name, span_of(text, n + 1), c->error);
}

static int loose_publish(struct ref_transaction *t, size_t i)
{
	struct ref_item *item = &t->items[i];
	CLEANUP(freep) char *to = path_join(t->git_dir, item->name);
	char name[WORK_NAME_SIZE];

	work_name(i, name);
	if (!to)
		return err_nomem(item->change->error);
	if (!work_file_publish(t, name, to, &item->undo))
		return 0;
	if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST) {
		if (!ref_dir_clear(t->git_dir, item->name))
			return err_set(item->change->error, ERR_CONFLICT,
				       "there is a non-empty directory '%s' "
				       "blocking reference '%s'",
				       item->name, item->name);
		if (!work_file_publish(t, name, to, &item->undo))
			return 0;
	}
	return err_errno(item->change->error, "writing %s", item->name);
}

/* Take back what was published: its directory could not be made durable. */
static void loose_undo(struct ref_transaction *t, size_t i, const struct err *e)
{
	struct ref_item *item = &t->items[i];
	CLEANUP(freep) char *to = path_join(t->git_dir, item->name);
	char name[WORK_NAME_SIZE];

	work_name(i, name);
	*item->change->error = *e;
	if (to && work_file_undo(t, name, to, item->undo))
		item->is_done = false;
	else
		err_wrap(item->change->error, "it may have moved all the same");
}

static void loose_undo_all(struct ref_transaction *t, struct dir_list *dirs,
			   const struct err *e)
{
	struct err ignored;

	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].is_done)
			loose_undo(t, i, e);
	(void)!dir_list_sync(dirs, &ignored);
}

/* Each on its own; those that fail say so. */
static void commit_loose(struct ref_transaction *t)
{
	struct dir_list dirs = { 0 };
	struct err e = { 0 };
	int result = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!t->items[i].is_same)
			(void)!loose_write(t, i);
	for (size_t i = 0; i < t->n; i++) {
		struct ref_item *item = &t->items[i];

		if (item->is_same || item->change->error->code != ERR_OK ||
		    loose_publish(t, i) < 0)
			continue;
		item->is_done = true;
		if (dir_list_add(&dirs, t->git_dir, item->name,
				 !item->has_loose, &e) < 0)
			result = -1;
	}
	if (!result)
		result = dir_list_sync(&dirs, &e);
	if (result < 0)
		loose_undo_all(t, &dirs, &e);
	dir_list_fini(&dirs);
}

/* -- the choice ----------------------------------------------------------- */

static bool wants_packed(const struct ref_transaction *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->items[i].is_same)
			continue;
		if (item_is_deletion(&t->items[i]))
			return true;
		n++;
	}
	return n > LOOSE_UPDATES_MAX || (t->is_atomic && n > 1);
}

/* Where HEAD points, for its reflog; NULL where it does not. malloc'ed. */
static char *head_target(const struct ref_transaction *t)
{
	struct loose_value value;
	struct err ignored;

	if (loose_ref_read(t->git_dir, "HEAD", t->kind, &value, &ignored) < 0 ||
	    value.kind != LOOSE_SYMREF)
		return NULL;
	return strdup(value.target);
}

static void logs_write(const struct ref_transaction *t)
{
	CLEANUP(freep) char *head = t->log ? head_target(t) : NULL;

	for (size_t i = 0; t->log && i < t->n; i++)
		if (t->items[i].is_done)
			ref_log_write(t, &t->items[i], head);
}

int ref_transaction_commit(struct ref_transaction *t, struct err *e)
{
	int result = 0;

	if (wants_packed(t)) {
		result = ref_commit_packed(t, e);
		for (size_t i = 0; result < 0 && i < t->n; i++)
			*t->items[i].change->error = *e;
	} else {
		commit_loose(t);
		for (size_t i = 0; t->is_atomic && i < t->n; i++) {
			if (t->items[i].change->error->code == ERR_OK)
				continue;
			*e = *t->items[i].change->error;
			result = -1;
		}
	}
	logs_write(t);
	ref_transaction_abort(t);
	return result;
}
