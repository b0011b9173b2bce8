/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/stream.h"
#include "base/tar.h"

#include <string.h>

static void fill(char *name, size_t n)
{
	memset(name, 'n', n);
	name[n] = '\0';
}

/* Read one entry and compare. */
static void assert_entry(struct stream *in, const char *name, const char *text)
{
	struct tar_entry entry;
	char data[64];
	struct err e;

	assert_int_equal(tar_next(in, &entry, &e), 1);
	assert_string_equal(entry.name, name);
	assert_int_equal(entry.size, strlen(text));
	assert_int_equal(stream_read_full(in, data, strlen(text), &e),
			 *text ? 1 : 0);
	assert_memory_equal(data, text, strlen(text));
	assert_int_equal(tar_skip_pad(in, entry.size, &e), 0);
}

static void reads_what_it_wrote(void **state)
{
	static const size_t lengths[] = { 1, 99, 100, 101, 255, TAR_NAME_MAX };
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char name[TAR_NAME_MAX + 2];
	struct stream_mem s;
	struct tar_entry entry;
	struct err e;

	(void)state;
	stream_mem_init(&s, span_of(NULL, 0), &b);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(name, lengths[i]);
		assert_int_equal(
			tar_file(&s.base, name, span_str("text"), 1, &e), 0);
	}
	fill(name, TAR_NAME_MAX + 1);
	assert_int_equal(tar_file(&s.base, name, span_str(""), 1, &e), -1);
	assert_int_equal(tar_end(&s.base, &e), 0);
	assert_int_equal(b.len % 512, 0);
	stream_mem_init(&s, buf_span(&b), NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(name, lengths[i]);
		assert_entry(&s.base, name, "text");
	}
	assert_int_equal(tar_next(&s.base, &entry, &e), 0);
}

/* Eleven octal digits end at 8 GiB. */
static void says_sizes_of_any_length(void **state)
{
	static const uint64_t sizes[] = { 0, ((uint64_t)1 << 33) - 1,
					  (uint64_t)1 << 33,
					  (uint64_t)1 << 50 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT;
		struct tar_entry entry;
		struct stream_mem s;
		struct err e;

		stream_mem_init(&s, span_of(NULL, 0), &b);
		assert_int_equal(tar_begin(&s.base, "f", sizes[i], 0, &e), 0);
		stream_mem_init(&s, buf_span(&b), NULL);
		assert_int_equal(tar_next(&s.base, &entry, &e), 1);
		assert_string_equal(entry.name, "f");
		assert_true(entry.size == sizes[i]);
	}
}

/* Whatever bit is flipped, the entry is not read as what it was. */
static void notices_damage(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char name[201];
	struct stream_mem s;
	struct err e;

	(void)state;
	fill(name, 200);
	stream_mem_init(&s, span_of(NULL, 0), &b);
	assert_int_equal(tar_file(&s.base, name, span_str("text"), 1, &e), 0);
	assert_int_equal(tar_end(&s.base, &e), 0);
	for (size_t at = 0; at < b.len - 1024; at++) {
		struct tar_entry entry;
		char data[4];
		int rc;

		b.data[at] ^= 1;
		stream_mem_init(&s, buf_span(&b), NULL);
		rc = tar_next(&s.base, &entry, &e);
		if (rc == 1 && !strcmp(entry.name, name) && entry.size == 4 &&
		    stream_read_full(&s.base, data, 4, &e) == 1 &&
		    !memcmp(data, "text", 4))
			rc = tar_skip_pad(&s.base, 4, &e) < 0 ? -1 : 2;
		/* The blank behind a checksum says nothing. */
		if (rc == 2)
			assert_int_equal(at % 512, 155);
		b.data[at] ^= 1;
	}
}

static void refuses_what_is_cut_off(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char name[201];
	struct stream_mem s;
	struct err e;

	(void)state;
	fill(name, 200);
	stream_mem_init(&s, span_of(NULL, 0), &b);
	assert_int_equal(tar_file(&s.base, name, span_str("text"), 1, &e), 0);
	for (size_t n = 0; n <= b.len; n += 256) {
		struct tar_entry entry;
		char data[4];
		int rc;

		stream_mem_init(&s, span_of(b.data, n), NULL);
		rc = tar_next(&s.base, &entry, &e);
		if (rc == 1 && stream_read_full(&s.base, data, 4, &e) != 1)
			continue;
		if (rc == 1)
			rc = tar_skip_pad(&s.base, 4, &e) < 0
				     ? -1
				     : tar_next(&s.base, &entry, &e);
		assert_int_equal(rc, -1);
		assert_int_equal(e.code, ERR_CLOSED);
	}
}

static void refuses_links_and_strange_records(void **state)
{
	static const char *const records[] = {
		"",
		"x",
		"9 path=x",
		"99 path=x\n",
		"8 path=x\n",
		"0 a=b\n",
		"7 a=b\n",
		"11 size=-1\n",
		"12 size=1k\n",
		"99999999 a=b\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT;
		struct tar_entry entry;
		struct stream_mem s;
		struct err e;
		unsigned sum = 8 * ' ';

		stream_mem_init(&s, span_of(NULL, 0), &b);
		assert_int_equal(
			tar_file(&s.base, "pax", span_str(records[i]), 0, &e),
			0);
		assert_int_equal(tar_file(&s.base, "f", span_str(""), 0, &e),
				 0);
		b.data[156] = i ? 'x' : '2';
		for (size_t at = 0; at < 512; at++)
			sum += at >= 148 && at < 156
				       ? 0
				       : (unsigned char)b.data[at];
		snprintf(b.data + 148, 7, "%06o", sum);
		stream_mem_init(&s, buf_span(&b), NULL);
		assert_int_equal(tar_next(&s.base, &entry, &e), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(says_sizes_of_any_length),
		cmocka_unit_test(notices_damage),
		cmocka_unit_test(refuses_what_is_cut_off),
		cmocka_unit_test(refuses_links_and_strange_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
