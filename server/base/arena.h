/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives as long as one request.
 *
 * Ownership: everything allocated from an arena goes with arena_fini(); nothing
 * that outlives the request may point into it.
 * Limits: `max` bytes in all; past that arena_alloc() returns NULL.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes asked of malloc so far */
	size_t max;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);

/* Zeroed memory aligned for anything; NULL at the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;

/* `n` members of `size` bytes, zeroed; NULL also where n * size overflows. */
void *arena_array(struct arena *a, size_t n, size_t size) MUST_CHECK;

/* A NUL-terminated copy. */
char *arena_strdup(struct arena *a, struct span s) MUST_CHECK;

char *arena_printf(struct arena *a, const char *format, ...)
	PRINTF_LIKE(2, 3) MUST_CHECK;
