/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The points: which one a call is, what happens there, and the log.
 *
 * Loaded into an unchanged program (LD_PRELOAD) with HEADWATER_FAULTS naming a
 * directory that holds `control` and `log`, and HEADWATER_FAULTS_ROOT the data
 * directory; calls on paths outside of it pass. Calls are made one at a time,
 * so that the log has the order in which they took effect.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault_control *control;
static char root[FAULT_PATH_MAX];
static int log_fd = -1;
static uint32_t point; /* of the call that is under way; guarded by `order` */

/* What precedes two paths and the bytes of a write in the log. The offset of a
 * rename is its flags. */
struct record {
	uint32_t op;
	uint32_t path_len;
	uint32_t to_len;
	uint32_t data_len;
	int64_t offset;
};

static int open_in(const char *dir, const char *name, int flags)
{
	char path[FAULT_PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

static void set_up(void)
{
	const char *dir = getenv("HEADWATER_FAULTS");
	const char *below = getenv("HEADWATER_FAULTS_ROOT");
	void *map;
	int fd;

	if (!dir || !below)
		return;
	fd = open_in(dir, "control", O_RDWR);
	if (fd < 0)
		abort();
	map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	close(fd);
	log_fd = open_in(dir, "log", O_WRONLY | O_APPEND);
	if (map == MAP_FAILED || log_fd < 0)
		abort();
	snprintf(root, sizeof root, "%s", below);
	control = map;
}

bool fault_is_ours(const char *path)
{
	size_t n;

	pthread_once(&once, set_up);
	n = strlen(root);
	return control && !strncmp(path, root, n) &&
	       (!path[n] || path[n] == '/');
}

/* -- what happens --------------------------------------------------------- */

static _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Does a full disk refuse it? What frees room, or only renames, goes on. */
static bool needs_room(enum fault_op op)
{
	return op == OP_CREATE || op == OP_WRITE || op == OP_SYNC ||
	       op == OP_LINK || op == OP_MKDIR || op == OP_SYMLINK;
}

static bool is_hit(enum fault_op op)
{
	if (!control->is_armed || point < control->target)
		return false;
	if (control->kind == FAULT_DISK_FULL)
		return needs_room(op);
	return point == control->target;
}

static void note_fired(const struct fault_call *call)
{
	if (control->n_fired++)
		return;
	control->fired_op = call->op;
	snprintf(control->fired_path, sizeof control->fired_path, "%s",
		 call->path);
}

int fault_enter(const struct fault_call *call, size_t n, size_t *n_out)
{
	pthread_mutex_lock(&order);
	if (control->is_armed)
		point = control->n_points++;
	if (n_out)
		*n_out = n;
	if (!is_hit(call->op) || control->kind == FAULT_KILL_AFTER)
		return 0;
	note_fired(call);
	switch (control->kind) {
	case FAULT_ENOSPC:
	case FAULT_DISK_FULL:
		return ENOSPC;
	case FAULT_EIO:
		return EIO;
	case FAULT_SHORT_WRITE:
		if (n_out && n > 1)
			*n_out = n / 2;
		return 0;
	case FAULT_KILL_BEFORE:
		die();
	default:
		return 0;
	}
}

/* -- the log -------------------------------------------------------------- */

static void log_call(const struct fault_call *call, const void *data, size_t n,
		     off_t offset)
{
	struct record r = {
		.op = call->op,
		.path_len = (uint32_t)strlen(call->path),
		.to_len = call->to ? (uint32_t)strlen(call->to) : 0,
		.data_len = data ? (uint32_t)n : 0,
		.offset = offset,
	};
	union {
		const void *in;
		void *out;
	} parts[4] = { { &r }, { call->path }, { call->to }, { data } };
	struct iovec v[4] = {
		{ parts[0].out, sizeof r },
		{ parts[1].out, r.path_len },
		{ parts[2].out, r.to_len },
		{ parts[3].out, r.data_len },
	};

	if (syscall(SYS_writev, log_fd, v, 4) < 0)
		abort();
	control->n_logged++;
}

void fault_leave(const struct fault_call *call, bool is_done, const void *data,
		 size_t n, off_t offset)
{
	int number = errno;

	if (is_done && control->is_logging)
		log_call(call, data, n, offset);
	if (is_hit(call->op) && control->kind == FAULT_KILL_AFTER) {
		note_fired(call);
		die();
	}
	pthread_mutex_unlock(&order);
	errno = number;
}
