/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "git/capabilities.h"
#include "git/repo_config.h"

#include <string.h>

#define AGENT "agent=headwater/" HEADWATER_VERSION

static struct repo_config config_by_default(void)
{
	return (struct repo_config){
		.advertise_object_info = CONFIG_UNSET,
		.lsrefs_unborn_advertise = true,
		.lsrefs_unborn_allow = true,
		.advertise_atomic = true,
	};
}

static struct repo_config config_with_everything(void)
{
	struct repo_config config = config_by_default();

	config.allow_tip_sha1 = true;
	config.allow_reachable_sha1 = true;
	config.allow_filter = true;
	config.allow_ref_in_want = true;
	config.allow_sideband_all = true;
	config.advertise_sid = true;
	config.advertise_object_info = CONFIG_TRUE;
	config.advertise_push_options = true;
	return config;
}

static void assert_list(enum capability_list list,
			const struct capability_context *c,
			const char *expected)
{
	struct buf b = BUF_INIT;

	capabilities_add(&b, list, c);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
}

static void offers_what_git_offers_in_its_order(void **state)
{
	struct repo_config config = config_by_default();
	struct capability_context c = { .config = &config,
					.head_target = "refs/heads/main" };

	(void)state;
	assert_list(UPLOAD_CAPABILITIES, &c,
		    "multi_ack thin-pack side-band side-band-64k ofs-delta "
		    "shallow deepen-since deepen-not deepen-relative "
		    "no-progress include-tag multi_ack_detailed "
		    "symref=HEAD:refs/heads/main object-format=sha1 " AGENT);
	assert_list(RECEIVE_CAPABILITIES, &c,
		    "report-status report-status-v2 delete-refs side-band-64k "
		    "quiet atomic ofs-delta object-format=sha1 " AGENT);
}

static void offers_more_where_the_config_says_so(void **state)
{
	struct repo_config config = config_with_everything();
	struct capability_context c = { .config = &config,
					.session_id = "s1",
					.is_stateless = true };

	(void)state;
	assert_list(UPLOAD_CAPABILITIES, &c,
		    "multi_ack thin-pack side-band side-band-64k ofs-delta "
		    "shallow deepen-since deepen-not deepen-relative "
		    "no-progress include-tag multi_ack_detailed "
		    "allow-tip-sha1-in-want allow-reachable-sha1-in-want "
		    "no-done filter session-id=s1 object-format=sha1 " AGENT);
	assert_list(RECEIVE_CAPABILITIES, &c,
		    "report-status report-status-v2 delete-refs side-band-64k "
		    "quiet atomic ofs-delta push-options session-id=s1 "
		    "object-format=sha1 " AGENT);
}

static void offers_both_wants_for_the_one_key_that_lifts_them(void **state)
{
	struct repo_config config = config_by_default();
	struct capability_context c = { .config = &config };
	struct buf b = BUF_INIT;

	(void)state;
	config.allow_any_sha1 = true;
	capabilities_add(&b, UPLOAD_CAPABILITIES, &c);
	assert_non_null(strstr(buf_str(&b), " allow-tip-sha1-in-want "
					    "allow-reachable-sha1-in-want "));
	buf_fini(&b);
}

/* Cut `b` into lines without their lengths, joined by "|". */
static void unframe(struct buf *b, struct buf *out)
{
	const char *at = buf_str(b);

	while (*at) {
		size_t n = 0;

		for (int i = 0; i < 4; i++)
			n = n * 16 +
			    (size_t)(strchr("0123456789abcdef", at[i]) -
				     "0123456789abcdef");
		if (n > 4)
			buf_add(out, at + 4, n - 5);
		buf_addc(out, '|');
		at += n ? n : 4;
	}
}

static void tells_version_2_what_there_is(void **state)
{
	struct repo_config plain = config_by_default();
	struct repo_config full = config_with_everything();
	struct capability_context c = { .config = &plain, .session_id = "s1" };
	struct buf b = BUF_INIT, text = BUF_INIT;

	(void)state;
	capabilities_add_v2(&b, &c);
	unframe(&b, &text);
	assert_string_equal(buf_str(&text),
			    "version 2|" AGENT
			    "|ls-refs=unborn|fetch=shallow wait-for-done|"
			    "server-option|object-format=sha1||");
	buf_clear(&b);
	buf_clear(&text);
	c.config = &full;
	full.lsrefs_unborn_advertise = false;
	capabilities_add_v2(&b, &c);
	unframe(&b, &text);
	assert_string_equal(buf_str(&text),
			    "version 2|" AGENT "|ls-refs|"
			    "fetch=shallow wait-for-done filter ref-in-want "
			    "sideband-all|server-option|object-format=sha1|"
			    "session-id=s1|object-info=size||");
	buf_fini(&b);
	buf_fini(&text);
}

static void reads_what_a_client_asks_for(void **state)
{
	struct capabilities c = { 0 };

	(void)state;
	capabilities_parse(span_str(" multi_ack_detailed  side-band-64k "
				    "agent=go-git/5.x object-format=sha1"),
			   &c);
	assert_true(capabilities_has(&c, CAP_MULTI_ACK_DETAILED));
	assert_true(capabilities_has(&c, CAP_SIDE_BAND_64K));
	assert_false(capabilities_has(&c, CAP_MULTI_ACK));
	assert_false(capabilities_has(&c, CAP_SIDE_BAND));
	assert_true(span_is(c.agent, "go-git/5.x"));
	assert_true(span_is(c.object_format, "sha1"));
}

static void passes_over_what_it_does_not_know(void **state)
{
	struct capabilities c = { 0 };

	(void)state;
	capabilities_parse(span_str("thin-packs thin-pac thin-pack=1 agent "
				    "x=y \x01\x7f = =="),
			   &c);
	assert_int_equal(c.bits, 0);
	capabilities_parse(span_of("thin-pack\0shallow", 17), &c);
	assert_int_equal(c.bits, 0);
}

static void takes_the_first_of_two_values(void **state)
{
	struct capabilities c = { 0 };

	(void)state;
	capabilities_parse(span_str("agent=a agent=b"), &c);
	assert_true(span_is(c.agent, "a"));
}

static void cleans_a_name_for_the_log(void **state)
{
	char out[8];

	(void)state;
	agent_copy(span_str("a b\n\x1b"), out, sizeof out);
	assert_string_equal(out, "a?b??");
	agent_copy(span_str("0123456789"), out, sizeof out);
	assert_string_equal(out, "0123456");
}

static void refuses_another_object_format(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(object_format_check(span_str("sha1"), &e), 0);
	assert_int_equal(object_format_check(span_str("sha256"), &e), -1);
	assert_string_equal(
		e.message,
		"mismatched object format: server sha1; client sha256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_what_git_offers_in_its_order),
		cmocka_unit_test(offers_more_where_the_config_says_so),
		cmocka_unit_test(
			offers_both_wants_for_the_one_key_that_lifts_them),
		cmocka_unit_test(tells_version_2_what_there_is),
		cmocka_unit_test(reads_what_a_client_asks_for),
		cmocka_unit_test(passes_over_what_it_does_not_know),
		cmocka_unit_test(takes_the_first_of_two_values),
		cmocka_unit_test(cleans_a_name_for_the_log),
		cmocka_unit_test(refuses_another_object_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
