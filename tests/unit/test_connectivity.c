/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_builder.h"
#include "repo_fixture.h"
#include "test.h"

#include "base/attr.h"
#include "base/cleanup.h"
#include "git/connectivity.h"
#include "git/object_hash.h"
#include "git/objects.h"
#include "git/oid_set.h"
#include "git/pack_ingest.h"
#include "git/repository.h"

/*
 * The repository has main at `old`, whose tree has a file, and a directory with
 * two more; and, reached by nothing, the commit `lost`, whose tree is not
 * there.
 */
struct scene {
	struct fixture f;
	char quarantine[300];
	struct repository *repository;
	struct snapshot *snapshot;
	struct pack_builder pack;
	struct oid file, directory, tree, old, lost, lost_tree;
	struct oid missing;
	struct oid_set ends, used;
	unsigned n_ticks;
	struct err e;
};

static struct oid write_tree(struct scene *s, struct buf *tree)
{
	return fixture_write(&s->f, OBJECT_TREE, tree->data, tree->len);
}

static struct oid write_commit(struct scene *s, const struct oid *tree,
			       const struct oid *parent)
{
	char *text = commit_text(tree, parent, "old");
	struct oid id = fixture_write(&s->f, OBJECT_COMMIT, text, strlen(text));

	free(text);
	return id;
}

static void write_ref(struct scene *s, const char *name, const struct oid *id)
{
	char path[400], line[OID_MAX_HEX + 2], hex[OID_MAX_HEX + 1];

	snprintf(path, sizeof path, "%s/%s", s->f.dir, name);
	snprintf(line, sizeof line, "%s\n", oid_hex(id, hex));
	fixture_write_file(path, line, strlen(line));
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	struct buf tree = BUF_INIT;
	struct oid other;

	fixture_open(&s->f);
	snprintf(s->quarantine, sizeof s->quarantine, "%s/incoming",
		 s->f.objects);
	assert_int_equal(dir_make(s->quarantine, 0700, &s->e), 0);
	s->file = fixture_blob(&s->f, "file\n");
	other = fixture_blob(&s->f, "other\n");
	tree_add(&tree, "100644", "one", &s->file);
	tree_add(&tree, "100644", "two", &other);
	s->directory = write_tree(s, &tree);
	buf_clear(&tree);
	tree_add(&tree, "40000", "dir", &s->directory);
	tree_add(&tree, "100644", "file", &s->file);
	s->tree = write_tree(s, &tree);
	s->old = write_commit(s, &s->tree, NULL);
	s->lost_tree = id_of_text(OBJECT_TREE, "100644 x\0gone");
	s->lost = write_commit(s, &s->lost_tree, NULL);
	write_ref(s, "refs/heads/main", &s->old);
	s->repository = repository_open(s->f.dir, &s->e);
	if (!s->repository)
		fail_msg("%s", s->e.message);
	s->snapshot = repository_snapshot(s->repository, &s->e);
	assert_non_null(s->snapshot);
	builder_begin(&s->pack);
	buf_fini(&tree);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	builder_fini(&s->pack);
	oid_set_fini(&s->ends);
	oid_set_fini(&s->used);
	snapshot_put(s->snapshot);
	repository_put(s->repository);
	fixture_close(&s->f);
	free(s);
	return 0;
}

static ssize_t read_span(void *arg, void *data, size_t n, struct err *e)
{
	struct span *s = arg, piece;

	(void)e;
	if (n > s->len)
		n = s->len;
	(void)span_take(s, n, &piece);
	memcpy(data, piece.data, n);
	return (ssize_t)n;
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

/* Receive what was built, and judge the tips against it. */
static void check(struct scene *s, const struct oid *tips, size_t n,
		  bool *connected)
{
	struct pack_ingest_options options = {
		.objects = snapshot_objects(s->snapshot),
		.quarantine_dir = s->quarantine,
	};
	struct connectivity_question question = {
		.snapshot = s->snapshot,
		.ends = s->ends.n ? &s->ends : NULL,
		.used = &s->used,
		.tick = count,
		.arg = &s->n_ticks,
	};
	struct pack_ingest *in;
	struct objects *view;
	struct span bytes;

	builder_end(&s->pack);
	bytes = buf_span(&s->pack.bytes);
	in = pack_ingest_run(&options, read_span, &bytes, &s->e);
	if (!in)
		fail_msg("%s", s->e.message);
	view = pack_ingest_objects(in, &s->e);
	assert_non_null(view);
	question.objects = view;
	if (connectivity_check(&question, tips, n, connected, &s->missing,
			       &s->e) < 0)
		fail_msg("%s", s->e.message);
	objects_put(view);
	pack_ingest_free(in);
}

static bool is_connected(struct scene *s, const struct oid *tip)
{
	bool connected = false;

	check(s, tip, 1, &connected);
	return connected;
}

static struct oid push_commit(struct scene *s, const struct oid *tree,
			      const struct oid *parent)
{
	char *text = commit_text(tree, parent, "new");
	struct oid id = id_of_text(OBJECT_COMMIT, text);

	builder_text(&s->pack, OBJECT_COMMIT, text);
	free(text);
	return id;
}

static struct oid push_tree(struct scene *s, const char *mode, const char *name,
			    const struct oid *id)
{
	struct buf tree = BUF_INIT;
	struct oid made;

	tree_add(&tree, mode, name, id);
	builder_object(&s->pack, OBJECT_TREE, tree.data, tree.len);
	made = id_of(OBJECT_TREE, tree.data, tree.len);
	buf_fini(&tree);
	return made;
}

static void a_value_of_a_ref_and_none_are_connected(void **state)
{
	struct scene *s = *state;
	struct oid tips[] = { s->old, oid_zero(OID_SHA1) };
	bool connected[2] = { false, false };

	check(s, tips, 2, connected);
	assert_true(connected[0] && connected[1]);
}

static void a_commit_on_the_old_one_needs_only_what_is_new(void **state)
{
	struct scene *s = *state;
	struct oid blob = id_of_text(OBJECT_BLOB, "new\n");
	struct oid tree = push_tree(s, "100644", "file", &blob);
	struct oid tip = push_commit(s, &tree, &s->old);

	builder_text(&s->pack, OBJECT_BLOB, "new\n");
	assert_true(is_connected(s, &tip));
}

static void a_commit_of_the_old_tree_is_connected(void **state)
{
	struct scene *s = *state;
	struct oid tip = push_commit(s, &s->tree, &s->old);

	assert_true(is_connected(s, &tip));
}

static void what_moved_is_found(void **state)
{
	struct scene *s = *state;
	struct oid tree = push_tree(s, "40000", "elsewhere", &s->directory);
	struct oid tip = push_commit(s, &tree, &s->old);

	assert_true(is_connected(s, &tip));
}

static void a_gitlink_needs_nothing(void **state)
{
	struct scene *s = *state;
	struct oid far = id_of_text(OBJECT_COMMIT, "far away");
	struct oid tree = push_tree(s, "160000", "sub", &far);
	struct oid tip = push_commit(s, &tree, NULL);

	assert_true(is_connected(s, &tip));
}

static void misses(struct scene *s, const struct oid *tip,
		   const struct oid *missing)
{
	assert_false(is_connected(s, tip));
	assert_true(oid_eq(&s->missing, missing));
}

static void a_missing_blob_is_noticed(void **state)
{
	struct scene *s = *state;
	struct oid blob = id_of_text(OBJECT_BLOB, "new\n");
	struct oid tree = push_tree(s, "100644", "file", &blob);
	struct oid tip = push_commit(s, &tree, &s->old);

	misses(s, &tip, &blob);
}

static void a_missing_tree_is_noticed(void **state)
{
	struct scene *s = *state;
	struct oid sub = id_of_text(OBJECT_TREE, "sub");
	struct oid tree = push_tree(s, "40000", "dir", &sub);
	struct oid tip = push_commit(s, &tree, &s->old);

	misses(s, &tip, &sub);
}

static void a_missing_parent_is_noticed(void **state)
{
	struct scene *s = *state;
	struct oid parent = id_of_text(OBJECT_COMMIT, "parent");
	struct oid tip = push_commit(s, &s->tree, &parent);

	misses(s, &tip, &parent);
}

static void history_may_end_where_the_pusher_says(void **state)
{
	struct scene *s = *state;
	struct oid parent = id_of_text(OBJECT_COMMIT, "parent");
	struct oid other = id_of_text(OBJECT_COMMIT, "other");
	struct oid end = push_commit(s, &s->tree, &parent);
	struct oid tip = push_commit(s, &s->tree, &end);

	assert_int_equal(oid_set_add(&s->ends, &end, &s->e), 1);
	assert_int_equal(oid_set_add(&s->ends, &other, &s->e), 1);
	assert_true(is_connected(s, &tip));
	assert_int_equal(s->used.n, 1);
	assert_true(oid_eq(&s->used.items[0], &end));
	assert_true(s->n_ticks > 0);
}

/* A pusher must not cut off what others have whole, not by sending the commit
 * again either. */
static void what_a_ref_reaches_is_no_end(void **state)
{
	struct scene *s = *state;
	struct oid here = write_commit(s, &s->tree, &s->old), tip;
	char *text = commit_text(&s->tree, &s->old, "old");

	write_ref(s, "refs/heads/here", &here);
	snapshot_put(s->snapshot);
	s->snapshot = repository_snapshot(s->repository, &s->e);
	assert_non_null(s->snapshot);
	builder_text(&s->pack, OBJECT_COMMIT, text);
	free(text);
	tip = push_commit(s, &s->tree, &here);
	assert_int_equal(oid_set_add(&s->ends, &here, &s->e), 1);
	assert_true(is_connected(s, &tip));
	assert_int_equal(s->used.n, 0);
}

static void a_missing_tip_is_noticed(void **state)
{
	struct scene *s = *state;
	struct oid tip = id_of_text(OBJECT_COMMIT, "tip");

	misses(s, &tip, &tip);
}

static void being_on_disk_is_not_enough(void **state)
{
	struct scene *s = *state;
	struct oid tip = push_commit(s, &s->tree, &s->lost);

	misses(s, &tip, &s->lost_tree);
}

static void an_unreachable_parent_that_is_whole_is_taken(void **state)
{
	struct scene *s = *state;
	struct oid stray = write_commit(s, &s->directory, &s->old);
	struct oid tip = push_commit(s, &s->tree, &stray);

	assert_true(is_connected(s, &tip));
}

static void no_object_is_two_things(void **state)
{
	struct scene *s = *state;
	struct buf tree = BUF_INIT;
	struct oid root, tip;

	/* The same id as a directory, which it is, and as a file. */
	tree_add(&tree, "40000", "a", &s->directory);
	tree_add(&tree, "100644", "b", &s->directory);
	builder_object(&s->pack, OBJECT_TREE, tree.data, tree.len);
	root = id_of(OBJECT_TREE, tree.data, tree.len);
	buf_fini(&tree);
	tip = push_commit(s, &root, NULL);
	misses(s, &tip, &s->directory);
}

static void a_commit_is_no_tree_and_a_blob_no_parent(void **state)
{
	struct scene *s = *state;
	struct oid a = push_commit(s, &s->old, NULL);
	struct oid b = push_commit(s, &s->tree, &s->file);
	struct oid tips[] = { a, b };
	bool connected[2] = { true, true };

	check(s, tips, 2, connected);
	assert_false(connected[0] || connected[1]);
}

static struct oid push_tag(struct scene *s, const struct oid *target,
			   const char *type)
{
	char hex[OID_MAX_HEX + 1], text[256];

	snprintf(text, sizeof text,
		 "object %s\ntype %s\ntag t\ntagger A <a@b> 1 +0000\n\nm\n",
		 oid_hex(target, hex), type);
	builder_text(&s->pack, OBJECT_TAG, text);
	return id_of_text(OBJECT_TAG, text);
}

static void follows_tags(void **state)
{
	struct scene *s = *state;
	struct oid gone = id_of_text(OBJECT_COMMIT, "gone");
	struct oid inner = push_tag(s, &s->old, "commit");
	struct oid tips[] = {
		push_tag(s, &inner, "tag"),
		push_tag(s, &gone, "commit"),
		push_tag(s, &s->old, "tree"),
		push_tag(s, &s->file, "blob"),
	};
	bool connected[4] = { false, true, true, false };

	check(s, tips, 4, connected);
	assert_true(connected[0]);
	assert_false(connected[1]);
	assert_false(connected[2]);
	assert_true(connected[3]);
	assert_true(oid_eq(&s->missing, &gone));
}

static void each_tip_is_judged_alone(void **state)
{
	struct scene *s = *state;
	struct oid blob = id_of_text(OBJECT_BLOB, "gone\n");
	struct oid bad = push_tree(s, "100644", "file", &blob);
	struct oid tips[] = {
		push_commit(s, &bad, &s->old),
		push_commit(s, &s->directory, &s->old),
		push_commit(s, &bad, NULL),
	};
	bool connected[3];

	check(s, tips, 3, connected);
	assert_false(connected[0]);
	assert_true(connected[1]);
	assert_false(connected[2]);
}

static void nested_trees_do_not_recurse(void **state)
{
	struct scene *s = *state;
	struct oid tree = s->directory, tip;

	for (int i = 0; i < 30000; i++)
		tree = push_tree(s, "40000", "d", &tree);
	tip = push_commit(s, &tree, &s->old);
	assert_true(is_connected(s, &tip));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_of_a_ref_and_none_are_connected),
		TEST(a_commit_on_the_old_one_needs_only_what_is_new),
		TEST(a_commit_of_the_old_tree_is_connected),
		TEST(what_moved_is_found),
		TEST(a_gitlink_needs_nothing),
		TEST(a_missing_blob_is_noticed),
		TEST(a_missing_tree_is_noticed),
		TEST(a_missing_parent_is_noticed),
		TEST(history_may_end_where_the_pusher_says),
		TEST(what_a_ref_reaches_is_no_end),
		TEST(a_missing_tip_is_noticed),
		TEST(being_on_disk_is_not_enough),
		TEST(an_unreachable_parent_that_is_whole_is_taken),
		TEST(no_object_is_two_things),
		TEST(a_commit_is_no_tree_and_a_blob_no_parent),
		TEST(follows_tags),
		TEST(each_tip_is_judged_alone),
		TEST(nested_trees_do_not_recurse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
