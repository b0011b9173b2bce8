/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a configuration: every mistake, not only the first.
 *
 * A mistake is one line of text, "FILE:LINE: sentence" or "FILE: sentence".
 * Limits: MISTAKES_MAX lines are kept and the others counted; a line is cut
 * at MISTAKE_TEXT_MAX bytes. Control bytes of a value are shown as "?".
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

#define MISTAKES_MAX	 200 /* more than anybody reads */
#define MISTAKE_TEXT_MAX 1024

struct mistakes {
	char **items;
	size_t n;
	size_t n_dropped; /* made, and past the limit or out of memory */
};

#define MISTAKES_INIT          \
	{                      \
		.items = NULL, \
	}

void mistakes_fini(struct mistakes *m);

/* `file` may be NULL and `line` 0: then they are left out. */
void mistake_add(struct mistakes *m, const char *file, unsigned line,
		 const char *format, ...) PRINTF_LIKE(4, 5);

static inline bool mistakes_any(const struct mistakes *m)
{
	return m->n || m->n_dropped;
}

/* How many there were: to see whether a step made any. */
static inline size_t mistakes_count(const struct mistakes *m)
{
	return m->n + m->n_dropped;
}

/* ERR_MALFORMED with the first one, and how many follow. Returns -1. */
int mistakes_err(const struct mistakes *m, struct err *e);
