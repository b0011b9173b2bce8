/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits stands in the list, on its own stack. A flush serves those who
 * stood there when it began; the one who makes it is among them.
 */
#include "base/shared_sync.h"

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct waiter {
	const char *path;
	bool is_flushing; /* makes the flush */
	bool is_served;	  /* stood there when it began */
	bool is_done;
	int result;
	struct err err;
	struct waiter *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct waiter *waiters; /* under lock */

static bool is_running_locked(const char *path)
{
	for (const struct waiter *w = waiters; w; w = w->next)
		if (w->is_flushing && !strcmp(w->path, path))
			return true;
	return false;
}

static void serve_locked(const char *path)
{
	for (struct waiter *w = waiters; w; w = w->next)
		if (!strcmp(w->path, path))
			w->is_served = true;
}

static void settle_locked(const struct waiter *by)
{
	for (struct waiter *w = waiters; w; w = w->next) {
		if (!w->is_served || w->is_done || strcmp(w->path, by->path))
			continue;
		w->result = by->result;
		w->err = by->err;
		w->is_done = true;
	}
}

static void leave_locked(const struct waiter *self)
{
	struct waiter **at = &waiters;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
}

int shared_sync(const char *path, int (*flush)(const char *path, struct err *e),
		struct err *e)
{
	struct waiter self = { .path = path };

	pthread_mutex_lock(&lock);
	self.next = waiters;
	waiters = &self;
	while (!self.is_done && is_running_locked(path))
		pthread_cond_wait(&changed, &lock);
	if (!self.is_done) {
		self.is_flushing = true;
		serve_locked(path);
		pthread_mutex_unlock(&lock);
		self.result = flush(path, &self.err);
		pthread_mutex_lock(&lock);
		self.is_flushing = false;
		settle_locked(&self);
		pthread_cond_broadcast(&changed);
	}
	leave_locked(&self);
	pthread_mutex_unlock(&lock);
	if (self.result < 0)
		*e = self.err;
	return self.result;
}

unsigned shared_sync_waiting(const char *path)
{
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (const struct waiter *w = waiters; w; w = w->next)
		n += !strcmp(w->path, path);
	pthread_mutex_unlock(&lock);
	return n;
}
