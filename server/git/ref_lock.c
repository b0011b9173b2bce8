/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files and the directories that refs come and go with. */
#include "git/ref_lock.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Between two looks at a lock that is held. */
#define POLL_NS_MIN 1000000L
#define POLL_NS_MAX 50000000L
/* Directories below a ref's name, for one that has only directories in it. */
#define CLEAR_DIRS_MAX 4096

static char *lock_path(const char *git_dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s.lock", git_dir, name) < 0 ? NULL : path;
}

/* The link is its own content: it is on disk with its name or not at all. */
static int lock_try(const char *owner, const char *path)
{
	int fd;

	if (!symlink(owner, path))
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int ref_lock_take(const char *git_dir, const char *name, const char *work_dir,
		  int64_t deadline_ms, struct err *e)
{
	CLEANUP(freep) char *path = lock_path(git_dir, name);
	struct timespec pause = { 0, POLL_NS_MIN };
	const char *slash = strrchr(work_dir, '/');

	if (!path)
		return err_nomem(e);
	while (lock_try(slash ? slash + 1 : work_dir, path) < 0) {
		if (errno == ENOTDIR)
			return err_set(e, ERR_IO,
				       "something above '%s' is no directory",
				       name);
		if (errno != EEXIST)
			return err_errno(e, "creating %s.lock", name);
		if (clock_ms() >= deadline_ms)
			return err_set(e, ERR_CONFLICT,
				       "'%s.lock' is held: another process is "
				       "at it; if none is, remove the file",
				       name);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_NS_MAX)
			pause.tv_nsec *= 2;
	}
	return 0;
}

void ref_lock_drop(const char *git_dir, const char *name)
{
	CLEANUP(freep) char *path = lock_path(git_dir, name);

	if (path)
		unlink(path);
}

int ref_lock_replace(const char *git_dir, const char *name,
		     const char *work_dir, struct span text, struct err *e)
{
	CLEANUP(freep) char *from = path_join(work_dir, name);
	CLEANUP(freep) char *to = path_join(git_dir, name);
	CLEANUP(closep) int fd = -1;

	if (!from || !to)
		return err_nomem(e);
	fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_errno(e, "creating %s", from);
	if (fd_write_full(fd, text.data, text.len, e) < 0)
		return err_wrap(e, "%s", from);
	if (fsync(fd) < 0)
		return err_errno(e, "making %s durable", from);
	if (rename(from, to) < 0)
		return err_errno(e, "replacing %s", name);
	return dir_sync(git_dir, e);
}

bool ref_lock_is_held(const char *git_dir, const char *name)
{
	CLEANUP(freep) char *path = lock_path(git_dir, name);
	struct stat st;

	return !path || !lstat(path, &st);
}

int ref_dirs_make(const char *git_dir, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	char *slash = path ? path + strlen(git_dir) + 1 : NULL;
	int n_made = 0;

	if (!path)
		return err_nomem(e);
	while ((slash = strchr(slash, '/'))) {
		*slash = '\0';
		if (!mkdir(path, 0777))
			n_made++;
		else if (errno == ENOTDIR)
			return err_set(e, ERR_IO,
				       "something above '%s' is no directory",
				       name);
		else if (errno != EEXIST)
			return err_errno(e, "creating %s", path);
		*slash++ = '/';
	}
	return n_made > 0;
}

void ref_dirs_trim(const char *git_dir, const char *name, int keep)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	char *first = path ? path + strlen(git_dir) + 1 : NULL;
	char *slash;

	for (int i = 0; first && i < keep; i++) {
		first = strchr(first, '/');
		if (first)
			first++;
	}
	while (first && (slash = strrchr(first, '/'))) {
		*slash = '\0';
		if (rmdir(path) < 0)
			return;
	}
}

/* A walk over directories that are expected to be empty. */
struct clearing {
	char **dirs; /* parents before children */
	size_t n;
	bool is_used;
};

static void clearing_fini(struct clearing *c)
{
	while (c->n)
		free(c->dirs[--c->n]);
	free(c->dirs);
}

static void clearing_add(struct clearing *c, char *path)
{
	if (!path || c->n == CLEAR_DIRS_MAX) {
		c->is_used = true; /* as good as: it is not cleared */
		free(path);
		return;
	}
	c->dirs[c->n++] = path;
}

static void clearing_list(struct clearing *c, const char *dir)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	struct dirent *entry;
	struct stat st;
	char *path;

	while (list && !c->is_used && (entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		path = path_join(dir, entry->d_name);
		if (path && (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
			c->is_used = true;
		clearing_add(c, path);
	}
}

static void clearing_walk(struct clearing *c, const char *git_dir,
			  const char *name)
{
	char *path = path_join(git_dir, name);
	struct stat st;

	c->dirs = calloc(CLEAR_DIRS_MAX, sizeof *c->dirs);
	if (!c->dirs)
		c->is_used = true;
	if (!path || !c->dirs || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		free(path);
		return;
	}
	clearing_add(c, path);
	for (size_t i = 0; !c->is_used && i < c->n; i++)
		clearing_list(c, c->dirs[i]);
}

bool ref_dir_is_used(const char *git_dir, const char *name)
{
	CLEANUP(clearing_fini) struct clearing c = { 0 };

	clearing_walk(&c, git_dir, name);
	return c.is_used;
}

bool ref_dir_clear(const char *git_dir, const char *name)
{
	CLEANUP(clearing_fini) struct clearing c = { 0 };

	clearing_walk(&c, git_dir, name);
	for (size_t i = c.n; !c.is_used && i--;)
		if (rmdir(c.dirs[i]) < 0 && errno != ENOENT)
			return false;
	return !c.is_used;
}
