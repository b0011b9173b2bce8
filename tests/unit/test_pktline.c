/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "git/pktline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stream that hands out one byte at a time. */
struct drip {
	struct stream base;
	struct span input;
};

static ssize_t drip_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct drip *drip = (struct drip *)s;
	struct span byte;

	(void)n;
	(void)e;
	if (!span_take(&drip->input, 1, &byte))
		return 0;
	memcpy(data, byte.data, 1);
	return 1;
}

static const struct stream_ops drip_ops = { .read = drip_read };

/* Read one line of `input`, from a whole and from a dripping stream, which
 * must agree. */
static int read_one(struct span input, struct pkt *out, char *content,
		    struct err *e)
{
	struct drip drip = { { .ops = &drip_ops }, input };
	struct stream_mem mem;
	struct pkt_reader r;
	struct pkt again;
	struct err other = { 0 };
	int rc, rc_again;

	stream_mem_init(&mem, input, NULL);
	pkt_reader_init(&r, &mem.base);
	rc = pkt_read(&r, out, e);
	if (!rc && out->data.len)
		memcpy(content, out->data.data, out->data.len);
	if (!rc)
		content[out->data.len] = '\0';
	pkt_reader_fini(&r);

	pkt_reader_init(&r, &drip.base);
	rc_again = pkt_read(&r, &again, &other);
	assert_int_equal(rc, rc_again);
	if (rc < 0) {
		assert_int_equal(e->code, other.code);
	} else {
		assert_int_equal(out->kind, again.kind);
		assert_int_equal(out->data.len, again.data.len);
	}
	pkt_reader_fini(&r);
	return rc;
}

static void reads_a_line_without_its_line_feed(void **state)
{
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	assert_int_equal(read_one(span_str("0009done\n"), &pkt, content, &e),
			 0);
	assert_int_equal(pkt.kind, PKT_DATA);
	assert_string_equal(content, "done");
	assert_true(pkt.has_lf);
	assert_int_equal(read_one(span_str("0008done"), &pkt, content, &e), 0);
	assert_string_equal(content, "done");
	assert_false(pkt.has_lf);
	assert_int_equal(read_one(span_str("0006\n\n"), &pkt, content, &e), 0);
	assert_string_equal(content, "\n");
}

static void reads_an_empty_line(void **state)
{
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	assert_int_equal(read_one(span_str("0004"), &pkt, content, &e), 0);
	assert_int_equal(pkt.kind, PKT_DATA);
	assert_int_equal(pkt.data.len, 0);
}

static void tells_the_signs_apart(void **state)
{
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	assert_int_equal(read_one(span_str("0000"), &pkt, content, &e), 0);
	assert_int_equal(pkt.kind, PKT_FLUSH);
	assert_int_equal(read_one(span_str("0001"), &pkt, content, &e), 0);
	assert_int_equal(pkt.kind, PKT_DELIM);
	assert_int_equal(read_one(span_str("0002"), &pkt, content, &e), 0);
	assert_int_equal(pkt.kind, PKT_RESPONSE_END);
	assert_int_equal(read_one(span_str(""), &pkt, content, &e), 0);
	assert_int_equal(pkt.kind, PKT_EOF);
}

static void refuses_a_length_of_three(void **state)
{
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	assert_int_equal(read_one(span_str("0003"), &pkt, content, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
}

static void refuses_what_is_no_length(void **state)
{
	static const char *const wrong[] = { "00g0", " 009done", "-001",
					     "0x04", "GET /",	 "\r\n\r\n" };
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(
			read_one(span_str(wrong[i]), &pkt, content, &e), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
		for (const char *p = e.message; *p; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
	}
}

static void reads_the_longest_line_and_refuses_a_longer_one(void **state)
{
	static char line[PKT_MAX + 2];
	static char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "fff0", 4);
	assert_int_equal(read_one(span_of(line, PKT_MAX), &pkt, content, &e),
			 0);
	assert_int_equal(pkt.data.len, PKT_DATA_MAX);
	memcpy(line, "fff1", 4);
	assert_int_equal(
		read_one(span_of(line, PKT_MAX + 1), &pkt, content, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	memcpy(line, "ffff", 4);
	assert_int_equal(read_one(span_of(line, PKT_MAX), &pkt, content, &e),
			 -1);
	assert_int_equal(e.code, ERR_MALFORMED);
}

static void says_that_a_line_was_cut_off(void **state)
{
	static const char *const cut[] = { "0", "000", "0009", "0009don" };
	char content[PKT_MAX];
	struct pkt pkt;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		assert_int_equal(read_one(span_str(cut[i]), &pkt, content, &e),
				 -1);
		assert_int_equal(e.code, ERR_CLOSED);
	}
}

static void knows_when_the_next_line_must_be_waited_for(void **state)
{
	struct drip drip = { { .ops = &drip_ops }, span_str("0006a\n0000") };
	struct stream_mem mem;
	struct pkt_reader r;
	struct pkt pkt;
	struct err e;

	(void)state;
	stream_mem_init(&mem, span_str("0006a\n00000009do"), NULL);
	pkt_reader_init(&r, &mem.base);
	assert_true(pkt_reader_is_drained(&r));
	assert_int_equal(pkt_read(&r, &pkt, &e), 0);
	assert_false(pkt_reader_is_drained(&r));
	assert_int_equal(pkt_read(&r, &pkt, &e), 0);
	assert_true(pkt_reader_is_drained(&r));
	pkt_reader_fini(&r);

	pkt_reader_init(&r, &drip.base);
	assert_int_equal(pkt_read(&r, &pkt, &e), 0);
	assert_true(pkt_reader_is_drained(&r));
	pkt_reader_fini(&r);
}

static void hands_on_what_lies_behind_the_lines(void **state)
{
	struct stream_mem mem;
	struct pkt_reader r;
	struct pkt pkt;
	struct err e;
	char data[16];

	(void)state;
	stream_mem_init(&mem, span_str("0000PACK"), NULL);
	pkt_reader_init(&r, &mem.base);
	assert_int_equal(pkt_read(&r, &pkt, &e), 0);
	assert_int_equal(pkt_reader_raw(&r, data, 3, &e), 3);
	assert_memory_equal(data, "PAC", 3);
	assert_int_equal(pkt_reader_raw(&r, data, sizeof data, &e), 1);
	assert_int_equal(pkt_reader_raw(&r, data, sizeof data, &e), 0);
	pkt_reader_fini(&r);
}

static void many_lines_get_a_large_buffer_and_few_a_small_one(void **state)
{
	enum { LINES = 900 };
	struct stream_mem mem;
	struct pkt_reader r;
	struct buf text = BUF_INIT;
	struct pkt pkt;
	struct err e;
	char line[LINES];

	(void)state;
	memset(line, 'x', sizeof line);
	for (size_t i = 0; i < LINES; i++)
		pkt_add(&text, line, i);
	pkt_add(&text, line, 1);
	stream_mem_init(&mem, buf_span(&text), NULL);
	pkt_reader_init(&r, &mem.base);
	for (size_t i = 0; i < LINES; i++) {
		assert_int_equal(pkt_read(&r, &pkt, &e), 0);
		assert_int_equal(pkt.data.len, i);
		assert_int_equal(memcmp(pkt.data.data, line, i), 0);
	}
	assert_int_equal(r.size, PKT_MAX);
	pkt_reader_fini(&r);

	stream_mem_init(&mem, span_str("0006a\n0000"), NULL);
	pkt_reader_init(&r, &mem.base);
	assert_int_equal(pkt_read(&r, &pkt, &e), 0);
	assert_true(r.size <= 4096);
	pkt_reader_fini(&r);
	buf_fini(&text);
}

static void writes_lines_and_signs(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	pkt_add(&b, "a\n", 2);
	pkt_addf(&b, "%s %d\n", "have", 7);
	pkt_add_delim(&b);
	pkt_add_flush(&b);
	pkt_add_response_end(&b);
	assert_string_equal(buf_str(&b), "0006a\n000bhave 7\n000100000002");
	buf_fini(&b);
}

static void cleans_the_text_of_an_error(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	pkt_add_err(&b, "no\n\x1b[1m\x7f");
	assert_string_equal(buf_str(&b), "0010ERR no??[1m?");
	buf_fini(&b);
}

static void cuts_an_endless_error(void **state)
{
	struct buf b = BUF_INIT;
	char *text = calloc(1, PKT_MAX + 1);

	(void)state;
	memset(text, 'x', PKT_MAX);
	pkt_add_err(&b, text);
	assert_int_equal(b.len, PKT_MAX);
	free(text);
	buf_fini(&b);
}

/* What `kind` makes of `n` bytes. */
static void frame(enum sideband kind, int band, const char *data, size_t n,
		  struct buf *out)
{
	struct stream_mem mem;
	struct err e;

	stream_mem_init(&mem, span_of(NULL, 0), out);
	assert_int_equal(
		sideband_write(&mem.base, kind, band, span_of(data, n), &e), 0);
}

static void frames_in_as_many_packets_as_it_takes(void **state)
{
	static const size_t sizes[] = { 1,
					SIDEBAND_DATA_MAX,
					SIDEBAND_DATA_MAX + 1,
					SIDEBAND_64K_DATA_MAX,
					SIDEBAND_64K_DATA_MAX + 1,
					(size_t)40 * SIDEBAND_64K_DATA_MAX };
	static const enum sideband kinds[] = { SIDEBAND_SMALL, SIDEBAND_64K };
	char *data = malloc(sizes[ARRAY_SIZE(sizes) - 1]);

	(void)state;
	for (size_t i = 0; i < sizes[ARRAY_SIZE(sizes) - 1]; i++)
		data[i] = (char)(i * 7 + (i >> 9));
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i / 2], max, seen = 0;
		struct buf out = BUF_INIT;
		struct stream_mem mem;
		struct pkt_reader r;
		struct pkt pkt;
		struct err e;

		frame(kinds[i % 2], 1, data, n, &out);
		max = kinds[i % 2] == SIDEBAND_SMALL ? 1000 : PKT_MAX;
		stream_mem_init(&mem, buf_span(&out), NULL);
		pkt_reader_init(&r, &mem.base);
		while (!pkt_read(&r, &pkt, &e) && pkt.kind == PKT_DATA) {
			size_t len = pkt.data.len + pkt.has_lf;

			assert_true(len + 4 <= max);
			assert_int_equal(pkt.data.data[0], 1);
			assert_memory_equal(pkt.data.data + 1, data + seen,
					    len - 1);
			seen += len - 1;
		}
		assert_int_equal(seen, n);
		pkt_reader_fini(&r);
		buf_fini(&out);
	}
	free(data);
}

static void writes_the_pack_alone_without_a_side_band(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	frame(SIDEBAND_NONE, 2, "progress", 8, &out);
	frame(SIDEBAND_NONE, 1, "PACK", 4, &out);
	frame(SIDEBAND_NONE, 3, "error", 5, &out);
	assert_string_equal(buf_str(&out), "PACK");
	buf_fini(&out);
}

static void keeps_a_connection_awake(void **state)
{
	struct buf out = BUF_INIT;
	struct stream_mem mem;
	struct err e;

	(void)state;
	stream_mem_init(&mem, span_of(NULL, 0), &out);
	assert_int_equal(sideband_write_empty(&mem.base, 1, &e), 0);
	assert_string_equal(buf_str(&out), "0005\1");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_line_without_its_line_feed),
		cmocka_unit_test(reads_an_empty_line),
		cmocka_unit_test(tells_the_signs_apart),
		cmocka_unit_test(refuses_a_length_of_three),
		cmocka_unit_test(refuses_what_is_no_length),
		cmocka_unit_test(
			reads_the_longest_line_and_refuses_a_longer_one),
		cmocka_unit_test(says_that_a_line_was_cut_off),
		cmocka_unit_test(knows_when_the_next_line_must_be_waited_for),
		cmocka_unit_test(hands_on_what_lies_behind_the_lines),
		cmocka_unit_test(
			many_lines_get_a_large_buffer_and_few_a_small_one),
		cmocka_unit_test(writes_lines_and_signs),
		cmocka_unit_test(cleans_the_text_of_an_error),
		cmocka_unit_test(cuts_an_endless_error),
		cmocka_unit_test(frames_in_as_many_packets_as_it_takes),
		cmocka_unit_test(writes_the_pack_alone_without_a_side_band),
		cmocka_unit_test(keeps_a_connection_awake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
