/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary files, and how those of the dead are told from those in use.
 *
 * They are named NAME.tmp-XXXXXXXX (eight random hexadecimal digits) and
 * locked with flock(2) from their making to their end. A sweep removes what it
 * can lock. Between making and locking a sweep may have been there: the maker
 * looks whether its file still has a name, and else makes another.
 */
#include "base/files.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define TEMP_INFIX	  ".tmp-"
#define TEMP_RANDOM_BYTES 4
#define TEMP_DIGITS	  (2 * (size_t)TEMP_RANDOM_BYTES)
#define TEMP_SUFFIX_SIZE  (sizeof TEMP_INFIX + TEMP_DIGITS)

/* A name of 32 random bits that is taken is another process's; so many in a
 * row are something else. */
#define TEMP_TRIES 16

bool fd_claim(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno != EWOULDBLOCK;
	return !fstat(fd, &st) && st.st_nlink > 0;
}

int fd_claim_dead(int dir, const char *name)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	CLEANUP(closep) int fd = -1;
	struct stat here, there;

	/* NFS locks only what may be written. */
	fd = openat(dir, name, O_RDWR | flags);
	if (fd < 0 && errno == EISDIR)
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | flags);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	/* The name may have gone to something else meanwhile. */
	if (fstat(fd, &here) < 0 ||
	    fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    here.st_ino != there.st_ino || here.st_dev != there.st_dev)
		return -1;
	return take_fd(&fd);
}

int file_temp_open(const char *path, char **temp_out, struct err *e)
{
	size_t size = strlen(path) + TEMP_SUFFIX_SIZE;
	CLEANUP(freep) char *temp = malloc(size);
	unsigned char random[TEMP_RANDOM_BYTES];
	char hex[TEMP_DIGITS + 1];
	int fd = -1;

	if (!temp)
		return err_nomem(e);
	for (int i = 0; fd < 0 && i < TEMP_TRIES; i++) {
		random_bytes(random, sizeof random);
		hex_encode(random, sizeof random, hex);
		snprintf(temp, size, "%s" TEMP_INFIX "%s", path, hex);
		fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
		if (fd >= 0 && !fd_claim(fd)) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		return err_errno(e, "creating %s", temp);
	*temp_out = TAKE(temp);
	return fd;
}

static bool is_temp(const char *name)
{
	size_t n = strlen(name);
	const char *tail;

	if (n < TEMP_SUFFIX_SIZE)
		return false;
	tail = name + n - (TEMP_SUFFIX_SIZE - 1);
	return !strncmp(tail, TEMP_INFIX, strlen(TEMP_INFIX)) &&
	       strspn(tail + strlen(TEMP_INFIX), "0123456789abcdef") ==
		       TEMP_DIGITS;
}

int file_temps_sweep(const char *dir, struct err *e)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	struct dirent *entry;

	if (!list)
		return errno == ENOENT ? 0 : err_errno(e, "opening %s", dir);
	while ((errno = 0, entry = readdir(list))) {
		CLEANUP(closep) int fd = -1;

		if (!is_temp(entry->d_name))
			continue;
		fd = fd_claim_dead(dirfd(list), entry->d_name);
		if (fd >= 0 && unlinkat(dirfd(list), entry->d_name, 0) < 0)
			return err_errno(e, "removing %s in %s", entry->d_name,
					 dir);
	}
	return errno ? err_errno(e, "reading %s", dir) : 0;
}
