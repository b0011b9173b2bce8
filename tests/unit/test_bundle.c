/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

#include "git/bundle.h"
#include "git/repository.h"

/* Write r.git as the file "b". 0 or -1. */
static int export(struct err *e)
{
	struct buf none = BUF_INIT, out = BUF_INIT;
	struct repository *r = repository_open("r.git", e);
	struct snapshot *s;
	struct stream_mem stream;
	int result;

	assert_non_null(r);
	s = repository_snapshot(r, e);
	if (!s)
		fail_msg("%s", e->message);
	stream_mem_init(&stream, buf_span(&none), &out);
	result = bundle_write(s, &stream.base, e);
	if (!result)
		assert_int_equal(file_replace("b", out.data, out.len, 0600, e),
				 0);
	snapshot_put(s);
	repository_put(r);
	buf_fini(&out);
	return result;
}

static void make_repository(void)
{
	sh("git init -q -b main --bare r.git && cd r.git &&"
	   "tree=$(git mktree </dev/null) &&"
	   "git update-ref refs/heads/main $(git commit-tree -m one $tree) &&"
	   "git tag -m v1 v1 main &&"
	   "git commit-tree -m alone $tree >../alone");
}

static void git_takes_what_is_written(void **state)
{
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	assert_int_equal(export(&e), 0);
	sh("git clone -q --mirror b c.git && git -C c.git fsck --strict &&"
	   "git -C r.git show-ref >x && git -C c.git show-ref | cmp - x");
}

static void a_detached_head_is_in_it(void **state)
{
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	sh("cp alone r.git/HEAD");
	assert_int_equal(export(&e), 0);
	sh("git clone -q b c && git -C c rev-parse HEAD | cmp - alone");
}

/* A bundle that names what it has not would be found out too late. */
static void a_head_that_is_lost_is_told(void **state)
{
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	put("r.git/HEAD", "1111111111111111111111111111111111111111\n");
	assert_int_equal(export(&e), -1);
	assert_non_null(strstr(e.message, "1111111111111111"));
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(git_takes_what_is_written),
		CASE(a_detached_head_is_in_it),
		CASE(a_head_that_is_lost_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
