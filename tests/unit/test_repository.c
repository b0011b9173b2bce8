/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

#include "git/graph.h"
#include "git/objects.h"
#include "git/pack_file.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repository.h"

#include <pthread.h>
#include <time.h>

static void settle(void)
{
	struct timespec t = { 0, 60000000 };

	nanosleep(&t, NULL);
}

static struct repository *open_new(const char *dir)
{
	struct repository *r;
	struct err e;

	if (repository_create(dir, "main", &e) < 0)
		fail_msg("%s", e.message);
	r = repository_open(dir, &e);
	if (!r)
		fail_msg("%s", e.message);
	return r;
}

static struct snapshot *take(struct repository *r)
{
	struct snapshot *s;
	struct err e;

	s = repository_snapshot(r, &e);
	if (!s)
		fail_msg("%s", e.message);
	return s;
}

static void makes_what_git_takes_for_a_repository(void **state)
{
	CLEANUP(freep) char *head = NULL;
	CLEANUP(freep) char *value = NULL;
	struct repository *r;
	mode_t old = umask(007);
	struct stat st;

	(void)state;
	r = open_new("r.git");
	umask(old);
	repository_put(r);
	assert_int_equal(stat("r.git", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0770); /* as the umask says */
	NEED_GIT();
	sh("git -C r.git fsck --strict && git clone -q r.git w 2>/dev/null");
	head = sh_out("git -C r.git symbolic-ref HEAD");
	assert_string_equal(head, "refs/heads/main");
	value = sh_out("git -C r.git config uploadpack.allowfilter");
	assert_string_equal(value, "true");
}

static void has_our_defaults(void **state)
{
	struct repository *r = open_new("r.git");
	struct snapshot *s = take(r);
	const struct repo_config *c = snapshot_config(s);

	(void)state;
	assert_true(c->is_bare && c->allow_filter && c->allow_tip_sha1 &&
		    c->allow_reachable_sha1 && c->allow_ref_in_want &&
		    c->advertise_push_options);
	assert_false(c->allow_any_sha1);
	assert_int_equal(refs_count(snapshot_refs(s)), 0);
	assert_ptr_equal(snapshot_repository(s), r);
	snapshot_put(s);
	repository_put(r);
}

static void leaves_nothing_where_it_cannot_be(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(repository_create("r.git", "a..b", &e), -1);
	assert_int_equal(repository_create("no/r.git", "main", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	put("file", "x");
	assert_int_equal(repository_create("file", "main", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	sh("mkdir dir");
	assert_int_equal(repository_create("dir", "main", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	sh("test \"$(ls)\" = \"$(printf 'dir\\nfile')\"");
}

static void says_what_it_cannot_serve(void **state)
{
	static const struct {
		const char *command;
		enum err_code code;
	} cases[] = {
		{ "rm -r r.git/refs", ERR_CORRUPT },
		{ "rm -r r.git/objects", ERR_NOT_FOUND },
		{ "rm -r r.git", ERR_NOT_FOUND },
		{ "touch r.git", ERR_NOT_FOUND },
	};
	struct repository *r = open_new("r.git");
	struct err e;

	(void)state;
	repository_put(r);
	put("r.git/config", "[core]\n\trepositoryformatversion = 1\n"
			    "[extensions]\n\tobjectformat = sha256\n");
	assert_null(repository_open("r.git", &e));
	assert_non_null(strstr(e.message, "sha256"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sh(cases[i].command);
		assert_null(repository_open("r.git", &e));
		assert_int_equal(e.code, cases[i].code);
	}
}

static void shares_a_snapshot_until_something_changes(void **state)
{
	struct repository *r = open_new("r.git");
	struct snapshot *a, *b;

	(void)state;
	settle();
	snapshot_put(take(r)); /* made of old signatures from here on */
	a = take(r);
	b = take(r);
	assert_ptr_equal(a, b);
	snapshot_put(b);
	sh("printf '[receive]\\n\\tdenyDeletes = true\\n' >>r.git/config");
	b = take(r);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(snapshot_refs(a), snapshot_refs(b));
	assert_false(snapshot_config(a)->deny_deletes);
	assert_true(snapshot_config(b)->deny_deletes);
	snapshot_put(b);
	repository_put(r); /* the snapshot keeps it */
	assert_string_equal(repository_dir(snapshot_repository(a)), "r.git");
	snapshot_put(a);
}

static struct snapshot *take_configured(struct repository *r)
{
	struct snapshot *s;
	struct err e;

	s = repository_snapshot_configured(r, &e);
	if (!s)
		fail_msg("%s", e.message);
	return s;
}

static void looks_at_the_configuration_alone_where_that_is_asked(void **state)
{
	struct repository *r = open_new("r.git");
	struct snapshot *a, *b;

	(void)state;
	settle();
	snapshot_put(take(r)); /* made of old signatures from here on */
	a = take_configured(r);
	put("r.git/HEAD", "ref: refs/heads/other\n");
	b = take_configured(r);
	assert_ptr_equal(a, b);
	snapshot_put(b);
	b = take(r);
	assert_string_equal(refs_head(snapshot_refs(b))->target,
			    "refs/heads/other");
	snapshot_put(b);
	sh("printf '[receive]\\n\\tdenyDeletes = true\\n' >>r.git/config");
	b = take_configured(r);
	assert_true(snapshot_config(b)->deny_deletes);
	snapshot_put(b);
	snapshot_put(a);
	repository_put(r);
}

/* What this process has put there itself is not opened a second time, and no
 * snapshot taken for the present because of it. */
static void keeps_a_pack_it_was_given(void **state)
{
	struct repository *r = open_new("r.git");
	CLEANUP(freep) char *path = NULL;
	struct snapshot *s = take(r);
	struct pack *p;
	struct err e;

	(void)state;
	NEED_GIT();
	snapshot_put(s);
	sh("git init -q -b main w && git -C w commit -q --allow-empty -m one &&"
	   " git -C w repack -adq && cp w/.git/objects/pack/* "
	   "r.git/objects/pack");
	path = sh_out("ls r.git/objects/pack/*.pack");
	p = pack_open(path, OID_SHA1, &e);
	assert_non_null(p);
	repository_published(r, p);
	repository_published(r, p); /* there already */
	s = take(r);
	assert_int_equal(objects_pack_count(snapshot_objects(s)), 1);
	assert_ptr_equal(objects_pack(snapshot_objects(s), 0), p);
	snapshot_put(s);
	/* Given, and gone before anybody looked. */
	sh("rm r.git/objects/pack/*");
	repository_published(r, p);
	s = take(r);
	assert_int_equal(objects_pack_count(snapshot_objects(s)), 0);
	snapshot_put(s);
	/* Another file of that name is there. */
	repository_published(r, p);
	sh("cp w/.git/objects/pack/* r.git/objects/pack");
	s = take(r);
	assert_int_equal(objects_pack_count(snapshot_objects(s)), 1);
	assert_ptr_not_equal(objects_pack(snapshot_objects(s), 0), p);
	snapshot_put(s);
	pack_put(p);
	repository_put(r);
}

static void sees_what_stock_git_pushes(void **state)
{
	struct repository *r = open_new("r.git");
	struct snapshot *s;
	struct object_at at;
	struct err e;

	(void)state;
	NEED_GIT();
	sh("git init -q -b main w && git -C w commit -q --allow-empty -m one");
	for (int i = 1; i < 20; i++) {
		const struct ref *ref;

		sh("cd w && git commit -q --allow-empty -m more &&"
		   "git push -q ../r.git main 2>/dev/null");
		if (i % 5 == 0)
			sh("git -C r.git gc -q");
		s = take(r);
		assert_int_equal(refs_count(snapshot_refs(s)), 1);
		ref = refs_at(snapshot_refs(s), 0);
		assert_int_equal(
			objects_find(snapshot_objects(s), &ref->id, &at, &e),
			1);
		assert_int_equal(refs_head(snapshot_refs(s))->id.len, 20);
		snapshot_put(s);
	}
	assert_true(repository_memory(r) > 0);
	repository_trim(r, true);
	snapshot_put(take(r));
	repository_put(r);
}

/* Commits the head of `s` leads to, as it is cut by the repository itself. */
static uint32_t count_history(struct snapshot *s)
{
	struct object_reader *reader;
	struct graph *g = snapshot_graph(s);
	uint32_t number;
	struct err e;
	int rc;

	reader = object_reader_new(snapshot_objects(s), 1 << 16, &e);
	assert_non_null(reader);
	rc = graph_load(g, reader, &refs_head(snapshot_refs(s))->id, &number,
			&e);
	object_reader_free(reader);
	if (rc < 0)
		fail_msg("%s", e.message);
	return graph_node(g, number)->generation;
}

static void sees_another_shallow_file(void **state)
{
	struct repository *r;
	struct snapshot *cut, *whole;
	struct err e;

	(void)state;
	NEED_GIT();
	sh("git init -q -b main w && cd w && git commit -q --allow-empty -m a "
	   "&&"
	   "git commit -q --allow-empty -m b && git commit -q --allow-empty -m "
	   "c"
	   " && git clone -q --bare --depth=2 file://$PWD ../r.git "
	   "2>/dev/null");
	settle();
	r = repository_open("r.git", &e);
	assert_non_null(r);
	cut = take(r);
	assert_int_equal(count_history(cut), 2);
	sh("git -C r.git fetch -q --unshallow 2>/dev/null");
	whole = take(r);
	assert_int_equal(count_history(whole), 3);
	/* Who began before goes on as before. */
	assert_int_equal(count_history(cut), 2);
	snapshot_put(cut);
	snapshot_put(whole);
	repository_put(r);
}

static void *take_many(void *arg)
{
	static char failed[] = "failed", miscounted[] = "miscounted";
	struct repository *r = arg;
	struct err e;

	for (int i = 0; i < 300; i++) {
		struct snapshot *s = repository_snapshot(r, &e);

		if (!s)
			return failed;
		if (refs_count(snapshot_refs(s)) > 1)
			return miscounted;
		snapshot_put(s);
	}
	return NULL;
}

static void serves_threads_while_refs_change(void **state)
{
	struct repository *r = open_new("r.git");
	pthread_t threads[3];
	void *result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_many, r), 0);
	for (int i = 0; i < 200; i++) {
		put("r.git/x", "1111111111111111111111111111111111111111\n");
		rename("r.git/x", "r.git/refs/heads/main");
		remove("r.git/refs/heads/main");
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
	repository_put(r);
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(makes_what_git_takes_for_a_repository),
		CASE(has_our_defaults),
		CASE(leaves_nothing_where_it_cannot_be),
		CASE(says_what_it_cannot_serve),
		CASE(shares_a_snapshot_until_something_changes),
		CASE(looks_at_the_configuration_alone_where_that_is_asked),
		CASE(keeps_a_pack_it_was_given),
		CASE(sees_what_stock_git_pushes),
		CASE(sees_another_shallow_file),
		CASE(serves_threads_while_refs_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
