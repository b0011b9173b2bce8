/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_fixture.h"

#include "base/attr.h"
#include "git/pack_index.h"

static const char *const texts[] = { "one", "two", "three", "four", "five" };

struct world {
	struct fixture f;
	struct maker *m;
	struct buf bytes;
	char path[400];
	struct err e;
};

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	fixture_open(&w->f);
	buf_init_max(&w->bytes, BUF_DEFAULT_MAX);
	snprintf(w->path, sizeof w->path, "%s/pack/pack-x.idx", w->f.objects);
	w->m = maker_new();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		maker_blob(w->m, texts[i]);
	maker_finish(w->m);
	*state = w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	maker_free(w->m);
	buf_fini(&w->bytes);
	fixture_close(&w->f);
	free(w);
	return 0;
}

static int open_bytes(struct world *w, struct pack_index *x)
{
	fixture_write_file(w->path, w->bytes.data, w->bytes.len);
	return pack_index_open(w->path, OID_SHA1, x, &w->e);
}

/* The trailing checksum made right again. */
static void sign(struct world *w)
{
	buf_truncate(&w->bytes, w->bytes.len - SHA1_SIZE);
	put_sha1(&w->bytes);
}

static void assert_finds_all(struct world *w, bool has_crc)
{
	struct oid id, absent = blob_id("absent");
	struct pack_index x;
	uint64_t offset;
	uint32_t pos, crc;

	assert_int_equal(open_bytes(w, &x), 0);
	assert_int_equal(x.count, w->m->n);
	for (uint32_t i = 0; i < w->m->n; i++) {
		assert_true(pack_index_find(&x, &w->m->entries[i].id, &pos));
		assert_int_equal(pos, i);
		pack_index_id(&x, pos, &id);
		assert_true(oid_eq(&id, &w->m->entries[i].id));
		assert_int_equal(pack_index_offset(&x, pos, &offset, &w->e), 0);
		assert_int_equal(offset, w->m->entries[i].offset);
		assert_int_equal(pack_index_crc32(&x, pos, &crc), has_crc);
		if (has_crc)
			assert_int_equal(crc, w->m->entries[i].crc);
	}
	assert_false(pack_index_find(&x, &absent, &pos));
	pack_index_close(&x);
}

static void finds_what_is_there(void **state)
{
	struct world *w = *state;

	maker_index(w->m, false, &w->bytes);
	assert_finds_all(w, true);
}

static void reads_large_offsets(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < w->m->n; i++)
		w->m->entries[i].offset += UINT64_C(5) << 32;
	maker_index(w->m, true, &w->bytes);
	assert_finds_all(w, true);
}

static void reads_version_1(void **state)
{
	struct world *w = *state;

	maker_index_v1(w->m, &w->bytes);
	assert_finds_all(w, false);
}

static void an_empty_index_finds_nothing(void **state)
{
	struct world *w = *state;
	struct oid id = blob_id("one");
	struct pack_index x;
	uint32_t pos;

	w->m->n = 0;
	maker_index(w->m, false, &w->bytes);
	assert_int_equal(open_bytes(w, &x), 0);
	assert_false(pack_index_find(&x, &id, &pos));
	pack_index_close(&x);
}

static void assert_refused(struct world *w, const char *what, size_t where)
{
	struct pack_index x;

	if (open_bytes(w, &x) == 0)
		fail_msg("accepted %s at %zu", what, where);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, w->path));
}

static void refuses_a_flip_of_any_byte(void **state)
{
	struct world *w = *state;

	maker_index(w->m, false, &w->bytes);
	for (size_t i = 0; i < w->bytes.len; i++) {
		w->bytes.data[i] ^= 0x40;
		assert_refused(w, "a flip", i);
		w->bytes.data[i] ^= 0x40;
	}
}

static void refuses_a_cut_anywhere(void **state)
{
	struct world *w = *state;
	size_t whole;

	maker_index(w->m, true, &w->bytes);
	whole = w->bytes.len;
	for (size_t n = 0; n < whole; n++) {
		w->bytes.len = n;
		assert_refused(w, "a cut", n);
	}
	/* A cut with a right checksum is still of a wrong size. */
	for (size_t n = 24; n < whole; n++) {
		if (n == whole - 20)
			continue;
		w->bytes.len = n;
		sign(w);
		assert_refused(w, "a signed cut", n);
	}
	w->bytes.len = 0;
	assert_refused(w, "an empty file", 0);
}

static void refuses_a_fan_out_that_lies(void **state)
{
	struct world *w = *state;
	unsigned char *fanout;

	maker_index(w->m, false, &w->bytes);
	fanout = (unsigned char *)w->bytes.data + 8;
	store_u32be(fanout + 4 * 7, 6);
	sign(w);
	assert_refused(w, "a fan-out that goes down", 7);
	store_u32be(fanout + 4 * 7, 0);
	store_u32be(fanout + 4 * 255, 6);
	sign(w);
	assert_refused(w, "a fan-out of one too many", 255);
	store_u32be(fanout + 4 * 255, UINT32_MAX);
	sign(w);
	assert_refused(w, "a fan-out of 2^32 - 1", 255);
}

static void refuses_other_versions(void **state)
{
	struct world *w = *state;

	maker_index(w->m, false, &w->bytes);
	store_u32be((unsigned char *)w->bytes.data + 4, 3);
	sign(w);
	assert_refused(w, "version 3", 4);
}

static void an_offset_out_of_the_large_table_is_corrupt(void **state)
{
	struct world *w = *state;
	struct pack_index x;
	uint64_t offset;
	size_t offsets = 8 + 1024 + w->m->n * 24;

	maker_index(w->m, true, &w->bytes);
	store_u32be((unsigned char *)w->bytes.data + offsets,
		    0x80000000 | w->m->n);
	sign(w);
	assert_int_equal(open_bytes(w, &x), 0);
	assert_int_equal(pack_index_offset(&x, 0, &offset, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_int_equal(pack_index_offset(&x, 1, &offset, &w->e), 0);
	pack_index_close(&x);
}

static void absent_and_odd_files_are_told_apart(void **state)
{
	struct world *w = *state;
	struct pack_index x;

	assert_int_equal(pack_index_open(w->path, OID_SHA1, &x, &w->e), -1);
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
	assert_int_equal(mkfifo(w->path, 0600), 0);
	assert_int_equal(pack_index_open(w->path, OID_SHA1, &x, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_what_is_there),
		TEST(reads_large_offsets),
		TEST(reads_version_1),
		TEST(an_empty_index_finds_nothing),
		TEST(refuses_a_flip_of_any_byte),
		TEST(refuses_a_cut_anywhere),
		TEST(refuses_a_fan_out_that_lies),
		TEST(refuses_other_versions),
		TEST(an_offset_out_of_the_large_table_is_corrupt),
		TEST(absent_and_odd_files_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
