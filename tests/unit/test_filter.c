/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"
#include "git/filter.h"
#include "git/repo_config.h"

#include <stdlib.h>
#include <string.h>

static struct repo_config config_by_default(void)
{
	return (struct repo_config){
		.filter_allow = CONFIG_UNSET,
		.filter_blob_none = CONFIG_UNSET,
		.filter_blob_limit = CONFIG_UNSET,
		.filter_tree = CONFIG_UNSET,
		.filter_object_type = CONFIG_UNSET,
		.filter_sparse_oid = CONFIG_UNSET,
		.filter_combine = CONFIG_UNSET,
		.filter_tree_max_depth = UINT64_MAX,
	};
}

/* The canonical spelling of `spec`, or the code of what is wrong with it. */
static enum err_code parse(const struct repo_config *config, const char *spec,
			   char *canonical, size_t size)
{
	struct buf b = BUF_INIT;
	struct filter f;
	struct err e = { .code = ERR_OK };

	if (filter_parse(span_str(spec), config, &f, &e) < 0)
		return e.code;
	filter_canonical(&f, &b);
	assert_true(b.len < size);
	memcpy(canonical, buf_str(&b), b.len + 1);
	buf_fini(&b);
	return ERR_OK;
}

static void assert_means(const char *spec, const char *canonical)
{
	struct repo_config config = config_by_default();
	char text[200];

	assert_int_equal(parse(&config, spec, text, sizeof text), ERR_OK);
	assert_string_equal(text, canonical);
}

static void assert_refused(const char *spec, enum err_code code)
{
	struct repo_config config = config_by_default();
	char text[200];

	assert_int_equal(parse(&config, spec, text, sizeof text), code);
}

static void reads_every_kind(void **state)
{
	(void)state;
	assert_means("blob:none", "filter blob:limit=0");
	assert_means("blob:limit=0", "filter blob:limit=0");
	assert_means("blob:limit=12", "filter blob:limit=12");
	assert_means("blob:limit=1k", "filter blob:limit=1024");
	assert_means("blob:limit=2M", "filter blob:limit=2097152");
	assert_means("blob:limit=3g", "filter blob:limit=3221225472");
	assert_means("tree:0", "filter tree:0");
	assert_means("tree:7", "filter tree:7");
	assert_means("object:type=commit", "filter object:type=commit");
	assert_means("object:type=tag", "filter object:type=tag");
}

static void folds_a_combination_into_one(void **state)
{
	(void)state;
	assert_means("combine:blob:none", "filter blob:limit=0");
	assert_means("combine:blob:limit=5+blob:limit=3+tree:2+tree:4",
		     "filter blob:limit=3 tree:2");
	assert_means("combine:tree:4+blob:none", "filter blob:limit=0 tree:4");
	assert_means("combine:blob%3Anone+tree%3a1",
		     "filter blob:limit=0 tree:1");
	assert_means("combine:object:type=blob+object:type=blob",
		     "filter object:type=blob");
	assert_means("combine:object:type=blob+object:type=tree",
		     "filter object:type=none");
	assert_means("combine:combine%3Ablob:none%2Btree:3+tree:2",
		     "filter blob:limit=0 tree:2");
	assert_means("combine:combine:combine:tree:9", "filter tree:9");
}

static void refuses_nonsense(void **state)
{
	static const char *const wrong[] = {
		"",
		"blob",
		"blob:",
		"blob:none ",
		"blob:nonee",
		"blob:limit=",
		"blob:limit=-1",
		"blob:limit=+1",
		"blob:limit=k",
		"blob:limit=1kk",
		"blob:limit=1t",
		"blob:limit=0x10",
		"blob:limit=18446744073709551616",
		"blob:limit=18014398509481984k",
		"tree:",
		"tree:-1",
		"tree:99999999999999999999999",
		"object:type=",
		"object:type=blobs",
		"combine:",
		"combine:+",
		"combine:blob:none+",
		"combine:+blob:none",
		"combine:blob:none+++tree:1",
		"combine:blob:none tree:1",
		"combine:blob:none%",
		"combine:blob:none%4",
		"combine:blob:none%zz",
		"combine:blob:none%00",
		"combine:blob:none;tree:1",
		"combine:combine:",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_refused(wrong[i], ERR_MALFORMED);
}

static void refuses_a_nul_inside(void **state)
{
	struct repo_config config = config_by_default();
	struct filter f;
	struct err e;

	(void)state;
	assert_int_equal(
		filter_parse(span_of("blob:none\0x", 11), &config, &f, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
}

static void refuses_what_needs_a_path_for_every_object(void **state)
{
	(void)state;
	assert_refused("sparse:oid=HEAD:filter", ERR_DENIED);
	assert_refused("sparse:path=x", ERR_DENIED);
	assert_refused("combine:blob:none+sparse:oid=x", ERR_DENIED);
}

static void asks_the_config(void **state)
{
	struct repo_config config = config_by_default();
	char text[200];

	(void)state;
	config.filter_blob_none = CONFIG_FALSE;
	assert_int_equal(parse(&config, "blob:none", text, sizeof text),
			 ERR_DENIED);
	assert_int_equal(
		parse(&config, "combine:tree:1+blob:none", text, sizeof text),
		ERR_DENIED);
	assert_int_equal(parse(&config, "blob:limit=1", text, sizeof text),
			 ERR_OK);
	config.filter_allow = CONFIG_FALSE;
	assert_int_equal(parse(&config, "blob:limit=1", text, sizeof text),
			 ERR_DENIED);
	config.filter_blob_limit = CONFIG_TRUE;
	assert_int_equal(parse(&config, "blob:limit=1", text, sizeof text),
			 ERR_OK);
	assert_int_equal(
		parse(&config, "combine:blob:limit=1", text, sizeof text),
		ERR_DENIED);
}

static void keeps_to_the_greatest_tree_depth(void **state)
{
	struct repo_config config = config_by_default();
	struct filter f;
	struct err e;

	(void)state;
	config.filter_tree_max_depth = 2;
	assert_int_equal(filter_parse(span_str("tree:2"), &config, &f, &e), 0);
	assert_int_equal(filter_parse(span_str("tree:3"), &config, &f, &e), -1);
	assert_string_equal(e.message,
			    "tree filter allows max depth 2, but got 3");
}

static void bounds_parts_levels_and_length(void **state)
{
	struct repo_config config = config_by_default();
	static char spec[FILTER_SPEC_MAX + 2];
	struct filter f;
	struct err e;
	size_t n = 0;

	(void)state;
	/* As many levels as the length allows. */
	while (n + 16 < FILTER_SPEC_MAX) {
		memcpy(spec + n, "combine:", 8);
		n += 8;
	}
	memcpy(spec + n, "tree:1", 7);
	assert_int_equal(filter_parse(span_str(spec), &config, &f, &e), 0);

	strcpy(spec, "combine:tree:1");
	for (int i = 1; i < FILTER_PARTS_MAX; i++)
		strcat(spec, "+tree:1");
	assert_int_equal(filter_parse(span_str(spec), &config, &f, &e), 0);
	strcat(spec, "+tree:1");
	assert_int_equal(filter_parse(span_str(spec), &config, &f, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);

	memset(spec, 'x', FILTER_SPEC_MAX + 1);
	assert_int_equal(filter_parse(span_of(spec, FILTER_SPEC_MAX + 1),
				      &config, &f, &e),
			 -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(folds_a_combination_into_one),
		cmocka_unit_test(refuses_nonsense),
		cmocka_unit_test(refuses_a_nul_inside),
		cmocka_unit_test(refuses_what_needs_a_path_for_every_object),
		cmocka_unit_test(asks_the_config),
		cmocka_unit_test(keeps_to_the_greatest_tree_depth),
		cmocka_unit_test(bounds_parts_levels_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
