/* SPDX-License-Identifier: Apache-2.0 */
#include "upload_fixture.h"

#include "git/graph.h"

/* Stateless, so that answers come without an advertisement. */
static void be_stateless(struct world *w)
{
	w->options.is_stateless = true;
}

/* What go-git says: flux's everyday clone. */
static void gives_flux_its_shallow_clone(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2],
	       " multi_ack_detailed side-band-64k ofs-delta "
	       "agent=go-git/5.x shallow no-progress");
	say(w, "deepen 1");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "shallow %s|0000|NAK|0000|pack 2|", HEX(w, c[2]));
	assert_int_equal(w->rc, 0);
	assert_string_equal(w->result.kind, "shallow");
	assert_string_equal(w->result.agent, "go-git/5.x");
	assert_int_equal(w->result.n_wants, 1);
	assert_int_equal(w->result.n_objects, 2);
	assert_true(w->result.pack_bytes > 32);
}

/* How many commits the repository has in memory. */
static uint32_t count_commits(struct world *w)
{
	struct snapshot *s = repository_snapshot(w->repo, &w->e);
	uint32_t n;

	assert_non_null(s);
	n = graph_count(snapshot_graph(s));
	snapshot_put(s);
	return n;
}

static void reads_no_history_for_a_first_shallow_clone(void **state)
{
	struct world *w = *state;

	gives_flux_its_shallow_clone(state);
	gives_flux_its_shallow_clone(state);
	assert_int_equal(count_commits(w), 0);
}

/* The boundary is told before the client says what it has. */
static void takes_haves_after_a_depth_of_a_first_clone(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack_detailed");
	say(w, "deepen 1");
	say(w, "0000");
	say_id(w, "have", &w->s, "");
	say(w, "done");
	assert_hears(w, "shallow %s|0000|ACK %s common|ACK %s|0000|pack 1|",
		     HEX(w, c[2]), HEX(w, s), HEX(w, s));
	assert_int_equal(count_commits(w), 4);
	/* Now that they are there, the whole graph serves. */
	gives_flux_its_shallow_clone(state);
}

static void gives_flux_a_tag_with_its_commit(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->tag, " side-band-64k ofs-delta no-progress");
	say(w, "deepen 1");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "shallow %s|0000|NAK|0000|pack 3|", HEX(w, c[1]));
}

static void answers_wants_of_many_tips_with_one_line_a_commit(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k shallow");
	say_id(w, "want", &w->s, "");
	say_id(w, "want", &w->tag, "");
	say(w, "deepen 1");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "pack 5|"));
	for (int i = 1; i <= 2; i++)
		assert_non_null(strstr(buf_str(&w->shown), HEX(w, c[i])));
	assert_non_null(strstr(buf_str(&w->shown), HEX(w, s)));
}

static void gives_a_whole_clone_after_the_advertisement(void **state)
{
	struct world *w = *state;

	say_id(w, "want", &w->c[2], " side-band-64k ofs-delta");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "|0000|NAK|0000|pack 4|"));
	assert_string_equal(w->result.kind, "clone");
}

static void frames_for_the_small_side_band(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 4|");
}

static void sends_the_pack_bare_without_a_side_band(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], "");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|pack 4|");
}

static void acknowledges_once_without_multi_ack(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "0000");
	say_id(w, "have", &w->lost, "");
	say_id(w, "have", &w->c[1], "");
	say_id(w, "have", &w->c[0], "");
	say(w, "done");
	assert_hears(w, "ACK %s|0000|pack 1|", HEX(w, lost));
	assert_string_equal(w->result.kind, "fetch");
	assert_int_equal(w->result.n_haves, 3);
}

static void acknowledges_each_with_multi_ack(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack");
	say(w, "0000");
	say_id(w, "have", &w->c[1], "");
	say(w, "have 0123456789012345678901234567890123456789");
	say(w, "done");
	assert_hears(w,
		     "ACK %s continue|"
		     "ACK 0123456789012345678901234567890123456789 continue|"
		     "ACK %s|0000|pack 1|",
		     HEX(w, c[1]), HEX(w, c[1]));
}

static void says_when_it_knows_enough(void **state)
{
	struct world *w = *state;

	say_id(w, "want", &w->c[2],
	       " side-band-64k multi_ack_detailed no-progress");
	say(w, "0000");
	say_id(w, "have", &w->c[1], "");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "|0000|ACK "));
	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack_detailed");
	say(w, "0000");
	say_id(w, "have", &w->c[1], "");
	say(w, "0000");
	assert_hears(w, "ACK %s common|ACK %s ready|NAK|", HEX(w, c[1]),
		     HEX(w, c[1]));
	assert_string_equal(w->result.kind, "none");
}

static void needs_no_done_where_that_was_agreed(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2],
	       " side-band-64k multi_ack_detailed no-done");
	say(w, "0000");
	say_id(w, "have", &w->c[1], "");
	say(w, "0000");
	assert_hears(w, "ACK %s common|ACK %s ready|NAK|ACK %s|0000|pack 1|",
		     HEX(w, c[1]), HEX(w, c[1]), HEX(w, c[1]));
}

static void asks_for_more_where_nothing_is_common(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack_detailed");
	say(w, "0000");
	say(w, "have 0123456789012345678901234567890123456789");
	say(w, "0000");
	assert_hears(w, "NAK|");
	assert_int_equal(w->rc, 0);
}

static void
gives_shallow_lines_before_the_haves_of_another_request(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "deepen 2");
	say(w, "0000");
	assert_hears(w, "shallow %s|0000|", HEX(w, c[1]));
	assert_int_equal(w->rc, 0);
	assert_string_equal(w->result.kind, "none");
}

static void deepens_a_shallow_clone(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k multi_ack_detailed");
	say_id(w, "shallow", &w->c[2], "");
	say(w, "deepen 2");
	say(w, "0000");
	say_id(w, "have", &w->c[2], "");
	say(w, "done");
	assert_hears(w,
		     "shallow %s|unshallow %s|0000|ACK %s common|ACK %s|"
		     "0000|pack 1|",
		     HEX(w, c[1]), HEX(w, c[2]), HEX(w, c[2]), HEX(w, c[2]));
}

static void deepens_relative_to_what_is_there(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k deepen-relative");
	say_id(w, "shallow", &w->c[2], "");
	say(w, "deepen 1");
	say(w, "0000");
	assert_hears(w, "shallow %s|unshallow %s|0000|", HEX(w, c[1]),
		     HEX(w, c[2]));
}

static void makes_a_shallow_clone_whole(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say_id(w, "shallow", &w->c[2], "");
	say(w, "deepen 2147483647");
	say(w, "0000");
	say_id(w, "have", &w->c[2], "");
	say(w, "done");
	assert_hears(w, "unshallow %s|0000|ACK %s|0000|pack 2|", HEX(w, c[2]),
		     HEX(w, c[2]));
}

static void cuts_history_by_date_and_by_ref(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "deepen-since 1700000150");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "shallow %s|0000|NAK|0000|pack 2|", HEX(w, c[2]));
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "deepen-not v1");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "shallow %s|0000|NAK|0000|pack 2|", HEX(w, c[2]));
}

static void says_that_a_date_selects_nothing(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "deepen-since 9000000000");
	say(w, "0000");
	assert_hears(w, "ERR no commits selected for shallow requests|");
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "deepen-not nowhere");
	say(w, "0000");
	assert_hears(w, "ERR ambiguous deepen-not: deepen-not nowhere|");
}

static void tells_that_it_is_shallow_itself(void **state)
{
	struct world *w = *state;
	char hex[OID_MAX_HEX + 2];

	oid_hex(&w->c[1], hex);
	strcat(hex, "\n");
	world_write(w, "shallow", hex);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "|shallow "));
	assert_non_null(strstr(buf_str(&w->shown), "|0000|NAK|0000|pack 3|"));
}

static void serves_filters_that_were_agreed(void **state)
{
	struct world *w = *state;

	world_open(w, "[uploadpack]\n\tallowFilter = true\n");
	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k filter");
	say(w, "filter tree:0");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 3|");
	assert_string_equal(w->result.kind, "partial");
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "filter tree:0");
	say(w, "0000");
	assert_hears(w, "ERR filtering capability not negotiated|");
}

static void adds_tags_of_what_travels(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k include-tag");
	say(w, "0000");
	say(w, "done");
	assert_hears(w, "NAK|0000|pack 5|");
}

static void tells_progress_unless_asked_not_to(void **state)
{
	struct world *w = *state;

	be_stateless(w);
	say_id(w, "want", &w->c[2], " side-band-64k");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_non_null(memmem(w->heard.data, w->heard.len,
			       "\2Enumerating objects: 4, done.\n", 31));
	assert_non_null(
		memmem(w->heard.data, w->heard.len, "\2Total 4 (delta ", 16));
	say_id(w, "want", &w->c[2], " side-band-64k no-progress");
	say(w, "0000");
	say(w, "done");
	converse(w);
	assert_null(memmem(w->heard.data, w->heard.len, "Total", 5));
}

#define IN_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(gives_flux_its_shallow_clone),
		IN_WORLD(reads_no_history_for_a_first_shallow_clone),
		IN_WORLD(takes_haves_after_a_depth_of_a_first_clone),
		IN_WORLD(gives_flux_a_tag_with_its_commit),
		IN_WORLD(answers_wants_of_many_tips_with_one_line_a_commit),
		IN_WORLD(gives_a_whole_clone_after_the_advertisement),
		IN_WORLD(frames_for_the_small_side_band),
		IN_WORLD(sends_the_pack_bare_without_a_side_band),
		IN_WORLD(acknowledges_once_without_multi_ack),
		IN_WORLD(acknowledges_each_with_multi_ack),
		IN_WORLD(says_when_it_knows_enough),
		IN_WORLD(needs_no_done_where_that_was_agreed),
		IN_WORLD(asks_for_more_where_nothing_is_common),
		IN_WORLD(
			gives_shallow_lines_before_the_haves_of_another_request),
		IN_WORLD(deepens_a_shallow_clone),
		IN_WORLD(deepens_relative_to_what_is_there),
		IN_WORLD(makes_a_shallow_clone_whole),
		IN_WORLD(cuts_history_by_date_and_by_ref),
		IN_WORLD(says_that_a_date_selects_nothing),
		IN_WORLD(tells_that_it_is_shallow_itself),
		IN_WORLD(serves_filters_that_were_agreed),
		IN_WORLD(adds_tags_of_what_travels),
		IN_WORLD(tells_progress_unless_asked_not_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
