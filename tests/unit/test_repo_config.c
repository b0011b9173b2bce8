/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

#include "git/repo_config.h"

static struct repo_config *load(const char *text)
{
	struct repo_config *c;
	struct err e;

	put("config", text);
	c = repo_config_load(".", false, &e);
	if (!c)
		fail_msg("%s", e.message);
	return c;
}

static void has_the_defaults_of_git(void **state)
{
	struct repo_config *c = load("");

	(void)state;
	assert_true(c->is_bare);
	assert_false(c->log_all_ref_updates);
	assert_false(c->allow_filter);
	assert_true(c->advertise_atomic);
	assert_false(c->advertise_push_options);
	assert_int_equal(c->deny_current_branch, DENY_UNSET);
	assert_int_equal(c->fsck_objects, CONFIG_UNSET);
	assert_int_equal(c->keepalive_s, 5);
	assert_true(c->lsrefs_unborn_advertise);
	assert_true(c->filter_tree_max_depth == UINT64_MAX);
	repo_config_free(c);
}

static void reads_every_kind_of_value(void **state)
{
	struct repo_config *c = load(
		"[core]\n\tbare = false\n\tlogAllRefUpdates = always\n"
		"[uploadpack]\n\tallowFilter\n\tallowAnySHA1InWant = yes\n"
		"[uploadpackfilter \"tree\"]\n\tallow = off\n\tmaxDepth = 3\n"
		"[uploadpackfilter \"blob:none\"]\n\tallow = true\n"
		"[receive]\n\tdenyCurrentBranch = updateInstead\n"
		"\tdenyDeleteCurrent = false\n\tmaxInputSize = 2k\n"
		"\tdenyDeletes = 1\n\tfsckObjects = false\n"
		"[receive \"fsck\"]\n\tmissingEmail = warn\n"
		"\tskipList = some/file\n"
		"[transfer]\n\tfsckObjects = true\n\thideRefs = refs/a/\n"
		"[receive]\n\thideRefs = !refs/a/b\n"
		"[lsrefs]\n\tunborn = allow\n");

	(void)state;
	assert_false(c->is_bare);
	assert_true(c->log_all_ref_updates && c->log_odd_refs);
	assert_true(c->allow_filter);
	assert_true(c->allow_tip_sha1 && c->allow_reachable_sha1);
	assert_int_equal(c->filter_tree, CONFIG_FALSE);
	assert_int_equal(c->filter_blob_none, CONFIG_TRUE);
	assert_int_equal(c->filter_tree_max_depth, 3);
	assert_int_equal(c->deny_current_branch, DENY_UPDATE_INSTEAD);
	assert_int_equal(c->deny_delete_current, DENY_IGNORE);
	assert_int_equal(c->max_input_size, 2048);
	assert_true(c->deny_deletes);
	assert_int_equal(c->fsck_objects, CONFIG_FALSE);
	assert_int_equal(c->fsck_levels.n, 2);
	assert_string_equal(c->fsck_levels.items[0], "missingemail=warn");
	assert_string_equal(c->fsck_levels.items[1], "skiplist=some/file");
	assert_int_equal(c->upload_hide.n, 1);
	assert_int_equal(c->receive_hide.n, 2);
	assert_string_equal(c->receive_hide.items[0], "refs/a");
	assert_false(c->lsrefs_unborn_advertise);
	assert_true(c->lsrefs_unborn_allow);
	repo_config_free(c);
}

static void hides_by_the_last_match(void **state)
{
	struct repo_config *c = load("[transfer]\n\thideRefs = refs/pull\n"
				     "\thideRefs = !refs/pull/1\n"
				     "\thideRefs = ^refs/secret\n");

	(void)state;
	assert_true(ref_is_hidden(&c->upload_hide, "refs/pull/2"));
	assert_true(ref_is_hidden(&c->upload_hide, "refs/pull"));
	assert_false(ref_is_hidden(&c->upload_hide, "refs/pull/1/head"));
	assert_true(ref_is_hidden(&c->upload_hide, "refs/pull/11"));
	assert_false(ref_is_hidden(&c->upload_hide, "refs/pulls"));
	assert_true(ref_is_hidden(&c->upload_hide, "refs/secret/x"));
	assert_false(ref_is_hidden(&c->upload_hide, "refs/heads/main"));
	repo_config_free(c);
}

static void refuses_what_it_cannot_serve(void **state)
{
	static const char *const texts[] = {
		"[core]\n\trepositoryformatversion = 2\n",
		"[extensions]\n\tobjectFormat = sha256\n",
		"[core]\n\trepositoryformatversion = 1\n"
		"[extensions]\n\trefStorage = reftable\n",
		"[core]\n\trepositoryformatversion = 1\n"
		"[extensions]\n\tsomethingNew = true\n",
		"[core]\n\tbare = perhaps\n",
		"[receive]\n\tmaxInputSize = many\n",
		"[receive]\n\tmaxInputSize\n",
		"[transfer]\n\thideRefs\n",
		"[core\n",
		"garbage\n",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put("config", texts[i]);
		if (repo_config_load(".", false, &e))
			fail_msg("%s", texts[i]);
		assert_true(e.code == ERR_CORRUPT || e.code == ERR_MALFORMED);
		assert_true(strlen(e.message) > 10);
	}
}

static void a_missing_file_is_an_empty_one(void **state)
{
	struct repo_config *c;
	struct err e;

	(void)state;
	c = repo_config_load(".", false, &e);
	assert_non_null(c);
	repo_config_free(c);
}

static void the_environment_has_the_last_word(void **state)
{
	struct repo_config *c;
	struct err e;

	(void)state;
	put("config", "[receive]\n\tdenyDeletes = true\n");
	setenv("GIT_CONFIG_COUNT", "2", 1);
	setenv("GIT_CONFIG_KEY_0", "Receive.DenyDeletes", 1);
	setenv("GIT_CONFIG_VALUE_0", "false", 1);
	setenv("GIT_CONFIG_KEY_1", "uploadpackFilter.blob:none.Allow", 1);
	setenv("GIT_CONFIG_VALUE_1", "true", 1);
	c = repo_config_load(".", true, &e);
	assert_non_null(c);
	assert_false(c->deny_deletes);
	assert_int_equal(c->filter_blob_none, CONFIG_TRUE);
	repo_config_free(c);
	c = repo_config_load(".", false, &e);
	assert_true(c->deny_deletes);
	repo_config_free(c);
	setenv("GIT_CONFIG_COUNT", "3", 1);
	assert_null(repo_config_load(".", true, &e));
	setenv("GIT_CONFIG_COUNT", "x", 1);
	assert_null(repo_config_load(".", true, &e));
	unsetenv("GIT_CONFIG_COUNT");
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(has_the_defaults_of_git),
		CASE(reads_every_kind_of_value),
		CASE(hides_by_the_last_match),
		CASE(refuses_what_it_cannot_serve),
		CASE(a_missing_file_is_an_empty_one),
		CASE(the_environment_has_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
