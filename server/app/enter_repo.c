/* SPDX-License-Identifier: Apache-2.0 */
/* git's guessing of repository directories, for `headwaterd stdio` only. */
#include "app/enter_repo.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* gitrepository-layout(5): one line, "gitdir: PATH". */
#define GITFILE_MAX ((size_t)8192)

/* In the order in which git tries them; "" is the path itself. */
static const char *const suffixes[] = { "/.git", "", ".git/.git", ".git" };
static const char *const exact[] = { "" };

static bool has_entry(const char *dir, const char *name)
{
	CLEANUP(freep) char *path = path_join(dir, name);
	struct stat st;

	return path && !lstat(path, &st);
}

/* HEAD, objects/ and refs/ are what git asks of a repository. */
static bool looks_like_repository(const char *dir)
{
	return has_entry(dir, "HEAD") && has_entry(dir, "objects") &&
	       has_entry(dir, "refs");
}

/* What the gitfile at `path` names, relative to where the file is. */
static char *follow_gitfile(const char *path, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	const char *slash = strrchr(path, '/');
	char *target, *out = NULL;
	size_t n;

	if (file_read(path, GITFILE_MAX, &text, e) < 0)
		return NULL;
	if (strncmp(buf_str(&text), "gitdir: ", 8)) {
		err_set(e, ERR_NOT_FOUND, "%s is not a gitfile", path);
		return NULL;
	}
	target = text.data + 8;
	n = strcspn(target, "\r\n");
	target[n] = '\0';
	if (target[0] == '/' || !slash)
		out = strdup(target);
	else if (asprintf(&out, "%.*s/%s", (int)(slash - path), path, target) <
		 0)
		out = NULL;
	if (!out)
		err_nomem(e);
	return out;
}

static char *try_path(const char *path, bool may_be_gitfile, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		err_errno(e, "%s", path);
		return NULL;
	}
	if (S_ISREG(st.st_mode) && may_be_gitfile)
		return follow_gitfile(path, e);
	if (!S_ISDIR(st.st_mode) || !looks_like_repository(path)) {
		err_set(e, ERR_NOT_FOUND, "%s is no repository", path);
		return NULL;
	}
	char *out = strdup(path);

	if (!out)
		err_nomem(e);
	return out;
}

/* The length of `dir` without the slashes it ends in; "/" stays. */
static int trimmed(const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return (int)n;
}

char *enter_repo(const char *dir, bool is_strict, struct err *e)
{
	const char *const *list = is_strict ? exact : suffixes;
	size_t n = is_strict ? ARRAY_SIZE(exact) : ARRAY_SIZE(suffixes);
	struct err ignored;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(freep) char *path = NULL;
		char *found;

		if (asprintf(&path, "%.*s%s", trimmed(dir), dir, list[i]) < 0) {
			path = NULL;
			err_nomem(e);
			return NULL;
		}
		found = try_path(path, !is_strict, &ignored);
		if (found)
			return found;
	}
	err_set(e, ERR_NOT_FOUND, "'%s' does not appear to be a git repository",
		dir);
	return NULL;
}
