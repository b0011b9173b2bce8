/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit: one flush for all who wait for the same thing.
 *
 * What was done before shared_sync() was called is durable when it returns 0,
 * as if the caller had flushed by itself: it is served by a flush that began
 * after the call, never by one that was under way. While one runs, all who come
 * wait for the next, which the first of them makes.
 * A failure is told to everyone whom that flush was to serve.
 * Threads: any number.
 */
#pragma once

#include "base/attr.h"

struct err;

/* `flush` is called with `path` and `e`, by this thread or by another that
 * waits for the same path; 0 or -1. All callers with one path give the same. */
int shared_sync(const char *path, int (*flush)(const char *path, struct err *e),
		struct err *e) MUST_CHECK;

/* How many callers of this path are under way. */
unsigned shared_sync_waiting(const char *path);
