/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are whole or not there: atomic replacement, fsync, safe reading.
 * Every function names the path in its error. Paths are C strings made by us.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;

/* Append the content of `path` to `b`, at most `max` bytes (ERR_LIMIT past
 * that). Refuses what is not a regular file. */
int file_read(const char *path, size_t max, struct buf *b,
	      struct err *e) MUST_CHECK;

/*
 * Replace `path` by `data`, durably: temporary file beside it, fsync, rename,
 * fsync of the directory. `mode` is given before the first byte is written.
 * After any failure the old file is there unchanged and no other is left; but
 * on a file system that cannot swap names, where only the last fsync fails the
 * new one is there and may not be durable.
 */
int file_replace(const char *path, const void *data, size_t n, mode_t mode,
		 struct err *e) MUST_CHECK;

/* What a replacement begins with: an empty file PATH.tmp-XXXXXXXX, mode 0600,
 * open for writing and marked as being in use until it is closed. `*temp_out`
 * is malloc'ed. */
int file_temp_open(const char *path, char **temp_out, struct err *e) MUST_CHECK;

/* Remove such files of processes that died from `dir`; those in use stay. A
 * directory that is not there holds none. */
int file_temps_sweep(const char *dir, struct err *e) MUST_CHECK;

/* Mark what is open as being in use until it is closed: false where somebody
 * is removing it. Where a file system has no such marks, all is in use. */
bool fd_claim(int fd);
/* Is the process gone that made the file or directory `name` in `dir`? Then
 * its descriptor, claimed, else -1. */
int fd_claim_dead(int dir, const char *name);

/* fsync of the directory that holds `path`, or of `dir` itself; one for all
 * threads that ask for it at once (shared_sync.h). */
int dir_sync(const char *dir, struct err *e) MUST_CHECK;
int parent_sync(const char *path, struct err *e) MUST_CHECK;

/* mkdir -p with `mode` for what is made, durably: what is fsynced in it later
 * can be found again. 0 also where it is there already. */
int dir_make(const char *path, mode_t mode, struct err *e) MUST_CHECK;

/* Modes for new files and directories in `dir`: 0600 and 0700, and the group's
 * bits where `dir` gives them (a restart may use another uid of its group). */
mode_t file_mode_in(const char *dir);
mode_t dir_mode_in(const char *dir);
/* mkdtemp(3), with the mode that dir_mode_in() says. */
int dir_make_temp(char *template, struct err *e) MUST_CHECK;

/* rm -r of a directory of ours; 0 also where it is not there. Never follows
 * a symbolic link. */
int dir_remove(const char *path, struct err *e) MUST_CHECK;

/* All of `n` bytes, retrying what the kernel cut short. */
int fd_write_full(int fd, const void *data, size_t n, struct err *e) MUST_CHECK;

/* A new empty file in `dir`, open for reading and writing, that no name leads
 * to and that goes with its descriptor. */
int file_unnamed(const char *dir, struct err *e) MUST_CHECK;

/* "DIR/NAME" malloc'ed; NULL out of memory. */
char *path_join(const char *dir, const char *name) MUST_CHECK;

/* What tells whether a file is still the one that was read. Two equal
 * signatures mean the same content only if neither is racy. */
struct file_sig {
	uint64_t dev;
	uint64_t ino;
	int64_t size; /* -1: the file was not there */
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t taken_ns; /* when the signature was taken */
};

/* Of a path, not following a final symbolic link if `no_follow`. A file that
 * is not there is a signature too; other failures are errors. */
int file_sig_take(const char *path, bool no_follow, struct file_sig *out,
		  struct err *e) MUST_CHECK;
bool file_sig_eq(const struct file_sig *a, const struct file_sig *b);
/* True where the file changed so shortly before the signature was taken that
 * another change could hide behind the same time stamp. */
bool file_sig_racy(const struct file_sig *s);

/* A private read-only mapping of a whole regular file. An empty file maps to
 * data NULL, len 0. */
struct file_map {
	const unsigned char *data;
	size_t len;
};

int file_map_open(const char *path, struct file_map *out,
		  struct err *e) MUST_CHECK;
void file_map_close(struct file_map *m);
