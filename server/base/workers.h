/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads and a bounded queue.
 *
 * Threads: any may add work. Threads are started when work first needs them
 * and end after being idle for a while, so an idle daemon holds none.
 * Limits: `max_threads` at once, `max_queue` waiting; past that workers_add()
 * refuses, and the caller says so to its client.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct workers;

/* NULL only when out of memory. `name` (15 bytes at most) names the threads. */
struct workers *workers_new(const char *name, size_t max_threads,
			    size_t max_queue, size_t stack_bytes) MUST_CHECK;

/* Run `run(arg)` on some thread. ERR_LIMIT when the queue is full or the pool
 * is closing; then `run` is not called. */
int workers_add(struct workers *w, void (*run)(void *arg), void *arg,
		struct err *e) MUST_CHECK;

/* How long a thread waits for work before it ends; 10 s unless set. Holds for
 * waits that begin later. */
void workers_set_idle(struct workers *w, int idle_ms);

/* Threads there are now, idle ones included. */
size_t workers_count(struct workers *w);

/* Refuses new work, waits for all that was accepted, frees. Accepts NULL. */
struct workers *workers_free(struct workers *w);

/*
 * Start a detached or joinable thread with a stack of `stack_bytes` and the
 * name `name`; the house's only way to make one. `thread_out` is NULL or a
 * pthread_t *. The thread has all signals blocked.
 */
int thread_start(const char *name, size_t stack_bytes, bool is_detached,
		 void *(*run)(void *), void *arg, void *thread_out,
		 struct err *e) MUST_CHECK;

/*
 * For a thread that waits while many like it do: give back the stack that it
 * does not stand on, and with thread_rest() what libcrypto keeps for the
 * thread, too. Both only cost time: a few microseconds, and ten to make
 * libcrypto's part anew.
 */
void thread_rest_stack(void);
void thread_rest(void);
