/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking, making and removing the directories of repositories.
 */
#include "store/repo_dirs.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "base/span.h"
#include "git/repository.h"
#include "store/data_dir.h"
#include "store/names.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRASH	    ".trash"
#define TRASH_BYTES 8 /* of a random name in it */

char *repo_dir_path(const char *root, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s.git", root, name) < 0 ? NULL : path;
}

/* -- walking -------------------------------------------------------------- */

/* One step down, through a real directory only. */
static int step(int at, struct span element, const char *suffix)
{
	char name[REPO_NAME_MAX + sizeof ".git"];

	snprintf(name, sizeof name, "%.*s%s", (int)element.len, element.data,
		 suffix);
	return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int walk_failed(const char *name, struct err *e)
{
	switch (errno) {
	case ENOENT:
		return err_set(e, ERR_NOT_FOUND, "no repository '%s'", name);
	case ENOTDIR:
	case ELOOP:
		return err_set(e, ERR_DENIED,
			       "the path of repository '%s' is no plain "
			       "directory; symbolic links are not followed",
			       name);
	default:
		return err_errno(e, "opening repository '%s'", name);
	}
}

/* What nearly every request needs, at the price of one call: a name of one
 * element, and all is well. False where a longer look must tell. */
static bool is_found_at_once(const char *root, const char *name,
			     struct dir_id *out)
{
	char path[PATH_MAX] UNINITIALIZED;
	struct stat st;
	int n;

	if (strchr(name, '/'))
		return false;
	n = snprintf(path, sizeof path, "%s/%s.git", root, name);
	if (n < 0 || (size_t)n >= sizeof path || lstat(path, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return false;
	*out = (struct dir_id){ st.st_dev, st.st_ino };
	return true;
}

int repo_dir_find(const char *root, const char *name, struct dir_id *out,
		  struct err *e)
{
	struct span rest = span_str(name), element;
	struct stat st;
	int at;

	if (is_found_at_once(root, name, out))
		return 0;
	at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return err_errno(e, "opening %s", root);
	while (span_word(&rest, '/', &element)) {
		int below = step(at, element, rest.len ? "" : ".git");

		if (below < 0) {
			walk_failed(name, e);
			close(at);
			return -1;
		}
		close(at);
		at = below;
	}
	if (fstat(at, &st) < 0) {
		err_errno(e, "looking at repository '%s'", name);
		close(at);
		return -1;
	}
	close(at);
	*out = (struct dir_id){ st.st_dev, st.st_ino };
	return 0;
}

/* -- making --------------------------------------------------------------- */

/* Make `path` if it is not there; it must be a directory and no link. */
static int make_plain(const char *path, mode_t mode, const char *name,
		      struct err *e)
{
	struct stat st;

	if (!mkdir(path, mode)) {
		/* mkdir obeys the umask; the modes here are promised */
		if (stat(path, &st) < 0 ||
		    chmod(path, mode | (st.st_mode & S_ISGID)) < 0)
			return err_errno(e, "setting the mode of %s", path);
		return parent_sync(path, e);
	}
	if (errno != EEXIST)
		return err_errno(e, "making the directory %s", path);
	if (lstat(path, &st) < 0)
		return err_errno(e, "looking at %s", path);
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return walk_failed(name, e);
}

int repo_dir_make_parents(const char *root, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = repo_dir_path(root, name);
	mode_t mode = dir_mode_in(root);
	char *slash;

	if (!path)
		return err_nomem(e);
	for (slash = strchr(path + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_plain(path, mode, name, e) < 0)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* -- removing ------------------------------------------------------------- */

/* "ROOT/.trash/RANDOM", malloc'ed, its directory made. */
static char *trash_path(const char *root, struct err *e)
{
	CLEANUP(freep) char *trash = path_join(root, TRASH);
	unsigned char random[TRASH_BYTES];
	char hex[2 * TRASH_BYTES + 1];
	char *path;

	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, hex);
	if (!trash || !(path = path_join(trash, hex))) {
		err_nomem(e);
		return NULL;
	}
	if (make_plain(trash, dir_mode_in(root), TRASH, e) < 0) {
		free(path);
		return NULL;
	}
	return path;
}

/* Directories that only led to it go too, as long as they are empty. */
static void remove_parents(const char *root, char *path)
{
	char *end = path + strlen(root);
	char *slash;

	while ((slash = strrchr(path, '/')) && slash > end) {
		*slash = '\0';
		if (rmdir(path) < 0)
			return;
	}
}

/* Nobody can reach it any more; what stays, the next sweep removes. */
static void remove_trash(const char *path)
{
	struct err ignored;

	if (dir_remove(path, &ignored) < 0)
		return;
}

int repo_dir_delete(const char *root, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = repo_dir_path(root, name);
	CLEANUP(freep) char *trash = NULL;
	struct dir_id id;

	if (!path)
		return err_nomem(e);
	if (repo_dir_find(root, name, &id, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	trash = trash_path(root, e);
	if (!trash)
		return -1;
	while (rename(path, trash) < 0) {
		if (errno != ENOENT)
			return err_errno(e, "removing %s", path);
		if (repo_dir_find(root, name, &id, e) < 0)
			return e->code == ERR_NOT_FOUND ? 0 : -1;
		/* It was the trash that another daemon's start took away. */
		free(TAKE(trash));
		trash = trash_path(root, e);
		if (!trash)
			return -1;
	}
	if (parent_sync(path, e) < 0)
		return -1;
	remove_parents(root, path);
	remove_trash(trash);
	return 0;
}

/* A repository that was being made, by somebody who died. */
static void sweep_unfinished(const FTSENT *entry)
{
	CLEANUP(closep) int fd = -1;
	struct err ignored;

	fd = fd_claim_dead(AT_FDCWD, entry->fts_path);
	if (fd >= 0)
		(void)!dir_remove(entry->fts_path, &ignored);
}

void repo_dir_sweep(const char *root)
{
	CLEANUP(freep) char *trash = path_join(root, TRASH);
	CLEANUP(freep) char *copy = strdup(root);
	char *const paths[] = { copy, NULL };
	FTSENT *entry;
	FTS *fts;

	if (trash)
		remove_trash(trash);
	fts = copy ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	while (fts && (entry = fts_read(fts))) {
		size_t n = entry->fts_namelen;

		if (entry->fts_info != FTS_D || !entry->fts_level)
			continue;
		if (repository_is_unfinished(entry->fts_name))
			sweep_unfinished(entry);
		else if (entry->fts_level < REPO_NAME_ELEMENTS &&
			 (n < 4 || strcmp(entry->fts_name + n - 4, ".git")))
			continue;
		fts_set(fts, entry, FTS_SKIP);
	}
	if (fts)
		fts_close(fts);
}

/* -- looking -------------------------------------------------------------- */

int repo_dir_usage(const char *root, const char *name, uint64_t *bytes_out,
		   struct err *e)
{
	CLEANUP(freep) char *path = repo_dir_path(root, name);
	char *const paths[] = { path, NULL };
	uint64_t bytes = 0;
	struct dir_id id;
	FTSENT *entry;
	FTS *fts;

	if (!path)
		return err_nomem(e);
	if (repo_dir_find(root, name, &id, e) < 0)
		return -1;
	fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!fts)
		return err_errno(e, "looking at %s", path);
	/* What vanishes meanwhile is not counted, and no failure. */
	while ((entry = fts_read(fts))) {
		if (entry->fts_info != FTS_DP && entry->fts_info != FTS_NS)
			bytes += (uint64_t)entry->fts_statp->st_blocks * 512;
	}
	fts_close(fts);
	*bytes_out = bytes;
	return 0;
}

/* Is this the directory of a repository? Its name into `out`. */
static bool is_repo(const char *root, const FTSENT *entry,
		    char out[REPO_NAME_MAX + 1])
{
	struct span name = span_str(entry->fts_path + strlen(root) + 1);
	struct err e;

	if (name.len <= 4 || memcmp(name.data + name.len - 4, ".git", 4) != 0)
		return false;
	name.len -= 4;
	if (repo_name_check(name, &e) < 0)
		return false;
	memcpy(out, name.data, name.len);
	out[name.len] = '\0';
	return true;
}

int repo_dir_each(const char *root, int (*each)(void *arg, const char *name),
		  void *arg, struct err *e)
{
	CLEANUP(freep) char *copy = strdup(root);
	char *const paths[] = { copy, NULL };
	char name[REPO_NAME_MAX + 1];
	FTSENT *entry;
	int result = 0;
	FTS *fts;

	if (!copy)
		return err_nomem(e);
	fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!fts)
		return err_errno(e, "looking at %s", root);
	while (!result && (entry = fts_read(fts))) {
		if (entry->fts_info != FTS_D || !entry->fts_level)
			continue;
		if (is_repo(root, entry, name))
			result = each(arg, name);
		else if (entry->fts_name[0] != '.' &&
			 entry->fts_level < REPO_NAME_ELEMENTS)
			continue;
		fts_set(fts, entry, FTS_SKIP);
	}
	fts_close(fts);
	return result;
}
