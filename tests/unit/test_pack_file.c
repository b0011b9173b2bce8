/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_fixture.h"

#include "base/attr.h"
#include "git/pack_file.h"

struct world {
	struct fixture f;
	struct maker *m;
	char pack[400];
	char index[400];
	char rev[400];
	struct err e;
};

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	fixture_open(&w->f);
	w->m = maker_new();
	snprintf(w->pack, sizeof w->pack, "%s/pack/pack-x.pack", w->f.objects);
	snprintf(w->index, sizeof w->index, "%s/pack/pack-x.idx", w->f.objects);
	snprintf(w->rev, sizeof w->rev, "%s/pack/pack-x.rev", w->f.objects);
	*state = w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	maker_free(w->m);
	fixture_close(&w->f);
	free(w);
	return 0;
}

static struct pack *open_made(struct world *w)
{
	struct pack *p;

	maker_write(w->m, &w->f, "x");
	p = pack_open(w->pack, OID_SHA1, &w->e);
	assert_non_null(p);
	return p;
}

static void make_blobs(struct world *w, unsigned n)
{
	char text[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof text, "blob number %u", i);
		maker_blob(w->m, text);
	}
}

static void assert_in_order(const struct world *w, const struct pack_order *o)
{
	uint32_t rank;

	assert_int_equal(o->count, w->m->n);
	assert_int_equal(o->offset[0], PACK_HEADER_SIZE);
	for (uint32_t i = 0; i < o->count; i++) {
		assert_true(o->offset[i] < o->offset[i + 1]);
		assert_int_equal(w->m->entries[o->pos[i]].offset, o->offset[i]);
		assert_true(pack_rank(o, o->offset[i], &rank));
		assert_int_equal(rank, i);
		assert_false(pack_rank(o, o->offset[i] + 1, &rank));
	}
	assert_int_equal(o->offset[o->count], w->m->pack.len - SHA1_SIZE);
}

static void sorts_entries_by_offset(void **state)
{
	struct world *w = *state;
	struct pack *p;

	make_blobs(w, 5000);
	p = open_made(w);
	assert_in_order(w, pack_order(p, &w->e));
	assert_ptr_equal(pack_order(p, &w->e), pack_order(p, &w->e));
	assert_true(pack_memory(p) > 5000 * 12);
	pack_put(p);
}

/* A .rev file of what `pos` gives, checksums left zero. */
static void write_rev(struct world *w, const uint32_t *pos, uint32_t n)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "RIDX");
	put_u32(&b, 1);
	put_u32(&b, 1);
	for (uint32_t i = 0; i < n; i++)
		put_u32(&b, pos[i]);
	buf_add(&b, w->m->pack.data + w->m->pack.len - SHA1_SIZE, SHA1_SIZE);
	put_sha1(&b);
	fixture_write_file(w->rev, b.data, b.len);
	buf_fini(&b);
}

static void believes_no_rev_file_that_lies(void **state)
{
	struct world *w = *state;
	struct pack *p;
	uint32_t pos[50], kept;

	make_blobs(w, 50);
	p = open_made(w);
	memcpy(pos, pack_order(p, &w->e)->pos, sizeof pos);
	pack_put(p);
	for (int round = 0; round < 5; round++) {
		kept = pos[7];
		pos[7] = round == 0   ? kept
			 : round == 1 ? pos[8]
			 : round == 2 ? 50
			 : round == 3 ? UINT32_MAX
				      : 0;
		write_rev(w, pos, round == 4 ? 49 : 50);
		pos[7] = kept;
		p = pack_open(w->pack, OID_SHA1, &w->e);
		assert_non_null(p);
		assert_in_order(w, pack_order(p, &w->e));
		pack_put(p);
	}
}

static void two_objects_at_one_place_are_corrupt(void **state)
{
	struct world *w = *state;
	struct pack *p;

	make_blobs(w, 3);
	w->m->entries[1].offset = w->m->entries[0].offset;
	p = open_made(w);
	assert_null(pack_order(p, &w->e));
	assert_int_equal(w->e.code, ERR_CORRUPT);
	pack_put(p);
}

static void objects_out_of_the_pack_are_corrupt(void **state)
{
	struct world *w = *state;
	struct pack_entry entry;
	struct pack *p;

	make_blobs(w, 3);
	w->m->entries[1].offset = 1 << 20;
	p = open_made(w);
	assert_null(pack_order(p, &w->e));
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_int_equal(pack_entry(p, 1 << 20, &entry, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, w->pack));
	assert_int_equal(pack_entry(p, 0, &entry, &w->e), -1);
	assert_int_equal(pack_entry(p, pack_end(p), &entry, &w->e), -1);
	assert_int_equal(pack_entry(p, UINT64_MAX, &entry, &w->e), -1);
	pack_put(p);
}

static void reads_the_heads_of_entries(void **state)
{
	struct world *w = *state;
	struct oid id = blob_id("x"), base = blob_id("base");
	struct pack_entry entry;
	struct pack *p;
	uint64_t offset;

	maker_blob(w->m, "base");
	maker_head(w->m, &id, OBJECT_TREE, UINT64_MAX);
	maker_deflate(w->m, "x", 1);
	id.id[0]++;
	offset = w->m->pack.len;
	maker_ofs_delta(w->m, &id, offset - PACK_HEADER_SIZE, "d", 1);
	id.id[0]++;
	maker_ref_delta(w->m, &id, &base, "delta", 5);
	p = open_made(w);
	assert_int_equal(pack_entry(p, PACK_HEADER_SIZE, &entry, &w->e), 0);
	assert_int_equal(entry.type, OBJECT_BLOB);
	assert_int_equal(entry.size, 4);
	assert_int_equal(entry.data.data - pack_bytes(p).data,
			 PACK_HEADER_SIZE + 1);
	assert_int_equal(
		pack_entry(p, pack_order(p, &w->e)->offset[1], &entry, &w->e),
		0);
	assert_true(entry.size == UINT64_MAX);
	assert_int_equal(pack_entry(p, offset, &entry, &w->e), 0);
	assert_int_equal(entry.type, OBJECT_OFS_DELTA);
	assert_int_equal(entry.base_offset, PACK_HEADER_SIZE);
	assert_int_equal(
		pack_entry(p, pack_order(p, &w->e)->offset[3], &entry, &w->e),
		0);
	assert_int_equal(entry.type, OBJECT_REF_DELTA);
	assert_int_equal(entry.size, 5);
	assert_true(oid_eq(&entry.base_id, &base));
	pack_put(p);
}

static void refuses_malformed_heads(void **state)
{
#define HEAD(text)                    \
	{                             \
		text, sizeof text - 1 \
	}
	/* Each stands at offset 12, behind a header that is not looked at. */
	static const struct {
		const char *text;
		size_t len;
	} wrong[] = {
		HEAD("\x00"),
		HEAD("\x50"),					  /* type 5 */
		HEAD("\xb0"),					  /* cut size */
		HEAD("\xbf\xff\xff\xff\xff\xff\xff\xff\xff\x1f"), /* 65 bits */
		HEAD("\xbf\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
		HEAD("\x61"),
		HEAD("\x61\x00"),
		HEAD("\x61\x01"), /* into the header */
		HEAD("\x61\x80"),
		HEAD("\x61\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
		HEAD("\x71"),
		HEAD("\x71zzzzzzzzzzzzzzzzzzz"),
	};
#undef HEAD
	struct pack_entry entry;
	char bytes[64] = "PACK........";
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		memcpy(bytes + 12, wrong[i].text, wrong[i].len);
		if (pack_entry_parse(span_of(bytes, 12 + wrong[i].len), 12,
				     OID_SHA1, &entry, &e) == 0)
			fail_msg("accepted case %zu", i);
		assert_int_equal(e.code, ERR_CORRUPT);
	}
}

static void refuses_a_pack_that_is_not_its_indexs(void **state)
{
	struct world *w = *state;
	size_t whole;

	make_blobs(w, 3);
	pack_put(open_made(w));
	whole = w->m->pack.len;
	for (size_t n = 0; n < whole; n++) {
		fixture_write_file(w->pack, w->m->pack.data, n);
		assert_null(pack_open(w->pack, OID_SHA1, &w->e));
		assert_int_equal(w->e.code, ERR_CORRUPT);
		assert_non_null(strstr(w->e.message, w->pack));
	}
	for (size_t n = 0; n < PACK_HEADER_SIZE; n++) {
		if (n == 7) /* version 3 is well */
			continue;
		w->m->pack.data[n] ^= 1;
		fixture_write_file(w->pack, w->m->pack.data, whole);
		assert_null(pack_open(w->pack, OID_SHA1, &w->e));
		assert_int_equal(w->e.code, ERR_CORRUPT);
		w->m->pack.data[n] ^= 1;
	}
	fixture_write_file(w->pack, w->m->pack.data, whole);
	pack_put(pack_open(w->pack, OID_SHA1, &w->e));
	assert_int_equal(unlink(w->index), 0);
	assert_null(pack_open(w->pack, OID_SHA1, &w->e));
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
}

static uint64_t sum_of(struct span s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += s.data[i];
	return sum;
}

static void a_pack_that_shrinks_is_an_error_and_not_the_end(void **state)
{
	struct world *w = *state;
	struct pack *p, *other;
	struct oid id = blob_id("blob number 0");
	uint64_t before;
	uint32_t pos;

	make_blobs(w, 5000);
	p = open_made(w);
	other = pack_open(w->pack, OID_SHA1, &w->e);
	assert_non_null(other);
	before = sum_of(pack_bytes(p));
	assert_int_equal(pack_check(p, &w->e), 0);
	assert_int_equal(truncate(w->pack, 8192), 0);
	/* Noticed without being touched, too. */
	assert_int_equal(pack_check(other, &w->e), -1);
	assert_false(pack_is_damaged(other));
	assert_true(sum_of(pack_bytes(p)) < before);
	assert_true(pack_is_damaged(p));
	assert_false(pack_is_current(p));
	assert_int_equal(pack_check(p, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, w->pack));
	assert_int_equal(truncate(w->index, 0), 0);
	(void)pack_find(p, &id, &pos);
	assert_int_equal(pack_check(p, &w->e), -1);
	pack_put(p);
	pack_put(other);
}

static void an_unlinked_pack_stays_readable(void **state)
{
	struct world *w = *state;
	struct pack *p;
	uint64_t before;

	make_blobs(w, 100);
	p = open_made(w);
	before = sum_of(pack_bytes(p));
	unlink(w->pack);
	unlink(w->index);
	assert_int_equal(sum_of(pack_bytes(p)), before);
	assert_int_equal(pack_check(p, &w->e), 0);
	pack_put(p);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sorts_entries_by_offset),
		TEST(believes_no_rev_file_that_lies),
		TEST(two_objects_at_one_place_are_corrupt),
		TEST(objects_out_of_the_pack_are_corrupt),
		TEST(reads_the_heads_of_entries),
		cmocka_unit_test(refuses_malformed_heads),
		TEST(refuses_a_pack_that_is_not_its_indexs),
		TEST(a_pack_that_shrinks_is_an_error_and_not_the_end),
		TEST(an_unlinked_pack_stays_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
