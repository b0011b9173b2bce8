/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout, modes, and the locks of the living.
 *
 * A lock file is made under a name of 128 random bits, locked, and only then
 * looked at again: were it swept between open and lock, its name would lead to
 * no file or to another, and a new ID is tried. A dead daemon's file is locked
 * by whoever removes it, for the same reason.
 */
#include "store/data_dir.h"

#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_BYTES   16
#define LIVE_TRIES 8 /* against a sweep at the very moment */

struct data_dir {
	/* set once, then read-only */
	char *path;
	char id[DAEMON_ID_SIZE];
	int lock;
};

static const char *const subdirectories[] = { "repos",	"secrets", "ssh",
					      "outbox", "logins",  "run" };

/* -- modes ---------------------------------------------------------------- */

mode_t data_dir_umask(const struct data_dir *d)
{
	return 0777 & ~dir_mode_in(d->path);
}

static bool is_our_group(gid_t group)
{
	gid_t *groups;
	bool is_ours = group == getegid();
	int n = getgroups(0, NULL);

	if (is_ours || n <= 0)
		return is_ours;
	groups = calloc((size_t)n, sizeof *groups);
	if (!groups)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		is_ours |= groups[i] == group;
	free(groups);
	return is_ours;
}

static int judge_mode(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_errno(e, "looking at %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_DENIED, "%s is no directory", path);
	if (st.st_mode & S_IRWXO)
		return err_set(e, ERR_DENIED,
			       "%s has mode %04o: others may enter; chmod o= "
			       "it",
			       path, st.st_mode & 07777);
	if ((st.st_mode & S_IRWXG) && !is_our_group(st.st_gid))
		return err_set(e, ERR_DENIED,
			       "%s has mode %04o and belongs to group %u, "
			       "which this process is not in; chmod g= it",
			       path, st.st_mode & 07777, st.st_gid);
	return 0;
}

/* -- opening -------------------------------------------------------------- */

/* 0700, or a group's where the parent is a directory that a group shares: its
 * own bit set, and closed to others, as Kubernetes leaves a volume. */
static mode_t new_mode(const char *path)
{
	CLEANUP(freep) char *parent = strdup(path);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	struct stat st;

	if (!slash || slash == parent)
		return 0700;
	*slash = '\0';
	if (stat(parent, &st) < 0 || !(st.st_mode & S_ISGID) ||
	    (st.st_mode & S_IRWXO))
		return 0700;
	return dir_mode_in(parent);
}

/* DATA may be made here, too; it is judged before anything is put into it. */
static int make_layout(const char *path, struct err *e)
{
	if (dir_make(path, new_mode(path), e) < 0 || judge_mode(path, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(subdirectories); i++) {
		CLEANUP(freep) char *sub = path_join(path, subdirectories[i]);
		struct stat st;

		if (!sub)
			return err_nomem(e);
		/* One that is there is fine on a read-only disk, too. */
		if ((lstat(sub, &st) < 0 || !S_ISDIR(st.st_mode)) &&
		    dir_make(sub, dir_mode_in(path), e) < 0)
			return -1;
		if (judge_mode(sub, e) < 0)
			return -1;
	}
	return 0;
}

struct data_dir *data_dir_open(const char *path, struct err *e)
{
	CLEANUP(data_dir_freep) struct data_dir *d = calloc(1, sizeof *d);

	if (!d || !(d->path = strdup(path))) {
		err_nomem(e);
		return NULL;
	}
	d->lock = -1;
	for (size_t n = strlen(path); n > 1 && d->path[n - 1] == '/'; n--)
		d->path[n - 1] = '\0';
	if (make_layout(d->path, e) < 0)
		return NULL;
	return TAKE(d);
}

/* The lock file goes before the lock, so that nobody finds it unlocked. */
struct data_dir *data_dir_free(struct data_dir *d)
{
	char name[DAEMON_ID_SIZE + 16];
	char *file;

	if (!d)
		return NULL;
	if (d->lock > 0) {
		snprintf(name, sizeof name, "run/%s.lock", d->id);
		file = path_join(d->path, name);
		if (file)
			unlink(file);
		free(file);
		close(d->lock);
	}
	free(d->path);
	free(d);
	return NULL;
}

const char *data_dir_path(const struct data_dir *d)
{
	return d->path;
}

char *data_dir_join(const struct data_dir *d, const char *name)
{
	return path_join(d->path, name);
}

/* -- the living ----------------------------------------------------------- */

/* "DATA/run/ID.lock", malloc'ed. */
static char *lock_file(const struct data_dir *d, const char *id)
{
	char *path;

	return asprintf(&path, "%s/run/%s.lock", d->path, id) < 0 ? NULL : path;
}

/* True where `path` still leads to what `fd` has open. */
static bool is_still(const char *path, int fd)
{
	struct stat there, here;

	return !lstat(path, &there) && !fstat(fd, &here) &&
	       there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

/* 1 where the new ID is ours, 0 where the file was swept, -1. */
static int try_to_live(struct data_dir *d, struct err *e)
{
	unsigned char random[ID_BYTES];
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;
	char id[DAEMON_ID_SIZE];

	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, id);
	path = lock_file(d, id);
	if (!path)
		return err_nomem(e);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		  file_mode_in(d->path));
	if (fd < 0)
		return err_errno(e, "making %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno != EWOULDBLOCK)
		return err_errno(e, "locking %s", path);
	if (!is_still(path, fd))
		return 0;
	memcpy(d->id, id, sizeof id);
	d->lock = take_fd(&fd);
	return 1;
}

int data_dir_live(struct data_dir *d, struct err *e)
{
	int result = 0;

	for (int i = 0; !result && i < LIVE_TRIES; i++)
		result = try_to_live(d, e);
	if (!result)
		return err_set(e, ERR_CONFLICT,
			       "the lock files of %s/run vanish at once",
			       d->path);
	return result < 0 ? -1 : 0;
}

const char *data_dir_id(const struct data_dir *d)
{
	return d->id;
}

static bool is_id(const char *id)
{
	return strlen(id) == DAEMON_ID_SIZE - 1 &&
	       strspn(id, "0123456789abcdef") == DAEMON_ID_SIZE - 1;
}

/* A descriptor that has the lock of a dead daemon; -1 where it lives, and
 * `*is_gone_out` where there is no such file. */
static int lock_dead(const char *path, bool *is_gone_out)
{
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*is_gone_out = fd < 0 && errno == ENOENT;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return take_fd(&fd);
}

bool data_dir_is_dead(void *arg, const char *id)
{
	const struct data_dir *d = arg;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;
	bool is_gone = false;

	if (!is_id(id) || !strcmp(id, d->id))
		return false;
	path = lock_file(d, id);
	if (!path)
		return false;
	fd = lock_dead(path, &is_gone);
	return fd >= 0 || is_gone;
}

int data_dir_each_id(struct data_dir *d,
		     int (*each)(void *arg, const char *id, bool is_dead),
		     void *arg, struct err *e)
{
	CLEANUP(freep) char *run = path_join(d->path, "run");
	CLEANUP(closedirp) DIR *dir = run ? opendir(run) : NULL;
	struct dirent *entry;
	int result = 0;

	if (!run)
		return err_nomem(e);
	if (!dir)
		return err_errno(e, "opening %s", run);
	while (!result && (errno = 0, entry = readdir(dir))) {
		char id[DAEMON_ID_SIZE];
		size_t n = strlen(entry->d_name);

		if (n != DAEMON_ID_SIZE - 1 + strlen(".lock") ||
		    strcmp(entry->d_name + DAEMON_ID_SIZE - 1, ".lock") != 0)
			continue;
		memcpy(id, entry->d_name, sizeof id - 1);
		id[sizeof id - 1] = '\0';
		if (is_id(id))
			result = each(arg, id, data_dir_is_dead(d, id));
	}
	if (!result && errno)
		return err_errno(e, "reading %s", run);
	return result;
}

static int sweep_one(void *arg, const char *id, bool is_dead)
{
	const struct data_dir *d = arg;
	CLEANUP(freep) char *path = is_dead ? lock_file(d, id) : NULL;
	CLEANUP(closep) int fd = -1;
	bool is_gone;

	if (!path)
		return 0;
	fd = lock_dead(path, &is_gone);
	if (fd >= 0 && is_still(path, fd))
		unlink(path);
	return 0;
}

void data_dir_sweep(struct data_dir *d)
{
	static const char *const written[] = { "", "secrets", "ssh" };
	struct err e;

	/* What fails will be tried again at the next start. */
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		CLEANUP(freep) char *path = path_join(d->path, written[i]);

		if (path)
			(void)!file_temps_sweep(path, &e);
	}
	(void)!data_dir_each_id(d, sweep_one, d, &e);
}
