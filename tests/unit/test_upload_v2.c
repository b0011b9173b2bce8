/* SPDX-License-Identifier: Apache-2.0 */
#include "upload_fixture.h"

#define UNKNOWN "0123456789012345678901234567890123456789"

static void begin(struct world *w, const char *command)
{
	w->options.version = 2;
	w->options.is_stateless = true;
	say(w, command);
	say(w, "0001");
}

static void says_what_version_2_offers(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	assert_hears(w, "version 2|agent=headwater/" HEADWATER_VERSION
			"|ls-refs=unborn|fetch=shallow wait-for-done|"
			"server-option|object-format=sha1|0000|");
	assert_int_equal(w->rc, 0);
	w->options.advertise_only = true;
	w->options.http_service_line = true;
	converse(w);
	assert_true(span_starts(buf_span(&w->shown), "version 2|"));
}

static void serves_one_request_after_the_other(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	for (int i = 0; i < 3; i++) {
		say(w, "command=ls-refs");
		say(w, "agent=git/2.39.5");
		say(w, "object-format=sha1");
		say(w, "0001");
		say(w, "ref-prefix refs/tags/");
		say(w, "0000");
	}
	say(w, "command=fetch");
	say(w, "0001");
	say_id(w, "want", &w->c[2], "");
	say(w, "done");
	say(w, "0000");
	say(w, "0000");
	converse(w);
	assert_int_equal(w->rc, 0);
	assert_non_null(strstr(buf_str(&w->shown), "v1|0000|packfile|0000|"
						   "pack 4|"));
	assert_string_equal(w->result.kind, "clone");
	assert_string_equal(w->result.agent, "git/2.39.5");
}

static void forgives_half_a_length_after_the_last_request(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	say(w, "command=ls-refs");
	say(w, "0000");
	buf_adds(&w->said, "\n");
	converse(w);
	assert_int_equal(w->rc, 0);
	say(w, "command=ls-refs");
	say(w, "0000");
	say(w, "command=ls-refs");
	converse(w);
	assert_int_equal(w->rc, -1);
}

static void answers_one_request_only_where_stateless(void **state)
{
	struct world *w = *state;

	w->options.limits.commands = 1;
	for (int i = 0; i < 2; i++) {
		begin(w, "command=ls-refs");
		say(w, "ref-prefix refs/tags/");
		say(w, "0000");
	}
	assert_hears(w, "%s refs/tags/v1|0000|", HEX(w, tag));
}

static void sends_a_clone_straight_away(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "want", &w->c[2], "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "packfile|0000|pack 4|");
	assert_int_equal(w->result.n_wants, 1);
}

static void acknowledges_what_is_common(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say(w, "have " UNKNOWN);
	say(w, "0000");
	assert_hears(w, "acknowledgments|NAK|0000|");
	assert_string_equal(w->result.kind, "none");

	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say(w, "have " UNKNOWN);
	say_id(w, "have", &w->c[1], "");
	say(w, "0000");
	assert_hears(w,
		     "acknowledgments|ACK %s|ready|0001|packfile|0000|pack 1|",
		     HEX(w, c[1]));
	assert_string_equal(w->result.kind, "fetch");
}

static void is_not_ready_where_a_want_meets_nothing(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->c[0], "");
	say_id(w, "have", &w->lost, "");
	say(w, "0000");
	/* The parent of a have is at the client, too. */
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "ready|"));
	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "have", &w->tag, "");
	say(w, "0000");
	assert_hears(w, "acknowledgments|ACK %s|0000|", HEX(w, tag));
}

static void skips_acknowledgments_after_done(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "have", &w->c[0], "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "packfile|0000|pack 2|");
}

static void waits_for_done_where_asked(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say(w, "wait-for-done");
	say_id(w, "have", &w->c[1], "");
	say(w, "0000");
	assert_hears(w, "acknowledgments|ACK %s|0000|", HEX(w, c[1]));
	assert_int_equal(w->rc, 0);
}

static void says_nothing_to_who_wants_nothing(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "have", &w->c[1], "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "%s", "");
	assert_int_equal(w->rc, 0);
}

static void keeps_sections_in_the_order_clients_read(void **state)
{
	struct world *w = *state;

	world_open(w, "[uploadpack]\n\tallowRefInWant = true\n");
	begin(w, "command=fetch");
	say(w, "want-ref refs/heads/main");
	say(w, "want-ref HEAD");
	say_id(w, "want", &w->s, "");
	say_id(w, "have", &w->c[1], "");
	say(w, "deepen 1");
	say(w, "0000");
	converse(w);
	assert_true(span_starts(buf_span(&w->shown), "acknowledgments|ACK "));
	assert_non_null(strstr(buf_str(&w->shown),
			       "|ready|0001|shallow-info|shallow "));
	assert_non_null(strstr(buf_str(&w->shown), "|0001|wanted-refs|"));
	assert_non_null(strstr(buf_str(&w->shown), " refs/heads/main|"));
	assert_non_null(strstr(buf_str(&w->shown), " HEAD|0001|packfile|"));
	assert_int_equal(w->result.n_wants, 2);
}

static void knows_no_ref_that_is_absent_or_hidden(void **state)
{
	struct world *w = *state;

	world_ref(w, "refs/hidden/x", &w->hidden);
	world_open(w, "[uploadpack]\n\tallowRefInWant = true\n"
		      "\thideRefs = refs/hidden\n");
	begin(w, "command=fetch");
	say(w, "want-ref refs/heads/none");
	say(w, "0000");
	assert_hears(w, "ERR unknown ref refs/heads/none|");
	begin(w, "command=fetch");
	say(w, "want-ref refs/hidden/x");
	say(w, "0000");
	assert_hears(w, "ERR unknown ref refs/hidden/x|");
}

static void takes_no_want_ref_that_was_not_offered(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say(w, "want-ref refs/heads/main");
	say(w, "0000");
	assert_hears(w, "ERR unexpected line: 'want-ref refs/heads/main'|");
}

static void speaks_on_band_1_where_all_goes_there(void **state)
{
	struct world *w = *state;

	world_open(w, "[uploadpack]\n\tallowSidebandAll = true\n");
	begin(w, "command=fetch");
	say(w, "sideband-all");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "have", &w->c[1], "");
	say(w, "deepen 1");
	say(w, "0000");
	assert_hears(w,
		     "1:acknowledgments|1:ACK %s|1:ready|0001|"
		     "1:shallow-info|1:shallow %s|0001|1:packfile|0000|"
		     "pack 1|",
		     HEX(w, c[1]), HEX(w, c[2]));
	begin(w, "command=fetch");
	say(w, "sideband-all");
	say(w, "want " UNKNOWN);
	say(w, "0000");
	assert_hears(w, "3:upload-pack: not our ref " UNKNOWN "|");
}

static void tells_a_shallow_client_even_that_nothing_changes(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->s, "");
	say_id(w, "shallow", &w->c[2], "");
	say_id(w, "have", &w->c[2], "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "shallow-info|0001|packfile|0000|pack 3|");
}

static void gives_any_object_there_is(void **state)
{
	struct world *w = *state;

	begin(w, "command=fetch");
	say_id(w, "want", &w->lost, "");
	say_id(w, "want", &w->blob, "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "packfile|0000|pack 4|");
}

static void keeps_what_is_unreachable_at_the_doors(void **state)
{
	struct world *w = *state;
	const struct oid *wrong[] = { &w->lost, &w->blob, &w->hidden };

	world_ref(w, "refs/hidden/x", &w->hidden);
	world_open(w, "[uploadpack]\n\thideRefs = refs/hidden\n"
		      "\tallowTipSHA1InWant = true\n"
		      "\tallowReachableSHA1InWant = true\n");
	w->options.refuse_unreachable = true;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char hex[OID_MAX_HEX + 1];

		begin(w, "command=fetch");
		say_id(w, "want", &w->c[2], "");
		say_id(w, "want", wrong[i], "");
		say(w, "done");
		say(w, "0000");
		assert_hears(w, "ERR upload-pack: not our ref %s|",
			     oid_hex(wrong[i], hex));
		assert_int_equal(w->rc, -1);
	}
	begin(w, "command=fetch");
	say_id(w, "want", &w->c[0], "");
	say_id(w, "want", &w->tree, "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "packfile|0000|pack 2|");
	world_open(w, "[uploadpack]\n\tallowAnySHA1InWant = true\n");
	begin(w, "command=fetch");
	say_id(w, "want", &w->lost, "");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "packfile|0000|pack 3|");
}

/* A shallow line of an unreachable commit must not fetch what lies below. */
static void unshallows_nothing_unreachable_at_the_doors(void **state)
{
	struct world *w = *state;
	struct oid secret, below;

	below = fixture_commit(&w->f, 1600000000, NULL, 0);
	secret = fixture_commit(&w->f, 1600000100, &below, 1);
	w->options.refuse_unreachable = true;
	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "shallow", &secret, "");
	say(w, "deepen 2147483647");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "shallow-info|0001|packfile|0000|pack 4|");
	begin(w, "command=fetch");
	say_id(w, "want", &w->c[2], "");
	say_id(w, "shallow", &secret, "");
	say(w, "deepen 1");
	say(w, "deepen-relative");
	say(w, "done");
	say(w, "0000");
	assert_hears(w, "shallow-info|0001|packfile|0000|pack 4|");
}

static void tells_sizes_where_offered(void **state)
{
	struct world *w = *state;

	begin(w, "command=object-info");
	say(w, "0000");
	assert_hears(w, "ERR invalid command 'object-info'|");
	world_open(w, "[transfer]\n\tadvertiseObjectInfo = true\n");
	begin(w, "command=object-info");
	say(w, "size");
	say_id(w, "oid", &w->blob, "");
	say(w, "oid " UNKNOWN);
	say(w, "0000");
	assert_hears(w, "size|%s 8|" UNKNOWN " |0000|", HEX(w, blob));
	w->options.refuse_unreachable = true;
	begin(w, "command=object-info");
	say(w, "size");
	say_id(w, "oid", &w->blob, "");
	say_id(w, "oid", &w->tree, "");
	say(w, "0000");
	assert_hears(w, "size|%s |%s 0|0000|", HEX(w, blob), HEX(w, tree));
}

static void refuses_broken_requests(void **state)
{
	static const struct {
		const char *lines[4];
		const char *answer;
	} cases[] = {
		{ { "command=bogus", "0001", "0000" },
		  "ERR invalid command 'bogus'|" },
		{ { "command=ls-refs=x", "0001", "0000" },
		  "ERR invalid command 'ls-refs=x'|" },
		{ { "command=push", "0000" }, "ERR invalid command 'push'|" },
		{ { "agent=x", "0000" }, "ERR no command requested|" },
		{ { "0001", "0000" }, "ERR no command requested|" },
		{ { "command=fetch", "command=fetch", "0000" },
		  "ERR command requested after already requesting command "
		  "'fetch'|" },
		{ { "foobar" }, "ERR unknown capability 'foobar'|" },
		{ { "ls-refs" }, "ERR unknown capability 'ls-refs'|" },
		{ { "agentx=1" }, "ERR unknown capability 'agentx=1'|" },
		{ { "session-id=1" },
		  "ERR unknown capability 'session-id=1'|" },
		{ { "object-format=sha256" },
		  "ERR mismatched object format: server sha1; client "
		  "sha256|" },
		{ { "command=fetch", "0001", "bogus", "0000" },
		  "ERR unexpected line: 'bogus'|" },
		{ { "command=fetch", "0001", "done", "0001" },
		  "ERR expected flush after fetch arguments|" },
		{ { "command=fetch", "0001", "want x", "0000" },
		  "ERR protocol error, expected to get oid, not 'want x'|" },
		{ { "command=fetch", "0001", "sideband-all", "0000" },
		  "ERR unexpected line: 'sideband-all'|" },
		{ { "command=fetch", "0001", "filter blob:none", "0000" },
		  "ERR filtering capability not negotiated|" },
	};
	struct world *w = *state;

	w->options.version = 2;
	w->options.is_stateless = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t k = 0; k < 4 && cases[i].lines[k]; k++)
			say(w, cases[i].lines[k]);
		assert_hears(w, "%s", cases[i].answer);
		assert_int_equal(w->rc, -1);
	}
}

static void reads_the_version_from_any_text(void **state)
{
	(void)state;
	assert_int_equal(protocol_version(span_str("")), 0);
	assert_int_equal(protocol_version(span_str("version=0")), 0);
	assert_int_equal(protocol_version(span_str("version=1")), 1);
	assert_int_equal(protocol_version(span_str("version=2")), 2);
	assert_int_equal(protocol_version(span_str("a:version=2:b")), 2);
	assert_int_equal(protocol_version(span_str("version=2:version=1")), 2);
	assert_int_equal(protocol_version(span_str("version=3")), 0);
	assert_int_equal(protocol_version(span_str("version=22")), 0);
	assert_int_equal(protocol_version(span_str("Version=2")), 0);
	assert_int_equal(protocol_version(span_str(":::")), 0);
	assert_int_equal(protocol_version(span_of("version=2\0", 10)), 0);
	assert_int_equal(protocol_version(span_of(NULL, 0)), 0);
}

static void knows_a_light_request(void **state)
{
	(void)state;
	assert_true(upload_pack_is_light(
		span_str("0014command=ls-refs\n00010000"), 2));
	assert_true(upload_pack_is_light(
		span_str("000eagent=git\n0013command=ls-refs00010000"), 2));
	assert_false(upload_pack_is_light(
		span_str("0014command=ls-refs\n00010000"), 0));
	assert_false(upload_pack_is_light(
		span_str("0012command=fetch\n00010014command=ls-refs\n0000"),
		2));
	assert_false(upload_pack_is_light(span_str("zzzz"), 2));
	assert_false(upload_pack_is_light(span_of(NULL, 0), 2));
}

#define IN_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(says_what_version_2_offers),
		IN_WORLD(serves_one_request_after_the_other),
		IN_WORLD(forgives_half_a_length_after_the_last_request),
		IN_WORLD(answers_one_request_only_where_stateless),
		IN_WORLD(sends_a_clone_straight_away),
		IN_WORLD(acknowledges_what_is_common),
		IN_WORLD(is_not_ready_where_a_want_meets_nothing),
		IN_WORLD(skips_acknowledgments_after_done),
		IN_WORLD(waits_for_done_where_asked),
		IN_WORLD(says_nothing_to_who_wants_nothing),
		IN_WORLD(keeps_sections_in_the_order_clients_read),
		IN_WORLD(knows_no_ref_that_is_absent_or_hidden),
		IN_WORLD(takes_no_want_ref_that_was_not_offered),
		IN_WORLD(speaks_on_band_1_where_all_goes_there),
		IN_WORLD(tells_a_shallow_client_even_that_nothing_changes),
		IN_WORLD(gives_any_object_there_is),
		IN_WORLD(keeps_what_is_unreachable_at_the_doors),
		IN_WORLD(unshallows_nothing_unreachable_at_the_doors),
		IN_WORLD(tells_sizes_where_offered),
		IN_WORLD(refuses_broken_requests),
		cmocka_unit_test(reads_the_version_from_any_text),
		cmocka_unit_test(knows_a_light_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
