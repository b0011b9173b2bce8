/* SPDX-License-Identifier: Apache-2.0 */
#include "upload_fixture.h"

#include "base/clock.h"

#define CAPS                                                               \
	"multi_ack thin-pack side-band side-band-64k ofs-delta shallow "   \
	"deepen-since deepen-not deepen-relative no-progress include-tag " \
	"multi_ack_detailed"
#define TAIL "object-format=sha1 agent=headwater/" HEADWATER_VERSION "|"

static void advertises_head_first_and_peels_tags(void **state)
{
	struct world *w = *state;

	assert_hears(w,
		     "%s HEAD " CAPS " symref=HEAD:refs/heads/main " TAIL
		     "%s refs/heads/main|%s refs/heads/side|%s refs/tags/v1|"
		     "%s refs/tags/v1^{}|0000|",
		     HEX(w, c[2]), HEX(w, c[2]), HEX(w, s), HEX(w, tag),
		     HEX(w, c[1]));
	assert_int_equal(w->rc, 0);
	assert_string_equal(w->result.kind, "list");
}

static void says_version_1_and_nothing_else(void **state)
{
	struct world *w = *state;
	const char *plain;

	plain = strdup(converse(w));
	w->options.version = 1;
	assert_hears(w, "version 1|%s", plain);
	freep(&plain);
}

static void takes_a_flush_as_the_end_of_a_poll(void **state)
{
	struct world *w = *state;

	say(w, "0000");
	converse(w);
	assert_int_equal(w->rc, 0);
	assert_string_equal(w->result.kind, "list");
	assert_null(strstr(buf_str(&w->shown), "ERR"));
}

static void names_the_service_before_an_http_advertisement(void **state)
{
	struct world *w = *state;

	w->options.advertise_only = true;
	w->options.http_service_line = true;
	assert_hears(w,
		     "# service=git-upload-pack|0000|%s HEAD " CAPS
		     " no-done symref=HEAD:refs/heads/main " TAIL
		     "%s refs/heads/main|%s refs/heads/side|%s refs/tags/v1|"
		     "%s refs/tags/v1^{}|0000|",
		     HEX(w, c[2]), HEX(w, c[2]), HEX(w, s), HEX(w, tag),
		     HEX(w, c[1]));
}

static void gives_an_unborn_head_no_line(void **state)
{
	struct world *w = *state;

	world_write(w, "HEAD", "ref: refs/heads/nowhere\n");
	assert_hears(w,
		     "%s refs/heads/main " CAPS " " TAIL
		     "%s refs/heads/side|%s refs/tags/v1|"
		     "%s refs/tags/v1^{}|0000|",
		     HEX(w, c[2]), HEX(w, s), HEX(w, tag), HEX(w, c[1]));
}

static void gives_a_detached_head_no_symref(void **state)
{
	struct world *w = *state;
	char hex[OID_MAX_HEX + 2];

	oid_hex(&w->c[0], hex);
	strcat(hex, "\n");
	world_write(w, "HEAD", hex);
	assert_hears(w,
		     "%s HEAD " CAPS " " TAIL
		     "%s refs/heads/main|%s refs/heads/side|%s refs/tags/v1|"
		     "%s refs/tags/v1^{}|0000|",
		     HEX(w, c[0]), HEX(w, c[2]), HEX(w, s), HEX(w, tag),
		     HEX(w, c[1]));
}

static void peels_also_the_ref_that_carries_the_capabilities(void **state)
{
	struct world *w = *state;

	world_write(w, "HEAD", "ref: refs/heads/nowhere\n");
	world_ref(w, "refs/a/tag", &w->tag);
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "refs/a/tag " CAPS));
	assert_non_null(strstr(buf_str(&w->shown), TAIL));
	assert_non_null(strstr(strstr(buf_str(&w->shown), TAIL), HEX(w, c[1])));
}

static void answers_an_empty_repository_with_a_flush(void **state)
{
	struct world *w = *state;

	assert_hears(w, "0000|");
	assert_int_equal(w->rc, 0);
}

static void tells_where_an_unborn_head_points(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	w->options.is_stateless = true;
	say(w, "command=ls-refs");
	say(w, "0001");
	say(w, "peel");
	say(w, "symrefs");
	say(w, "unborn");
	say(w, "ref-prefix HEAD");
	say(w, "0000");
	assert_hears(w, "unborn HEAD symref-target:refs/heads/trunk|0000|");
	say(w, "command=ls-refs");
	say(w, "0001");
	say(w, "symrefs");
	say(w, "0000");
	assert_hears(w, "0000|");
}

/* One ls-refs with up to four arguments. */
static void ask(struct world *w, const char *a, const char *b, const char *c,
		const char *d)
{
	const char *arguments[] = { a, b, c, d };

	w->options.version = 2;
	w->options.is_stateless = true;
	say(w, "command=ls-refs");
	say(w, "0001");
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		if (arguments[i])
			say(w, arguments[i]);
	say(w, "0000");
}

static void lists_in_every_style(void **state)
{
	struct world *w = *state;

	ask(w, NULL, NULL, NULL, NULL);
	assert_hears(w,
		     "%s HEAD|%s refs/heads/main|%s refs/heads/side|"
		     "%s refs/tags/v1|0000|",
		     HEX(w, c[2]), HEX(w, c[2]), HEX(w, s), HEX(w, tag));
	ask(w, "peel", NULL, NULL, NULL);
	assert_hears(w,
		     "%s HEAD|%s refs/heads/main|%s refs/heads/side|"
		     "%s refs/tags/v1 peeled:%s|0000|",
		     HEX(w, c[2]), HEX(w, c[2]), HEX(w, s), HEX(w, tag),
		     HEX(w, c[1]));
	ask(w, "symrefs", NULL, NULL, NULL);
	assert_hears(w,
		     "%s HEAD symref-target:refs/heads/main|"
		     "%s refs/heads/main|%s refs/heads/side|"
		     "%s refs/tags/v1|0000|",
		     HEX(w, c[2]), HEX(w, c[2]), HEX(w, s), HEX(w, tag));
}

static void shows_symbolic_refs_where_asked(void **state)
{
	struct world *w = *state;

	world_write(w, "refs/heads/alias", "ref: refs/heads/main\n");
	ask(w, "symrefs", "peel", "ref-prefix refs/heads/a", NULL);
	assert_hears(w,
		     "%s refs/heads/alias symref-target:refs/heads/main|0000|",
		     HEX(w, c[2]));
	ask(w, "ref-prefix refs/heads/a", NULL, NULL, NULL);
	assert_hears(w, "%s refs/heads/alias|0000|", HEX(w, c[2]));
}

static void joins_prefixes_in_any_order(void **state)
{
	struct world *w = *state;

	ask(w, "ref-prefix refs/tags/", "ref-prefix refs/heads/m",
	    "ref-prefix refs/heads/main", "ref-prefix refs/heads/nothing");
	assert_hears(w, "%s refs/heads/main|%s refs/tags/v1|0000|",
		     HEX(w, c[2]), HEX(w, tag));
	ask(w, "ref-prefix refs/heads/", "ref-prefix refs/heads/s",
	    "ref-prefix refs/", NULL);
	assert_hears(w,
		     "%s refs/heads/main|%s refs/heads/side|"
		     "%s refs/tags/v1|0000|",
		     HEX(w, c[2]), HEX(w, s), HEX(w, tag));
	ask(w, "ref-prefix HE", NULL, NULL, NULL);
	assert_hears(w, "%s HEAD|0000|", HEX(w, c[2]));
	ask(w, "ref-prefix HEAD2", NULL, NULL, NULL);
	assert_hears(w, "0000|");
	ask(w, "ref-prefix ", "ref-prefix refs/heads/main", NULL, NULL);
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "refs/tags/v1"));
	assert_non_null(strstr(buf_str(&w->shown), "HEAD"));
}

static void lists_all_where_prefixes_are_too_many(void **state)
{
	struct world *w = *state;

	w->options.limits.ref_prefixes = 2;
	ask(w, "ref-prefix refs/tags/", NULL, NULL, NULL);
	assert_hears(w, "%s refs/tags/v1|0000|", HEX(w, tag));
	ask(w, "ref-prefix refs/tags/", "ref-prefix refs/x/", NULL, NULL);
	converse(w);
	assert_non_null(strstr(buf_str(&w->shown), "refs/heads/main"));
	assert_non_null(strstr(buf_str(&w->shown), "HEAD"));
}

static void finds_nothing_behind_a_nul(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	w->options.is_stateless = true;
	say(w, "command=ls-refs");
	say(w, "0001");
	pkt_add(&w->said, "ref-prefix refs/heads\0/main\n", 28);
	say(w, "0000");
	assert_hears(w, "0000|");
}

static void keeps_hidden_refs_to_itself(void **state)
{
	struct world *w = *state;

	world_ref(w, "refs/hidden/x", &w->hidden);
	world_open(w, "[transfer]\n\thideRefs = refs/hidden\n"
		      "[uploadpack]\n\thideRefs = refs/heads/main\n");
	ask(w, NULL, NULL, NULL, NULL);
	assert_hears(w, "%s HEAD|%s refs/heads/side|%s refs/tags/v1|0000|",
		     HEX(w, c[2]), HEX(w, s), HEX(w, tag));
	ask(w, "ref-prefix refs/hidden/", NULL, NULL, NULL);
	assert_hears(w, "0000|");
	w->options.version = 0;
	w->options.is_stateless = false;
	converse(w);
	assert_null(strstr(buf_str(&w->shown), "hidden"));
	assert_null(strstr(buf_str(&w->shown), "|refs/heads/main"));
}

static void sees_refs_that_moved(void **state)
{
	struct world *w = *state;

	ask(w, "ref-prefix refs/heads/main", NULL, NULL, NULL);
	assert_hears(w, "%s refs/heads/main|0000|", HEX(w, c[2]));
	world_ref(w, "refs/heads/main", &w->c[1]);
	ask(w, "ref-prefix refs/heads/main", NULL, NULL, NULL);
	assert_hears(w, "%s refs/heads/main|0000|", HEX(w, c[1]));
}

static void refuses_what_it_does_not_know(void **state)
{
	struct world *w = *state;

	ask(w, "peel", "no-such-arg\x1b", NULL, NULL);
	assert_hears(w, "ERR unexpected line: 'no-such-arg?'|");
	assert_int_equal(w->rc, -1);
	ask(w, "ref-prefix", NULL, NULL, NULL);
	assert_hears(w, "ERR unexpected line: 'ref-prefix'|");
	ask(w, "peel", "0001", NULL, NULL);
	assert_hears(w, "ERR expected flush after ls-refs arguments|");
}

static void answers_a_request_without_arguments(void **state)
{
	struct world *w = *state;

	w->options.version = 2;
	w->options.is_stateless = true;
	say(w, "command=ls-refs");
	say(w, "0000");
	converse(w);
	assert_int_equal(w->rc, 0);
	assert_non_null(strstr(buf_str(&w->shown), "HEAD"));
}

/* A hundred thousand refs: the second poll must not render anything. */
static void polls_a_crowd_of_refs_by_slices(void **state)
{
	struct world *w = *state;
	struct buf packed = BUF_INIT;
	char hex[OID_MAX_HEX + 1];
	const int n = 100000;
	int64_t before, took;

	oid_hex(&w->c[0], hex);
	buf_adds(&packed, "# pack-refs with: peeled fully-peeled sorted \n");
	for (int i = 0; i < n; i++)
		buf_addf(&packed, "%s refs/crowd/%06d\n", hex, i);
	world_write(w, "packed-refs", buf_str(&packed));
	buf_fini(&packed);
	ask(w, "ref-prefix refs/crowd/", NULL, NULL, NULL);
	converse(w);
	ask(w, "ref-prefix refs/crowd/", NULL, NULL, NULL);
	before = clock_us();
	converse(w);
	assert_int_equal(w->rc, 0);
	assert_int_equal(w->heard.len, n * (4 + 40 + 1 + 17 + 1) + 4);
	ask(w, "ref-prefix refs/crowd/050000", NULL, NULL, NULL);
	before = clock_us();
	assert_hears(w, "%s refs/crowd/050000|0000|", hex);
	took = clock_us() - before;
	print_message("one of %d refs: %d us\n", n, (int)took);
}

#define IN_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin, world_end)
#define IN_EMPTY_WORLD(test) \
	cmocka_unit_test_setup_teardown(test, world_begin_empty, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(advertises_head_first_and_peels_tags),
		IN_WORLD(says_version_1_and_nothing_else),
		IN_WORLD(takes_a_flush_as_the_end_of_a_poll),
		IN_WORLD(names_the_service_before_an_http_advertisement),
		IN_WORLD(gives_an_unborn_head_no_line),
		IN_WORLD(gives_a_detached_head_no_symref),
		IN_WORLD(peels_also_the_ref_that_carries_the_capabilities),
		IN_EMPTY_WORLD(answers_an_empty_repository_with_a_flush),
		IN_EMPTY_WORLD(tells_where_an_unborn_head_points),
		IN_WORLD(lists_in_every_style),
		IN_WORLD(shows_symbolic_refs_where_asked),
		IN_WORLD(joins_prefixes_in_any_order),
		IN_WORLD(lists_all_where_prefixes_are_too_many),
		IN_WORLD(finds_nothing_behind_a_nul),
		IN_WORLD(keeps_hidden_refs_to_itself),
		IN_WORLD(sees_refs_that_moved),
		IN_WORLD(refuses_what_it_does_not_know),
		IN_WORLD(answers_a_request_without_arguments),
		IN_WORLD(polls_a_crowd_of_refs_by_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
