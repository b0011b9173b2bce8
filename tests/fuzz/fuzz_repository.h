/* SPDX-License-Identifier: Apache-2.0 */
/* The repository that begins empty and that a process's inputs share. */
#pragma once

#include "fuzz.h"

#include "git/repository.h"

static inline struct repository *fuzz_repository(void)
{
	static struct repository *r;
	CLEANUP(freep) char *dir = NULL;
	struct err e;

	if (r)
		return r;
	dir = path_join(fuzz_dir(), "r.git");
	if (!dir || repository_create(dir, "main", &e) < 0)
		abort();
	r = repository_open(dir, &e);
	if (!r)
		abort();
	return r;
}
