/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzz targets share: a directory for the life of the process, on a memory
 * file system if there is one, and files in it.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <fcntl.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fuzz_made[64];

static inline void fuzz_dir_remove(void)
{
	struct err ignored;

	(void)!dir_remove(fuzz_made, &ignored);
}

static inline const char *fuzz_dir(void)
{
	static const char *const places[] = { "/dev/shm", "/tmp" };

	for (size_t i = 0; !fuzz_made[0] && i < ARRAY_SIZE(places); i++) {
		snprintf(fuzz_made, sizeof fuzz_made, "%s/fuzz-XXXXXX",
			 places[i]);
		if (!mkdtemp(fuzz_made))
			fuzz_made[0] = '\0';
		else
			atexit(fuzz_dir_remove);
	}
	if (!fuzz_made[0])
		abort();
	return fuzz_made;
}

/* DIR/NAME with these bytes; the path is the caller's to free. */
static inline char *fuzz_file(const char *name, struct span bytes)
{
	char *path = path_join(fuzz_dir(), name);
	CLEANUP(closep) int fd = -1;
	struct err e;

	if (!path)
		abort();
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_full(fd, bytes.data, bytes.len, &e) < 0)
		abort();
	return path;
}
