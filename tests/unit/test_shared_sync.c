/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "base/shared_sync.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#define N_LATE 5

/* A disk that is as slow as the test wants it. */
static atomic_uint n_flushes, n_done;
static sem_t has_begun, may_end;
static atomic_bool is_broken;

static int slow_flush(const char *path, struct err *e)
{
	unsigned n = atomic_fetch_add(&n_flushes, 1);
	bool fails = atomic_load(&is_broken);

	(void)path;
	sem_post(&has_begun);
	sem_wait(&may_end);
	return fails ? err_set(e, ERR_IO, "flush %u failed", n) : 0;
}

static int quick_flush(const char *path, struct err *e)
{
	(void)path;
	(void)e;
	return 0;
}

struct caller {
	pthread_t thread;
	const char *path;
	int result;
	struct err e;
};

static void *call(void *arg)
{
	struct caller *c = arg;

	c->result = shared_sync(c->path, slow_flush, &c->e);
	atomic_fetch_add(&n_done, 1);
	return NULL;
}

static void start(struct caller *c, const char *path)
{
	c->path = path;
	assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
}

static void begin(void)
{
	atomic_store(&n_flushes, 0);
	atomic_store(&n_done, 0);
	atomic_store(&is_broken, false);
	sem_init(&has_begun, 0, 0);
	sem_init(&may_end, 0, 0);
}

/* The first one's flush is under way; the others came after it began. */
static void start_all(struct caller *first, struct caller late[N_LATE])
{
	start(first, "dir");
	sem_wait(&has_begun);
	for (size_t i = 0; i < N_LATE; i++)
		start(&late[i], "dir");
	while (shared_sync_waiting("dir") < 1 + N_LATE)
		sched_yield();
}

static void
serves_all_who_wait_by_the_next_flush_and_not_by_this_one(void **state)
{
	struct caller first, late[N_LATE];

	(void)state;
	begin();
	start_all(&first, late);
	sem_post(&may_end);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.result, 0);
	sem_wait(&has_begun); /* the second one: nobody else is done yet */
	assert_int_equal(atomic_load(&n_done), 1);
	sem_post(&may_end);
	for (size_t i = 0; i < N_LATE; i++) {
		pthread_join(late[i].thread, NULL);
		assert_int_equal(late[i].result, 0);
	}
	assert_int_equal(atomic_load(&n_flushes), 2);
	assert_int_equal(shared_sync_waiting("dir"), 0);
}

static void tells_a_failure_to_all_it_was_to_serve(void **state)
{
	struct caller first, late[N_LATE];
	struct err e;

	(void)state;
	begin();
	start_all(&first, late);
	atomic_store(&is_broken, true); /* from the second flush on */
	sem_post(&may_end);
	sem_post(&may_end);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.result, 0);
	for (size_t i = 0; i < N_LATE; i++) {
		pthread_join(late[i].thread, NULL);
		assert_int_equal(late[i].result, -1);
		assert_int_equal(late[i].e.code, ERR_IO);
	}
	/* Whoever comes afterwards is none of them. */
	assert_int_equal(shared_sync("dir", quick_flush, &e), 0);
}

static void lets_other_paths_alone(void **state)
{
	struct caller first;
	struct err e;

	(void)state;
	begin();
	start(&first, "dir");
	sem_wait(&has_begun);
	assert_int_equal(shared_sync("other", quick_flush, &e), 0);
	assert_int_equal(atomic_load(&n_done), 0);
	sem_post(&may_end);
	pthread_join(first.thread, NULL);
	assert_int_equal(first.result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			serves_all_who_wait_by_the_next_flush_and_not_by_this_one),
		cmocka_unit_test(tells_a_failure_to_all_it_was_to_serve),
		cmocka_unit_test(lets_other_paths_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
