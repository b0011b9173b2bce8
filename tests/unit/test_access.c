/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/access.h"
#include "store/state_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every case runs in an empty directory of its own. */
static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/access-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return -1;
	*state = dir;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int leave(void **state)
{
	CLEANUP(freep) char *dir = *state;
	struct err e;

	return chdir("/") || dir_remove(dir, &e);
}

/* The blob of a key that differs from others in one byte. */
static struct span blob(unsigned char which)
{
	static unsigned char blobs[4][51];
	static unsigned turn;
	unsigned char *b = blobs[turn++ % 4];

	memcpy(b, "\0\0\0\013ssh-ed25519\0\0\0\040", 19);
	b[19] = which;
	return span_of(b, 51);
}

static void add_key(struct buf *b, const char *name, unsigned char which,
		    const char *rights)
{
	struct span s = blob(which);
	CLEANUP(freep) char *text = base64_encode(s.data, s.len);

	buf_addf(b, "[key \"%s\"]\n\tpublic-key = ssh-ed25519 %s\n%s\n", name,
		 text, rights);
}

static void put(const char *path, struct buf *b)
{
	struct err e;

	if (file_replace(path, b->data, b->len, 0600, &e) < 0)
		fail_msg("%s", e.message);
	buf_fini(b);
}

static struct state_store *open_store(void)
{
	static const char *const configs[] = { "c" };
	struct state_options options = { .configs = configs, .n_configs = 1 };
	struct mistakes m = MISTAKES_INIT;
	struct state_store *s;
	struct err e;

	s = state_store_open(&options, &m, &e);
	if (!s)
		fail_msg("%s", e.message);
	return s;
}

/* Three repositories, a writer, a reader, two tokens. */
static struct state_store *open_usual(void)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "secret-one\n");
	put("t1", &b);
	buf_adds(&b, "secret-two");
	put("t2", &b);
	buf_adds(&b, "[repo \"a\"]\n[repo \"b\"]\n[repo \"pub\"]\n\tpublic\n"
		     "[token \"one\"]\n\tfile = t1\n\tread = a\n"
		     "[token \"two\"]\n\tfile = t2\n\tread = **\n");
	add_key(&b, "writer", 1, "\twrite = a\n\tread = b\n\tbypass = on");
	add_key(&b, "reader", 2, "\tread = a");
	put("c", &b);
	return open_store();
}

static struct state *usual_state(void)
{
	CLEANUP(state_store_freep) struct state_store *store = open_usual();

	return state_store_get(store);
}

/* "rw" for repositories a, b, pub and none, e.g. "rw r- r- --". */
static void assert_rights(const struct principal *p, const char *expected)
{
	static const char *const repos[] = { "a", "b", "pub", "none" };
	char got[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(repos); i++) {
		strcat(got, i ? " " : "");
		strcat(got,
		       access_allows(p, repos[i], ACCESS_READ) ? "r" : "-");
		strcat(got,
		       access_allows(p, repos[i], ACCESS_WRITE) ? "w" : "-");
	}
	assert_string_equal(got, expected);
}

static void keys_have_their_rights(void **state)
{
	CLEANUP(state_putp) struct state *s = usual_state();
	struct principal p = { 0 };

	(void)state;
	assert_true(principal_by_key(s, blob(1), &p));
	assert_string_equal(principal_name(&p), "writer");
	assert_rights(&p, "rw r- r- --");
	assert_true(access_bypasses(&p));
	principal_fini(&p);
	assert_true(principal_by_key(s, blob(2), &p));
	assert_rights(&p, "r- -- r- --");
	assert_false(access_bypasses(&p));
	principal_fini(&p);
}

static void unknown_and_altered_blobs_are_nobody(void **state)
{
	CLEANUP(state_putp) struct state *s = usual_state();
	struct span b = blob(1);
	char longer[52] = { 0 };
	struct principal p;

	(void)state;
	assert_false(principal_by_key(s, blob(3), &p));
	assert_false(principal_by_key(s, span_of(b.data, b.len - 1), &p));
	memcpy(longer, b.data, b.len);
	assert_false(principal_by_key(s, span_of(longer, 52), &p));
	assert_false(principal_by_key(s, span_of(NULL, 0), &p));
}

static void tokens_only_read(void **state)
{
	CLEANUP(state_putp) struct state *s = usual_state();
	struct principal p;

	(void)state;
	assert_true(principal_by_token(s, span_str("secret-one"), &p));
	assert_string_equal(principal_name(&p), "one");
	assert_rights(&p, "r- -- r- --");
	principal_fini(&p);
	assert_true(principal_by_token(s, span_str("secret-two"), &p));
	assert_rights(&p, "r- r- r- --");
	principal_fini(&p);
	assert_false(principal_by_token(s, span_str("secret-on"), &p));
	assert_false(principal_by_token(s, span_str("secret-one\n"), &p));
	assert_false(principal_by_token(s, span_str(""), &p));
}

static void nobody_reads_what_is_public(void **state)
{
	CLEANUP(state_putp) struct state *s = usual_state();
	struct principal p;

	(void)state;
	principal_anonymous(s, &p);
	assert_rights(&p, "-- -- r- --");
	assert_string_equal(principal_name(&p), "anonymous");
	principal_fini(&p);
}

/* A principal keeps its state alive, and follows the newest when asked. */
static void a_removed_key_is_not_refreshed(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_usual();
	CLEANUP(state_putp) struct state *s = state_store_get(store);
	CLEANUP(state_putp) struct state *now = NULL;
	struct mistakes m = MISTAKES_INIT;
	struct principal writer, reader, token;
	struct buf b = BUF_INIT;

	(void)state;
	assert_true(principal_by_key(s, blob(1), &writer));
	assert_true(principal_by_key(s, blob(2), &reader));
	assert_true(principal_by_token(s, span_str("secret-one"), &token));
	/* the writer reads only, the reader's name has another key */
	buf_adds(&b, "[repo \"a\"]\n");
	add_key(&b, "writer", 1, "\tread = a");
	add_key(&b, "reader", 4, "\tread = a");
	put("c", &b);
	assert_int_equal(state_store_refresh(store, &m), 1);
	now = state_store_get(store);
	s = state_put(s);
	assert_true(principal_refresh(&writer, now));
	assert_rights(&writer, "r- -- -- --");
	assert_false(principal_refresh(&reader, now));
	assert_false(principal_refresh(&token, now));
	assert_rights(&reader, "r- -- r- --");
	principal_fini(&writer);
	principal_fini(&reader);
	principal_fini(&token);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		CASE(keys_have_their_rights),
		CASE(unknown_and_altered_blobs_are_nobody),
		CASE(tokens_only_read),
		CASE(nobody_reads_what_is_public),
		CASE(a_removed_key_is_not_refreshed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
