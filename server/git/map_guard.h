/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files mapped for reading, which may shrink under us without harm.
 *
 * Touching a page that a truncated file no longer has (or that the disk cannot
 * give) raises SIGBUS. Mapping installs a handler for the process: it puts a
 * page of zeroes where the fault was, marks the mapping damaged and lets the
 * thread go on. So nothing is unwound, no library is left in the middle of its
 * work, and other threads and files do not notice. What was read may be zeroes
 * from then on, therefore: whoever reads must check what it reads (checksums,
 * bounds), and ask guarded_map_is_damaged() before the outcome counts. Faults
 * elsewhere go to the handler that was there before.
 *
 * write(2) and sendfile(2) from such a mapping give EFAULT instead.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct map_slot;

struct guarded_map {
	const unsigned char *data; /* NULL where the file is empty */
	size_t len;
	uint64_t dev; /* of the file that is mapped */
	uint64_t ino;
	struct map_slot *slot;
};

/* ERR_NOT_FOUND where it is not there; no descriptor stays open. */
int guarded_map_open(const char *path, struct guarded_map *out,
		     struct err *e) MUST_CHECK;
void guarded_map_close(struct guarded_map *m);

/* Was a page of it found missing? Never true again to false. */
bool guarded_map_is_damaged(const struct guarded_map *m);

/* Is `path` another file now, or of another size? False where it is gone:
 * an unlinked file keeps its content. */
bool guarded_map_is_replaced(const struct guarded_map *m, const char *path);
