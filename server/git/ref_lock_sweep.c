/* SPDX-License-Identifier: Apache-2.0 */
/* The locks that a crash left behind. */
#include "git/ref_lock.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Directories of refs still to be looked into. */
struct sweep {
	bool (*is_dead)(void *arg, const char *owner, int64_t made_at);
	void *arg;
	char **dirs;
	size_t n, room;
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

static bool is_lock(const char *name)
{
	size_t n = strlen(name), tail = strlen(".lock");

	return n > tail && !strcmp(name + n - tail, ".lock");
}

static void sweep_lock(const struct sweep *s, int dir, const char *name)
{
	char owner[NAME_MAX + 1];
	struct stat st;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISLNK(st.st_mode))
		return;
	n = readlinkat(dir, name, owner, sizeof owner - 1);
	if (n <= 0)
		return;
	owner[n] = '\0';
	if (s->is_dead(s->arg, owner, (int64_t)st.st_mtime))
		unlinkat(dir, name, 0);
}

static bool is_directory(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return !fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

static int sweep_dir(struct sweep *s, const char *dir, struct err *e)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (is_lock(entry->d_name))
			sweep_lock(s, dirfd(list), entry->d_name);
		else if (is_directory(dirfd(list), entry) &&
			 sweep_add(s, path_join(dir, entry->d_name), e) < 0)
			return -1;
	}
	return 0;
}

static void sweep_top(const struct sweep *s, const char *git_dir)
{
	static const char *const names[] = { "packed-refs.lock", "HEAD.lock",
					     "shallow.lock" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(freep) char *path = path_join(git_dir, names[i]);

		if (path)
			sweep_lock(s, AT_FDCWD, path);
	}
}

int ref_locks_sweep(const char *git_dir,
		    bool (*is_dead)(void *arg, const char *owner,
				    int64_t made_at),
		    void *arg, struct err *e)
{
	struct sweep s = { .is_dead = is_dead, .arg = arg };
	int result;

	sweep_top(&s, git_dir);
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
