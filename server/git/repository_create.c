/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new bare repository, laid out as git init does and with our defaults.
 *
 * Made under another name beside its place, durable, and renamed there: what a
 * crash leaves behind is NAME.new-XXXXXXXX and never half a repository. It is
 * claimed meanwhile, so that a sweep can tell.
 */
#include "git/repository.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "git/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TEMP_INFIX	  ".new-"
#define TEMP_RANDOM_BYTES 4
#define TEMP_DIGITS	  (2 * (size_t)TEMP_RANDOM_BYTES)
#define TEMP_TRIES	  8 /* against a sweep at the very moment */
/* What others may see is the umask's to say, as with git init. */
#define DIR_MODE  0777
#define FILE_MODE 0666

/* Parents before children. "" is the repository itself, made before. */
static const char *const directories[] = {
	"",	   "hooks",	   "info",
	"objects", "objects/info", "objects/pack",
	"refs",	   "refs/heads",   "refs/tags",
};

static const char config_text[] = "[core]\n"
				  "\trepositoryformatversion = 0\n"
				  "\tfilemode = true\n"
				  "\tbare = true\n"
				  "[uploadpack]\n"
				  "\tallowFilter = true\n"
				  "\tallowTipSHA1InWant = true\n"
				  "\tallowReachableSHA1InWant = true\n"
				  "\tallowRefInWant = true\n"
				  "[receive]\n"
				  "\tadvertisePushOptions = true\n";

static const char description_text[] =
	"Unnamed repository; edit this file 'description' to name the "
	"repository.\n";

static int file_put(const char *dir, const char *name, const char *text,
		    struct err *e)
{
	CLEANUP(freep) char *path = path_join(dir, name);
	CLEANUP(closep) int fd = -1;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return err_errno(e, "creating %s", path);
	if (fd_write_full(fd, text, strlen(text), e) < 0)
		return err_wrap(e, "%s", path);
	if (fsync(fd) < 0)
		return err_errno(e, "making %s durable", path);
	return 0;
}

static int directories_make(const char *dir, struct err *e)
{
	for (size_t i = 1; i < ARRAY_SIZE(directories); i++) {
		CLEANUP(freep) char *path = path_join(dir, directories[i]);

		if (!path)
			return err_nomem(e);
		if (mkdir(path, DIR_MODE) < 0)
			return err_errno(e, "creating %s", path);
	}
	return 0;
}

/* Children before parents. */
static int directories_sync(const char *dir, struct err *e)
{
	for (size_t i = ARRAY_SIZE(directories); i--;) {
		CLEANUP(freep) char *path = path_join(dir, directories[i]);

		if (!path)
			return err_nomem(e);
		if (dir_sync(path, e) < 0)
			return -1;
	}
	return 0;
}

static int contents_make(const char *dir, const char *head, struct err *e)
{
	if (directories_make(dir, e) < 0)
		return -1;
	if (file_put(dir, "HEAD", head, e) < 0 ||
	    file_put(dir, "config", config_text, e) < 0 ||
	    file_put(dir, "description", description_text, e) < 0)
		return -1;
	return directories_sync(dir, e);
}

/* Rename that refuses to replace even an empty directory; not every file
 * system has it. */
static int move_in(const char *temp, const char *git_dir, struct err *e)
{
	struct stat st;

	if (!renameat2(AT_FDCWD, temp, AT_FDCWD, git_dir, RENAME_NOREPLACE))
		return 0;
	if (errno == EINVAL || errno == ENOSYS) {
		if (!lstat(git_dir, &st))
			errno = EEXIST;
		else if (!rename(temp, git_dir))
			return 0;
	}
	if (errno == EEXIST || errno == ENOTEMPTY)
		return err_set(e, ERR_CONFLICT, "%s is there already", git_dir);
	return err_errno(e, "creating %s", git_dir);
}

static char *temp_name(const char *git_dir)
{
	unsigned char random[TEMP_RANDOM_BYTES];
	char hex[TEMP_DIGITS + 1];
	size_t n = strlen(git_dir);
	char *name;

	while (n > 1 && git_dir[n - 1] == '/')
		n--;
	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, hex);
	return asprintf(&name, "%.*s" TEMP_INFIX "%s", (int)n, git_dir, hex) < 0
		       ? NULL
		       : name;
}

/* A directory of our own beside `git_dir`, and the descriptor that claims it;
 * 1 where a sweep took it away. */
static int temp_try(const char *git_dir, char **out, int *fd_out, struct err *e)
{
	CLEANUP(freep) char *temp = temp_name(git_dir);
	CLEANUP(closep) int fd = -1;

	if (!temp)
		return err_nomem(e);
	if (mkdir(temp, DIR_MODE) < 0)
		return err_errno(e, "creating %s", temp);
	fd = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 ? errno == ENOENT : !fd_claim(fd))
		return 1;
	if (fd < 0) {
		err_errno(e, "opening %s", temp);
		rmdir(temp);
		return -1;
	}
	*out = TAKE(temp);
	*fd_out = take_fd(&fd);
	return 0;
}

static int temp_make(const char *git_dir, char **out, int *fd_out,
		     struct err *e)
{
	int result = 1;

	for (int i = 0; result > 0 && i < TEMP_TRIES; i++)
		result = temp_try(git_dir, out, fd_out, e);
	if (result > 0)
		return err_set(e, ERR_CONFLICT, "%s" TEMP_INFIX "* vanishes",
			       git_dir);
	return result;
}

bool repository_is_unfinished(const char *name)
{
	size_t n = strlen(name), tail = strlen(TEMP_INFIX) + TEMP_DIGITS;

	return n > tail &&
	       !strncmp(name + n - tail, TEMP_INFIX, strlen(TEMP_INFIX)) &&
	       strspn(name + n - TEMP_DIGITS, "0123456789abcdef") ==
		       TEMP_DIGITS;
}

static int head_text(const char *branch, char **out, struct err *e)
{
	if (asprintf(out, "ref: refs/heads/%s\n", branch) < 0)
		return err_nomem(e);
	if (ref_name_check(span_of(*out + 5, strlen(*out) - 6), e) < 0) {
		free(TAKE(*out));
		return err_wrap(e, "branch '%s'", branch);
	}
	return 0;
}

int repository_create(const char *git_dir, const char *branch, struct err *e)
{
	CLEANUP(freep) char *temp = NULL;
	CLEANUP(freep) char *head = NULL;
	CLEANUP(closep) int claim = -1;
	struct err ignored;
	struct stat st;

	if (!lstat(git_dir, &st))
		return err_set(e, ERR_CONFLICT, "%s is there already", git_dir);
	if (head_text(branch, &head, e) < 0 ||
	    temp_make(git_dir, &temp, &claim, e) < 0)
		return -1;
	if (contents_make(temp, head, e) < 0 || move_in(temp, git_dir, e) < 0) {
		if (dir_remove(temp, &ignored) < 0)
			err_wrap(e, "%s is left over", temp);
		return -1;
	}
	if (parent_sync(temp, e) < 0) { /* the same parent */
		if (dir_remove(git_dir, &ignored) < 0)
			err_wrap(e, "%s is left over", git_dir);
		return -1;
	}
	return 0;
}
