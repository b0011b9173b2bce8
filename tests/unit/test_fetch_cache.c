/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches through the cache: the same bytes, whoever computed them. */
#include "upload_fixture.h"

#include "base/cleanup.h"
#include "git/fetch_key.h"
#include "git/pack_cache.h"

#include <pthread.h>

static void use_cache(struct world *w, uint64_t max_bytes)
{
	w->options.cache = pack_cache_new(w->f.dir, max_bytes, &w->e);
	assert_non_null(w->options.cache);
	w->options.is_stateless = true;
}

static void drop_cache(struct world *w)
{
	pack_cache_free(w->options.cache);
	w->options.cache = NULL;
}

static void clone_of(struct world *w, const struct oid *tip, const char *words)
{
	say_id(w, "want", tip, words);
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_int_equal(w->rc, 0);
}

static void gives_the_same_pack_twice(void **state)
{
	struct world *w = *state;
	struct buf first = BUF_INIT;

	use_cache(w, 1 << 20);
	clone_of(w, &w->c[2], " side-band-64k");
	assert_false(w->result.is_cache_hit);
	assert_int_equal(w->result.n_objects, 4);
	buf_addspan(&first, buf_span(&w->pack));
	clone_of(w, &w->c[2], " side-band");
	assert_true(w->result.is_cache_hit);
	assert_int_equal(w->result.n_objects, 4);
	assert_int_equal(w->result.pack_bytes, first.len);
	assert_true(span_eq(buf_span(&first), buf_span(&w->pack)));
	clone_of(w, &w->c[2], "");
	assert_true(w->result.is_cache_hit);
	assert_true(span_eq(buf_span(&first), buf_span(&w->pack)));
	buf_fini(&first);
	drop_cache(w);
}

static void keeps_apart_what_gives_other_bytes(void **state)
{
	static const char *const words[] = { " side-band-64k",
					     " side-band-64k ofs-delta",
					     " side-band-64k thin-pack",
					     " side-band-64k include-tag" };
	struct world *w = *state;

	use_cache(w, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		clone_of(w, &w->c[2], words[i]);
		assert_false(w->result.is_cache_hit);
	}
	clone_of(w, &w->s, words[0]);
	assert_false(w->result.is_cache_hit);
	say_id(w, "want", &w->c[2], words[0]);
	say(w, "deepen 1");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_false(w->result.is_cache_hit);
	say_id(w, "want", &w->c[2], words[0]);
	say(w, "0000");
	say_id(w, "have", &w->c[0], "");
	say(w, "done");
	converse(w);
	assert_false(w->result.is_cache_hit);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		clone_of(w, &w->c[2], words[i]);
		assert_true(w->result.is_cache_hit);
	}
	drop_cache(w);
}

static void keeps_apart_what_other_tags_give(void **state)
{
	struct world *w = *state;
	struct oid other;

	use_cache(w, 1 << 20);
	clone_of(w, &w->c[2], " side-band-64k include-tag");
	other = world_tag(w, &w->c[2]);
	world_ref(w, "refs/tags/v2", &other);
	clone_of(w, &w->c[2], " side-band-64k include-tag");
	assert_false(w->result.is_cache_hit);
	assert_int_equal(w->result.n_objects, 6);
	clone_of(w, &w->c[2], " side-band-64k include-tag");
	assert_true(w->result.is_cache_hit);
	drop_cache(w);
}

static void asks_who_may_have_it_before_the_cache(void **state)
{
	struct world *w = *state;

	use_cache(w, 1 << 20);
	clone_of(w, &w->s, " side-band-64k");
	world_ref(w, "refs/heads/side", &w->c[2]);
	say_id(w, "want", &w->s, " side-band-64k");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "ERR upload-pack: not our ref %s|", HEX(w, s));
	drop_cache(w);
}

static void goes_on_where_the_cache_is_too_small(void **state)
{
	struct world *w = *state;

	use_cache(w, 64);
	for (int i = 0; i < 2; i++) {
		clone_of(w, &w->c[2], " side-band-64k");
		assert_false(w->result.is_cache_hit);
		assert_int_equal(pack_count(w), 4);
	}
	drop_cache(w);
}

/* A stream that fails once some bytes went out, in front of a real one. */
struct short_stream {
	struct stream base;
	struct stream_mem mem;
	uint64_t left;
};

static ssize_t short_read(struct stream *s, void *data, size_t n, struct err *e)
{
	return stream_read(&((struct short_stream *)s)->mem.base, data, n, e);
}

static int short_writev(struct stream *s, const struct iovec *iov, int n,
			struct err *e)
{
	struct short_stream *self = (struct short_stream *)s;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > self->left)
			return err_set(e, ERR_CLOSED, "gone");
		self->left -= iov[i].iov_len;
	}
	return stream_writev(&self->mem.base, iov, n, e);
}

static const struct stream_ops short_ops = { .read = short_read,
					     .writev = short_writev };

static void keeps_nothing_half_of_a_client_that_went(void **state)
{
	struct world *w = *state;

	use_cache(w, 1 << 20);
	world_open(w, "");
	for (uint64_t left = 0; left < 120; left += 7) {
		struct short_stream s = { { .ops = &short_ops }, .left = left };

		say_id(w, "want", &w->c[2], " side-band-64k no-progress");
		say(w, "0000");
		say(w, "done");
		stream_mem_init(&s.mem, buf_span(&w->said), NULL);
		assert_int_equal(upload_pack(w->repo, &s.base, &w->options,
					     &w->result, &w->e),
				 -1);
		assert_int_equal(w->e.code, ERR_CLOSED);
		buf_clear(&w->said);
	}
	clone_of(w, &w->c[2], " side-band-64k");
	assert_int_equal(pack_count(w), 4);
	drop_cache(w);
}

/* One of many clients that come at once. */
struct client {
	pthread_t thread;
	struct world *w;
	struct span said;
	struct buf heard;
	struct upload_pack_result result;
	int rc;
};

static void *client_run(void *arg)
{
	struct client *c = arg;
	struct stream_mem mem;
	struct err e;

	stream_mem_init(&mem, c->said, &c->heard);
	c->rc = upload_pack(c->w->repo, &mem.base, &c->w->options, &c->result,
			    &e);
	return NULL;
}

static void computes_once_for_a_crowd(void **state)
{
	struct world *w = *state;
	struct client clients[8] = { 0 };
	struct pack_cache_stats stats;
	unsigned n_hits = 0;

	use_cache(w, 1 << 20);
	world_open(w, "");
	say_id(w, "want", &w->c[2], " side-band-64k no-progress");
	say(w, "0000");
	say(w, "done");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i].w = w;
		clients[i].said = buf_span(&w->said);
		clients[i].heard = (struct buf)BUF_INIT;
		assert_int_equal(pthread_create(&clients[i].thread, NULL,
						client_run, &clients[i]),
				 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		pthread_join(clients[i].thread, NULL);
		assert_int_equal(clients[i].rc, 0);
		assert_true(span_eq(buf_span(&clients[i].heard),
				    buf_span(&clients[0].heard)));
		n_hits += clients[i].result.is_cache_hit;
	}
	pack_cache_stats(w->options.cache, &stats);
	assert_int_equal(stats.misses, 1);
	assert_int_equal(n_hits, ARRAY_SIZE(clients) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		buf_fini(&clients[i].heard);
	drop_cache(w);
}

/* The key of cloning c[2]: what `is_thin` and friends are 0 for. */
static struct pack_cache_entry *begin_entry(struct world *w, struct buf *pack)
{
	struct pack_cache_entry *entry;
	struct pack_cache_key key;
	bool is_writer = false;
	struct digest *d = digest_new(DIGEST_SHA256);

	clone_of(w, &w->c[2], " side-band-64k");
	buf_addspan(pack, buf_span(&w->pack));
	digest_update(d, "1;1;", 4);
	digest_update(d, w->c[2].id, w->c[2].len);
	digest_update(d, "0;0;0;;000", 10);
	digest_final(d, key.digest);
	digest_free(d);
	use_cache(w, 1 << 20);
	entry = pack_cache_get(w->options.cache, &key, &is_writer);
	assert_true(is_writer);
	return entry;
}

static void goes_on_alone_where_the_writer_gave_up(void **state)
{
	struct world *w = *state;
	struct pack_cache_entry *entry;
	struct buf pack = BUF_INIT;
	struct pack_cache_stats stats;
	struct client c = { .w = w, .heard = BUF_INIT };

	w->options.is_stateless = true;
	entry = begin_entry(w, &pack);
	assert_int_equal(
		pack_cache_append(entry, span_of(pack.data, 40), &w->e), 0);
	say_id(w, "want", &w->c[2], " side-band-64k no-progress");
	say(w, "0000");
	say(w, "done");
	c.said = buf_span(&w->said);
	assert_int_equal(pthread_create(&c.thread, NULL, client_run, &c), 0);
	do {
		usleep(1000);
		pack_cache_stats(w->options.cache, &stats);
	} while (!stats.joined);
	pack_cache_finish(entry, false);
	pack_cache_put(entry);
	pthread_join(c.thread, NULL);
	assert_int_equal(c.rc, 0);
	assert_false(c.result.is_cache_hit);
	assert_non_null(memmem(c.heard.data, c.heard.len,
			       pack.data + pack.len - 20, 20));
	buf_fini(&c.heard);
	buf_fini(&pack);
	drop_cache(w);
}

static void stops_where_the_bytes_already_sent_were_others(void **state)
{
	struct world *w = *state;
	struct pack_cache_entry *entry;
	struct buf pack = BUF_INIT;
	struct pack_cache_stats stats;
	struct client c = { .w = w, .heard = BUF_INIT };

	w->options.is_stateless = true;
	entry = begin_entry(w, &pack);
	pack.data[30] ^= 1;
	assert_int_equal(
		pack_cache_append(entry, span_of(pack.data, 40), &w->e), 0);
	say_id(w, "want", &w->c[2], " side-band-64k no-progress");
	say(w, "0000");
	say(w, "done");
	c.said = buf_span(&w->said);
	assert_int_equal(pthread_create(&c.thread, NULL, client_run, &c), 0);
	do {
		usleep(1000);
		pack_cache_stats(w->options.cache, &stats);
	} while (!stats.joined);
	usleep(20000); /* the client has taken what there is */
	pack_cache_finish(entry, false);
	pack_cache_put(entry);
	pthread_join(c.thread, NULL);
	assert_int_equal(c.rc, -1);
	assert_non_null(memmem(c.heard.data, c.heard.len,
			       "\3the repository was repacked", 28));
	buf_fini(&c.heard);
	buf_fini(&pack);
	drop_cache(w);
}

#define IN_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(gives_the_same_pack_twice),
		IN_WORLD(keeps_apart_what_gives_other_bytes),
		IN_WORLD(keeps_apart_what_other_tags_give),
		IN_WORLD(asks_who_may_have_it_before_the_cache),
		IN_WORLD(goes_on_where_the_cache_is_too_small),
		IN_WORLD(keeps_nothing_half_of_a_client_that_went),
		IN_WORLD(computes_once_for_a_crowd),
		IN_WORLD(goes_on_alone_where_the_writer_gave_up),
		IN_WORLD(stops_where_the_bytes_already_sent_were_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
