/* SPDX-License-Identifier: Apache-2.0 */
#include "repo_fixture.h"

#include "base/attr.h"
#include "git/graph.h"
#include "git/objects.h"

#include <pthread.h>

/*
 * The history of most tests, dates in brackets:
 *
 *	0 [100] - 1 [200] - 2 [300] - 4 [500] - 5 [600] - 6 [700]
 *	                \ - 3 [400] - /               \- 7 [50]
 *	8 [800], unrelated
 */
#define N 9

static const struct {
	int64_t date;
	size_t n_parents;
	size_t parents[2];
	uint32_t generation;
} shape[N] = {
	{ 100, 0, { 0, 0 }, 1 }, { 200, 1, { 0, 0 }, 2 },
	{ 300, 1, { 1, 0 }, 3 }, { 400, 1, { 1, 0 }, 3 },
	{ 500, 2, { 2, 3 }, 4 }, { 600, 1, { 4, 0 }, 5 },
	{ 700, 1, { 5, 0 }, 6 }, { 50, 1, { 5, 0 }, 6 },
	{ 800, 0, { 0, 0 }, 1 },
};

struct world {
	struct fixture f;
	struct objects *objects;
	struct object_reader *reader;
	struct graph *graph;
	struct oid ids[N];
	uint32_t number[N];
	struct err e;
};

static void world_make_commits(struct world *w)
{
	struct oid parents[2];

	for (size_t i = 0; i < N; i++) {
		for (size_t p = 0; p < shape[i].n_parents; p++)
			parents[p] = w->ids[shape[i].parents[p]];
		w->ids[i] = fixture_commit(&w->f, shape[i].date, parents,
					   shape[i].n_parents);
	}
}

static void world_load(struct world *w)
{
	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_non_null(w->graph);
	for (size_t i = N; i-- > 0;)
		assert_int_equal(graph_load(w->graph, w->reader, &w->ids[i],
					    &w->number[i], &w->e),
				 0);
}

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	fixture_open(&w->f);
	world_make_commits(w);
	w->objects = objects_open(w->f.objects, OID_SHA1, NULL, &w->e);
	assert_non_null(w->objects);
	w->reader = object_reader_new(w->objects, 1 << 20, &w->e);
	assert_non_null(w->reader);
	*state = w;
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	graph_free(w->graph);
	object_reader_free(w->reader);
	objects_put(w->objects);
	fixture_close(&w->f);
	free(w);
	return 0;
}

static void world_write_shallow(struct world *w, size_t commit)
{
	char path[300], line[OID_MAX_HEX + 2];
	size_t n = 2 * OID_SHA1_SIZE;

	snprintf(path, sizeof path, "%s/shallow", w->f.dir);
	oid_hex(&w->ids[commit], line);
	line[n] = '\n';
	fixture_write_file(path, line, n + 1);
}

/* `text` lists members of the history, as in "124". */
static void assert_set(const struct world *w, const struct commit_set *s,
		       const char *text)
{
	char found[N + 1];
	size_t n = 0;

	for (size_t i = 0; i < N; i++) {
		if (commit_set_has(s, w->number[i]))
			found[n++] = (char)('0' + i);
	}
	found[n] = '\0';
	assert_string_equal(found, text);
}

static void knows_parents_dates_and_generations(void **state)
{
	struct world *w = *state;

	world_load(w);
	assert_int_equal(graph_count(w->graph), N);
	for (size_t i = 0; i < N; i++) {
		const struct graph_node *node =
			graph_node(w->graph, w->number[i]);

		assert_true(oid_eq(&node->id, &w->ids[i]));
		assert_int_equal(node->date, shape[i].date);
		assert_int_equal(node->generation, shape[i].generation);
		assert_int_equal(node->n_parents, shape[i].n_parents);
		for (size_t p = 0; p < shape[i].n_parents; p++)
			assert_int_equal(node->parents[p],
					 w->number[shape[i].parents[p]]);
		assert_int_equal(graph_lookup(w->graph, &w->ids[i]),
				 w->number[i]);
	}
}

static void loads_ancestors_but_nothing_else(void **state)
{
	struct world *w = *state;
	uint32_t number;

	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_int_equal(
		graph_load(w->graph, w->reader, &w->ids[2], &number, &w->e), 0);
	assert_int_equal(graph_count(w->graph), 3);
	assert_int_equal(graph_lookup(w->graph, &w->ids[3]), GRAPH_NONE);
	assert_int_not_equal(graph_lookup(w->graph, &w->ids[0]), GRAPH_NONE);
}

static void absent_is_not_found_and_a_blob_is_a_conflict(void **state)
{
	struct world *w = *state;
	struct oid blob = fixture_blob(&w->f, "text");
	struct oid absent = oid_zero(OID_SHA1);
	uint32_t number;

	world_load(w);
	assert_int_equal(
		graph_load(w->graph, w->reader, &absent, &number, &w->e), -1);
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
	assert_int_equal(graph_load(w->graph, w->reader, &blob, &number, &w->e),
			 -1);
	assert_int_equal(w->e.code, ERR_CONFLICT);
	assert_int_equal(graph_lookup(w->graph, &blob), GRAPH_NONE);
	assert_int_equal(graph_count(w->graph), N);
}

static void a_hole_in_history_takes_all_back(void **state)
{
	struct world *w = *state;
	uint32_t number;

	w->graph = graph_new(w->f.dir, OID_SHA1);
	fixture_remove_loose(&w->f, &w->ids[0]);
	assert_int_equal(
		graph_load(w->graph, w->reader, &w->ids[6], &number, &w->e),
		-1);
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
	assert_int_equal(graph_count(w->graph), 0);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(graph_lookup(w->graph, &w->ids[i]),
				 GRAPH_NONE);
	/* Mended, it loads. */
	world_make_commits(w);
	assert_int_equal(
		graph_load(w->graph, w->reader, &w->ids[6], &number, &w->e), 0);
	assert_int_equal(graph_node(w->graph, number)->generation, 6);
}

static void a_parent_that_is_a_blob_is_corrupt(void **state)
{
	struct world *w = *state;
	struct oid blob = fixture_blob(&w->f, "text"), commit;
	uint32_t number;

	world_load(w);
	commit = fixture_commit(&w->f, 1, &blob, 1);
	assert_int_equal(
		graph_load(w->graph, w->reader, &commit, &number, &w->e), -1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
}

static void reaches_ancestors_only(void **state)
{
	/* Bit j of row i: i reaches j. */
	static const unsigned rows[N] = { 0x1,	0x3,  0x7,  0xb,  0x1f,
					  0x3f, 0x7f, 0xbf, 0x100 };
	struct world *w = *state;

	world_load(w);
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++)
			assert_int_equal(graph_reaches(w->graph, &w->number[i],
						       1, w->number[j], &w->e),
					 rows[i] >> j & 1);
	}
	assert_int_equal(
		graph_reaches(w->graph, w->number + 7, 2, w->number[3], &w->e),
		1);
	assert_int_equal(graph_reaches(w->graph, NULL, 0, w->number[0], &w->e),
			 0);
}

static int meets(struct world *w, const char *wants, const char *haves)
{
	struct commit_set set = { NULL, 0 };
	uint32_t numbers[N];
	size_t n = 0;
	int rc;

	for (; *wants; wants++)
		numbers[n++] = w->number[*wants - '0'];
	for (; *haves; haves++)
		assert_int_equal(
			commit_set_add(&set, w->number[*haves - '0'], &w->e),
			0);
	rc = graph_all_meet(w->graph, numbers, n, &set, &w->e);
	commit_set_fini(&set);
	return rc;
}

static void all_wants_must_meet_a_have(void **state)
{
	struct world *w = *state;

	world_load(w);
	assert_int_equal(meets(w, "6", "0"), 1);
	assert_int_equal(meets(w, "6", "6"), 1);
	assert_int_equal(meets(w, "6", "3"), 1);
	assert_int_equal(meets(w, "67", "2"), 1);
	assert_int_equal(meets(w, "23", "0"), 1);
	assert_int_equal(meets(w, "23", "2"), 0);
	assert_int_equal(meets(w, "32", "2"), 0);
	assert_int_equal(meets(w, "68", "0"), 0);
	assert_int_equal(meets(w, "68", "08"), 1);
	assert_int_equal(meets(w, "4", "6"), 0);
	assert_int_equal(meets(w, "4", ""), 0);
	assert_int_equal(meets(w, "", ""), 1);
	assert_int_equal(meets(w, "6427", "1"), 1);
}

static void cuts_by_depth_as_git(void **state)
{
	static const struct {
		size_t want;
		uint64_t depth;
		const char *boundary;
		const char *inside;
	} cases[] = {
		{ 6, 1, "6", "6" },
		{ 6, 2, "5", "56" },
		{ 6, 3, "4", "456" },
		{ 6, 4, "23", "23456" },
		{ 6, 5, "1", "123456" },
		/* The root is at the depth asked for, so it is told. */
		{ 6, 6, "0", "0123456" },
		{ 6, 7, "", "0123456" },
		{ 6, UINT64_MAX, "", "0123456" },
		{ 8, 1, "8", "8" },
	};
	struct world *w = *state;

	world_load(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct commit_set boundary = { NULL, 0 }, inside = { NULL, 0 };

		assert_int_equal(graph_cut_depth(w->graph,
						 &w->number[cases[i].want], 1,
						 cases[i].depth, NULL,
						 &boundary, &inside, &w->e),
				 0);
		assert_set(w, &boundary, cases[i].boundary);
		assert_set(w, &inside, cases[i].inside);
		commit_set_fini(&boundary);
		commit_set_fini(&inside);
	}
}

static void the_shortest_path_counts(void **state)
{
	struct world *w = *state;
	struct commit_set boundary = { NULL, 0 }, inside = { NULL, 0 };
	uint32_t wants[2];

	world_load(w);
	wants[0] = w->number[6];
	wants[1] = w->number[2];
	/* 1 is five commits from 6, and two from 2. */
	assert_int_equal(graph_cut_depth(w->graph, wants, 2, 2, NULL, &boundary,
					 &inside, &w->e),
			 0);
	assert_set(w, &boundary, "15");
	assert_set(w, &inside, "1256");
	commit_set_fini(&boundary);
	commit_set_fini(&inside);
}

static void cut_rev(struct world *w, const char *wants, int64_t since,
		    const char * not, const char *boundary, const char *inside)
{
	struct commit_set b = { NULL, 0 }, in = { NULL, 0 };
	uint32_t tips[N], not_tips[N];
	size_t n = 0, n_not = 0;

	for (; *wants; wants++)
		tips[n++] = w->number[*wants - '0'];
	for (; *not ; not ++)
		not_tips[n_not++] = w->number[*not -'0'];
	assert_int_equal(graph_cut_rev(w->graph, tips, n, since, not_tips,
				       n_not, &b, &in, &w->e),
			 0);
	assert_set(w, &b, boundary);
	assert_set(w, &in, inside);
	commit_set_fini(&b);
	commit_set_fini(&in);
}

static void cuts_by_date_and_exclusion(void **state)
{
	struct world *w = *state;

	world_load(w);
	cut_rev(w, "6", 0, "", "", "0123456");
	cut_rev(w, "6", 600, "", "5", "56");
	cut_rev(w, "6", 350, "", "34", "3456");
	cut_rev(w, "6", 900, "", "", "");
	cut_rev(w, "7", 100, "", "", ""); /* the tip itself is too old */
	cut_rev(w, "6", 0, "4", "5", "56");
	cut_rev(w, "6", 0, "2", "34", "3456");
	cut_rev(w, "6", 0, "23", "4", "456");
	cut_rev(w, "68", 0, "4", "5", "568");
	cut_rev(w, "6", 0, "6", "", "");
	cut_rev(w, "6", 450, "0", "4", "456");
	/* Behind 7, which is too old, all is excluded if anything is. */
	cut_rev(w, "67", 100, "", "", "0123456");
	cut_rev(w, "67", 100, "8", "6", "6");
}

static void a_shallow_repository_ends_where_it_says(void **state)
{
	struct world *w = *state;
	struct commit_set boundary = { NULL, 0 }, inside = { NULL, 0 };
	const struct graph_node *node;
	size_t n;

	world_write_shallow(w, 4);
	world_load(w);
	assert_int_equal(graph_shallow(w->graph, &n)->id[0], w->ids[4].id[0]);
	assert_int_equal(n, 1);
	node = graph_node(w->graph, w->number[4]);
	assert_true(node->is_shallow);
	assert_int_equal(node->n_parents, 0);
	assert_int_equal(node->generation, 1);
	assert_int_equal(
		graph_reaches(w->graph, &w->number[6], 1, w->number[1], &w->e),
		0);
	assert_int_equal(graph_cut_depth(w->graph, &w->number[6], 1, 9, NULL,
					 &boundary, &inside, &w->e),
			 0);
	assert_set(w, &boundary, "4");
	assert_set(w, &inside, "456");
	commit_set_fini(&boundary);
	commit_set_fini(&inside);
	cut_rev(w, "6", 0, "", "4", "456");
}

/* A graph of what lies within `depth` of commit 6. */
static struct graph *load_cut(struct world *w, uint64_t depth)
{
	if (!w->graph)
		w->graph = graph_new(w->f.dir, OID_SHA1);
	return graph_new_cut(w->graph, w->reader, &w->ids[6], 1, depth, &w->e);
}

static void a_cut_graph_has_a_few_levels_of_history(void **state)
{
	static const uint32_t counts[] = { 1, 2, 3, 5, 6, 7, 7 };
	struct world *w = *state;

	for (uint32_t depth = 1; depth <= ARRAY_SIZE(counts); depth++) {
		struct graph *cut = load_cut(w, depth);
		const struct graph_node *node;

		assert_non_null(cut);
		assert_int_equal(graph_count(cut), counts[depth - 1]);
		node = graph_node(cut, graph_lookup(cut, &w->ids[6]));
		assert_int_equal(node->n_parents, depth > 1);
		assert_int_equal(node->is_shallow, depth == 1);
		assert_int_equal(node->generation, depth < 6 ? depth : 6);
		assert_int_equal(graph_lookup(cut, &w->ids[7]), GRAPH_NONE);
		graph_free(cut);
	}
	/* None of this touched the whole one. */
	assert_int_equal(graph_count(w->graph), 0);
}

static void a_cut_graph_ends_where_the_repository_does(void **state)
{
	struct world *w = *state;
	const struct oid *own;
	struct graph *cut;
	size_t n;

	world_write_shallow(w, 4);
	cut = load_cut(w, 10);
	assert_non_null(cut);
	assert_int_equal(graph_count(cut), 3);
	own = graph_shallow(cut, &n);
	assert_int_equal(n, 1);
	assert_true(oid_eq(own, &w->ids[4]));
	graph_free(cut);
}

static void a_cut_graph_is_small_or_none(void **state)
{
	struct world *w = *state;
	struct oid tip = w->ids[6];

	for (int64_t i = 0; i < GRAPH_CUT_MAX; i++)
		tip = fixture_commit(&w->f, i, &tip, 1);
	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_null(
		graph_new_cut(w->graph, w->reader, &tip, 1, UINT64_MAX, &w->e));
	assert_int_equal(w->e.code, ERR_LIMIT);
	tip.id[0] ^= 1;
	assert_null(graph_new_cut(w->graph, w->reader, &tip, 1, 1, &w->e));
	assert_int_equal(w->e.code, ERR_NOT_FOUND);
}

static void a_new_shallow_file_is_noticed(void **state)
{
	struct world *w = *state;

	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_true(graph_fresh(w->graph));
	world_write_shallow(w, 4);
	assert_false(graph_fresh(w->graph));
}

static void a_damaged_shallow_file_is_named(void **state)
{
	struct world *w = *state;
	char path[300];
	uint32_t number;

	snprintf(path, sizeof path, "%s/shallow", w->f.dir);
	fixture_write_file(path, "0123\n", 5);
	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_int_equal(
		graph_load(w->graph, w->reader, &w->ids[0], &number, &w->e),
		-1);
	assert_int_equal(w->e.code, ERR_CORRUPT);
	assert_non_null(strstr(w->e.message, "shallow"));
}

static void takes_thousands_of_parents_and_a_long_history(void **state)
{
	enum { WIDE = 3000, LONG = 3000 };
	struct world *w = *state;
	struct oid *parents = calloc(WIDE, sizeof *parents), tip;
	uint32_t number;

	assert_non_null(parents);
	for (int64_t i = 0; i < WIDE; i++)
		parents[i] = fixture_commit(&w->f, i, NULL, 0);
	tip = fixture_commit(&w->f, 1, parents, WIDE);
	for (int64_t i = 0; i < LONG; i++)
		tip = fixture_commit(&w->f, i, &tip, 1);
	w->graph = graph_new(w->f.dir, OID_SHA1);
	assert_int_equal(graph_load(w->graph, w->reader, &tip, &number, &w->e),
			 0);
	assert_int_equal(graph_count(w->graph), WIDE + LONG + 1);
	assert_int_equal(graph_node(w->graph, number)->generation, LONG + 2);
	free(parents);
}

/* Loads the whole history with a reader of its own. */
static void *load_tips(void *arg)
{
	struct world *w = arg;
	struct object_reader *r;
	uint32_t number;
	struct err e;

	r = object_reader_new(w->objects, 0, &e);
	for (size_t i = 0; r && i < N; i++) {
		if (graph_load(w->graph, r, &w->ids[i], &number, &e) < 0 ||
		    graph_node(w->graph, number)->generation !=
			    shape[i].generation) {
			object_reader_free(r);
			return w;
		}
	}
	object_reader_free(r);
	return NULL;
}

static void several_threads_may_load(void **state)
{
	struct world *w = *state;
	pthread_t threads[4];
	void *failed;

	w->graph = graph_new(w->f.dir, OID_SHA1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, load_tips, w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(graph_count(w->graph), N);
}

static void a_set_grows_and_forgets(void **state)
{
	struct commit_set s = { NULL, 0 };
	struct err e;

	(void)state;
	assert_false(commit_set_has(&s, 0));
	commit_set_remove(&s, 7);
	assert_int_equal(commit_set_add(&s, 100000, &e), 0);
	assert_int_equal(commit_set_add(&s, 0, &e), 0);
	assert_true(commit_set_has(&s, 100000));
	assert_true(commit_set_has(&s, 0));
	assert_false(commit_set_has(&s, 99999));
	assert_false(commit_set_has(&s, UINT32_MAX));
	commit_set_remove(&s, 100000);
	assert_false(commit_set_has(&s, 100000));
	commit_set_fini(&s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_parents_dates_and_generations),
		TEST(loads_ancestors_but_nothing_else),
		TEST(absent_is_not_found_and_a_blob_is_a_conflict),
		TEST(a_hole_in_history_takes_all_back),
		TEST(a_parent_that_is_a_blob_is_corrupt),
		TEST(reaches_ancestors_only),
		TEST(all_wants_must_meet_a_have),
		TEST(cuts_by_depth_as_git),
		TEST(the_shortest_path_counts),
		TEST(cuts_by_date_and_exclusion),
		TEST(a_shallow_repository_ends_where_it_says),
		TEST(a_cut_graph_has_a_few_levels_of_history),
		TEST(a_cut_graph_ends_where_the_repository_does),
		TEST(a_cut_graph_is_small_or_none),
		TEST(a_new_shallow_file_is_noticed),
		TEST(a_damaged_shallow_file_is_named),
		TEST(takes_thousands_of_parents_and_a_long_history),
		TEST(several_threads_may_load),
		cmocka_unit_test(a_set_grows_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
