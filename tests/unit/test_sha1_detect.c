/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The detector against SHA-1's own vectors, another library, the published
 * collisions.
 */
#include "test.h"

#include "any.h"
#include "base/digest.h"
#include "base/span.h"
#include "git/sha1_detect.h"
#include "git/sha1_dv.h"
#include "sha1_collisions.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>

static int begin(void **state)
{
	(void)state;
	any_seed = 20170223;
	return 0;
}

/* The first usable engine from `engine` on; NULL after the last. */
static const struct sha1_engine *usable_engine(const struct sha1_engine *engine)
{
	while (engine->name && !engine->usable())
		engine++;
	return engine->name ? engine : NULL;
}

#define FIRST_ENGINE	    usable_engine(sha1_engines)
#define NEXT_ENGINE(engine) usable_engine((engine) + 1)

static bool hash_with(const struct sha1_engine *engine, const void *data,
		      size_t len, unsigned char out[SHA1_DETECT_SIZE])
{
	struct sha1_detect s;

	sha1_detect_init_engine(&s, engine);
	sha1_detect_update(&s, data, len);
	return sha1_detect_final(&s, out);
}

/* -- digests --------------------------------------------------------------- */

static void gives_the_digests_of_the_standard(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	};
	unsigned char out[SHA1_DETECT_SIZE];
	char hex[2 * SHA1_DETECT_SIZE + 1];

	(void)state;
	for (const struct sha1_engine *e = FIRST_ENGINE; e; e = NEXT_ENGINE(e))
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			assert_true(hash_with(e, cases[i].text,
					      strlen(cases[i].text), out));
			hex_encode(out, sizeof out, hex);
			assert_string_equal(hex, cases[i].hex);
		}
}

static void agrees_with_openssl_at_every_length(void **state)
{
	unsigned char data[1200], expected[SHA1_SIZE], out[SHA1_DETECT_SIZE];
	struct digest *d = digest_new(DIGEST_SHA1);

	(void)state;
	any_bytes(data, sizeof data);
	for (size_t len = 0; len <= sizeof data; len++) {
		digest_update(d, data, len);
		digest_final(d, expected);
		digest_reset(d);
		for (const struct sha1_engine *e = FIRST_ENGINE; e;
		     e = NEXT_ENGINE(e)) {
			assert_true(hash_with(e, data, len, out));
			assert_memory_equal(out, expected, sizeof out);
		}
	}
	digest_free(d);
}

static void gives_the_same_digest_in_pieces(void **state)
{
	unsigned char data[3000], whole[SHA1_DETECT_SIZE];
	unsigned char out[SHA1_DETECT_SIZE];

	(void)state;
	any_bytes(data, sizeof data);
	for (const struct sha1_engine *e = FIRST_ENGINE; e;
	     e = NEXT_ENGINE(e)) {
		assert_true(hash_with(e, data, sizeof data, whole));
		for (unsigned round = 0; round < 200; round++) {
			struct sha1_detect s;

			sha1_detect_init_engine(&s, e);
			for (size_t at = 0, n; at < sizeof data; at += n) {
				n = any_u32() % (8 << any_u32() % 9);
				if (n > sizeof data - at)
					n = sizeof data - at;
				sha1_detect_update(&s, data + at, n);
			}
			assert_true(sha1_detect_final(&s, out));
			assert_memory_equal(out, whole, sizeof out);
		}
	}
}

static void agrees_with_libgit2_and_finds_nothing_in_random_data(void **state)
{
	size_t size = 1 << 20;
	unsigned char *data = malloc(size), out[SHA1_DETECT_SIZE];
	char header[32];
	git_oid id;

	(void)state;
	assert_non_null(data);
	git_libgit2_init();
	any_bytes(data, size);
	for (unsigned round = 0; round < 400; round++) {
		size_t len = any_u32() % (1 << any_u32() % 17);
		size_t at = any_u32() % (size - len);
		int n = snprintf(header, sizeof header, "blob %zu", len);

		assert_int_equal(
			git_odb_hash(&id, data + at, len, GIT_OBJECT_BLOB), 0);
		for (const struct sha1_engine *e = FIRST_ENGINE; e;
		     e = NEXT_ENGINE(e)) {
			struct sha1_detect s;

			sha1_detect_init_engine(&s, e);
			sha1_detect_update(&s, header, (size_t)n + 1);
			sha1_detect_update(&s, data + at, len);
			assert_true(sha1_detect_final(&s, out));
			assert_memory_equal(out, id.id, sizeof out);
		}
	}
	git_libgit2_shutdown();
	free(data);
}

/* -- published collisions -------------------------------------------------- */

/* XOR a block with the difference of a vector: the other half. */
static void make_twin(unsigned char block[SHA1_BLOCK_SIZE], unsigned n)
{
	const uint32_t *diff = sha1_dv_difference(n);

	for (unsigned t = 0; t < 16; t++)
		store_u32be(block + 4 * t, load_u32be(block + 4 * t) ^ diff[t]);
}

static void finds_shattered_in_both_halves(void **state)
{
	unsigned char twin[sizeof shattered];
	unsigned char one[SHA1_DETECT_SIZE], two[SHA1_DETECT_SIZE];

	(void)state;
	memcpy(twin, shattered, sizeof twin);
	make_twin(twin + SHATTERED_PREFIX, SHA1_DV_II_52_0);
	make_twin(twin + SHATTERED_PREFIX + SHA1_BLOCK_SIZE, SHA1_DV_II_52_0);
	for (const struct sha1_engine *e = FIRST_ENGINE; e;
	     e = NEXT_ENGINE(e)) {
		assert_false(hash_with(e, shattered, sizeof shattered, one));
		assert_false(hash_with(e, twin, sizeof twin, two));
		assert_memory_equal(one, two, sizeof one);
	}
}

static void finds_shambles_in_both_halves(void **state)
{
	unsigned char digest[SHA1_DETECT_SIZE];
	char hex[2 * SHA1_DETECT_SIZE + 1];
	struct sha1_trace trace, twin_trace;
	uint32_t h[5], h_in[5], h_out[5], found = 0;
	const unsigned char *last = shambles + sizeof shambles - 64;
	unsigned char twin[SHA1_BLOCK_SIZE];
	struct sha1_detect s;

	(void)state;
	for (const struct sha1_engine *e = FIRST_ENGINE; e;
	     e = NEXT_ENGINE(e)) {
		assert_false(hash_with(e, shambles, sizeof shambles, digest));
		hex_encode(digest, sizeof digest, hex);
		assert_string_equal(hex,
				    "8ac60ba76f1999a1ab70223f225aefdc78d4ddc0");
	}
	/* The other message has other blocks before the last one; its chaining
	 * value follows from the vector. */
	sha1_detect_init(&s);
	sha1_detect_update(&s, shambles, sizeof shambles - 64);
	memcpy(h, s.h, sizeof h);
	sha1_blocks_portable(h, last, 1, &trace);
	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		if (!sha1_dv_attacked(UINT32_C(1) << n, &trace))
			continue;
		found++;
		sha1_dv_twin(n, &trace, h_in, h_out);
		assert_memory_not_equal(h_in, s.h, sizeof h_in);
		memcpy(twin, last, sizeof twin);
		make_twin(twin, n);
		sha1_blocks_portable(h_in, twin, 1, &twin_trace);
		assert_memory_equal(h_in, h, sizeof h);
		assert_true(sha1_dv_attacked(UINT32_C(1) << n, &twin_trace));
	}
	assert_int_equal(found, 1);
}

/* Every lane of the queue, and every way of cutting the input. */
static void finds_an_attack_wherever_it_stands(void **state)
{
	unsigned char noise[8 * SHA1_BLOCK_SIZE], digest[SHA1_DETECT_SIZE];
	const unsigned char *attack = shattered + SHATTERED_PREFIX;
	size_t attack_size = sizeof shattered - SHATTERED_PREFIX;
	struct sha1_detect s, prefix;

	(void)state;
	any_bytes(noise, sizeof noise);
	sha1_detect_init(&prefix);
	sha1_detect_update(&prefix, shattered, SHATTERED_PREFIX);
	for (const struct sha1_engine *e = FIRST_ENGINE; e; e = NEXT_ENGINE(e))
		for (unsigned lane = 0; lane < SHA1_LANES; lane++)
			for (size_t cut = 0; cut <= attack_size; cut++) {
				sha1_detect_init_engine(&s, e);
				sha1_detect_update(&s, noise,
						   lane * SHA1_BLOCK_SIZE);
				memcpy(s.h, prefix.h, sizeof s.h);
				sha1_detect_update(&s, attack, cut);
				sha1_detect_update(&s, attack + cut,
						   attack_size - cut);
				sha1_detect_update(&s, noise, 8 * cut % 500);
				assert_false(sha1_detect_final(&s, digest));
			}
}

static void lets_a_changed_attack_pass(void **state)
{
	unsigned char data[sizeof shattered], digest[SHA1_DETECT_SIZE];

	(void)state;
	for (const struct sha1_engine *e = FIRST_ENGINE; e; e = NEXT_ENGINE(e))
		for (size_t bit = 0; bit < 8 * sizeof data; bit += 7) {
			memcpy(data, shattered, sizeof data);
			data[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_true(hash_with(e, data, sizeof data, digest));
		}
}

/* -- disturbance vectors --------------------------------------------------- */

static void differences_obey_the_message_expansion(void **state)
{
	(void)state;
	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		const uint32_t *d = sha1_dv_difference(n);

		for (unsigned t = 16; t < SHA1_STEPS; t++)
			assert_int_equal(d[t],
					 rotl32(d[t - 3] ^ d[t - 8] ^
							d[t - 14] ^ d[t - 16],
						1));
	}
}

static void states_may_be_equal_where_the_table_says(void **state)
{
	uint32_t v[SHA1_DV_WORDS];

	(void)state;
	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		unsigned step = sha1_dvs[n].same_step + SHA1_DV_BEFORE;

		sha1_dv_words(n, v);
		for (unsigned i = 1; i <= 5; i++)
			assert_int_equal(v[step - i], 0);
	}
}

/* The twin that is computed from the middle is the one that hashing gives. */
static void computes_the_twin_under_every_vector(void **state)
{
	unsigned char block[SHA1_BLOCK_SIZE];
	uint32_t h[5], h_in[5], h_out[5];
	struct sha1_trace trace, twin_trace;

	(void)state;
	for (unsigned round = 0; round < 50 * SHA1_DV_COUNT; round++) {
		unsigned n = round % SHA1_DV_COUNT;

		any_bytes(block, sizeof block);
		for (unsigned i = 0; i < 5; i++)
			h[i] = any_u32();
		sha1_blocks_portable(h, block, 1, &trace);
		assert_false(sha1_dv_attacked(UINT32_MAX, &trace));
		sha1_dv_twin(n, &trace, h_in, h_out);
		make_twin(block, n);
		sha1_blocks_portable(h_in, block, 1, &twin_trace);
		assert_memory_equal(h_in, h_out, sizeof h_in);
		/* Had both come out the same, it would be seen. */
		memcpy(trace.h, h_out, sizeof trace.h);
		assert_true(sha1_dv_attacked(UINT32_C(1) << n, &trace));
		assert_true(sha1_dv_attacked(UINT32_MAX, &trace));
		assert_false(sha1_dv_attacked(~(UINT32_C(1) << n), &trace));
	}
}

static void engines_leave_the_same_trace(void **state)
{
	unsigned char data[SHA1_LANES * SHA1_BLOCK_SIZE];
	static struct sha1_trace expected[SHA1_LANES], traces[SHA1_LANES];
	uint32_t h[5] = { 1, 2, 3, 4, 5 }, g[5];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		any_bytes(data, sizeof data);
		memcpy(g, h, sizeof g);
		sha1_blocks_portable(g, data, SHA1_LANES, expected);
		for (const struct sha1_engine *e = FIRST_ENGINE; e;
		     e = NEXT_ENGINE(e)) {
			memcpy(g, h, sizeof g);
			e->blocks(g, data, SHA1_LANES, traces);
			assert_memory_equal(traces, expected, sizeof traces);
			assert_memory_equal(g, expected[SHA1_LANES - 1].h,
					    sizeof g);
		}
		memcpy(h, g, sizeof h);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_the_digests_of_the_standard),
		TEST(agrees_with_openssl_at_every_length),
		TEST(gives_the_same_digest_in_pieces),
		TEST(agrees_with_libgit2_and_finds_nothing_in_random_data),
		TEST(finds_shattered_in_both_halves),
		TEST(finds_shambles_in_both_halves),
		TEST(finds_an_attack_wherever_it_stands),
		TEST(lets_a_changed_attack_pass),
		TEST(differences_obey_the_message_expansion),
		TEST(states_may_be_equal_where_the_table_says),
		TEST(computes_the_twin_under_every_vector),
		TEST(engines_leave_the_same_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
