/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_builder.h"
#include "repo_fixture.h"
#include "test.h"

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "git/fsck.h"
#include "git/pack_ingest.h"

#include <dirent.h>

struct feed {
	struct span bytes;
	size_t piece; /* at most so many at once */
	size_t stop;  /* bytes after which nobody may ask again; 0: none */
	size_t n_read;
};

static ssize_t feed_read(void *arg, void *data, size_t n, struct err *e)
{
	struct feed *f = arg;
	struct span piece;

	(void)e;
	if (f->stop && f->n_read >= f->stop)
		fail_msg("read on after the end of the pack");
	if (n > f->piece)
		n = f->piece;
	if (n > f->bytes.len)
		n = f->bytes.len;
	(void)span_take(&f->bytes, n, &piece);
	if (n)
		memcpy(data, piece.data, n);
	f->n_read += n;
	return (ssize_t)n;
}

struct bench {
	struct fixture f;
	char quarantine[300];
	struct pack_ingest_options options;
	struct err e;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	fixture_open(&b->f);
	snprintf(b->quarantine, sizeof b->quarantine, "%s/objects/incoming",
		 b->f.dir);
	assert_int_equal(dir_make(b->quarantine, 0700, &b->e), 0);
	b->options.quarantine_dir = b->quarantine;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	fixture_close(&b->f);
	free(b);
	return 0;
}

static void expect_no_files(const struct bench *b)
{
	CLEANUP(closedirp) DIR *dir = opendir(b->quarantine);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			fail_msg("left behind: %s", entry->d_name);
	}
}

static struct pack_ingest *ingest_span(struct bench *b, struct span bytes,
				       size_t piece)
{
	struct feed feed = { bytes, piece, bytes.len, 0 };

	return pack_ingest_run(&b->options, feed_read, &feed, &b->e);
}

static struct pack_ingest *ingest(struct bench *b, struct pack_builder *p)
{
	return ingest_span(b, buf_span(&p->bytes), SIZE_MAX);
}

/* The pack is refused with that code, and nothing is left. */
static void refuse(struct bench *b, struct pack_builder *p, enum err_code code)
{
	struct pack_ingest *in;

	builder_end(p);
	in = ingest(b, p);
	if (in)
		fail_msg("accepted");
	if (b->e.code != code)
		fail_msg("%s: %s", err_code_name(b->e.code), b->e.message);
	builder_fini(p);
	expect_no_files(b);
}

static void accept_n(struct bench *b, struct pack_builder *p, uint32_t n)
{
	struct pack_ingest *in;

	builder_end(p);
	in = ingest(b, p);
	if (!in)
		fail_msg("%s", b->e.message);
	assert_int_equal(pack_ingest_count(in), n);
	pack_ingest_free(in);
	builder_fini(p);
	expect_no_files(b);
}

static bool have_git(void)
{
	return system("git --version >/dev/null 2>&1") == 0;
}

static void run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Publish into the fixture; git makes the very same index of the same pack and
 * finds nothing wrong with the repository. */
static void publish_and_compare(struct bench *b, struct pack_ingest *in)
{
	char pack[512];

	snprintf(pack, sizeof pack, "%s/pack/pack-%s", b->f.objects,
		 pack_ingest_name(in));
	if (pack_ingest_publish(in, b->f.objects, &b->e) < 0)
		fail_msg("%s", b->e.message);
	expect_no_files(b);
	if (!have_git())
		return;
	run("git index-pack --strict -o %s/check.idx %s.pack >/dev/null",
	    b->f.dir, pack);
	run("cmp %s/check.idx %s.idx", b->f.dir, pack);
	run("git -C %s fsck --full --strict >/dev/null 2>&1", b->f.dir);
}

/* -- right ones ---------------------------------------------------------------
 */

static void takes_objects_and_deltas_of_both_kinds(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	struct pack_ingest *in;
	struct oid id = id_of_text(OBJECT_BLOB, "one\ntwo\n");
	uint64_t base, second;

	builder_begin(&p);
	delta_whole(&d, 8, "from a base that comes later\n");
	builder_ref_delta(&p, &id, &d);
	base = builder_text(&p, OBJECT_BLOB, "one\ntwo\n");
	delta_begin(&d, 8, 12);
	delta_copy(&d, 4, 4);
	delta_insert(&d, "three\n\n\n", 8);
	second = builder_ofs_delta(&p, base, &d);
	delta_begin(&d, 12, 4);
	delta_copy(&d, 8, 4);
	builder_ofs_delta(&p, second, &d);
	builder_text(&p, OBJECT_TREE, "");
	builder_end(&p);
	in = ingest(b, &p);
	if (!in)
		fail_msg("%s", b->e.message);
	assert_int_equal(pack_ingest_count(in), 5);
	assert_int_equal(pack_ingest_bytes(in), p.bytes.len);
	publish_and_compare(b, in);
	pack_ingest_free(in);
	builder_fini(&p);
	buf_fini(&d);
}

static void takes_a_pack_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = { 1, 2, 7, 19, 64, 4096 };
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	char name[64] = "";

	builder_begin(&p);
	for (int i = 0; i < 50; i++) {
		char text[64];
		uint64_t at;

		snprintf(text, sizeof text, "blob %d\n%*d\n", i, i, i);
		at = builder_text(&p, OBJECT_BLOB, text);
		delta_begin(&d, strlen(text), strlen(text) + 1);
		delta_copy(&d, 0, (uint32_t)strlen(text));
		delta_insert(&d, "x", 1);
		builder_ofs_delta(&p, at, &d);
	}
	builder_end(&p);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct pack_ingest *in =
			ingest_span(b, buf_span(&p.bytes), pieces[i]);

		if (!in)
			fail_msg("%s", b->e.message);
		assert_int_equal(pack_ingest_count(in), 100);
		if (*name)
			assert_string_equal(name, pack_ingest_name(in));
		snprintf(name, sizeof name, "%s", pack_ingest_name(in));
		pack_ingest_free(in);
	}
	builder_fini(&p);
	buf_fini(&d);
}

static void an_empty_pack_has_no_name_and_leaves_nothing(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	struct pack_ingest *in;

	builder_begin(&p);
	builder_end(&p);
	in = ingest(b, &p);
	assert_non_null(in);
	assert_string_equal(pack_ingest_name(in), "");
	assert_int_equal(pack_ingest_publish(in, b->f.objects, &b->e), 0);
	pack_ingest_free(in);
	builder_fini(&p);
	expect_no_files(b);
}

static void a_pack_that_is_there_is_left_as_it_is(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	struct stat first, second;
	char path[512];

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "same\n");
	builder_end(&p);
	for (int i = 0; i < 2; i++) {
		struct pack_ingest *in = ingest(b, &p);

		assert_non_null(in);
		snprintf(path, sizeof path, "%s/pack/pack-%s.pack",
			 b->f.objects, pack_ingest_name(in));
		assert_int_equal(pack_ingest_publish(in, b->f.objects, &b->e),
				 0);
		assert_int_equal(stat(path, i ? &second : &first), 0);
		pack_ingest_free(in);
	}
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(first.st_mode & 0777, 0444);
	builder_fini(&p);
	expect_no_files(b);
}

/* What was a cruft pack is new again: else its objects would be as old as they
 * were when it became one. */
static void a_cruft_pack_that_is_pushed_again_is_none(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	struct stat st;
	char path[512];

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "same\n");
	builder_end(&p);
	for (int i = 0; i < 2; i++) {
		struct pack_ingest *in = ingest(b, &p);

		assert_non_null(in);
		assert_int_equal(pack_ingest_publish(in, b->f.objects, &b->e),
				 0);
		snprintf(path, sizeof path, "%s/pack/pack-%s.mtimes",
			 b->f.objects, pack_ingest_name(in));
		if (!i)
			assert_int_equal(
				file_replace(path, "old", 3, 0444, &b->e), 0);
		pack_ingest_free(in);
	}
	assert_int_equal(stat(path, &st), -1);
	builder_fini(&p);
	expect_no_files(b);
}

static void another_pack_of_the_same_name_is_a_conflict(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	struct pack_ingest *in;
	char path[512];

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "same\n");
	builder_end(&p);
	in = ingest(b, &p);
	assert_non_null(in);
	snprintf(path, sizeof path, "%s/pack/pack-%s.pack", b->f.objects,
		 pack_ingest_name(in));
	assert_int_equal(file_replace(path, "other", 5, 0444, &b->e), 0);
	assert_int_equal(pack_ingest_publish(in, b->f.objects, &b->e), -1);
	assert_int_equal(b->e.code, ERR_CONFLICT);
	pack_ingest_free(in);
	builder_fini(&p);
	expect_no_files(b);
}

static void hundreds_of_thousands_of_tiny_objects(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	char text[16];

	builder_begin(&p);
	p.level = 1;
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof text, "%d", i);
		builder_text(&p, OBJECT_BLOB, text);
	}
	accept_n(b, &p, 100000);
}

/* -- thin packs
 * ----------------------------------------------------------------- */

static struct oid put_blob(struct bench *b, const char *text)
{
	git_oid id;

	fixture_check(git_odb_write(&id, b->f.odb, text, strlen(text),
				    GIT_OBJECT_BLOB),
		      "write");
	return fixture_oid(&id);
}

static void open_objects(struct bench *b)
{
	b->options.objects = objects_open(b->f.objects, OID_SHA1, NULL, &b->e);
	assert_non_null(b->options.objects);
}

static void completes_a_thin_pack_with_each_base_once(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	struct pack_ingest *in;
	struct objects *view;
	struct object_at at;
	struct oid bases[40], id;
	char text[64];

	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof text, "base %d\n", i);
		bases[i] = put_blob(b, text);
	}
	open_objects(b);
	builder_begin(&p);
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof text, "derived %d\n", i);
		delta_whole(&d, i % 40 < 10 ? 7 : 8, text);
		builder_ref_delta(&p, &bases[i % 40], &d);
	}
	builder_end(&p);
	in = ingest(b, &p);
	if (!in)
		fail_msg("%s", b->e.message);
	assert_int_equal(pack_ingest_count(in), 440);
	view = pack_ingest_objects(in, &b->e);
	assert_non_null(view);
	id = id_of_text(OBJECT_BLOB, "derived 399\n");
	assert_int_equal(objects_find(view, &id, &at, &b->e), 1);
	assert_int_equal(objects_find(b->options.objects, &id, &at, &b->e), 0);
	objects_put(view);
	publish_and_compare(b, in);
	pack_ingest_free(in);
	objects_put(b->options.objects);
	builder_fini(&p);
	buf_fini(&d);
}

static void refuses_deltas_on_nothing(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	struct oid id;

	open_objects(b);
	builder_begin(&p);
	delta_whole(&d, 3, "text");
	for (uint32_t i = 0; i < 3000; i++) {
		id = id_of(OBJECT_BLOB, &i, sizeof i);
		builder_ref_delta(&p, &id, &d);
	}
	refuse(b, &p, ERR_NOT_FOUND);
	objects_put(b->options.objects);
	buf_fini(&d);
}

static void takes_again_what_the_repository_has(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	char *large = calloc(1, (size_t)3 << 20);
	git_oid ignored;

	assert_non_null(large);
	memset(large, 'x', 100);
	put_blob(b, "known\n");
	fixture_check(git_odb_write(&ignored, b->f.odb, large, (size_t)3 << 20,
				    GIT_OBJECT_BLOB),
		      "write");
	open_objects(b);
	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "known\n");
	builder_object(&p, OBJECT_BLOB, large, (size_t)3 << 20);
	accept_n(b, &p, 2);
	objects_put(b->options.objects);
	free(large);
}

/* -- chains and circles
 * ------------------------------------------------------------ */

/* "step <i>" from "step <i-1>", as a REF_DELTA. */
static void add_step(struct pack_builder *p, struct buf *d, int i)
{
	char from[32], to[32];
	struct oid base;

	snprintf(from, sizeof from, "step %d", i - 1);
	snprintf(to, sizeof to, "step %d", i);
	base = id_of_text(OBJECT_BLOB, from);
	delta_whole(d, strlen(from), to);
	builder_ref_delta(p, &base, d);
}

static void resolves_a_deep_chain_in_reverse_order(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;

	builder_begin(&p);
	for (int i = PACK_DEPTH_MAX; i > 0; i--)
		add_step(&p, &d, i);
	builder_text(&p, OBJECT_BLOB, "step 0");
	accept_n(b, &p, PACK_DEPTH_MAX + 1);
	buf_fini(&d);
}

static void refuses_a_chain_that_is_deeper(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;

	builder_begin(&p);
	p.level = 1;
	for (int i = 20000; i > 0; i--)
		add_step(&p, &d, i);
	builder_text(&p, OBJECT_BLOB, "step 0");
	refuse(b, &p, ERR_LIMIT);
	buf_fini(&d);
}

static void a_delta_that_rebuilds_its_base_ends(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	struct oid id = id_of_text(OBJECT_BLOB, "me");

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "me");
	delta_begin(&d, 2, 2);
	delta_copy(&d, 0, 2);
	builder_ref_delta(&p, &id, &d);
	refuse(b, &p, ERR_MALFORMED);
	buf_fini(&d);
}

static void deltas_on_each_other_are_refused(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	struct oid a = id_of_text(OBJECT_BLOB, "aa");
	struct oid c = id_of_text(OBJECT_BLOB, "cc");

	builder_begin(&p);
	delta_whole(&d, 2, "aa");
	builder_ref_delta(&p, &c, &d);
	delta_whole(&d, 2, "cc");
	builder_ref_delta(&p, &a, &d);
	refuse(b, &p, ERR_NOT_FOUND);
	buf_fini(&d);
}

static void the_same_object_twice_is_refused(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "twin");
	builder_text(&p, OBJECT_BLOB, "twin");
	refuse(b, &p, ERR_MALFORMED);
}

/* Every object has two children, and memory is short: bases wait in a file. */
static void resolves_branching_chains_in_little_memory(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	size_t n = 100000;
	char *data = malloc(n);
	struct oid id;

	assert_non_null(data);
	memset(data, 'a', n);
	b->options.limits.memory = 150000;
	builder_begin(&p);
	id = id_of(OBJECT_BLOB, data, n);
	builder_object(&p, OBJECT_BLOB, data, n);
	for (uint32_t i = 0; i < 15; i++) {
		for (char c = 'y'; c <= 'z'; c++) {
			delta_begin(&d, n, n);
			delta_copy(&d, 0, i);
			if (!i)
				delta_begin(&d, n, n);
			delta_insert(&d, &c, 1);
			delta_copy(&d, i + 1, (uint32_t)n - i - 1);
			builder_ref_delta(&p, &id, &d);
		}
		data[i] = 'y';
		id = id_of(OBJECT_BLOB, data, n);
	}
	accept_n(b, &p, 31);
	free(data);
	buf_fini(&d);
}

/* -- wrong ones
 * ------------------------------------------------------------------- */

static void refuses_wrong_distances(void **state)
{
	static const uint64_t distances[] = { 0, 1, 2, 1000, UINT64_MAX >> 1 };
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;

	delta_whole(&d, 4, "text");
	for (size_t i = 0; i < ARRAY_SIZE(distances); i++) {
		builder_begin(&p);
		builder_text(&p, OBJECT_BLOB, "base");
		builder_head(&p, OBJECT_OFS_DELTA, d.len);
		builder_distance(&p, distances[i]);
		builder_deflate(&p, d.data, d.len);
		refuse(b, &p, ERR_MALFORMED);
	}
	builder_begin(&p);
	builder_head(&p, OBJECT_OFS_DELTA, d.len);
	buf_add(&p.bytes, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		12);
	builder_deflate(&p, d.data, d.len);
	refuse(b, &p, ERR_MALFORMED);
	buf_fini(&d);
}

static void refuses_deltas_that_lie(void **state)
{
	static const struct {
		uint64_t base_size, result_size;
		const char *ops;
		size_t n;
	} lies[] = {
		{ 5, 1, "\x01x", 2 },	     /* another base */
		{ 4, 2, "\x01x", 2 },	     /* too little */
		{ 4, 0, "\x01x", 2 },	     /* too much */
		{ 4, 1, "\x00", 1 },	     /* reserved */
		{ 4, 2, "\x02x", 2 },	     /* cut short */
		{ 4, 5, "\x90\x05", 2 },     /* past the base */
		{ 4, 1, "\x91\x04\x01", 3 }, /* behind the base */
		{ 4, 65536, "\x80", 1 },     /* 64 KiB of four bytes */
		{ 4, 1, "\x9f\xff\xff\xff\xff\x01", 6 },
	};
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	uint64_t base;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		builder_begin(&p);
		base = builder_text(&p, OBJECT_BLOB, "base");
		delta_begin(&d, lies[i].base_size, lies[i].result_size);
		buf_add(&d, lies[i].ops, lies[i].n);
		builder_ofs_delta(&p, base, &d);
		refuse(b, &p, ERR_MALFORMED);
	}
	builder_begin(&p);
	base = builder_text(&p, OBJECT_BLOB, "base");
	buf_clear(&d);
	buf_adds(&d, "\xff\xff");
	builder_ofs_delta(&p, base, &d);
	refuse(b, &p, ERR_MALFORMED);
	buf_fini(&d);
}

static void refuses_wrong_heads_and_trailers(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	struct pack_ingest *in;

	for (size_t at = 0; at < 8; at++) {
		builder_begin(&p);
		builder_text(&p, OBJECT_BLOB, "x");
		builder_end(&p);
		p.bytes.data[at] ^= 0x40;
		in = ingest(b, &p);
		assert_null(in);
		assert_int_equal(b->e.code, ERR_MALFORMED);
		builder_fini(&p);
	}
	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "x");
	builder_end(&p);
	p.bytes.data[p.bytes.len - 1] ^= 1;
	assert_null(ingest(b, &p));
	assert_int_equal(b->e.code, ERR_MALFORMED);
	builder_fini(&p);
	expect_no_files(b);
}

static void refuses_counts_that_lie(void **state)
{
	static const struct {
		int64_t count;
		enum err_code code;
	} lies[] = {
		{ 0, ERR_MALFORMED },	   { 1, ERR_MALFORMED },
		{ 3, ERR_MALFORMED },	   { 5000000, ERR_MALFORMED },
		{ 4294967295, ERR_LIMIT },
	};
	struct bench *b = *state;
	struct pack_builder p;
	struct pack_ingest *in;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		builder_begin(&p);
		p.count = lies[i].count;
		builder_text(&p, OBJECT_BLOB, "one");
		builder_text(&p, OBJECT_BLOB, "two");
		builder_end(&p);
		in = ingest(b, &p);
		assert_null(in);
		/* What is read past the end may be an entry cut short. */
		if (b->e.code != ERR_CLOSED)
			assert_int_equal(b->e.code, lies[i].code);
		builder_fini(&p);
		expect_no_files(b);
	}
}

static void refuses_a_pack_cut_at_any_byte(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	uint64_t base;

	builder_begin(&p);
	base = builder_text(&p, OBJECT_BLOB, "some text for a base");
	delta_whole(&d, 20, "other");
	builder_ofs_delta(&p, base, &d);
	builder_end(&p);
	for (size_t n = 0; n < p.bytes.len; n++) {
		struct feed feed = { span_of(p.bytes.data, n), SIZE_MAX, 0, 0 };

		assert_null(
			pack_ingest_run(&b->options, feed_read, &feed, &b->e));
		assert_int_equal(b->e.code, ERR_CLOSED);
	}
	builder_fini(&p);
	buf_fini(&d);
	expect_no_files(b);
}

static void refuses_bytes_after_the_trailer(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;

	builder_begin(&p);
	builder_text(&p, OBJECT_BLOB, "x");
	builder_end(&p);
	buf_addc(&p.bytes, 'x');
	assert_null(ingest(b, &p));
	assert_int_equal(b->e.code, ERR_MALFORMED);
	builder_fini(&p);
	expect_no_files(b);
}

static void refuses_types_that_do_not_exist(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;

	for (unsigned type = 0; type < 8; type += 5) {
		builder_begin(&p);
		builder_head(&p, type, 4);
		builder_deflate(&p, "text", 4);
		refuse(b, &p, ERR_MALFORMED);
	}
}

static void refuses_streams_that_lie_about_their_size(void **state)
{
	static const uint64_t sizes[] = { 0, 3, 5, 100, 70000, 2000000 };
	struct bench *b = *state;
	struct pack_builder p;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		builder_begin(&p);
		builder_head(&p, OBJECT_BLOB, sizes[i]);
		builder_deflate(&p, "text", 4);
		refuse(b, &p, ERR_MALFORMED);
	}
	for (unsigned bits = 31; bits < 64; bits += 8) {
		builder_begin(&p);
		builder_head(&p, OBJECT_BLOB, UINT64_C(1) << bits);
		builder_deflate(&p, "text", 4);
		builder_end(&p);
		assert_null(ingest(b, &p));
		builder_fini(&p);
	}
	builder_begin(&p);
	builder_head(&p, OBJECT_BLOB, 4);
	buf_add(&p.bytes, "\x3f\xff\xff\xff\xff\xff\x7f", 7);
	refuse(b, &p, ERR_MALFORMED);
	builder_begin(&p);
	buf_add(&p.bytes, "\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		12);
	p.n++;
	refuse(b, &p, ERR_MALFORMED);
}

/* The head and the checksum of the stream; between them a bit may mean
 * nothing. */
static void refuses_broken_streams(void **state)
{
	struct bench *b = *state;
	struct pack_builder p;
	size_t head, places[6];

	builder_begin(&p);
	head = builder_text(&p, OBJECT_BLOB, "a text of more than 15 bytes") +
	       2;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		places[i] = i < 2 ? head + i : p.bytes.len - 6 + i;
	builder_fini(&p);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		builder_begin(&p);
		builder_text(&p, OBJECT_BLOB, "a text of more than 15 bytes");
		p.bytes.data[places[i]] ^= 0x10;
		refuse(b, &p, ERR_MALFORMED);
	}
}

static void bombs_end_at_a_named_limit(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	size_t n = (size_t)100 << 20;
	char *zeroes = calloc(1, n);
	uint64_t base;

	assert_non_null(zeroes);
	builder_begin(&p); /* 100 KB of pack, 100 MB of blob */
	builder_object(&p, OBJECT_BLOB, zeroes, n);
	refuse(b, &p, ERR_LIMIT);
	builder_begin(&p);
	builder_object(&p, OBJECT_TREE, zeroes, n);
	refuse(b, &p, ERR_LIMIT);
	builder_begin(&p); /* a delta of 100 KB whose result has 1 GB */
	base = builder_object(&p, OBJECT_BLOB, zeroes, 65536);
	delta_begin(&d, 65536, (uint64_t)1 << 30);
	for (int i = 0; i < 16384; i++)
		delta_copy(&d, 0, 65536);
	builder_ofs_delta(&p, base, &d);
	refuse(b, &p, ERR_LIMIT);
	builder_begin(&p); /* many small deltas, each with 32 MB */
	base = builder_object(&p, OBJECT_BLOB, zeroes, 65536);
	for (int i = 0; i < 64; i++) {
		char c[2] = { (char)i, (char)(i + 1) };

		delta_begin(&d, 65536, ((uint64_t)32 << 20) + 2);
		delta_insert(&d, c, 2);
		for (int j = 0; j < 512; j++)
			delta_copy(&d, 0, 65536);
		builder_ofs_delta(&p, base, &d);
	}
	refuse(b, &p, ERR_LIMIT);
	free(zeroes);
	buf_fini(&d);
}

static void obeys_its_limits(void **state)
{
	struct bench *b = *state;
	struct push_limits none = { 0 };
	struct pack_builder p;

	for (int i = 0; i < 5; i++) {
		enum err_code code = ERR_LIMIT;

		b->options.limits = none;
		b->options.disk_reserve = 0;
		if (i == 0)
			b->options.limits.pack_bytes = 40;
		if (i == 1)
			b->options.limits.objects = 1;
		if (i == 2)
			b->options.limits.object_bytes = 20;
		if (i == 3)
			b->options.limits.inflated_bytes = 40;
		if (i == 4) {
			b->options.disk_reserve = UINT64_MAX;
			code = ERR_NO_SPACE;
		}
		builder_begin(&p);
		builder_text(&p, OBJECT_BLOB,
			     "first, of more than twenty bytes");
		builder_text(&p, OBJECT_BLOB,
			     "second, of more than twenty bytes");
		refuse(b, &p, code);
	}
}

static int stop_progress(void *arg, const char *stage, uint64_t done,
			 uint64_t total, struct err *e)
{
	(void)stage;
	++*(int *)arg;
	assert_true(done <= total);
	return err_set(e, ERR_TIMEOUT, "enough");
}

static void progress_can_stop_it(void **state)
{
	struct bench *b = *state;
	struct buf d = BUF_INIT;
	struct pack_builder p;
	int n = 0;

	b->options.progress = stop_progress;
	b->options.progress_arg = &n;
	builder_begin(&p);
	for (int i = 3000; i > 0; i--)
		add_step(&p, &d, i);
	builder_text(&p, OBJECT_BLOB, "step 0");
	refuse(b, &p, ERR_TIMEOUT);
	assert_int_equal(n, 1);
	buf_fini(&d);
}

/* -- judged
 * ---------------------------------------------------------------------- */

static void objects_must_parse_even_without_fsck(void **state)
{
	static const enum object_type types[] = { OBJECT_COMMIT, OBJECT_TREE,
						  OBJECT_TAG };
	struct bench *b = *state;
	struct pack_builder p;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		builder_begin(&p);
		builder_text(&p, types[i], "nonsense");
		refuse(b, &p, ERR_MALFORMED);
	}
}

static void fsck_names_what_it_refuses(void **state)
{
	struct bench *b = *state;
	struct oid tree = id_of_text(OBJECT_TREE, "");
	struct pack_builder p;
	char *text = commit_text(&tree, NULL, "m");

	b->options.fsck = fsck_new(OID_SHA1, NULL, b->f.dir, true, &b->e);
	assert_non_null(b->options.fsck);
	memcpy(strstr(text, "+0000"), "+00x0", 5);
	builder_begin(&p);
	builder_text(&p, OBJECT_TREE, "");
	builder_text(&p, OBJECT_COMMIT, text);
	refuse(b, &p, ERR_MALFORMED);
	assert_non_null(strstr(b->e.message, "badTimezone"));
	fsck_free(b->options.fsck);
	free(text);
}

static void judges_gitmodules_wherever_it_stands(void **state)
{
	static const char text[] = "[submodule \"a\"]\n\turl = -x\n";
	struct bench *b = *state;
	struct buf tree = BUF_INIT;
	struct oid blob = id_of_text(OBJECT_BLOB, text);
	struct pack_builder p;

	open_objects(b);
	tree_add(&tree, "100644", ".gitmodules", &blob);
	for (int order = 0; order < 3; order++) {
		b->options.fsck =
			fsck_new(OID_SHA1, NULL, b->f.dir, true, &b->e);
		assert_non_null(b->options.fsck);
		builder_begin(&p);
		if (order == 0)
			builder_text(&p, OBJECT_BLOB, text);
		builder_object(&p, OBJECT_TREE, tree.data, tree.len);
		if (order == 1)
			builder_text(&p, OBJECT_BLOB, text);
		refuse(b, &p, ERR_MALFORMED);
		assert_non_null(
			strstr(b->e.message, order == 2 ? "gitmodulesMissing"
							: "gitmodulesUrl"));
		fsck_free(b->options.fsck);
	}
	objects_put(b->options.objects);
	buf_fini(&tree);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_objects_and_deltas_of_both_kinds),
		TEST(takes_a_pack_in_pieces_of_any_size),
		TEST(an_empty_pack_has_no_name_and_leaves_nothing),
		TEST(a_pack_that_is_there_is_left_as_it_is),
		TEST(a_cruft_pack_that_is_pushed_again_is_none),
		TEST(another_pack_of_the_same_name_is_a_conflict),
		TEST(hundreds_of_thousands_of_tiny_objects),
		TEST(completes_a_thin_pack_with_each_base_once),
		TEST(refuses_deltas_on_nothing),
		TEST(takes_again_what_the_repository_has),
		TEST(resolves_a_deep_chain_in_reverse_order),
		TEST(refuses_a_chain_that_is_deeper),
		TEST(a_delta_that_rebuilds_its_base_ends),
		TEST(deltas_on_each_other_are_refused),
		TEST(the_same_object_twice_is_refused),
		TEST(resolves_branching_chains_in_little_memory),
		TEST(refuses_wrong_distances),
		TEST(refuses_deltas_that_lie),
		TEST(refuses_wrong_heads_and_trailers),
		TEST(refuses_counts_that_lie),
		TEST(refuses_a_pack_cut_at_any_byte),
		TEST(refuses_bytes_after_the_trailer),
		TEST(refuses_types_that_do_not_exist),
		TEST(refuses_streams_that_lie_about_their_size),
		TEST(refuses_broken_streams),
		TEST(bombs_end_at_a_named_limit),
		TEST(obeys_its_limits),
		TEST(progress_can_stop_it),
		TEST(objects_must_parse_even_without_fsck),
		TEST(fsck_names_what_it_refuses),
		TEST(judges_gitmodules_wherever_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
