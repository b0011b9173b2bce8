/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are whole or not there.
 *
 * A replacement is written as a temporary file beside NAME (files_temp.c).
 * Whatever is opened for reading is opened without blocking and looked at
 * before it is trusted, so that a fifo or a device put in a file's place is
 * an error and not a hang.
 */
#include "base/files.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/shared_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* One read(2) asks for this much, on the stack; most files are smaller. */
#define READ_CHUNK_BYTES 8192

/*
 * Linux stamps files by the tick of the kernel's coarse clock: 10 ms at HZ=100,
 * and twice that is on the safe side. File systems that keep whole seconds
 * show it; FAT keeps every second one.
 */
#define STAMP_TICK_NS	INT64_C(20000000)
#define STAMP_COARSE_NS INT64_C(2000000000)
#define NS_PER_S	INT64_C(1000000000)

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir), n_name = strlen(name);
	char *path = malloc(n + n_name + sizeof "/");

	if (!path)
		return NULL;
	memcpy(path, dir, n);
	if (!n || dir[n - 1] != '/')
		path[n++] = '/';
	memcpy(path + n, name, n_name + 1);
	return path;
}

/* The directory that holds `path`, malloc'ed; NULL out of memory. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	if (slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

int file_unnamed(const char *dir, struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* NFS and overlays have no O_TMPFILE; each says so in its own way. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return err_errno(e, "making a file in %s", dir);
	path = path_join(dir, ".unnamed-XXXXXX");
	if (!path)
		return err_nomem(e);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "making a file in %s", dir);
	if (unlink(path) < 0) {
		err_errno(e, "removing the name of %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

int fd_write_full(int fd, const void *data, size_t n, struct err *e)
{
	struct span left = span_of(data, n), done;
	ssize_t written;

	while (left.len) {
		written = write(fd, left.data, left.len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_errno(e, "writing");
		if (!written)
			return err_set(e, ERR_IO, "writing: nothing is taken");
		if (!span_take(&left, (size_t)written, &done))
			return err_set(e, ERR_IO, "writing: too much is taken");
	}
	return 0;
}

/* Open a regular file for reading and take its attributes; -1 with `e`. */
static int open_regular(const char *path, struct stat *st, struct err *e)
{
	CLEANUP(closep) int fd = -1;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, "opening %s", path);
	if (fstat(fd, st) < 0)
		return err_errno(e, "looking at %s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_IO, "%s is not a regular file", path);
	return take_fd(&fd);
}

/* Append one read(2) of at most `max` + 1 bytes. Their number, 0 at the end. */
static ssize_t read_some(int fd, size_t max, struct buf *b, struct err *e)
{
	unsigned char chunk[READ_CHUNK_BYTES];
	size_t room = max < sizeof chunk ? max + 1 : sizeof chunk;
	ssize_t n;

	do
		n = read(fd, chunk, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "reading");
	buf_add(b, chunk, (size_t)n);
	return buf_check(b, e) < 0 ? -1 : n;
}

int file_read(const char *path, size_t max, struct buf *b, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	size_t before = b->len;
	struct stat st;
	ssize_t n;

	fd = open_regular(path, &st, e);
	if (fd < 0)
		return -1;
	do {
		n = read_some(fd, max - (b->len - before), b, e);
		if (n < 0)
			err_wrap(e, "%s", path);
		else if (b->len - before > max)
			n = err_set(e, ERR_LIMIT, "%s is larger than %zu bytes",
				    path, max);
	} while (n > 0);
	if (n < 0)
		buf_truncate(b, before);
	return (int)n;
}

static int sync_fd(int fd, const char *path, struct err *e)
{
	if (fsync(fd) < 0)
		return err_errno(e, "making %s durable", path);
	return 0;
}

static int open_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(e, "opening %s", dir) : fd;
}

static int dir_flush(const char *dir, struct err *e)
{
	CLEANUP(closep) int fd = open_dir(dir, e);

	return fd < 0 ? -1 : sync_fd(fd, dir, e);
}

int dir_sync(const char *dir, struct err *e)
{
	return shared_sync(dir, dir_flush, e);
}

int parent_sync(const char *path, struct err *e)
{
	CLEANUP(freep) char *dir = parent_of(path);

	return dir ? dir_sync(dir, e) : err_nomem(e);
}

static int temp_fill(int fd, const char *temp, struct span data, mode_t mode,
		     struct err *e)
{
	if (fchmod(fd, mode) < 0)
		return err_errno(e, "setting the mode of %s", temp);
	if (fd_write_full(fd, data.data, data.len, e) < 0)
		return err_wrap(e, "%s", temp);
	return sync_fd(fd, temp, e);
}

/* How a temporary file came to its place. */
enum place {
	PLACE_SWAPPED,	/* what was there has its name now */
	PLACE_NEW,	/* nothing was there */
	PLACE_REPLACED, /* what was there is gone */
};

static int swap(const char *a, const char *b)
{
	return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

static int move_in(const char *temp, const char *path, enum place *place_out)
{
	struct stat st;

	*place_out = PLACE_NEW;
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		*place_out = PLACE_SWAPPED;
		if (!swap(temp, path))
			return 0;
		/* Not every file system can. */
		*place_out = PLACE_REPLACED;
	}
	return rename(temp, path);
}

/* As it was before; `temp` is there again unless that fails. */
static void move_back(const char *temp, const char *path, enum place place)
{
	if (place == PLACE_SWAPPED)
		(void)!swap(temp, path);
	else if (place == PLACE_NEW)
		unlink(path);
}

int file_replace(const char *path, const void *data, size_t n, mode_t mode,
		 struct err *e)
{
	CLEANUP(freep) char *dir = parent_of(path);
	CLEANUP(freep) char *temp = NULL;
	CLEANUP(closep) int dir_fd = -1;
	CLEANUP(closep) int fd = -1;
	enum place place;
	int result = -1;

	if (!dir)
		return err_nomem(e);
	dir_fd = open_dir(dir, e);
	if (dir_fd < 0)
		return -1;
	fd = file_temp_open(path, &temp, e);
	if (fd < 0)
		return -1;
	if (temp_fill(fd, temp, span_of(data, n), mode, e) < 0)
		goto remove_temp;
	if (move_in(temp, path, &place) < 0) {
		err_errno(e, "replacing %s", path);
		goto remove_temp;
	}
	result = sync_fd(dir_fd, dir, e);
	if (result < 0)
		move_back(temp, path, place);
	else if (place != PLACE_SWAPPED)
		return 0;
remove_temp:
	unlink(temp);
	return result;
}

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int file_sig_take(const char *path, bool no_follow, struct file_sig *out,
		  struct err *e)
{
	struct timespec now;
	struct stat st;

	/* Before the stat: a change after this moment may be in or not. */
	clock_gettime(CLOCK_REALTIME, &now);
	if (fstatat(AT_FDCWD, path, &st, no_follow ? AT_SYMLINK_NOFOLLOW : 0) <
	    0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_errno(e, "looking at %s", path);
		*out = (struct file_sig){ .size = -1, .taken_ns = ns_of(now) };
		return 0;
	}
	*out = (struct file_sig){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = st.st_size,
		.mtime_ns = ns_of(st.st_mtim),
		.ctime_ns = ns_of(st.st_ctim),
		.taken_ns = ns_of(now),
	};
	return 0;
}

bool file_sig_eq(const struct file_sig *a, const struct file_sig *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/*
 * ctime decides: every change of content or name sets it, by the kernel's
 * clock, and nobody can set it back. A stamp from the future (a server whose
 * clock is ahead) is racy until we pass it.
 */
bool file_sig_racy(const struct file_sig *s)
{
	bool is_coarse = s->ctime_ns % NS_PER_S == 0;

	if (s->size < 0)
		return false;
	return s->taken_ns - s->ctime_ns <=
	       (is_coarse ? STAMP_COARSE_NS : STAMP_TICK_NS);
}

int file_map_open(const char *path, struct file_map *out, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;
	void *data;

	fd = open_regular(path, &st, e);
	if (fd < 0)
		return -1;
	if ((uint64_t)st.st_size > SIZE_MAX)
		return err_set(e, ERR_LIMIT, "%s does not fit into memory",
			       path);
	if (!st.st_size) {
		*out = (struct file_map){ NULL, 0 };
		return 0;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_errno(e, "mapping %s", path);
	*out = (struct file_map){ data, (size_t)st.st_size };
	return 0;
}

void file_map_close(struct file_map *m)
{
	union {
		const unsigned char *in;
		void *out;
	} data = { m->data };

	if (m->data)
		munmap(data.out, m->len);
	*m = (struct file_map){ NULL, 0 };
}
