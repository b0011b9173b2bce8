/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_fixture.h"

#include "base/attr.h"
#include "base/clock.h"
#include "git/object_glance.h"
#include "git/objects.h"
#include "git/pack_file.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE ((size_t)1 << 20)
#define MAX   ((size_t)1 << 20)

struct world {
	struct fixture f;
	struct objects *objects;
	struct object_reader *reader;
	struct err e;
};

/* Longer than a signature is too young to trust. */
static void settle(void)
{
	const struct timespec tick = { 0, 50 * 1000 * 1000 };

	nanosleep(&tick, NULL);
}

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	fixture_open(&w->f);
	*state = w;
	return 0;
}

static void world_view(struct world *w)
{
	struct objects *previous = w->objects;

	object_reader_free(w->reader);
	w->objects = objects_open(w->f.objects, OID_SHA1, previous, &w->e);
	objects_put(previous);
	if (!w->objects)
		fail_msg("%s", w->e.message);
	w->reader = object_reader_new(w->objects, CACHE, &w->e);
	assert_non_null(w->reader);
}

static int world_close(void **state)
{
	struct world *w = *state;

	object_reader_free(w->reader);
	objects_put(w->objects);
	fixture_close(&w->f);
	free(w);
	return 0;
}

/* The object reads as `text`, and its info fits. */
static void assert_reads(struct world *w, const struct oid *id,
			 const char *text)
{
	enum object_type type;
	struct object o;
	uint64_t size;

	if (object_read(w->reader, id, MAX, &o, &w->e) < 0)
		fail_msg("%s: %s", text, w->e.message);
	assert_int_equal(o.type, OBJECT_BLOB);
	assert_int_equal(o.size, strlen(text));
	assert_memory_equal(o.data, text, o.size);
	object_fini(&o);
	assert_int_equal(object_info(w->reader, id, &type, &size, &w->e), 0);
	assert_int_equal(type, OBJECT_BLOB);
	assert_int_equal(size, strlen(text));
}

static void assert_fails(struct world *w, const struct oid *id,
			 enum err_code code)
{
	struct object o;

	assert_int_equal(object_read(w->reader, id, MAX, &o, &w->e), -1);
	if (w->e.code != code)
		fail_msg("%s: %s", err_code_name(w->e.code), w->e.message);
	assert_null(o.data);
}

/* -- against libgit2 ------------------------------------------------------- */

static int compare_one(const git_oid *gid, void *arg)
{
	struct world *w = arg;
	struct oid id = fixture_oid(gid);
	enum object_type type;
	git_odb_object *theirs;
	struct object ours;
	uint64_t size;

	fixture_check(git_odb_read(&theirs, w->f.odb, gid), "read");
	if (object_read(w->reader, &id, SIZE_MAX, &ours, &w->e) < 0)
		fail_msg("%s", w->e.message);
	assert_int_equal(ours.type, git_odb_object_type(theirs));
	assert_int_equal(ours.size, git_odb_object_size(theirs));
	if (ours.size)
		assert_memory_equal(ours.data, git_odb_object_data(theirs),
				    ours.size);
	assert_int_equal(object_info(w->reader, &id, &type, &size, &w->e), 0);
	assert_int_equal(type, ours.type);
	assert_int_equal(size, ours.size);
	object_fini(&ours);
	git_odb_object_free(theirs);
	return 0;
}

/* Versions of one text, so that libgit2 makes deltas of them. */
static void write_versions(struct world *w, struct oid *ids, size_t n)
{
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < 200; i++)
		buf_addf(&text, "line %u of a text that is long enough\n",
			 i * i);
	for (unsigned i = 0; i < n; i++) {
		buf_addf(&text, "and one more, %u\n", i * 31);
		text.data[i * 17 % 4000] = (char)('A' + i % 26);
		ids[i] = fixture_write(&w->f, OBJECT_BLOB, text.data, text.len);
	}
	buf_fini(&text);
}

static void reads_what_libgit2_packed(void **state)
{
	struct world *w = *state;
	struct oid ids[60];
	struct object_at at;
	char name[64];

	write_versions(w, ids, ARRAY_SIZE(ids));
	fixture_pack(&w->f, ids, ARRAY_SIZE(ids), name);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i += 2)
		fixture_remove_loose(&w->f, &ids[i]);
	fixture_commit(&w->f, 1, NULL, 0);
	world_view(w);
	assert_int_equal(objects_total(w->objects), ARRAY_SIZE(ids));
	assert_int_equal(objects_find(w->objects, &ids[1], &at, &w->e), 1);
	assert_int_equal(at.pack, 0);
	assert_int_equal(git_odb_refresh(w->f.odb), 0);
	assert_int_equal(git_odb_foreach(w->f.odb, compare_one, w), 0);
}

/* -- deltas ---------------------------------------------------------------- */

static void resolves_both_kinds_of_delta(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid a = blob_id("base"), b = blob_id("base+one"),
		   c = blob_id("base+one+two");
	unsigned char delta[64];
	size_t n;

	n = append_delta(delta, 8, "+two");
	maker_ref_delta(m, &c, &b, delta, n); /* before its base */
	maker_blob(m, "base");
	n = append_delta(delta, 4, "+one");
	maker_ofs_delta(m, &b, m->pack.len - m->entries[1].offset, delta, n);
	maker_write(m, &w->f, "x");
	world_view(w);
	for (int round = 0; round < 2; round++) { /* then from the cache */
		assert_reads(w, &c, "base+one+two");
		assert_reads(w, &b, "base+one");
		assert_reads(w, &a, "base");
	}
	maker_free(m);
}

static void a_base_may_lie_elsewhere(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid loose = fixture_blob(&w->f, "loose"),
		   packed = blob_id("packed"), a = blob_id("loose!"),
		   b = blob_id("packed!");
	unsigned char delta[64];
	size_t n;

	n = append_delta(delta, 5, "!");
	maker_ref_delta(m, &a, &loose, delta, n);
	n = append_delta(delta, 6, "!");
	maker_ref_delta(m, &b, &packed, delta, n);
	maker_write(m, &w->f, "x");
	maker_free(m);
	m = maker_new();
	maker_blob(m, "packed");
	maker_write(m, &w->f, "y");
	maker_free(m);
	world_view(w);
	assert_reads(w, &a, "loose!");
	assert_reads(w, &b, "packed!");
	fixture_remove_loose(&w->f, &loose);
	world_view(w); /* without the cache */
	assert_fails(w, &a, ERR_CORRUPT);
}

static void a_cycle_is_an_error(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid a = blob_id("a"), b = blob_id("b"), c = blob_id("c");
	unsigned char delta[64];
	size_t n = append_delta(delta, 1, "");
	enum object_type type;
	uint64_t size;

	maker_ref_delta(m, &a, &b, delta, n);
	maker_ref_delta(m, &b, &a, delta, n);
	maker_ref_delta(m, &c, &c, delta, n);
	maker_write(m, &w->f, "x");
	maker_free(m);
	world_view(w);
	assert_fails(w, &a, ERR_CORRUPT);
	assert_fails(w, &c, ERR_CORRUPT);
	assert_int_equal(object_info(w->reader, &b, &type, &size, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
}

/* A chain of `n` deltas that change nothing, all under made-up ids. */
static struct oid make_chain(struct world *w, uint32_t n)
{
	struct maker *m = maker_new();
	struct oid id = blob_id("deep");
	unsigned char delta[64];
	size_t len = append_delta(delta, 4, "");
	uint64_t before = m->pack.len;

	delta[4] = 0x90; /* "copy 4" was said: take the reserved byte off */
	len = 4;
	maker_blob(m, "deep");
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = m->pack.len;

		store_u32be(id.id + 4, i);
		maker_ofs_delta(m, &id, at - before, delta, len);
		before = at;
	}
	maker_write(m, &w->f, "deep");
	maker_free(m);
	return id;
}

static void deep_chains_take_linear_time(void **state)
{
	struct world *w = *state;
	struct oid deepest = make_chain(w, 9999);

	world_view(w);
	assert_reads(w, &deepest, "deep");
}

static void a_chain_too_deep_is_refused(void **state)
{
	struct world *w = *state;
	struct oid deepest = make_chain(w, 10001);

	world_view(w);
	assert_fails(w, &deepest, ERR_CORRUPT);
}

/* -- lies ------------------------------------------------------------------ */

static void sizes_that_lie_are_corrupt(void **state)
{
	static const uint64_t sizes[] = {
		0, 3, 5, 4000, (uint64_t)MAX, 0x7fffffff, UINT64_MAX,
	};
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid id = blob_id("text");
	enum err_code code;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t entry;

		id.id[1] = (unsigned char)i;
		entry = maker_head(m, &id, OBJECT_BLOB, sizes[i]);
		maker_deflate(m, "text", 4);
		maker_end(m, entry);
	}
	maker_write(m, &w->f, "x");
	maker_free(m);
	world_view(w);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		id.id[1] = (unsigned char)i;
		code = sizes[i] > MAX ? ERR_LIMIT : ERR_CORRUPT;
		assert_fails(w, &id, code);
	}
}

static void a_delta_that_lies_is_corrupt(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		enum err_code code;
	} wrong[] = {
		{ "", 0, ERR_CORRUPT },
		{ "\x04", 1, ERR_CORRUPT },
		{ "\x04\x04", 2, ERR_CORRUPT },
		{ "\x05\x04\x90\x04", 4, ERR_CORRUPT },
		{ "\x04\x05\x90\x05", 4, ERR_CORRUPT },
		{ "\x04\x04\x00", 3, ERR_CORRUPT },
		{ "\x04\xff\xff\xff\x7f\x90\x04", 7, ERR_LIMIT },
	};
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid id = blob_id("text"), base = id;

	maker_blob(m, "text");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		id.id[1] = (unsigned char)i;
		maker_ref_delta(m, &id, &base, wrong[i].text, wrong[i].n);
	}
	maker_write(m, &w->f, "x");
	maker_free(m);
	world_view(w);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		id.id[1] = (unsigned char)i;
		assert_fails(w, &id, wrong[i].code);
	}
	assert_reads(w, &base, "text");
}

static void any_flip_in_a_pack_is_found_out(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid a = blob_id("base"), b = blob_id("base+one"),
		   c = blob_id("base+one+two");
	struct object o;
	unsigned char delta[64];
	char path[400];
	size_t n;

	maker_blob(m, "base");
	n = append_delta(delta, 4, "+one");
	maker_ofs_delta(m, &b, m->pack.len - 12, delta, n);
	n = append_delta(delta, 8, "+two");
	maker_ref_delta(m, &c, &b, delta, n);
	maker_write(m, &w->f, "x");
	snprintf(path, sizeof path, "%s/pack/pack-x.pack", w->f.objects);
	for (size_t i = 12 * 8; i < (m->pack.len - 20) * 8; i++) {
		m->pack.data[i / 8] ^= (char)(1 << i % 8);
		fixture_write_file(path, m->pack.data, m->pack.len);
		m->pack.data[i / 8] ^= (char)(1 << i % 8);
		world_view(w);
		if (object_read(w->reader, &a, MAX, &o, &w->e) == 0) {
			assert_int_equal(o.type, OBJECT_BLOB);
			assert_memory_equal(o.data, "base", 4);
			object_fini(&o);
		} else {
			assert_int_equal(w->e.code, ERR_CORRUPT);
			assert_non_null(strstr(w->e.message, path));
		}
		if (object_read(w->reader, &c, MAX, &o, &w->e) == 0) {
			/* A base's type has no checksum: readers compare. */
			assert_memory_equal(o.data, "base+one+two", 12);
			object_fini(&o);
		} else {
			assert_int_equal(w->e.code, ERR_CORRUPT);
			assert_non_null(strstr(w->e.message, path));
		}
	}
	maker_free(m);
}

/* -- several copies -------------------------------------------------------- */

/* Break the first entry of the pack called `name`. */
static void damage(const struct world *w, const char *name)
{
	char path[400];
	FILE *file;

	snprintf(path, sizeof path, "%s/pack/pack-%s.pack", w->f.objects, name);
	file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, PACK_HEADER_SIZE + 3, SEEK_SET);
	fputc(0x55, file);
	fclose(file);
}

static void a_damaged_copy_falls_back_on_another(void **state)
{
	static const char *const names[] = { "x", "y" };
	struct world *w = *state;
	struct oid id = blob_id("text"), found;
	struct object_at at;
	struct object o;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct maker *m = maker_new();

		maker_blob(m, "text");
		maker_write(m, &w->f, names[i]);
		maker_free(m);
	}
	world_view(w);
	damage(w, strstr(pack_path(objects_pack(w->objects, 0)), "-x.") ? "x"
									: "y");
	assert_reads(w, &id, "text");
	objects_by_number(w->objects, 0, &at, &found);
	assert_int_equal(object_read_at(w->reader, &at, &id, MAX, &o, &w->e),
			 0);
	object_fini(&o);
	damage(w, "x");
	damage(w, "y");
	assert_fails(w, &id, ERR_CORRUPT);
	write_loose(&w->f, "text");
	assert_reads(w, &id, "text");
}

static void a_damaged_base_is_taken_from_elsewhere(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid b = blob_id("base+one"), c = blob_id("base+one+two");
	unsigned char delta[64];
	size_t n;

	maker_blob(m, "base");
	n = append_delta(delta, 4, "+one");
	maker_ofs_delta(m, &b, m->pack.len - 12, delta, n);
	n = append_delta(delta, 8, "+two");
	maker_ofs_delta(m, &c, m->pack.len - m->entries[1].offset, delta, n);
	maker_write(m, &w->f, "x");
	maker_free(m);
	damage(w, "x");
	world_view(w);
	assert_fails(w, &c, ERR_CORRUPT);
	write_loose(&w->f, "base");
	world_view(w);
	assert_reads(w, &c, "base+one+two");
	assert_reads(w, &b, "base+one");
}

static void numbers_follow_the_first_copy(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid id = blob_id("both"), found;
	struct object_at at;

	maker_blob(m, "both");
	maker_blob(m, "only x");
	maker_write(m, &w->f, "x");
	maker_free(m);
	world_view(w);
	m = maker_new();
	maker_blob(m, "only y");
	maker_blob(m, "both");
	maker_blob(m, "y again");
	maker_write(m, &w->f, "y");
	maker_free(m);
	world_view(w);
	assert_int_equal(objects_total(w->objects), 5);
	for (uint32_t i = 0; i < 5; i++) {
		objects_by_number(w->objects, i, &at, &found);
		assert_int_equal(objects_number(w->objects, &at), i);
		assert_int_equal(at.pack, i >= 2);
	}
	assert_int_equal(objects_find(w->objects, &id, &at, &w->e), 1);
	assert_true(objects_number(w->objects, &at) < 2);
}

/* -- views ----------------------------------------------------------------- */

static void put_pack(struct world *w, const char *text)
{
	struct maker *m = maker_new();

	maker_blob(m, text);
	maker_write(m, &w->f, text);
	maker_free(m);
}

static void a_new_view_shares_and_appends(void **state)
{
	struct world *w = *state;
	struct objects *old;
	struct oid a = blob_id("a");
	struct object_at at;
	char path[400];

	put_pack(w, "a");
	put_pack(w, "b");
	world_view(w);
	old = objects_get(w->objects);
	put_pack(w, "c");
	assert_false(objects_fresh(old));
	world_view(w);
	assert_int_equal(objects_pack_count(w->objects), 3);
	assert_int_equal(objects_same_prefix(old, w->objects), 2);
	assert_ptr_equal(objects_pack(old, 1), objects_pack(w->objects, 1));
	snprintf(path, sizeof path, "%s/pack/pack-a.pack", w->f.objects);
	unlink(path);
	snprintf(path, sizeof path, "%s/pack/pack-a.idx", w->f.objects);
	unlink(path);
	assert_reads(w, &a, "a"); /* the view still holds it */
	world_view(w);
	assert_int_equal(objects_pack_count(w->objects), 2);
	assert_int_equal(objects_find(w->objects, &a, &at, &w->e), 0);
	assert_fails(w, &a, ERR_NOT_FOUND);
	objects_put(old);
}

static void settles_and_is_fresh(void **state)
{
	struct world *w = *state;

	put_pack(w, "a");
	world_view(w);
	assert_false(objects_fresh(w->objects)); /* too young to trust */
	settle();
	world_view(w);
	assert_true(objects_fresh(w->objects));
	put_pack(w, "b");
	assert_false(objects_fresh(w->objects));
}

static void what_was_packed_meanwhile_is_still_found(void **state)
{
	struct world *w = *state;
	struct oid id = fixture_blob(&w->f, "text"), other = blob_id("other");
	struct object_at at;

	world_view(w);
	assert_int_equal(objects_find(w->objects, &id, &at, &w->e), 1);
	assert_int_equal(at.pack, OBJECT_LOOSE);
	put_pack(w, "text");
	fixture_remove_loose(&w->f, &id);
	assert_int_equal(objects_find(w->objects, &id, &at, &w->e), 1);
	assert_int_equal(at.pack, OBJECT_LOOSE);
	assert_int_equal(objects_number(w->objects, &at), UINT32_MAX);
	assert_reads(w, &id, "text");
	assert_int_equal(objects_total(w->objects), 0);
	put_pack(w, "other");
	assert_reads(w, &other, "other");
	assert_reads(w, &id, "text");
}

static void a_damaged_pack_is_named_until_it_is_mended(void **state)
{
	struct world *w = *state;
	struct oid a = blob_id("a"), b = blob_id("b");
	struct buf bytes = BUF_INIT;
	struct object_at at;
	char path[400];

	put_pack(w, "a");
	put_pack(w, "b");
	snprintf(path, sizeof path, "%s/pack/pack-a.pack", w->f.objects);
	assert_int_equal(file_read(path, MAX, &bytes, &w->e), 0);
	fixture_write_file(path, bytes.data, bytes.len - 1);
	world_view(w);
	assert_int_equal(objects_pack_count(w->objects), 1);
	assert_reads(w, &b, "b");
	assert_int_equal(objects_find(w->objects, &a, &at, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, path));
	assert_fails(w, &a, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, path));
	fixture_write_file(path, bytes.data, bytes.len);
	assert_false(objects_fresh(w->objects));
	world_view(w);
	assert_reads(w, &a, "a");
	buf_fini(&bytes);
}

static void a_pack_that_shrinks_fails_what_needs_it(void **state)
{
	struct world *w = *state;
	struct maker *m = maker_new();
	struct oid last, other = fixture_blob(&w->f, "other");
	char text[32], path[400];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "blob number %u", i);
		maker_blob(m, text);
	}
	maker_write(m, &w->f, "x");
	last = blob_id(text);
	settle();
	world_view(w);
	assert_true(objects_fresh(w->objects));
	snprintf(path, sizeof path, "%s/pack/pack-x.pack", w->f.objects);
	assert_int_equal(truncate(path, 5000), 0);
	assert_fails(w, &last, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, path));
	assert_reads(w, &other, "other");
	assert_false(objects_fresh(w->objects));
	world_view(w);
	assert_int_equal(objects_pack_count(w->objects), 0);
	assert_fails(w, &last, ERR_CORRUPT);
	settle();
	world_view(w);
	assert_true(objects_fresh(w->objects)); /* no mending, no looking */
	fixture_write_file(path, m->pack.data, m->pack.len);
	assert_false(objects_fresh(w->objects));
	world_view(w);
	assert_reads(w, &last, text);
	maker_free(m);
}

static void other_files_beside_packs_are_ignored(void **state)
{
	static const char *const names[] = {
		"pack-z.pack",	 "pack-y.idx",	     "tmp_pack_a",
		"tmp_idx_a.idx", "x.keep",	     "pack-a.promisor",
		"pack-a.keep",	 "multi-pack-index", ".tmp-1-pack-a.idx",
		"pack-a.mtimes",
	};
	struct world *w = *state;
	char path[400];

	put_pack(w, "a");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof path, "%s/pack/%s", w->f.objects,
			 names[i]);
		fixture_write_file(path, "x", 1);
	}
	world_view(w);
	assert_int_equal(objects_pack_count(w->objects), 1);
	assert_fails(w, &(struct oid){ .len = 20 }, ERR_NOT_FOUND);
}

static void a_quarantined_pack_is_seen_behind_the_others(void **state)
{
	struct world *w = *state, quarantine = { 0 };
	struct oid a = blob_id("a"), b = blob_id("b");
	struct objects *sum;
	struct object_at at;
	struct pack *extra;
	char path[400];

	fixture_open(&quarantine.f);
	put_pack(&quarantine, "b");
	snprintf(path, sizeof path, "%s/pack/pack-b.pack",
		 quarantine.f.objects);
	put_pack(w, "a");
	world_view(w);
	extra = pack_open(path, OID_SHA1, &w->e);
	assert_non_null(extra);
	sum = objects_plus(w->objects, extra, &w->e);
	assert_non_null(sum);
	pack_put(extra);
	assert_int_equal(objects_same_prefix(sum, w->objects), 1);
	assert_int_equal(objects_find(sum, &b, &at, &w->e), 1);
	assert_int_equal(at.pack, 1);
	assert_int_equal(objects_find(sum, &a, &at, &w->e), 1);
	assert_int_equal(at.pack, 0);
	assert_int_equal(objects_find(w->objects, &b, &at, &w->e), 0);
	objects_put(sum);
	fixture_close(&quarantine.f);
}

static void no_objects_directory_is_not_found(void **state)
{
	struct world *w = *state;

	assert_null(objects_open("/nonexistent", OID_SHA1, NULL, &w->e));
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
}

/* -- alternates ------------------------------------------------------------ */

static void write_alternates(const struct fixture *f, const char *text)
{
	char path[400];

	snprintf(path, sizeof path, "%s/info", f->objects);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/info/alternates", f->objects);
	fixture_write_file(path, text, strlen(text));
}

static void follows_alternates_also_in_a_circle(void **state)
{
	struct world *w = *state;
	struct world one = { 0 }, two = { 0 };
	struct oid a, b = blob_id("packed there");
	char text[2000];

	fixture_open(&one.f);
	fixture_open(&two.f);
	a = fixture_blob(&one.f, "loose there");
	put_pack(&two, "packed there");
	snprintf(text, sizeof text, "# a comment\n\n%s\n/nonexistent\n%s\n",
		 one.f.objects, w->f.objects);
	write_alternates(&w->f, text);
	/* Relative, and back to where it came from. */
	snprintf(text, sizeof text, "../../%s\n%s/../objects",
		 strrchr(two.f.dir, '/') + 1, w->f.objects);
	strcpy(strchr(text, '\n'), "/objects\n");
	write_alternates(&one.f, text);
	snprintf(text, sizeof text, "%s\n%s\n", w->f.objects, one.f.objects);
	write_alternates(&two.f, text);
	world_view(w);
	assert_reads(w, &a, "loose there");
	assert_reads(w, &b, "packed there");
	assert_fails(w, &(struct oid){ .len = 20 }, ERR_NOT_FOUND);
	assert_non_null(strstr(w->e.message, "/nonexistent"));
	fixture_close(&one.f);
	fixture_close(&two.f);
}

static void new_packs_of_an_alternate_are_noticed(void **state)
{
	struct world *w = *state;
	struct world other = { 0 };
	struct oid id = blob_id("text");

	fixture_open(&other.f);
	write_alternates(&w->f, other.f.objects);
	settle();
	world_view(w);
	assert_true(objects_fresh(w->objects));
	put_pack(&other, "text");
	assert_false(objects_fresh(w->objects));
	world_view(w);
	assert_reads(w, &id, "text");
	fixture_close(&other.f);
}

/* -- tags ------------------------------------------------------------------ */

static struct oid write_tag(struct world *w, const struct oid *target,
			    const char *type)
{
	char text[200], hex[OID_MAX_HEX + 1];

	snprintf(text, sizeof text, "object %s\ntype %s\ntag t\n\n",
		 oid_hex(target, hex), type);
	return fixture_write(&w->f, OBJECT_TAG, text, strlen(text));
}

static void peels_tags_of_tags_up_to_a_limit(void **state)
{
	struct world *w = *state;
	struct oid blob = fixture_blob(&w->f, "text"), tag, peeled;
	enum object_type type;

	world_view(w);
	tag = write_tag(w, &blob, "blob");
	for (int i = 1; i < 1000; i++)
		tag = write_tag(w, &tag, "tag");
	assert_int_equal(object_peel(w->reader, &tag, &peeled, &type, &w->e),
			 0);
	assert_true(oid_eq(&peeled, &blob));
	assert_int_equal(type, OBJECT_BLOB);
	tag = write_tag(w, &tag, "tag");
	assert_int_equal(object_peel(w->reader, &tag, &peeled, &type, &w->e),
			 -1);
	assert_int_equal(w->e.code, ERR_LIMIT);
	assert_int_equal(object_peel(w->reader, &blob, &peeled, &type, &w->e),
			 0);
	assert_true(oid_eq(&peeled, &blob));
	fixture_remove_loose(&w->f, &blob);
	tag = write_tag(w, &blob, "blob");
	assert_int_equal(object_peel(w->reader, &tag, &peeled, &type, &w->e),
			 -1);
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
}

/* What git leaves behind an object is a directory. */
static void remove_loose_dir(struct world *w, const struct oid *id)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%02x", w->f.objects, id->id[0]);
	assert_int_equal(rmdir(path), 0);
}

static void assert_glance(struct object_glance *g, const struct oid *id,
			  int expected)
{
	struct err e;

	assert_int_equal(object_glance(g, id, &e), expected);
}

static void a_glance_asks_once_for_each_directory(void **state)
{
	CLEANUP(object_glance_fini) struct object_glance g = { 0 };
	struct world *w = *state;
	struct oid packed, loose, absent;

	packed = fixture_blob(&w->f, "packed");
	fixture_pack(&w->f, &packed, 1, (char[64]){ 0 });
	fixture_remove_loose(&w->f, &packed);
	loose = fixture_blob(&w->f, "loose");
	world_view(w);
	object_glance_init(&g, w->objects);
	assert_glance(&g, &packed, 1);
	assert_glance(&g, &loose, 1);
	absent = loose;
	absent.id[OID_SHA1_SIZE - 1] ^= 1;
	assert_glance(&g, &absent, 0);
	/* A directory that was not there is not looked for again. */
	absent = fixture_blob(&w->f, "later");
	assert_int_not_equal(absent.id[0], loose.id[0]);
	fixture_remove_loose(&w->f, &absent);
	remove_loose_dir(w, &absent);
	assert_glance(&g, &absent, 0);
	fixture_blob(&w->f, "later");
	assert_glance(&g, &absent, 0);
	object_glance_fini(&g);
	assert_glance(&g, &absent, 1);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_libgit2_packed),
		TEST(resolves_both_kinds_of_delta),
		TEST(a_base_may_lie_elsewhere),
		TEST(a_cycle_is_an_error),
		TEST(deep_chains_take_linear_time),
		TEST(a_chain_too_deep_is_refused),
		TEST(sizes_that_lie_are_corrupt),
		TEST(a_delta_that_lies_is_corrupt),
		TEST(any_flip_in_a_pack_is_found_out),
		TEST(a_damaged_copy_falls_back_on_another),
		TEST(a_damaged_base_is_taken_from_elsewhere),
		TEST(numbers_follow_the_first_copy),
		TEST(a_new_view_shares_and_appends),
		TEST(settles_and_is_fresh),
		TEST(what_was_packed_meanwhile_is_still_found),
		TEST(a_damaged_pack_is_named_until_it_is_mended),
		TEST(a_pack_that_shrinks_fails_what_needs_it),
		TEST(other_files_beside_packs_are_ignored),
		TEST(a_quarantined_pack_is_seen_behind_the_others),
		TEST(a_glance_asks_once_for_each_directory),
		TEST(no_objects_directory_is_not_found),
		TEST(follows_alternates_also_in_a_circle),
		TEST(new_packs_of_an_alternate_are_noticed),
		TEST(peels_tags_of_tags_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
