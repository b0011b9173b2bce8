/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.pid is git's: "PID HOST", honoured by git gc for twelve hours or until the
 * process is gone, where it can be seen. Ours has the daemon's ID behind it,
 * for in a container every daemon is process 1.
 */
#include "git/repo_lock.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define PUSHES	    "headwater-pushes"
#define MAINTENANCE "headwater-maintenance"
#define GC_PID	    "gc.pid"
#define GC_STALE_S  43200 /* git's own twelve hours */
#define HOST_SIZE   256

static int lock_open(const char *git_dir, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	int fd;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	return fd < 0 ? err_errno(e, "%s", path) : fd;
}

static int lock_take(int fd, int how)
{
	int result;

	do {
		result = flock(fd, how);
	} while (result < 0 && errno == EINTR);
	return result;
}

/* Without waiting. */
static int lock_file(const char *git_dir, const char *name, struct err *e)
{
	CLEANUP(closep) int fd = lock_open(git_dir, name, e);

	if (fd < 0)
		return -1;
	if (!lock_take(fd, LOCK_EX | LOCK_NB))
		return take_fd(&fd);
	if (errno == EWOULDBLOCK)
		return err_set(e, ERR_CONFLICT, "%s/%s is held", git_dir, name);
	return err_errno(e, "locking %s/%s", git_dir, name);
}

/* Of a file system that cannot lock, whoever asks. */
static bool has_no_locks(int number)
{
	return number == EOPNOTSUPP || number == ENOLCK || number == ENOSYS ||
	       number == EINVAL;
}

int repo_lock_pushes(const char *git_dir, struct err *e)
{
	CLEANUP(closep) int fd = lock_open(git_dir, PUSHES, e);

	if (fd < 0)
		return -1;
	if (lock_take(fd, LOCK_SH) < 0 && !has_no_locks(errno))
		return err_errno(e, "locking %s/%s", git_dir, PUSHES);
	return take_fd(&fd);
}

int repo_lock_alone(const char *git_dir, struct err *e)
{
	return lock_file(git_dir, PUSHES, e);
}

/* -- gc.pid ---------------------------------------------------------------- */

struct holder {
	uintmax_t pid;
	char host[HOST_SIZE];
	char id[64];
};

static bool holder_lives(const struct holder *h,
			 bool (*is_dead)(void *arg, const char *id), void *arg)
{
	char host[HOST_SIZE] = "";

	if (*h->id && is_dead)
		return !is_dead(arg, h->id);
	if (gethostname(host, sizeof host - 1) < 0 || strcmp(host, h->host))
		return true; /* as far as we can see */
	return !kill((pid_t)h->pid, 0) || errno == EPERM;
}

static bool holder_read(const char *path, struct holder *out)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct err ignored;

	*out = (struct holder){ 0 };
	return file_read(path, 4096, &text, &ignored) == 0 &&
	       sscanf(buf_str(&text), "%" SCNuMAX " %255s %63s", &out->pid,
		      out->host, out->id) >= 2;
}

static bool is_of_the_dead(const char *path,
			   bool (*is_dead)(void *arg, const char *id),
			   void *arg)
{
	struct holder h;

	return holder_read(path, &h) && *h.id && is_dead(arg, h.id);
}

void gc_lock_sweep(const char *git_dir,
		   bool (*is_dead)(void *arg, const char *id), void *arg)
{
	CLEANUP(freep) char *path = path_join(git_dir, GC_PID);
	CLEANUP(closep) int fd = -1;
	struct err ignored;

	if (!path || !is_of_the_dead(path, is_dead, arg))
		return;
	/* Who has the lock is writing, or has written, its own. */
	fd = lock_file(git_dir, MAINTENANCE, &ignored);
	if (fd >= 0 && is_of_the_dead(path, is_dead, arg))
		unlink(path);
}

/* -1 where somebody is at it. */
static int judge_holder(const char *path,
			bool (*is_dead)(void *arg, const char *id), void *arg,
			struct err *e)
{
	struct holder h;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (st.st_mtime + GC_STALE_S < time(NULL) || !holder_read(path, &h) ||
	    !holder_lives(&h, is_dead, arg))
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "git gc or another daemon is at it: process %" PRIuMAX
		       " on %s, says %s",
		       h.pid, h.host, path);
}

static int pid_file_write(struct gc_lock *l, const char *id, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	char host[HOST_SIZE] = "unknown", text[HOST_SIZE + 96];
	int n;

	(void)!gethostname(host, sizeof host - 1);
	n = snprintf(text, sizeof text, "%" PRIuMAX " %s %s\n",
		     (uintmax_t)getpid(), host, id ? id : "");
	/* Not durable, on purpose: it is about the living. */
	fd = open(l->pid_file,
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return err_errno(e, "%s", l->pid_file);
	return fd_write_full(fd, text, (size_t)n, e);
}

int gc_lock_take(const char *git_dir, const char *id,
		 bool (*is_dead)(void *arg, const char *id), void *arg,
		 struct gc_lock *out, struct err *e)
{
	struct gc_lock l = { .fd = -1 };
	CLEANUP(freep) char *path = path_join(git_dir, GC_PID);

	*out = l;
	if (!path)
		return err_nomem(e);
	l.fd = lock_file(git_dir, MAINTENANCE, e);
	if (l.fd < 0)
		return -1;
	l.pid_file = path;
	if (judge_holder(path, is_dead, arg, e) < 0) {
		close(l.fd);
		return -1;
	}
	path = NULL;
	if (pid_file_write(&l, id, e) < 0) {
		gc_lock_drop(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void gc_lock_drop(struct gc_lock *l)
{
	if (l->fd < 0)
		return;
	unlink(l->pid_file);
	free(l->pid_file);
	close(l->fd);
	l->fd = -1;
}

void gc_lock_note(const struct gc_lock *l, int64_t unix_seconds)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%" PRId64 "\n", unix_seconds);

	/* Where it fails it is done again, a little too soon. */
	if (ftruncate(l->fd, 0) == 0)
		(void)!pwrite(l->fd, text, (size_t)n, 0);
}

int64_t gc_lock_noted(const char *git_dir)
{
	CLEANUP(freep) char *path = path_join(git_dir, MAINTENANCE);
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	int64_t when = 0;
	struct err ignored;

	if (!path || file_read(path, 64, &text, &ignored) < 0 ||
	    sscanf(buf_str(&text), "%" SCNd64, &when) != 1)
		return 0;
	return when;
}
