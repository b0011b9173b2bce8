/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations with upload_pack() over a byte array: what the client says is
 * a list of lines, what the server answers is shown as one line of text.
 */
#pragma once

#include "repo_fixture.h"
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "git/pktline.h"
#include "git/repository.h"
#include "git/upload_pack.h"

#include <sys/stat.h>

/* A history like this, and an empty tree for every commit:
 *
 *	c[0] - c[1] - c[2]   refs/heads/main, HEAD
 *	          \  s       refs/heads/side
 *	tag on c[1]          refs/tags/v1
 *	hidden, child of c[0]: refs/hidden/x where something hides it
 *	lost, child of c[0]: no ref
 */
struct world {
	struct fixture f;
	struct oid c[3], s, tag, hidden, lost, tree, blob;
	struct repository *repo;
	struct upload_pack_options options;
	struct upload_pack_result result;
	struct err e;
	int rc;
	struct buf said, heard, shown;
	struct buf pack;
	unsigned n_keepalives;
};

#define HEX(w, what) oid_hex(&(w)->what, (char[OID_MAX_HEX + 1]){ 0 })

static inline void world_write(struct world *w, const char *name,
			       const char *content)
{
	char path[400];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", w->f.dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void world_ref(struct world *w, const char *name,
			     const struct oid *id)
{
	char path[400], hex[OID_MAX_HEX + 2];
	struct err e;

	snprintf(path, sizeof path, "%s/%s", w->f.dir, name);
	*strrchr(path, '/') = '\0';
	assert_int_equal(dir_make(path, 0755, &e), 0);
	oid_hex(id, hex);
	strcat(hex, "\n");
	world_write(w, name, hex);
}

static inline struct oid world_tag(struct world *w, const struct oid *id)
{
	char hex[OID_MAX_HEX + 1], text[200];

	snprintf(text, sizeof text,
		 "object %s\ntype commit\ntag v1\n"
		 "tagger A <a@b> 1700000000 +0000\n\nm\n",
		 oid_hex(id, hex));
	return fixture_write(&w->f, OBJECT_TAG, text, strlen(text));
}

/* The repository as it is on disk; what is changed in it later needs a new
 * one. `config` is appended to the config. */
static inline void world_open(struct world *w, const char *config)
{
	char path[400];
	FILE *file;

	snprintf(path, sizeof path, "%s/config", w->f.dir);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_true(fputs(config, file) >= 0);
	assert_int_equal(fclose(file), 0);
	repository_put(w->repo);
	w->repo = repository_open(w->f.dir, &w->e);
	if (!w->repo)
		fail_msg("%s", w->e.message);
}

static inline int world_begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	const int64_t date = 1700000000;

	*state = w;
	fixture_open(&w->f);
	w->c[0] = fixture_commit(&w->f, date, NULL, 0);
	w->c[1] = fixture_commit(&w->f, date + 100, &w->c[0], 1);
	w->c[2] = fixture_commit(&w->f, date + 200, &w->c[1], 1);
	w->s = fixture_commit(&w->f, date + 300, &w->c[1], 1);
	w->hidden = fixture_commit(&w->f, date + 400, &w->c[0], 1);
	w->lost = fixture_commit(&w->f, date + 500, &w->c[0], 1);
	w->tree = fixture_write(&w->f, OBJECT_TREE, "", 0);
	w->blob = fixture_blob(&w->f, "nobody's");
	w->tag = world_tag(w, &w->c[1]);
	world_write(w, "HEAD", "ref: refs/heads/main\n");
	world_ref(w, "refs/heads/main", &w->c[2]);
	world_ref(w, "refs/heads/side", &w->s);
	world_ref(w, "refs/tags/v1", &w->tag);
	buf_init_max(&w->said, (size_t)1 << 30);
	buf_init_max(&w->heard, (size_t)1 << 30);
	buf_init_max(&w->shown, (size_t)1 << 30);
	buf_init_max(&w->pack, (size_t)1 << 30);
	return 0;
}

/* The same with an empty repository. */
static inline int world_begin_empty(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	*state = w;
	fixture_open(&w->f);
	world_write(w, "HEAD", "ref: refs/heads/trunk\n");
	w->said = w->heard = w->shown = w->pack = (struct buf)BUF_INIT;
	return 0;
}

static inline int world_end(void **state)
{
	struct world *w = *state;

	repository_put(w->repo);
	fixture_close(&w->f);
	buf_fini(&w->said);
	buf_fini(&w->heard);
	buf_fini(&w->shown);
	buf_fini(&w->pack);
	free(w);
	return 0;
}

/* Add what the client says: "0000" and "0001" are signs. */
static inline void say(struct world *w, const char *line)
{
	if (!strcmp(line, "0000") || !strcmp(line, "0001"))
		buf_adds(&w->said, line);
	else
		pkt_addf(&w->said, "%s\n", line);
}

static inline void say_id(struct world *w, const char *word,
			  const struct oid *id, const char *rest)
{
	char hex[OID_MAX_HEX + 1];

	pkt_addf(&w->said, "%s %s%s\n", word, oid_hex(id, hex), rest);
}

/* Put one answered line into `shown`, the pack into `pack`. */
static inline void show(struct world *w, const struct pkt *pkt)
{
	static const char *const signs[] = {
		[PKT_FLUSH] = "0000|", [PKT_DELIM] = "0001|"
	};
	struct span data = pkt->data;

	if (pkt->kind != PKT_DATA) {
		buf_adds(&w->shown, signs[pkt->kind]);
		return;
	}
	if (data.len == 0 && !pkt->has_lf)
		fail_msg("an empty line");
	if (data.len && data.data[0] == 1 &&
	    (w->pack.len || data.len == 1 ||
	     !memcmp(data.data + 1, "PACK", data.len > 5 ? 4 : data.len - 1))) {
		if (data.len == 1 && !pkt->has_lf)
			w->n_keepalives++;
		buf_add(&w->pack, data.data + 1, data.len - 1);
		if (pkt->has_lf)
			buf_addc(&w->pack, '\n');
		return;
	}
	if (data.len && data.data[0] == 2)
		return;
	for (size_t i = 0; i < data.len; i++)
		if (data.data[i] && data.data[i] < ' ')
			buf_addf(&w->shown, "%d:", data.data[i]);
		else
			buf_addc(&w->shown,
				 data.data[i] ? (char)data.data[i] : ' ');
	buf_addc(&w->shown, '|');
}

static inline uint32_t pack_count(const struct world *w)
{
	assert_true(w->pack.len >= 32);
	assert_memory_equal(w->pack.data, "PACK\0\0\0\2", 8);
	return load_u32be((const unsigned char *)w->pack.data + 8);
}

/* Read the answer. A raw pack ends it. */
static inline void listen_to(struct world *w)
{
	struct span answer = buf_span(&w->heard);
	struct stream_mem mem;
	struct pkt_reader r;
	struct pkt pkt;
	struct err e;

	stream_mem_init(&mem, answer, NULL);
	pkt_reader_init(&r, &mem.base);
	for (;;) {
		char magic[4];
		size_t left = r.end - r.start + mem.input.len;

		if (left >= 4) {
			memcpy(magic, answer.data + answer.len - left, 4);
			if (!memcmp(magic, "PACK", 4)) {
				buf_add(&w->pack,
					answer.data + answer.len - left, left);
				break;
			}
		}
		if (pkt_read(&r, &pkt, &e) < 0)
			fail_msg("answer: %s", e.message);
		if (pkt.kind == PKT_EOF)
			break;
		show(w, &pkt);
	}
	pkt_reader_fini(&r);
	if (w->pack.len)
		buf_addf(&w->shown, "pack %u|", pack_count(w));
}

/* Let the server answer what was said since the last time. */
static inline const char *converse(struct world *w)
{
	struct stream_mem mem;

	buf_clear(&w->heard);
	buf_clear(&w->shown);
	buf_clear(&w->pack);
	if (!w->repo)
		world_open(w, "");
	stream_mem_init(&mem, buf_span(&w->said), &w->heard);
	w->rc = upload_pack(w->repo, &mem.base, &w->options, &w->result, &w->e);
	listen_to(w);
	buf_clear(&w->said);
	return buf_str(&w->shown);
}

/* `expected` is a format of what is shown. */
static inline void assert_hears(struct world *w, const char *format, ...)
	PRINTF_LIKE(2, 3);

static inline void assert_hears(struct world *w, const char *format, ...)
{
	struct buf expected = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_vaddf(&expected, format, args);
	va_end(args);
	assert_string_equal(converse(w), buf_str(&expected));
	buf_fini(&expected);
}
