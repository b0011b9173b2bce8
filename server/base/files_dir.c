/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole directories: made with their parents, removed with their content.
 *
 * Removal holds two descriptors whatever the depth, because it never goes
 * deeper than one level: a directory found inside a directory is moved up to
 * the root of what is being removed, and its turn comes there. Nothing is ever
 * reached by a path of more than one element, and no link is followed, so a
 * removal cannot be led out of its tree.
 */
#include "base/files.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PERMISSION_BITS ((mode_t)0777)

/* mkdir with exactly `mode`, whatever the umask; a set-group-id bit that the
 * parent handed down stays. */
static int make_one(const char *path, mode_t mode, struct err *e)
{
	struct stat st;
	int is_new = !mkdir(path, mode);
	int number = errno;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		errno = number == EEXIST ? ENOTDIR : number;
		return err_errno(e, "making the directory %s", path);
	}
	if (!is_new)
		return 0;
	if ((st.st_mode & PERMISSION_BITS) != mode &&
	    chmod(path, mode | (st.st_mode & S_ISGID)) < 0)
		return err_errno(e, "setting the mode of %s", path);
	return parent_sync(path, e);
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	CLEANUP(freep) char *copy = strdup(path);
	char *slash = copy;
	struct stat st;

	if (!copy)
		return err_nomem(e);
	/* The usual case costs one look, not two calls for each parent. */
	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return 0;
	while ((slash = strchr(slash, '/'))) {
		/* Not before a root, nor once more for "a//b". */
		if (slash != copy && slash[-1] != '/') {
			*slash = '\0';
			if (make_one(copy, mode, e) < 0)
				return -1;
			*slash = '/';
		}
		slash++;
	}
	return make_one(path, mode, e);
}

static bool gives_group(const char *dir)
{
	struct stat st;

	return !stat(dir, &st) && (st.st_mode & S_IRWXG) == S_IRWXG;
}

mode_t file_mode_in(const char *dir)
{
	return gives_group(dir) ? 0660 : 0600;
}

mode_t dir_mode_in(const char *dir)
{
	return gives_group(dir) ? 0770 : 0700;
}

int dir_make_temp(char *template, struct err *e)
{
	char *slash = strrchr(template, '/');
	mode_t mode = 0700;
	struct stat st;

	if (slash && slash != template) {
		*slash = '\0';
		mode = dir_mode_in(template);
		*slash = '/';
	}
	if (!mkdtemp(template))
		return err_errno(e, "making %s", template);
	if (mode == 0700)
		return 0;
	if (stat(template, &st) < 0 ||
	    chmod(template, mode | (st.st_mode & S_ISGID)) < 0) {
		err_errno(e, "setting the mode of %s", template);
		rmdir(template);
		return -1;
	}
	return 0;
}

/* What one removal holds. */
struct removal {
	int root;	  /* the directory that is going */
	const char *path; /* its name, for errors */
	unsigned n_moved; /* names given to what moved up */
};

static int removal_failed(const struct removal *r, const char *name,
			  struct err *e)
{
	return err_errno(e, "removing %s in %s", name, r->path);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Open the directory `name` in `at` for reading its entries. */
static DIR *list_at(int at, const char *name)
{
	CLEANUP(closep) int fd = -1;
	DIR *dir;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (dir)
		(void)take_fd(&fd); /* the DIR closes it */
	return dir;
}

/* Move the directory `name` in `at` up to the root, under a new name. */
static int move_up(struct removal *r, int at, const char *name, struct err *e)
{
	char moved[32];

	do {
		snprintf(moved, sizeof moved, "removed-%u", r->n_moved++);
		if (!renameat(at, name, r->root, moved) || errno == ENOENT)
			return 0;
	} while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
	return removal_failed(r, name, e);
}

/* Remove the entry `name` of `at`. 1 where it is a directory with content. */
static int remove_one(struct removal *r, int at, const char *name,
		      struct err *e)
{
	if (!unlinkat(at, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return removal_failed(r, name, e);
	if (!unlinkat(at, name, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return removal_failed(r, name, e);
	return 1;
}

/* Empty the directory `name` of the root: files go, directories move up. */
static int empty_one(struct removal *r, const char *name, struct err *e)
{
	CLEANUP(closedirp) DIR *dir = list_at(r->root, name);
	struct dirent *entry;
	int kind;

	if (!dir)
		return errno == ENOENT ? 0 : removal_failed(r, name, e);
	while ((errno = 0, entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		kind = remove_one(r, dirfd(dir), entry->d_name, e);
		if (kind < 0)
			return -1;
		if (kind && move_up(r, dirfd(dir), entry->d_name, e) < 0)
			return -1;
	}
	return errno ? removal_failed(r, name, e) : 0;
}

/* One look at the root. 1 where there was something, 0 where it is empty. */
static int remove_pass(struct removal *r, DIR *root, struct err *e)
{
	struct dirent *entry;
	int seen = 0;
	int kind;

	rewinddir(root);
	while ((errno = 0, entry = readdir(root))) {
		if (is_dot(entry->d_name))
			continue;
		seen = 1;
		kind = remove_one(r, r->root, entry->d_name, e);
		if (kind < 0)
			return -1;
		if (kind && empty_one(r, entry->d_name, e) < 0)
			return -1;
	}
	return errno ? removal_failed(r, ".", e) : seen;
}

int dir_remove(const char *path, struct err *e)
{
	CLEANUP(closedirp) DIR *root = list_at(AT_FDCWD, path);
	struct removal r = { .path = path };
	int seen;

	if (!root)
		return errno == ENOENT ? 0 : err_errno(e, "removing %s", path);
	r.root = dirfd(root);
	do
		seen = remove_pass(&r, root, e);
	while (seen > 0);
	if (seen < 0)
		return -1;
	if (rmdir(path) < 0 && errno != ENOENT)
		return err_errno(e, "removing %s", path);
	return 0;
}
