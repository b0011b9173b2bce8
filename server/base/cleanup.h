/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership that can be seen: a local that owns something is declared with
 * CLEANUP(), and hands it on with TAKE().
 *
 *	CLEANUP(freep) char *path = NULL;
 *	CLEANUP(closep) int fd = -1;
 *	...
 *	return TAKE(path);
 */
#pragma once

#include "base/attr.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Hand on a pointer: the expression's value is the pointer, the variable
 * is NULL afterwards. */
#define TAKE(pointer)                                  \
	__extension__({                                \
		__typeof__(pointer) take_ = (pointer); \
		(pointer) = NULL;                      \
		take_;                                 \
	})

/* The same for a descriptor: the variable is -1 afterwards. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Define NAME_freep for a type whose destructor is `struct NAME *NAME_free
 * (struct NAME *)` or returns void. */
#define DEFINE_FREEP(name)                               \
	static inline void name##_freep(struct name **p) \
	{                                                \
		(void)name##_free(*p);                   \
	}

/* Define NAME_putp for a counted reference. */
#define DEFINE_PUTP(name)                               \
	static inline void name##_putp(struct name **p) \
	{                                               \
		(void)name##_put(*p);                   \
	}
