/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK ((size_t)64 << 10)

/* A gate that jobs wait at, and a count of those that came to it. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool is_open;
	int n_arrived;
	int n_passed;
};

#define GATE_INIT                                  \
	{                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, \
		.moved = PTHREAD_COND_INITIALIZER  \
	}

static void pass_gate(void *arg)
{
	struct gate *g = arg;

	pthread_mutex_lock(&g->lock);
	g->n_arrived++;
	pthread_cond_broadcast(&g->moved);
	while (!g->is_open)
		pthread_cond_wait(&g->moved, &g->lock);
	g->n_passed++;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->is_open = true;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void await_arrivals(struct gate *g, int n)
{
	pthread_mutex_lock(&g->lock);
	while (g->n_arrived < n)
		pthread_cond_wait(&g->moved, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void await_threads(struct workers *w, size_t n)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	int64_t until = clock_ms() + 10000;

	while (workers_count(w) != n && clock_ms() < until)
		nanosleep(&pause, NULL);
	assert_int_equal(workers_count(w), n);
}

static void runs_all_that_it_accepted_before_it_is_freed(void **state)
{
	struct workers *w = workers_new("test", 3, 1000, STACK);
	atomic_int n = 0;
	struct err e;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(workers_add(w, count, &n, &e), 0);
	assert_null(workers_free(w));
	assert_int_equal(n, 1000);
}

static void starts_no_thread_before_there_is_work(void **state)
{
	struct workers *w = workers_new("test", 3, 3, STACK);

	(void)state;
	assert_int_equal(workers_count(w), 0);
	workers_free(w);
	workers_free(NULL);
}

static void runs_as_many_at_once_as_it_may(void **state)
{
	struct workers *w = workers_new("test", 3, 2, STACK);
	struct gate g = GATE_INIT;
	struct err e;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(workers_add(w, pass_gate, &g, &e), 0);
	await_arrivals(&g, 3);
	assert_int_equal(workers_count(w), 3);
	assert_int_equal(g.n_arrived, 3);
	open_gate(&g);
	workers_free(w);
	assert_int_equal(g.n_passed, 5);
}

static void refuses_what_the_queue_cannot_hold(void **state)
{
	struct workers *w = workers_new("packs", 1, 2, STACK);
	struct gate g = GATE_INIT;
	struct err e;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(workers_add(w, pass_gate, &g, &e), 0);
	assert_int_equal(workers_add(w, pass_gate, &g, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.message, "all 1 packs threads are busy");
	open_gate(&g);
	workers_free(w);
	assert_int_equal(g.n_passed, 3);
}

static void needs_no_queue_while_threads_are_free(void **state)
{
	struct workers *w = workers_new("test", 2, 0, STACK);
	struct gate g = GATE_INIT;
	struct err e;

	(void)state;
	assert_int_equal(workers_add(w, pass_gate, &g, &e), 0);
	assert_int_equal(workers_add(w, pass_gate, &g, &e), 0);
	assert_int_equal(workers_add(w, pass_gate, &g, &e), -1);
	open_gate(&g);
	workers_free(w);
}

static void keeps_one_thread_for_one_job_after_another(void **state)
{
	struct workers *w = workers_new("test", 8, 8, STACK);
	struct err e;

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct gate g = GATE_INIT;

		assert_int_equal(workers_add(w, pass_gate, &g, &e), 0);
		await_arrivals(&g, 1);
		open_gate(&g);
		pthread_mutex_lock(&g.lock);
		while (!g.n_passed)
			pthread_cond_wait(&g.moved, &g.lock);
		pthread_mutex_unlock(&g.lock);
	}
	/* The next job may come before the last one's thread is back, where
	 * there is much else to do more than once. */
	assert_true(workers_count(w) < 8);
	workers_free(w);
}

static void ends_idle_threads_and_starts_them_anew(void **state)
{
	struct workers *w = workers_new("test", 4, 4, STACK);
	atomic_int n = 0;
	struct err e;

	(void)state;
	workers_set_idle(w, 20);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 4; i++)
			assert_int_equal(workers_add(w, count, &n, &e), 0);
		await_threads(w, 0);
		assert_int_equal(n, 4 * round);
	}
	workers_free(w);
}

struct closing {
	struct workers *w;
	struct gate *gate;
	int rc;
	struct err e;
};

/* Runs in the pool while it is being freed: adds until it is refused. */
static void add_until_refused(void *arg)
{
	static atomic_int n;
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct closing *c = arg;

	open_gate(c->gate);
	do {
		nanosleep(&pause, NULL);
		c->rc = workers_add(c->w, count, &n, &c->e);
	} while (!c->rc);
}

static void refuses_work_while_it_is_closing(void **state)
{
	struct workers *w = workers_new("test", 2, 10000, STACK);
	struct gate g = GATE_INIT;
	struct closing c = { .w = w, .gate = &g };
	struct err e;

	(void)state;
	assert_int_equal(workers_add(w, add_until_refused, &c, &e), 0);
	pass_gate(&g);
	workers_free(w);
	assert_int_equal(c.rc, -1);
	assert_int_equal(c.e.code, ERR_LIMIT);
	assert_string_equal(c.e.message, "the test threads are ending");
}

struct seen {
	char name[16];
	sigset_t blocked;
	size_t stack_bytes;
};

static void *look(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;

	pthread_getname_np(pthread_self(), s->name, sizeof s->name);
	pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack_bytes);
	pthread_attr_destroy(&attr);
	return arg;
}

static void names_a_thread_and_keeps_signals_from_it(void **state)
{
	struct seen seen = { .name = "" };
	pthread_t thread;
	sigset_t mine;
	void *result;
	struct err e;

	(void)state;
	assert_int_equal(thread_start("a-very-long-thread-name", STACK, false,
				      look, &seen, &thread, &e),
			 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &seen);
	assert_string_equal(seen.name, "a-very-long-thr");
	assert_true(sigismember(&seen.blocked, SIGTERM));
	assert_true(sigismember(&seen.blocked, SIGPIPE));
	assert_false(sigismember(&seen.blocked, SIGSEGV));
	/* Far from the usual 8 MiB, sanitizers included. */
	assert_in_range(seen.stack_bytes, STACK, 2 << 20);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

static void *run_detached(void *arg)
{
	open_gate(arg);
	return NULL;
}

static void starts_a_detached_thread(void **state)
{
	static struct gate g = GATE_INIT;
	struct err e;

	(void)state;
	assert_int_equal(
		thread_start("test", 1, true, run_detached, &g, NULL, &e), 0);
	pass_gate(&g);
}

#define DEEP ((size_t)24 << 10)

/* Dirty the stack far below the caller, and say where. */
static __attribute__((noinline)) uintptr_t dirty_stack(void)
{
	volatile unsigned char deep[DEEP];

	for (size_t i = 0; i < sizeof deep; i++)
		deep[i] = 0x5a;
	return (uintptr_t)&deep[DEEP / 8];
}

/* What lies there, for which no pointer may be followed: the kernel looks. 0xff
 * where nothing does. */
static unsigned char peek(uintptr_t address)
{
	unsigned char byte = 0xff;
	int ends[2];

	if (pipe(ends) < 0)
		return byte;
	if (write(ends[1], (const void *)address, 1) == 1 &&
	    read(ends[0], &byte, 1) != 1)
		byte = 0xff;
	close(ends[0]);
	close(ends[1]);
	return byte;
}

struct rest {
	unsigned char before[16], after[16];
	int kept;
	unsigned char dirty, rested;
};

static void *have_a_rest(void *arg)
{
	struct rest *r = arg;
	volatile int kept = 7;
	uintptr_t at;

	random_bytes(r->before, sizeof r->before);
	at = dirty_stack();
	r->dirty = peek(at);
	thread_rest();
	r->rested = peek(at);
	random_bytes(r->after, sizeof r->after);
	r->kept = kept;
	return NULL;
}

static void gives_back_what_a_waiting_thread_does_not_need(void **state)
{
	struct rest r = { .kept = 0 };
	pthread_t thread;
	struct err e;

	(void)state;
	assert_int_equal(thread_start("test", STACK, false, have_a_rest, &r,
				      &thread, &e),
			 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r.dirty, 0x5a);
	assert_int_equal(r.rested, 0);
	assert_int_equal(r.kept, 7);
	assert_memory_not_equal(r.before, r.after, sizeof r.before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_all_that_it_accepted_before_it_is_freed),
		cmocka_unit_test(starts_no_thread_before_there_is_work),
		cmocka_unit_test(runs_as_many_at_once_as_it_may),
		cmocka_unit_test(refuses_what_the_queue_cannot_hold),
		cmocka_unit_test(needs_no_queue_while_threads_are_free),
		cmocka_unit_test(keeps_one_thread_for_one_job_after_another),
		cmocka_unit_test(ends_idle_threads_and_starts_them_anew),
		cmocka_unit_test(refuses_work_while_it_is_closing),
		cmocka_unit_test(names_a_thread_and_keeps_signals_from_it),
		cmocka_unit_test(starts_a_detached_thread),
		cmocka_unit_test(
			gives_back_what_a_waiting_thread_does_not_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
