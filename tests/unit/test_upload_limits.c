/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers send: it ends at once, with words, and within bounds. */
#include "upload_fixture.h"

#include "base/clock.h"

#define UNKNOWN "0123456789012345678901234567890123456789"

static void be_stateless(struct world *w, int version)
{
	w->options.version = version;
	w->options.is_stateless = true;
}

static void want(struct world *w)
{
	be_stateless(w, 0);
	say_id(w, "want", &w->c[2], " side-band-64k");
}

static void refuses_wants_it_has_not_or_must_not_give(void **state)
{
	struct world *w = *state;

	be_stateless(w, 0);
	say(w, "want " UNKNOWN " side-band-64k");
	say(w, "0000");
	assert_hears(w, "ERR upload-pack: not our ref " UNKNOWN "|");
	assert_int_equal(w->rc, -1);
	for (int reachable = 0; reachable < 2; reachable++) {
		be_stateless(w, 0);
		say_id(w, "want", &w->lost, " side-band-64k");
		say(w, "0000");
		assert_hears(w, "ERR upload-pack: not our ref %s|",
			     HEX(w, lost));
		say_id(w, "want", &w->blob, " side-band-64k");
		say(w, "0000");
		assert_hears(w, "ERR upload-pack: not our ref %s|",
			     HEX(w, blob));
		world_open(w, "[uploadpack]\n"
			      "\tallowReachableSHA1InWant = true\n");
	}
}

static void gives_what_is_no_tip_only_by_key_over_a_pipe(void **state)
{
	struct world *w = *state;

	say_id(w, "want", &w->c[0], " side-band-64k");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(
		strstr(buf_str(&w->shown), "ERR upload-pack: not our ref "));
	world_open(w, "[uploadpack]\n\tallowReachableSHA1InWant = true\n");
	say_id(w, "want", &w->c[0], " side-band-64k");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "|NAK|0000|pack 2|"));
}

static void gives_hidden_tips_only_by_key_and_never_at_the_doors(void **state)
{
	struct world *w = *state;

	world_ref(w, "refs/hidden/x", &w->hidden);
	world_open(w, "[transfer]\n\thideRefs = refs/hidden\n");
	be_stateless(w, 0);
	say_id(w, "want", &w->hidden, " side-band-64k");
	say(w, "0000");
	assert_hears(w, "ERR upload-pack: not our ref %s|", HEX(w, hidden));
	world_open(w, "[uploadpack]\n\tallowTipSHA1InWant = true\n");
	say_id(w, "want", &w->hidden, " side-band-64k");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 3|");
	w->options.refuse_unreachable = true;
	say_id(w, "want", &w->hidden, " side-band-64k");
	say(w, "0000");
	assert_hears(w, "ERR upload-pack: not our ref %s|", HEX(w, hidden));
}

static void refuses_malformed_wants(void **state)
{
	static const char *const wrong[] = {
		"want",
		"want ",
		"want 01234567890123456789012345678901234567890",
		"want 012345678901234567890123456789012345678",
		"want 0123456789012345678901234567890123456789\tside-band",
		"want zzzz456789012345678901234567890123456789",
		"have 0123456789012345678901234567890123456789",
		"done",
		"\x1b[2J",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		be_stateless(w, 0);
		say(w, wrong[i]);
		say(w, "0000");
		converse(w);
		assert_int_equal(w->rc, -1);
		assert_true(span_starts(buf_span(&w->shown), "ERR "));
		assert_null(strchr(buf_str(&w->heard), '\x1b'));
	}
}

static void reads_numbers_strictly_at_every_border(void **state)
{
	static const char *const wrong[] = {
		"deepen 0",
		"deepen -1",
		"deepen",
		"deepen ",
		"deepen 1 ",
		"deepen +1",
		"deepen 0x10",
		"deepen 2147483648",
		"deepen 4294967297",
		"deepen 9223372036854775808",
		"deepen 18446744073709551617",
		"deepen 99999999999999999999999999999999999",
		"deepen-since 0",
		"deepen-since -1",
		"deepen-since 9223372036854775808",
		"deepen-since 18446744073709551616",
		"deepen-since now",
		"deepen-not ",
		"deepen-not ..",
		"shallow ",
		"shallow 01",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		want(w);
		say(w, wrong[i]);
		say(w, "0000");
		say(w, "done");
		converse(w);
		assert_int_equal(w->rc, -1);
		assert_true(span_starts(buf_span(&w->shown), "ERR "));
	}
}

static void takes_numbers_up_to_the_border(void **state)
{
	static const char *const right[] = { "deepen 2147483646",
					     "deepen 2147483647", "deepen 01",
					     "deepen-since 1",
					     "deepen-since 1699999999" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		want(w);
		say(w, right[i]);
		say(w, "0000");
		say(w, "done");
		converse(w);
		assert_int_equal(w->rc, 0);
	}
	want(w);
	say(w, "deepen-since 9223372036854775807");
	say(w, "0000");
	assert_hears(w, "ERR no commits selected for shallow requests|");
}

static void refuses_deepen_lines_that_contradict_each_other(void **state)
{
	static const char *const pairs[][2] = {
		{ "deepen 1", "deepen 2" },
		{ "deepen-since 5", "deepen-since 6" },
		{ "deepen 1", "deepen-since 5" },
		{ "deepen 1", "deepen-not side" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		want(w);
		say(w, pairs[i][0]);
		say(w, pairs[i][1]);
		say(w, "0000");
		converse(w);
		assert_int_equal(w->rc, -1);
		assert_true(span_starts(buf_span(&w->shown), "ERR "));
	}
	want(w);
	say(w, "deepen 1");
	say(w, "deepen 1");
	say(w, "0000");
	converse(w);
	assert_int_equal(w->rc, 0);
}

static void refuses_a_shallow_line_that_names_no_commit(void **state)
{
	struct world *w = *state;

	want(w);
	say_id(w, "shallow", &w->tag, "");
	say(w, "0000");
	assert_hears(w, "ERR invalid shallow object %s|", HEX(w, tag));
	want(w);
	say(w, "shallow " UNKNOWN);
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 4|");
}

static void refuses_two_filters(void **state)
{
	struct world *w = *state;

	world_open(w, "[uploadpack]\n\tallowFilter = true\n");
	be_stateless(w, 2);
	say(w, "command=fetch");
	say(w, "0001");
	say(w, "filter blob:none");
	say(w, "filter blob:none");
	say(w, "0000");
	assert_hears(w, "ERR multiple filter-specs cannot be combined|");
}

static void limits_every_kind_of_line(void **state)
{
	struct world *w = *state;

	w->options.limits = (struct fetch_limits){ .wants = 3, .haves = 3 };
	be_stateless(w, 0);
	for (int i = 0; i < 4; i++)
		say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "0000");
	assert_hears(w, "ERR more than 3 want lines in one request|");
	want(w);
	for (int i = 0; i < 4; i++)
		say(w, "shallow " UNKNOWN);
	say(w, "0000");
	assert_hears(w, "ERR more than 3 shallow lines in one request|");
	want(w);
	say(w, "0000");
	for (int i = 0; i < 4; i++)
		say(w, "have " UNKNOWN);
	assert_hears(w, "ERR more than 3 have lines in one request|");
	w->options.limits = (struct fetch_limits){ .lines = 3 };
	be_stateless(w, 2);
	say(w, "command=fetch");
	for (int i = 0; i < 4; i++)
		say(w, "server-option=x");
	assert_hears(w, "ERR more than 3 lines in one request|");
	w->options.limits = (struct fetch_limits){ .commands = 2 };
	w->options.is_stateless = false;
	for (int i = 0; i < 3; i++) {
		say(w, "command=fetch");
		say(w, "0000");
	}
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown),
			       "ERR more than 2 requests in one connection|"));
}

static void counts_lines_for_each_request_anew(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	w->options.limits.lines = 4;
	for (int i = 0; i < 20; i++) {
		say(w, "command=fetch");
		say(w, "0000");
	}
	converse(w);
	assert_int_equal(w->rc, 0);
}

static void survives_a_flood_of_haves(void **state)
{
	struct world *w = *state;
	int64_t before = clock_ms();
	char line[64];

	be_stateless(w, 0);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack_detailed");
	say(w, "0000");
	for (int i = 0; i < 200000; i++) {
		snprintf(line, sizeof line, "have %040x", i);
		say(w, line);
		if (i % 100 == 0)
			say_id(w, "have", &w->lost, "");
	}
	say(w, "0000");
	converse(w);
	assert_int_equal(w->rc, 0);
	assert_int_equal(w->result.n_haves, 202000);
	print_message("200,000 haves: %d ms\n", (int)(clock_ms() - before));
}

static void ends_where_the_client_is_cut_off(void **state)
{
	static const char *const cut[] = {
		"0032wan",
		"zzzz",
		"0003",
		"fff1",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		be_stateless(w, i % 2 ? 2 : 0);
		buf_adds(&w->said, cut[i]);
		converse(w);
		assert_int_equal(w->rc, -1);
		if (w->e.code == ERR_MALFORMED)
			assert_true(span_starts(buf_span(&w->shown), "ERR "));
	}
	want(w);
	converse(w);
	assert_int_equal(w->rc, -1);
	assert_int_equal(w->e.code, ERR_CLOSED);
	want(w);
	say(w, "0000");
	say_id(w, "have", &w->c[0], "");
	converse(w);
	assert_int_equal(w->e.code, ERR_CLOSED);
}

static void refuses_signs_out_of_place(void **state)
{
	struct world *w = *state;

	want(w);
	say(w, "0001");
	assert_hears(w, "ERR expected flush after want lines|");
	want(w);
	say(w, "0000");
	say(w, "0001");
	assert_hears(w, "ERR expected flush after have lines|");
	be_stateless(w, 2);
	buf_adds(&w->said, "0002");
	assert_hears(w, "ERR unexpected response end packet|");
}

/* Sixty kilobytes of words, and a NUL among them. */
static void passes_over_mad_capabilities(void **state)
{
	struct world *w = *state;
	struct buf line = BUF_INIT;

	be_stateless(w, 0);
	buf_addf(&line, "want %s", HEX(w, c[2]));
	while (line.len < 60000)
		buf_adds(&line, " side-band-64k no-progress multi_ack bogus=1");
	buf_add(&line, " agent=a\0b\x1b[1m\n", 15);
	pkt_add(&w->said, line.data, line.len);
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 4|");
	assert_string_equal(w->result.agent, "a?b?[1m");
	buf_fini(&line);
}

static void says_that_an_object_is_missing_inside_the_pack(void **state)
{
	struct world *w = *state;
	char path[400];
	const char *hex = HEX(w, c[0]);

	snprintf(path, sizeof path, "%s/%.2s/%s", w->f.objects, hex, hex + 2);
	assert_int_equal(unlink(path), 0);
	want(w);
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_int_equal(w->rc, -1);
	assert_non_null(strstr(buf_str(&w->shown), "3:"));
	assert_null(strstr(buf_str(&w->shown), "0000|pack"));
}

#define IN_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(refuses_wants_it_has_not_or_must_not_give),
		IN_WORLD(gives_what_is_no_tip_only_by_key_over_a_pipe),
		IN_WORLD(gives_hidden_tips_only_by_key_and_never_at_the_doors),
		IN_WORLD(refuses_malformed_wants),
		IN_WORLD(reads_numbers_strictly_at_every_border),
		IN_WORLD(takes_numbers_up_to_the_border),
		IN_WORLD(refuses_deepen_lines_that_contradict_each_other),
		IN_WORLD(refuses_a_shallow_line_that_names_no_commit),
		IN_WORLD(refuses_two_filters),
		IN_WORLD(limits_every_kind_of_line),
		IN_WORLD(counts_lines_for_each_request_anew),
		IN_WORLD(survives_a_flood_of_haves),
		IN_WORLD(ends_where_the_client_is_cut_off),
		IN_WORLD(refuses_signs_out_of_place),
		IN_WORLD(passes_over_mad_capabilities),
		IN_WORLD(says_that_an_object_is_missing_inside_the_pack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
