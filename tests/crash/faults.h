/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the harness and the library that is loaded into the daemon share: a
 * control block, mapped by both, and the log of what was done to the disk.
 * faults.py has the same layout.
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fault_kind {
	FAULT_NONE, /* only count */
	FAULT_ENOSPC,
	FAULT_EIO,
	FAULT_SHORT_WRITE, /* half is written, the rest must be tried again */
	FAULT_KILL_BEFORE,
	FAULT_KILL_AFTER,
	FAULT_DISK_FULL, /* ENOSPC from here on for all that needs room */
};

/* The operations that points are made of, as they stand in the log. */
enum fault_op {
	OP_CREATE = 1, /* a file that was not there, or its truncation */
	OP_WRITE,
	OP_TRUNCATE,
	OP_SYNC, /* of a file or a directory */
	OP_RENAME,
	OP_LINK,
	OP_UNLINK,
	OP_MKDIR,
	OP_RMDIR,
	OP_MODE,
	OP_WRITEBACK, /* sync_file_range(): promises nothing */
	OP_SYMLINK,   /* its target stands in place of a second path */
};

#define FAULT_PATH_MAX 1024

struct fault_control {
	uint32_t is_armed;
	uint32_t n_points; /* passed since it was armed */
	uint32_t target;   /* the point at which it happens, from 0 */
	uint32_t kind;
	uint32_t n_fired;
	uint32_t fired_op;
	uint32_t is_logging;
	uint32_t n_logged;
	char fired_path[FAULT_PATH_MAX];
};

/* What one call is about to do. Paths are absolute and below the root. */
struct fault_call {
	enum fault_op op;
	const char *path;
	const char *to; /* of a rename or link */
};

/* Is there a root and is `path` below it? */
bool fault_is_ours(const char *path);

/*
 * One point is passed. 0: go on; an errno: fail with it. For a write of `n`
 * bytes `*n_out` is how many of them to write. Kills the process where it is
 * told to; after the call with fault_leave().
 */
int fault_enter(const struct fault_call *call, size_t n, size_t *n_out);
/* The call was made, and succeeded if `is_done`. Frees what enter() holds. */
void fault_leave(const struct fault_call *call, bool is_done, const void *data,
		 size_t n, off_t offset);
