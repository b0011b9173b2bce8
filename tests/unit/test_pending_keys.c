/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that knocked: who stays where there is no room, what is written. */
#include "test.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/data_dir.h"
#include "store/pending_keys.h"
#include "store/state_change.h"
#include "store/state_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
	char dir[64];
	struct state_store *states;
	struct pending_keys *pending;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct state_options options = { .data_dir = f->dir };
	struct mistakes mistakes = MISTAKES_INIT;
	struct data_dir *d;
	struct err e;

	*state = f;
	snprintf(f->dir, sizeof f->dir, "/tmp/pending-XXXXXX");
	if (!mkdtemp(f->dir) || !(d = data_dir_open(f->dir, &e)))
		return -1;
	data_dir_free(d);
	f->states = state_store_open(&options, &mistakes, &e);
	mistakes_fini(&mistakes);
	f->pending = pending_keys_new(f->dir, &e);
	return f->states && f->pending ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct err e;

	pending_keys_free(f->pending);
	state_store_free(f->states);
	if (dir_remove(f->dir, &e) < 0)
		return -1;
	free(f);
	return 0;
}

static struct public_key key(unsigned which)
{
	unsigned char blob[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";
	struct public_key k;
	struct err e;

	store_u32be(blob + 19, which);
	assert_int_equal(
		public_key_from_blob(span_of(blob, sizeof blob), &k, &e), 0);
	return k;
}

static void knock(struct fixture *f, unsigned which, const char *peer)
{
	struct public_key k = key(which);

	pending_keys_note(f->pending, &k, 1, peer);
	public_key_fini(&k);
}

struct seen {
	size_t n;
	struct pending_key keys[PENDING_MAX];
	char fingerprints[PENDING_MAX][FINGERPRINT_SIZE];
};

static void see(void *arg, const struct pending_key *k)
{
	struct seen *s = arg;

	assert_true(s->n < PENDING_MAX);
	s->keys[s->n] = *k;
	memcpy(s->fingerprints[s->n++], k->key.fingerprint, FINGERPRINT_SIZE);
}

static struct seen *look(struct fixture *f)
{
	static struct seen s;
	struct state *state = state_store_get(f->states);
	size_t n;

	s.n = 0;
	n = pending_keys_list(f->pending, state, see, &s);
	state_put(state);
	assert_int_equal(n, s.n);
	return &s;
}

static const struct pending_key *find(struct fixture *f, unsigned which)
{
	struct public_key k = key(which);
	struct seen *s = look(f);
	const struct pending_key *found = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->fingerprints[i], k.fingerprint))
			found = &s->keys[i];
	public_key_fini(&k);
	return found;
}

static int save(struct fixture *f, bool now)
{
	struct state *state = state_store_get(f->states);
	struct err e;
	int result = pending_keys_save(f->pending, state, now, &e);

	state_put(state);
	return result;
}

static void begin_again(struct fixture *f)
{
	struct err e;

	pending_keys_free(f->pending);
	f->pending = pending_keys_new(f->dir, &e);
	assert_non_null(f->pending);
}

static char *path_of(const struct fixture *f)
{
	char *path = path_join(f->dir, "pending-keys");

	assert_non_null(path);
	return path;
}

static off_t size_of(const struct fixture *f)
{
	CLEANUP(freep) char *path = path_of(f);
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

/* -- cases ---------------------------------------------------------------- */

static void counts_who_knocks_again(void **state)
{
	struct fixture *f = *state;

	knock(f, 1, "192.0.2.1:50000");
	knock(f, 1, "192.0.2.2:50001");
	knock(f, 2, "[2001:db8::1]:50000");
	assert_int_equal(look(f)->n, 2);
	assert_int_equal(find(f, 1)->count, 2);
	assert_string_equal(find(f, 1)->address, "192.0.2.2");
	assert_string_equal(find(f, 2)->address, "2001:db8::1");
}

static void survives_a_restart(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *path = path_of(f);
	struct stat st;

	knock(f, 1, "192.0.2.1:50000");
	knock(f, 1, "192.0.2.1:50001");
	assert_int_equal(save(f, false), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	begin_again(f);
	assert_int_equal(look(f)->n, 1);
	assert_int_equal(find(f, 1)->count, 2);
	assert_string_equal(find(f, 1)->address, "192.0.2.1");
}

static void writes_rarely(void **state)
{
	struct fixture *f = *state;
	off_t first;

	assert_int_equal(save(f, true), 0);
	assert_int_equal(size_of(f), -1); /* nothing to say */
	knock(f, 1, "192.0.2.1:50000");
	assert_int_equal(save(f, false), 0);
	first = size_of(f);
	assert_true(first > 0);
	knock(f, 2, "192.0.2.1:50000");
	assert_int_equal(save(f, false), 0);
	assert_int_equal(size_of(f), first); /* it is not time yet */
	assert_int_equal(save(f, true), 0);
	assert_true(size_of(f) > first);
}

static void is_bounded_per_address_and_in_all(void **state)
{
	struct fixture *f = *state;
	char peer[64];

	for (unsigned i = 0; i < 2000; i++)
		knock(f, i, "192.0.2.1:50000");
	assert_int_equal(look(f)->n, PENDING_ADDRESS_MAX);
	for (unsigned i = 0; i < 2000; i++) { /* one /64 is one address */
		snprintf(peer, sizeof peer, "[2001:db8::%x]:50000", i + 1);
		knock(f, 10000 + i, peer);
	}
	assert_int_equal(look(f)->n, 2 * PENDING_ADDRESS_MAX);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(peer, sizeof peer, "10.0.%u.%u:50000", i >> 8,
			 i & 255);
		knock(f, 20000 + i, peer);
	}
	assert_int_equal(look(f)->n, PENDING_MAX);
	assert_int_equal(save(f, true), 0);
	assert_true(size_of(f) < 64 << 10);
	begin_again(f);
	assert_int_equal(look(f)->n, PENDING_MAX);
}

static void keeps_the_patient_through_a_flood(void **state)
{
	struct fixture *f = *state;
	char peer[64];

	knock(f, 1, "192.0.2.1:50000");
	knock(f, 1, "192.0.2.1:50001");
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(peer, sizeof peer, "10.%u.%u.1:50000", i >> 8,
			 i & 255);
		knock(f, 100 + i, i % 2 ? peer : "192.0.2.1:50002");
	}
	assert_non_null(find(f, 1));
}

static void drops_what_is_approved(void **state)
{
	struct fixture *f = *state;
	struct public_key k = key(7);
	CLEANUP(freep) char *text = public_key_text(&k);
	const char *const all[] = { "**" };
	const char *const lines[] = { text };
	const struct state_value values[] = {
		{ "public-key", { lines, 1 } },
		{ "read", { all, 1 } },
	};
	struct state_change change = { .kind = STATE_KEY,
				       .name = "me",
				       .values = values,
				       .n_values = ARRAY_SIZE(values) };
	struct change_result r = CHANGE_RESULT_INIT;
	struct err e;

	knock(f, 7, "192.0.2.1:50000");
	knock(f, 8, "192.0.2.1:50000");
	assert_int_equal(save(f, true), 0);
	if (state_change(f->states, &change, &r, &e) < 0)
		fail_msg("%s", e.message);
	change_result_fini(&r);
	assert_int_equal(look(f)->n, 1);
	assert_non_null(find(f, 8));
	assert_int_equal(save(f, true), 0);
	begin_again(f);
	assert_int_equal(look(f)->n, 1);
	public_key_fini(&k);
}

static void adds_what_another_daemon_wrote(void **state)
{
	struct fixture *f = *state;
	struct fixture other = *f;
	struct err e;

	other.pending = pending_keys_new(f->dir, &e);
	assert_non_null(other.pending);
	knock(f, 1, "192.0.2.1:50000");
	assert_int_equal(save(f, true), 0);
	knock(&other, 2, "192.0.2.2:50000");
	assert_int_equal(save(&other, true), 0);
	pending_keys_free(other.pending);
	begin_again(f);
	assert_int_equal(look(f)->n, 2);
}

static void leaves_out_what_it_cannot_read(void **state)
{
	static const char text[] =
		"\n"
		"x\n"
		"1 2 3 192.0.2.1 ssh-ed25519 AAAA\n"
		"99999999999999999999 2 3 a ssh-ed25519 AAAA\n"
		"1 2 3  ssh-ed25519 AAAA\n"
		"4000000000 4000000000 2 192.0.2.9 ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIK73ShWZCMpvMF56D1wwbkf73upHuuddxM0Jfy"
		"BdLCKm\n"
		"1 1 1 192.0.2.9 ssh-ed25519 " /* of 1970 */
		"AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAA\n"
		"4000000000 4000000000 2 192.0.2.9 ssh-ed25519 AAAAC3Nza";
	struct fixture *f = *state;
	CLEANUP(freep) char *path = path_of(f);
	struct err e;

	assert_int_equal(file_replace(path, text, sizeof text - 1, 0600, &e),
			 0);
	begin_again(f);
	assert_int_equal(look(f)->n, 1);
	assert_string_equal(look(f)->keys[0].address, "192.0.2.9");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(counts_who_knocks_again),
		CASE(survives_a_restart),
		CASE(writes_rarely),
		CASE(is_bounded_per_address_and_in_all),
		CASE(keeps_the_patient_through_a_flood),
		CASE(drops_what_is_approved),
		CASE(adds_what_another_daemon_wrote),
		CASE(leaves_out_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
