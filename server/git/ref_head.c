/* SPDX-License-Identifier: Apache-2.0 */
/* Pointing HEAD somewhere; and the locks that a crash left behind. */
#include "git/ref_transaction.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/ref_lock.h"
#include "git/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Written in the work directory, renamed under HEAD.lock. */
static int head_write(const char *git_dir, const char *work_dir,
		      const char *target, struct err *e)
{
	CLEANUP(freep) char *text = NULL;

	if (asprintf(&text, "ref: %s\n", target) < 0) {
		text = NULL;
		return err_nomem(e);
	}
	return ref_lock_replace(git_dir, "HEAD", work_dir, span_str(text), e);
}

static int head_set(const char *git_dir, const char *work_dir,
		    const char *target, struct err *e)
{
	int result;

	if (ref_lock_mark(work_dir, e) < 0 ||
	    ref_lock_take(git_dir, "HEAD", work_dir,
			  clock_ms() + REF_LOCK_WAIT_MS, e) < 0)
		return -1;
	result = head_write(git_dir, work_dir, target, e);
	ref_lock_drop(git_dir, "HEAD");
	return result;
}

static int target_check(const char *target, struct err *e)
{
	if (ref_name_check(span_str(target), e) < 0)
		return err_wrap(e, "'%s'", target);
	if (!span_starts(span_str(target), "refs/"))
		return err_set(e, ERR_MALFORMED, "'%s' is not below refs/",
			       target);
	return 0;
}

int ref_set_head_at(const struct ref_place *place, const char *target,
		    struct err *e)
{
	if (target_check(target, e) < 0)
		return -1;
	return head_set(place->git_dir, place->work_dir, target, e);
}

int ref_set_head(const char *git_dir, const char *target, struct err *e)
{
	CLEANUP(freep) char *work_dir = NULL;
	struct err ignored;
	int result;

	if (target_check(target, e) < 0)
		return -1;
	if (asprintf(&work_dir, "%s/objects/incoming-refs-XXXXXX", git_dir) <
	    0) {
		work_dir = NULL;
		return err_nomem(e);
	}
	if (dir_make_temp(work_dir, e) < 0)
		return -1;
	result = head_set(git_dir, work_dir, target, e);
	/* It is done all the same; a sweep removes what is left. */
	(void)!dir_remove(work_dir, &ignored);
	return result;
}

/* -- after a crash -------------------------------------------------------- */

/* Directories of refs still to be looked into. */
struct sweep {
	char **dirs;
	size_t n, room;
	dev_t dev;
	ino_t ino; /* of the mark */
};

static int sweep_add(struct sweep *s, char *path, struct err *e)
{
	char **grown;

	if (path && s->n == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		grown = reallocarray(s->dirs, s->room, sizeof *grown);
		if (grown)
			s->dirs = grown;
		else
			free(TAKE(path));
	}
	if (!path)
		return err_nomem(e);
	s->dirs[s->n++] = path;
	return 0;
}

static void sweep_file(const struct sweep *s, const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(path);
}

static int sweep_dir(struct sweep *s, const char *dir, struct err *e)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	struct dirent *entry;
	struct stat st;

	while (list && (entry = readdir(list))) {
		CLEANUP(freep) char *path = path_join(dir, entry->d_name);

		if (!path)
			return err_nomem(e);
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (lstat(path, &st) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			sweep_file(s, path);
		else if (sweep_add(s, TAKE(path), e) < 0)
			return -1;
	}
	return 0;
}

static int sweep_top(const struct sweep *s, const char *git_dir, struct err *e)
{
	static const char *const names[] = { "packed-refs.lock", "HEAD.lock",
					     "shallow.lock" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(freep) char *path = path_join(git_dir, names[i]);

		if (!path)
			return err_nomem(e);
		sweep_file(s, path);
	}
	return 0;
}

int ref_locks_sweep(const char *git_dir, const char *work_dir, struct err *e)
{
	CLEANUP(freep) char *mark = path_join(work_dir, REF_LOCK_MARK);
	struct sweep s = { 0 };
	struct stat st;
	int result;

	if (!mark)
		return err_nomem(e);
	if (lstat(mark, &st) < 0 || st.st_nlink < 2)
		return 0; /* no lock was held */
	s.dev = st.st_dev;
	s.ino = st.st_ino;
	result = sweep_top(&s, git_dir, e);
	if (!result)
		result = sweep_add(&s, path_join(git_dir, "refs"), e);
	while (!result && s.n) {
		CLEANUP(freep) char *dir = s.dirs[--s.n];

		result = sweep_dir(&s, dir, e);
	}
	while (s.n)
		free(s.dirs[--s.n]);
	free(s.dirs);
	return result;
}
