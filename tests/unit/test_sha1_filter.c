/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter against its table, and the table against message differences that
 * follow each disturbance vector, made at random.
 */
#include "test.h"

#include "any.h"
#include "base/attr.h"
#include "git/sha1_conditions.h"
#include "git/sha1_detect.h"
#include "git/sha1_dv.h"

#include <string.h>

static int begin(void **state)
{
	(void)state;
	any_seed = 20170223;
	return 0;
}

/* The words that conditions are about. */
#define CONDITION_LOW  35
#define CONDITION_HIGH 65

struct condition {
	unsigned t, b, u, c, odd;
	uint32_t vectors;
};

#define CONDITION(t, b, u, c, odd, vectors) { t, b, u, c, odd, vectors },
static const struct condition conditions[] = { SHA1_CONDITIONS(CONDITION) };

static bool holds(const struct condition *c, const uint32_t w[SHA1_STEPS])
{
	return ((w[c->t] >> c->b ^ w[c->u] >> c->c) & 1) == c->odd;
}

/* Random words that vector `n` may have; broken conditions are mended at
 * either end until none is left. */
static void make_words(uint32_t w[SHA1_STEPS], unsigned n)
{
	bool mended = true;

	for (unsigned t = 0; t < SHA1_STEPS; t++)
		w[t] = any_u32();
	while (mended) {
		mended = false;
		for (size_t k = 0; k < ARRAY_SIZE(conditions); k++) {
			const struct condition *c = conditions + k;

			if (!(c->vectors >> n & 1) || holds(c, w))
				continue;
			mended = true;
			if (any_u32() & 1)
				w[c->t] ^= UINT32_C(1) << c->b;
			else
				w[c->u] ^= UINT32_C(1) << c->c;
		}
	}
}

static void filters_just_by_the_conditions(void **state)
{
	static struct sha1_trace traces[SHA1_LANES];
	uint32_t masks[SHA1_LANES], expected[SHA1_LANES];

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned n = round % SHA1_DV_COUNT;

		for (unsigned i = 0; i < SHA1_LANES; i++) {
			uint32_t *w = traces[i].w;

			make_words(w, n);
			/* Some that are let through, some that nearly are. */
			if (i & 1)
				w[CONDITION_LOW + any_u32() % 30] ^=
					UINT32_C(1) << any_u32() % 32;
			expected[i] = UINT32_MAX;
			for (size_t k = 0; k < ARRAY_SIZE(conditions); k++)
				if (!holds(conditions + k, w))
					expected[i] &= ~conditions[k].vectors;
		}
		assert_true(expected[0] >> n & 1);
		for (const struct sha1_engine *e = sha1_engines; e->name; e++) {
			if (!e->usable())
				continue;
			e->filter(traces, SHA1_LANES, masks);
			assert_memory_equal(masks, expected, sizeof masks);
			e->filter(traces, n % SHA1_LANES + 1, masks);
			assert_memory_equal(masks, expected,
					    (n % SHA1_LANES + 1) *
						    sizeof *masks);
		}
	}
}

/*
 * A pair of computations over some steps in the middle whose message words
 * differ as a vector says and whose states differ by its local collisions:
 * a(t + 1) by a sum of plus or minus 2^b for the bits b of word t, carries as
 * they fall. The words of the message are free here, not expanded.
 */
struct trail {
	uint32_t v[SHA1_DV_WORDS];
	const uint32_t *diff;
	uint32_t w[SHA1_STEPS];
	uint32_t one[SHA1_STEPS + 1], two[SHA1_STEPS + 1]; /* a(t) of both */
};

/* What a trail leaves uncorrected in its last steps says nothing about it. */
#define TRAIL_STEPS  20
#define TRAIL_MARGIN 9
#define TRAILS	     60 /* of each vector at each place */

/* Is `d` a sum of plus or minus 2^b for all bits b of `bits`? */
static bool is_signed_sum(uint32_t d, uint32_t bits)
{
	uint32_t choice = bits;

	for (;;) {
		if (choice - (bits ^ choice) == d)
			return true;
		if (!choice)
			return false;
		choice = (choice - 1) & bits;
	}
}

/* a(t + 1) but for the message word. */
static uint32_t step_without_word(const uint32_t *a, unsigned t)
{
	return rotl32(a[t], 5) +
	       sha1_boolean(t, a[t - 1], rotl32(a[t - 2], 30),
			    rotl32(a[t - 3], 30)) +
	       rotl32(a[t - 4], 30) + sha1_constant(t);
}

/* One more step; false where the difference cannot go on from here. */
static bool trail_step(struct trail *r, unsigned t)
{
	uint32_t one = step_without_word(r->one, t);
	uint32_t two = step_without_word(r->two, t);
	uint32_t diff = r->diff[t], bits = diff, chosen = 0;
	unsigned ways = 0;

	/* One of the ways to sign the difference of the word, any of them. */
	for (;;) {
		uint32_t d = two - one + (bits ^ diff) - bits;

		if (is_signed_sum(d, r->v[t + SHA1_DV_BEFORE]) &&
		    !(any_u32() % ++ways))
			chosen = bits;
		if (!bits)
			break;
		bits = (bits - 1) & diff;
	}
	if (!ways)
		return false;
	r->w[t] = (any_u32() & ~diff) | chosen;
	r->one[t + 1] = one + r->w[t];
	r->two[t + 1] = two + (r->w[t] ^ diff);
	return true;
}

static void trail_start(struct trail *r, unsigned t)
{
	for (unsigned i = t - 4; i <= t; i++) {
		uint32_t bits = r->v[i - 1 + SHA1_DV_BEFORE];
		uint32_t choice = bits & any_u32();

		r->one[i] = any_u32();
		r->two[i] = r->one[i] + choice - (bits ^ choice);
	}
}

/* Fill w[from..to-1]; steps that lead nowhere are taken back. */
static void trail_find(struct trail *r, unsigned from, unsigned to)
{
	unsigned t = from, failures = 0;

	trail_start(r, from);
	while (t < to) {
		if (trail_step(r, t)) {
			t++;
			continue;
		}
		t -= 1 + any_u32() % 4;
		if (t < from || ++failures > 300) {
			failures = 0;
			t = from;
			trail_start(r, from);
		}
	}
}

/* The conditions on those words that the trail is long enough for. */
static void trail_judge(const struct trail *r, unsigned n, unsigned from,
			unsigned to, unsigned held[ARRAY_SIZE(conditions)])
{
	unsigned end = to == CONDITION_HIGH ? to : to - TRAIL_MARGIN;

	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		const struct condition *c = conditions + i;

		if (!(c->vectors >> n & 1) || c->t < from || c->u >= end)
			continue;
		assert_true(holds(c, r->w));
		held[i]++;
	}
}

static void conditions_hold_where_a_difference_follows_its_vector(void **state)
{
	struct trail r;

	(void)state;
	for (unsigned n = 0; n < SHA1_DV_COUNT; n++) {
		unsigned held[ARRAY_SIZE(conditions)] = { 0 };

		sha1_dv_words(n, r.v);
		r.diff = sha1_dv_difference(n);
		for (unsigned from = CONDITION_LOW; from < 60; from += 2) {
			unsigned to = from + TRAIL_STEPS;

			if (to > CONDITION_HIGH)
				to = CONDITION_HIGH;
			for (unsigned k = 0; k < TRAILS; k++) {
				trail_find(&r, from, to);
				trail_judge(&r, n, from, to, held);
			}
		}
		for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
			if (conditions[i].vectors >> n & 1)
				assert_true(held[i] >= TRAILS);
	}
}

/* So that the filter is worth having, and never passes all. */
static void lets_few_vectors_through(void **state)
{
	unsigned char data[SHA1_LANES * SHA1_BLOCK_SIZE];
	static struct sha1_trace traces[SHA1_LANES];
	uint32_t masks[SHA1_LANES], h[5] = { 0 };
	unsigned blocks = 0, left = 0;

	(void)state;
	while (blocks < 40000) {
		any_bytes(data, sizeof data);
		sha1_blocks_portable(h, data, SHA1_LANES, traces);
		sha1_filter_portable(traces, SHA1_LANES, masks);
		for (unsigned i = 0; i < SHA1_LANES; i++, blocks++)
			left += (unsigned)__builtin_popcount(masks[i]);
	}
	assert_in_range(left, blocks / 20, blocks / 13);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_just_by_the_conditions),
		TEST(conditions_hold_where_a_difference_follows_its_vector),
		TEST(lets_few_vectors_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
