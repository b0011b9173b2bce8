/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads over a ring of waiting jobs.
 *
 * A thread is started only where more jobs wait than threads are free, and
 * ends after IDLE_MS without one. Threads are joined, each by the next one to
 * end and the last by workers_free(): when that returns, nothing of the pool
 * runs any more, destructors of thread-local data included.
 * Locks: `lock` guards all below it; it is never held while a job runs.
 */
#include "base/workers.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Long enough to bridge the pauses of one client, short enough that a quiet
 * daemon holds no stacks. */
#define IDLE_MS 10000

#define THREAD_NAME_SIZE 16 /* the kernel's, with the NUL */
#define PAGE_BYTES	 ((size_t)4096)

/* Instrumented frames are larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_FACTOR 4
#else
#define STACK_FACTOR 1
#endif

struct job {
	void (*run)(void *arg);
	void *arg;
};

struct workers {
	/* set once, then read-only */
	char name[THREAD_NAME_SIZE];
	size_t max_threads;
	size_t max_jobs; /* running and waiting; the size of the ring */
	size_t stack_bytes;

	pthread_mutex_t lock;
	pthread_cond_t has_work;
	pthread_cond_t is_empty;
	/* under lock */
	int idle_ms;
	bool is_closing;
	size_t n_threads;
	size_t n_running;
	size_t n_waiting;
	size_t first; /* the oldest waiting job */
	struct job *jobs;
	bool has_ended;
	pthread_t ended; /* ended and not joined yet */
};

static void init_locks(struct workers *w)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->has_work, &monotonic);
	pthread_cond_init(&w->is_empty, NULL);
	pthread_condattr_destroy(&monotonic);
}

struct workers *workers_new(const char *name, size_t max_threads,
			    size_t max_queue, size_t stack_bytes)
{
	CLEANUP(freep) struct workers *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	strncpy(w->name, name, sizeof w->name - 1);
	w->max_threads = max_threads ? max_threads : 1;
	w->max_jobs = w->max_threads + max_queue;
	w->stack_bytes = stack_bytes;
	w->idle_ms = IDLE_MS;
	w->jobs = calloc(w->max_jobs, sizeof *w->jobs);
	if (!w->jobs)
		return NULL;
	init_locks(w);
	return TAKE(w);
}

void workers_set_idle(struct workers *w, int idle_ms)
{
	pthread_mutex_lock(&w->lock);
	w->idle_ms = idle_ms;
	pthread_mutex_unlock(&w->lock);
}

size_t workers_count(struct workers *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->n_threads;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static struct timespec after_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/* Wait for a job and take it. False where the thread shall end. */
static bool take_job_locked(struct workers *w, struct job *out)
{
	struct timespec until = after_ms(w->idle_ms);
	int rc = 0;

	while (!w->n_waiting && !w->is_closing && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&w->has_work, &w->lock, &until);
	if (!w->n_waiting)
		return false;
	*out = w->jobs[w->first];
	w->first = (w->first + 1) % w->max_jobs;
	w->n_waiting--;
	return true;
}

/* Leave the pool; stores the thread that ended before this one. */
static bool leave_locked(struct workers *w, pthread_t *before_out)
{
	bool had_ended = w->has_ended;

	*before_out = w->ended;
	w->ended = pthread_self();
	w->has_ended = true;
	w->n_threads--;
	if (!w->n_threads)
		pthread_cond_broadcast(&w->is_empty);
	return had_ended;
}

static void *work(void *arg)
{
	struct workers *w = arg;
	bool had_ended;
	pthread_t before;
	struct job job;

	pthread_mutex_lock(&w->lock);
	while (take_job_locked(w, &job)) {
		w->n_running++;
		pthread_mutex_unlock(&w->lock);
		job.run(job.arg);
		pthread_mutex_lock(&w->lock);
		w->n_running--;
	}
	had_ended = leave_locked(w, &before);
	pthread_mutex_unlock(&w->lock);
	if (had_ended)
		pthread_join(before, NULL);
	return NULL;
}

/* One more thread if jobs wait for it. Fails only where there is none. */
static int grow_locked(struct workers *w, struct err *e)
{
	pthread_t thread;
	int rc;

	if (w->n_waiting < w->n_threads - w->n_running ||
	    w->n_threads == w->max_threads)
		return 0;
	rc = thread_start(w->name, w->stack_bytes, false, work, w, &thread, e);
	if (!rc)
		w->n_threads++;
	return w->n_threads ? 0 : rc;
}

int workers_add(struct workers *w, void (*run)(void *arg), void *arg,
		struct err *e)
{
	size_t last;
	int rc = -1;

	pthread_mutex_lock(&w->lock);
	if (w->is_closing) {
		err_set(e, ERR_LIMIT, "the %s threads are ending", w->name);
	} else if (w->n_running + w->n_waiting == w->max_jobs) {
		err_set(e, ERR_LIMIT, "all %zu %s threads are busy",
			w->max_threads, w->name);
	} else {
		rc = grow_locked(w, e);
	}
	if (!rc) {
		last = (w->first + w->n_waiting) % w->max_jobs;
		w->jobs[last] = (struct job){ run, arg };
		w->n_waiting++;
		pthread_cond_signal(&w->has_work);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

struct workers *workers_free(struct workers *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->is_closing = true;
	pthread_cond_broadcast(&w->has_work);
	while (w->n_threads)
		pthread_cond_wait(&w->is_empty, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (w->has_ended)
		pthread_join(w->ended, NULL);
	pthread_cond_destroy(&w->is_empty);
	pthread_cond_destroy(&w->has_work);
	pthread_mutex_destroy(&w->lock);
	free(w->jobs);
	free(w);
	return NULL;
}

struct start {
	char name[THREAD_NAME_SIZE];
	void *(*run)(void *arg);
	void *arg;
};

/* The thread names itself: a detached one may be gone before its maker
 * could. */
static void *run_named(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), start.name);
	return start.run(start.arg);
}

static size_t stack_size(size_t bytes)
{
	size_t least = (size_t)PTHREAD_STACK_MIN;
	size_t size = (bytes > least ? bytes : least) * STACK_FACTOR;

	return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Signals are the main thread's: the new one inherits them all blocked, but
 * for those that tell of its own faults. */
static int create_quiet(pthread_t *thread, const pthread_attr_t *attr,
			struct start *start)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
				      SIGABRT, SIGSYS, SIGTRAP };
	sigset_t quiet, before;
	int number;

	sigfillset(&quiet);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&quiet, faults[i]);
	pthread_sigmask(SIG_SETMASK, &quiet, &before);
	number = pthread_create(thread, attr, run_named, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return number;
}

int thread_start(const char *name, size_t stack_bytes, bool is_detached,
		 void *(*run)(void *), void *arg, void *thread_out,
		 struct err *e)
{
	CLEANUP(freep) struct start *start = calloc(1, sizeof *start);
	pthread_attr_t attr;
	pthread_t thread;
	int number;

	if (!start)
		return err_nomem(e);
	strncpy(start->name, name, sizeof start->name - 1);
	start->run = run;
	start->arg = arg;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_size(stack_bytes));
	if (is_detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	number = create_quiet(&thread, &attr, start);
	pthread_attr_destroy(&attr);
	if (number) {
		errno = number;
		return err_errno(e, "starting the thread %s", name);
	}
	(void)TAKE(start); /* the thread frees it */
	if (thread_out)
		memcpy(thread_out, &thread, sizeof thread);
	return 0;
}
