/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of responses: growth, sharing, room, failure, and no file left. */
#include "test.h"

#include "base/err.h"
#include "base/files.h"
#include "git/map_guard.h"
#include "git/pack_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct pack_cache *cache;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;

	snprintf(f->dir, sizeof f->dir, "/tmp/pack_cache-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->cache = pack_cache_new(f->dir, 1 << 20, &e);
	assert_non_null(f->cache);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct err e;

	pack_cache_free(f->cache);
	assert_int_equal(dir_remove(f->dir, &e), 0);
	free(f);
	return 0;
}

static struct pack_cache_key key_of(unsigned n)
{
	struct pack_cache_key key = { { 0 } };

	store_u32be(key.digest, n);
	return key;
}

/* A complete entry of `n` bytes, each the low byte of `seed`. */
static bool fill(struct pack_cache *c, unsigned seed, size_t n)
{
	struct pack_cache_key key = key_of(seed);
	bool is_writer, is_good;
	struct pack_cache_entry *entry = pack_cache_get(c, &key, &is_writer);
	unsigned char *data = malloc(n);
	struct err e;

	assert_non_null(entry);
	assert_true(is_writer);
	memset(data, (int)(seed & 0xff), n);
	is_good = pack_cache_append(entry, span_of(data, n), &e) == 0;
	pack_cache_finish(entry, is_good);
	pack_cache_put(entry);
	free(data);
	return is_good;
}

static bool holds(struct pack_cache *c, unsigned seed)
{
	struct pack_cache_key key = key_of(seed);
	bool is_writer;
	struct pack_cache_entry *entry = pack_cache_get(c, &key, &is_writer);

	assert_non_null(entry);
	pack_cache_finish(entry, false);
	pack_cache_put(entry);
	return !is_writer;
}

static void gives_back_what_was_written(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(7);
	struct pack_cache_entry *entry;
	struct pack_cache_stats stats;
	bool is_writer;
	struct span s;
	struct err e;

	assert_true(fill(f->cache, 7, 100000));
	entry = pack_cache_get(f->cache, &key, &is_writer);
	assert_non_null(entry);
	assert_false(is_writer);
	assert_int_equal(pack_cache_read(entry, 0, 0, &s, &e), 0);
	assert_int_equal(s.len, 100000);
	assert_int_equal(s.data[99999], 7);
	assert_int_equal(pack_cache_read(entry, 99990, 0, &s, &e), 0);
	assert_int_equal(s.len, 10);
	assert_int_equal(pack_cache_read(entry, 100000, 0, &s, &e), 0);
	assert_int_equal(s.len, 0);
	pack_cache_put(entry);
	pack_cache_stats(f->cache, &stats);
	assert_int_equal(stats.hits, 1);
	assert_int_equal(stats.misses, 1);
	assert_int_equal(stats.bytes, 100000);
	assert_int_equal(stats.entries, 1);
}

static void leaves_no_name_in_the_directory(void **state)
{
	struct fixture *f = *state;
	struct dirent *d;
	size_t n = 0;
	DIR *dir;

	assert_true(fill(f->cache, 1, 1000));
	dir = opendir(f->dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(n, 0);
}

static void forgets_the_least_recently_used(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_stats stats;

	for (unsigned i = 0; i < 4; i++)
		assert_true(fill(f->cache, i, 300000));
	pack_cache_stats(f->cache, &stats);
	assert_true(stats.bytes <= 1 << 20);
	assert_true(holds(f->cache, 1));
	assert_true(fill(f->cache, 9, 300000));
	assert_true(holds(f->cache, 1));
	assert_false(holds(f->cache, 2));
	assert_false(holds(f->cache, 0));
}

static void keeps_what_somebody_reads(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(5);
	struct pack_cache_entry *entry;
	bool is_writer;
	struct span s;
	struct err e;

	assert_true(fill(f->cache, 5, 500000));
	entry = pack_cache_get(f->cache, &key, &is_writer);
	assert_int_equal(pack_cache_read(entry, 0, 0, &s, &e), 0);
	for (unsigned i = 10; i < 20; i++)
		assert_true(fill(f->cache, i, 400000));
	assert_int_equal(s.data[499999], 5);
	pack_cache_put(entry);
}

static void refuses_what_is_larger_than_half_of_it(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_stats stats;

	assert_true(fill(f->cache, 1, 1 << 19));
	assert_false(fill(f->cache, 2, (1 << 19) + 1));
	pack_cache_stats(f->cache, &stats);
	assert_int_equal(stats.bytes, 1 << 19);
	assert_int_equal(stats.entries, 1);
}

static void tells_readers_when_the_writer_gives_up(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(3);
	struct pack_cache_entry *writer, *reader;
	bool is_writer;
	struct span s;
	struct err e;

	writer = pack_cache_get(f->cache, &key, &is_writer);
	assert_true(is_writer);
	reader = pack_cache_get(f->cache, &key, &is_writer);
	assert_false(is_writer);
	assert_int_equal(pack_cache_append(writer, span_str("half"), &e), 0);
	assert_int_equal(pack_cache_read(reader, 0, 0, &s, &e), 0);
	assert_int_equal(s.len, 4);
	assert_int_equal(pack_cache_read(reader, 4, 1, &s, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	pack_cache_finish(writer, false);
	pack_cache_put(writer);
	assert_int_equal(pack_cache_read(reader, 4, 1000, &s, &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	pack_cache_put(reader);
	/* The next one begins anew. */
	assert_false(holds(f->cache, 3));
}

static void survives_a_directory_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_stats stats;

	assert_int_equal(rmdir(f->dir), 0);
	assert_false(fill(f->cache, 1, 10));
	pack_cache_stats(f->cache, &stats);
	assert_int_equal(stats.bytes, 0);
	assert_int_equal(stats.entries, 0);
}

#define STREAM_BYTES 400000

static void *follow(void *arg)
{
	struct pack_cache_entry *entry = arg;
	uint64_t at = 0;
	struct span s;
	struct err e;

	do {
		if (pack_cache_read(entry, at, 10000, &s, &e) < 0)
			return NULL;
		for (size_t i = 0; i < s.len; i++) {
			if (s.data[i] != (unsigned char)((at + i) * 7))
				return NULL;
		}
		at += s.len;
	} while (s.len);
	pack_cache_put(entry);
	return at == STREAM_BYTES ? entry : NULL;
}

static void lets_many_follow_one_writer(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(1);
	struct pack_cache_entry *writer, *reader;
	pthread_t threads[4];
	unsigned char piece[1000];
	struct pack_cache_stats stats;
	bool is_writer;
	struct err e;

	writer = pack_cache_get(f->cache, &key, &is_writer);
	assert_true(is_writer);
	for (int i = 0; i < 4; i++) {
		reader = pack_cache_get(f->cache, &key, &is_writer);
		assert_false(is_writer);
		assert_int_equal(
			pthread_create(&threads[i], NULL, follow, reader), 0);
	}
	for (size_t at = 0; at < STREAM_BYTES; at += sizeof piece) {
		for (size_t i = 0; i < sizeof piece; i++)
			piece[i] = (unsigned char)((at + i) * 7);
		assert_int_equal(pack_cache_append(writer,
						   span_of(piece, sizeof piece),
						   &e),
				 0);
	}
	pack_cache_finish(writer, true);
	pack_cache_put(writer);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_non_null(result);
	}
	pack_cache_stats(f->cache, &stats);
	assert_int_equal(stats.joined, 4);
	assert_int_equal(stats.misses, 1);
}

static void does_nothing_without_room(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(1);
	struct pack_cache *none;
	bool is_writer = true;
	struct err e;

	none = pack_cache_new(f->dir, 0, &e);
	assert_non_null(none);
	assert_null(pack_cache_get(none, &key, &is_writer));
	assert_false(is_writer);
	pack_cache_free(none);
}

#define LENT_BYTES ((size_t)100000)

/* A file of LENT_BYTES times 'x' and its path, mapped. */
static struct guarded_map lent_file(const struct fixture *f, char path[80])
{
	static char text[LENT_BYTES];
	struct guarded_map map;
	struct err e;
	int fd;

	memset(text, 'x', sizeof text);
	snprintf(path, 80, "%s/pack", f->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, text, sizeof text), sizeof text);
	close(fd);
	assert_int_equal(guarded_map_open(path, &map, &e), 0);
	return map;
}

static struct pack_cache_entry *lend(struct fixture *f, unsigned seed,
				     char path[80])
{
	struct guarded_map map = lent_file(f, path);
	struct pack_cache_key key = key_of(seed);
	struct pack_cache_entry *entry;
	bool is_writer;

	entry = pack_cache_get(f->cache, &key, &is_writer);
	assert_true(is_writer);
	pack_cache_lend(entry, &map);
	assert_null(map.data);
	return entry;
}

static void gives_a_lent_file_as_far_as_it_is_good(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(1);
	struct pack_cache_entry *writer, *reader;
	struct pack_cache_stats stats;
	char path[80];
	bool is_writer;
	struct span s;
	struct err e;

	writer = lend(f, 1, path);
	/* Its name is not needed, nor what is appended looked at. */
	assert_int_equal(unlink(path), 0);
	reader = pack_cache_get(f->cache, &key, &is_writer);
	assert_false(is_writer);
	assert_int_equal(pack_cache_append(writer, span_str("some"), &e), 0);
	assert_int_equal(pack_cache_read(reader, 1, 0, &s, &e), 0);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "xxx", 3);
	assert_int_equal(pack_cache_read(reader, 4, 1, &s, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(
		pack_cache_append(writer, span_of(s.data, LENT_BYTES - 4), &e),
		0);
	pack_cache_finish(writer, true);
	pack_cache_put(writer);
	/* The checksum comes by itself. */
	assert_int_equal(pack_cache_read(reader, 4, 0, &s, &e), 0);
	assert_int_equal(s.len, LENT_BYTES - 4 - 20);
	assert_int_equal(pack_cache_read(reader, LENT_BYTES - 20, 0, &s, &e),
			 0);
	assert_int_equal(s.len, 20);
	assert_int_equal(pack_cache_read(reader, LENT_BYTES, 0, &s, &e), 0);
	assert_int_equal(s.len, 0);
	pack_cache_put(reader);
	pack_cache_stats(f->cache, &stats);
	assert_int_equal(stats.bytes, LENT_BYTES);
	assert_true(holds(f->cache, 1));
}

static void refuses_more_than_was_lent(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_entry *writer;
	char path[80];
	struct err e;

	writer = lend(f, 1, path);
	assert_int_equal(
		pack_cache_append(writer, span_of(NULL, LENT_BYTES + 1), &e),
		-1);
	pack_cache_put(writer);
	assert_false(holds(f->cache, 1));
	assert_int_equal(unlink(path), 0);
}

static void forgets_a_lent_file_that_lost_bytes(void **state)
{
	struct fixture *f = *state;
	struct pack_cache_key key = key_of(1);
	struct pack_cache_entry *entry;
	volatile unsigned char touched;
	char path[80];
	bool is_writer;
	struct span s;
	struct err e;

	entry = lend(f, 1, path);
	assert_int_equal(
		pack_cache_append(entry, span_of(NULL, LENT_BYTES), &e), 0);
	pack_cache_finish(entry, true);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(pack_cache_read(entry, 0, 0, &s, &e), 0);
	touched = s.data[LENT_BYTES / 2];
	assert_int_equal(touched, 0);
	assert_int_equal(pack_cache_read(entry, LENT_BYTES - 20, 0, &s, &e),
			 -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	pack_cache_put(entry);
	entry = pack_cache_get(f->cache, &key, &is_writer);
	assert_true(is_writer);
	pack_cache_finish(entry, false);
	pack_cache_put(entry);
	assert_int_equal(unlink(path), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int gone_tear_down(void **state)
{
	struct fixture *f = *state;

	pack_cache_free(f->cache);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(gives_back_what_was_written),
		CASE(leaves_no_name_in_the_directory),
		CASE(forgets_the_least_recently_used),
		CASE(keeps_what_somebody_reads),
		CASE(refuses_what_is_larger_than_half_of_it),
		CASE(tells_readers_when_the_writer_gives_up),
		CASE(lets_many_follow_one_writer),
		CASE(does_nothing_without_room),
		CASE(gives_a_lent_file_as_far_as_it_is_good),
		CASE(refuses_more_than_was_lent),
		CASE(forgets_a_lent_file_that_lost_bytes),
		cmocka_unit_test_setup_teardown(
			survives_a_directory_that_is_gone, set_up,
			gone_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
