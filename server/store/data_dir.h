/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data directory: its layout, who may look into it, and which daemons are
 * alive on it.
 *
 * Format: interface.md 4. DATA/run/ID.lock is held (flock) by the daemon ID as
 * long as it lives; the kernel lets go of it however it ends.
 * Threads: any, after data_dir_open().
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct data_dir; /* opaque */

#define DAEMON_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */

/*
 * Open the directory, make what is missing of it (0700), and judge who may
 * enter: ERR_DENIED with a sentence where others may, or a group that is none
 * of the process's.
 */
struct data_dir *data_dir_open(const char *path, struct err *e) MUST_CHECK;
/* Ends the life of data_dir_live(). Accepts NULL, returns NULL. */
struct data_dir *data_dir_free(struct data_dir *d);
DEFINE_FREEP(data_dir)

const char *data_dir_path(const struct data_dir *d);
/* "DATA/NAME", malloc'ed; NULL out of memory. */
char *data_dir_join(const struct data_dir *d, const char *name) MUST_CHECK;

/* What umask(2) a process should have that makes anything in here: 077, or 007
 * where the directory is a group's. */
mode_t data_dir_umask(const struct data_dir *d);

/* Become a daemon with a new ID: take DATA/run/ID.lock. Once per data_dir. */
int data_dir_live(struct data_dir *d, struct err *e) MUST_CHECK;
/* "" before data_dir_live(). */
const char *data_dir_id(const struct data_dir *d);

/*
 * True where no daemon of that ID lives on this directory. An ID that could
 * not be one, or that cannot be found out, counts as living. `arg` is the
 * struct data_dir: fits receive_pack_sweep().
 */
bool data_dir_is_dead(void *arg, const char *id);

/* Call `each` with every ID that has a lock file, dead or alive, until it
 * returns non-zero, which is returned. */
int data_dir_each_id(struct data_dir *d,
		     int (*each)(void *arg, const char *id, bool is_dead),
		     void *arg, struct err *e) MUST_CHECK;

/* Remove the lock files of the dead. */
void data_dir_sweep(struct data_dir *d);
