/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one request: a list of blocks, the first of which is cut from.
 * What would waste much of a block gets one of its own behind it. Nothing is
 * given back before arena_fini().
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One page less what malloc keeps beside a block: a typical request fits. */
#define ARENA_BLOCK_SIZE ((size_t)4096 - 16)

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size; /* of `data` */
	alignas(max_align_t) unsigned char data[];
};

#define ARENA_BLOCK_ROOM (ARENA_BLOCK_SIZE - sizeof(struct arena_block))

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_fini(struct arena *a)
{
	struct arena_block *block = a->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	*a = (struct arena){ .max = a->max };
}

/* A zeroed block of `room` bytes, not yet in the list. */
static struct arena_block *block_new(struct arena *a, size_t room)
{
	struct arena_block *block;
	size_t left = a->max - a->used;

	if (left < sizeof *block || room > left - sizeof *block)
		return NULL;
	block = calloc(1, sizeof *block + room);
	if (!block)
		return NULL;
	block->size = room;
	a->used += sizeof *block + room;
	return block;
}

/* A block with room for `n` bytes, in the list: a common one in front, one of
 * its own, which ends up full, behind the one that is cut from. Near the limit
 * even small ones get no more than they need. */
static struct arena_block *block_for(struct arena *a, size_t n)
{
	struct arena_block **at = &a->blocks;
	struct arena_block *block = NULL;

	if (n <= ARENA_BLOCK_ROOM / 4)
		block = block_new(a, ARENA_BLOCK_ROOM);
	if (!block) {
		block = block_new(a, n);
		if (a->blocks)
			at = &a->blocks->next;
	}
	if (!block)
		return NULL;
	block->next = *at;
	*at = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block = a->blocks;
	void *memory;

	if (n > a->max || n > SIZE_MAX - align)
		return NULL;
	n = n ? (n + align - 1) & ~(align - 1) : align;
	if (!block || block->size - block->used < n)
		block = block_for(a, n);
	if (!block)
		return NULL;
	memory = block->data + block->used;
	block->used += n;
	return memory;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

char *arena_strdup(struct arena *a, struct span s)
{
	char *copy;

	if (s.len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(a, s.len + 1);
	if (copy && s.len)
		memcpy(copy, s.data, s.len);
	return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n >= 0)
		text = arena_alloc(a, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}
