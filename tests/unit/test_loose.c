/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_fixture.h"

#include "base/attr.h"
#include "git/loose.h"

#include <sys/stat.h>

#define MAX ((size_t)1 << 20)

struct world {
	struct fixture f;
	struct oid id; /* where put() puts */
	char path[400];
	struct err e;
};

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	char hex[OID_MAX_HEX + 1];

	assert_non_null(w);
	fixture_open(&w->f);
	w->id = blob_id("hello");
	oid_hex(&w->id, hex);
	snprintf(w->path, sizeof w->path, "%s/%.2s", w->f.objects, hex);
	assert_int_equal(mkdir(w->path, 0700), 0);
	snprintf(w->path, sizeof w->path, "%s/%.2s/%s", w->f.objects, hex,
		 hex + 2);
	*state = w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	fixture_close(&w->f);
	free(w);
	return 0;
}

/* File `text` deflated, with `tail` behind it. */
static void put(struct world *w, const char *text, size_t n, const char *tail)
{
	unsigned char out[4096];
	uLongf room = sizeof out;

	assert_int_equal(compress(out, &room, (const Bytef *)text, n), Z_OK);
	memcpy(out + room, tail, strlen(tail));
	fixture_write_file(w->path, out, room + strlen(tail));
}

static int read_it(struct world *w, size_t max)
{
	struct object o;
	int rc = loose_read(w->f.objects, &w->id, max, &o, &w->e);

	if (!rc)
		object_fini(&o);
	return rc;
}

static void reads_what_git_wrote(void **state)
{
	struct world *w = *state;
	size_t sizes[] = { 0, 1, 20, 31, 32, 33, 16384, 300000 };
	enum object_type type;
	struct object o;
	struct oid id;
	uint64_t size;
	char *data = malloc(300000);

	assert_non_null(data);
	for (size_t i = 0; i < 300000; i++)
		data[i] = (char)(i * i >> 5);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		id = fixture_write(&w->f, OBJECT_BLOB, data, sizes[i]);
		assert_int_equal(loose_find(w->f.objects, &id, &w->e), 1);
		assert_int_equal(loose_read(w->f.objects, &id, MAX, &o, &w->e),
				 0);
		assert_int_equal(o.type, OBJECT_BLOB);
		assert_int_equal(o.size, sizes[i]);
		if (sizes[i])
			assert_memory_equal(o.data, data, sizes[i]);
		else
			assert_null(o.data);
		object_fini(&o);
		assert_int_equal(
			loose_info(w->f.objects, &id, &type, &size, &w->e), 0);
		assert_int_equal(type, OBJECT_BLOB);
		assert_int_equal(size, sizes[i]);
	}
	free(data);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct world *w = *state;
	struct oid other = oid_zero(OID_SHA1);

	assert_int_equal(loose_find(w->f.objects, &w->id, &w->e), 0);
	assert_int_equal(read_it(w, MAX), -1);
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
	assert_int_equal(loose_find(w->f.objects, &other, &w->e), 0);
	assert_int_equal(loose_find("/nonexistent", &other, &w->e), 0);
}

static void refuses_what_is_no_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkfifo(w->path, 0600), 0);
	assert_int_equal(loose_find(w->f.objects, &w->id, &w->e), -1);
	assert_int_equal(read_it(w, MAX), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(mkdir(w->path, 0700), 0);
	assert_int_equal(read_it(w, MAX), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
}

static void refuses_headers_that_lie(void **state)
{
#define TEXT(text)                        \
	{                                 \
		text, sizeof text - 1, "" \
	}
	static const struct {
		const char *text;
		size_t n;
		const char *tail;
	} wrong[] = {
		TEXT(""),
		TEXT("blob"),
		TEXT("blob 5"),
		TEXT("blob 5hello"),
		TEXT("blob\0005\0hello"),
		TEXT("blob  5\0hello"),
		TEXT("blob 05\0hello"),
		TEXT("blob +5\0hello"),
		TEXT("blob 5 \0hello"),
		TEXT("blob \0hello"),
		TEXT("blob x\0hello"),
		TEXT("blub 5\0hello"),
		TEXT(" 5\0hello"),
		TEXT("blob 4\0hello"),
		TEXT("blob 0\0hello"),
		TEXT("blob 6\0hello"),
		TEXT("blob 99999999999999999999999\0hello"),
		TEXT("blob 0000000000000000000000000005\0hello"),
		TEXT("blob 900000\0hello"),
		{ "blob 5\0hello", 12, "x" },
	};
#undef TEXT
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		put(w, wrong[i].text, wrong[i].n, wrong[i].tail);
		if (read_it(w, MAX) == 0)
			fail_msg("accepted case %zu", i);
		assert_int_equal(w->e.code, ERR_CORRUPT);
		assert_non_null(strstr(w->e.message, w->path));
	}
	put(w, "blob 5\0hello", 12, "");
	assert_int_equal(read_it(w, MAX), 0);
}

static void no_memory_is_taken_for_a_claim(void **state)
{
	struct world *w = *state;

	put(w, "blob 18446744073709551610\0hello", 31, "");
	assert_int_equal(read_it(w, SIZE_MAX), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	put(w, "blob 5\0hello", 12, "");
	assert_int_equal(read_it(w, 4), -1);
	assert_int_equal(w->e.code, ERR_LIMIT);
	assert_int_equal(read_it(w, 5), 0);
}

static void refuses_any_flip_and_any_cut(void **state)
{
	struct world *w = *state;
	struct buf bytes = BUF_INIT;
	struct object o;
	size_t whole;

	put(w, "blob 5\0hello", 12, "");
	assert_int_equal(file_read(w->path, MAX, &bytes, &w->e), 0);
	whole = bytes.len;
	for (size_t i = 0; i < whole; i++) {
		fixture_write_file(w->path, bytes.data, i);
		assert_int_equal(read_it(w, MAX), -1);
		assert_int_equal(w->e.code, ERR_CORRUPT);
	}
	for (size_t i = 0; i < 8 * whole; i++) {
		bytes.data[i / 8] ^= (char)(1 << i % 8);
		fixture_write_file(w->path, bytes.data, whole);
		/* Two bits of the zlib header mean nothing to inflation. */
		if (loose_read(w->f.objects, &w->id, MAX, &o, &w->e) == 0) {
			assert_memory_equal(o.data, "hello", 5);
			object_fini(&o);
		} else {
			assert_int_equal(w->e.code, ERR_CORRUPT);
		}
		bytes.data[i / 8] ^= (char)(1 << i % 8);
	}
	buf_fini(&bytes);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_git_wrote),
		TEST(what_is_not_there_is_not_found),
		TEST(refuses_what_is_no_file),
		TEST(refuses_headers_that_lie),
		TEST(no_memory_is_taken_for_a_claim),
		TEST(refuses_any_flip_and_any_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
