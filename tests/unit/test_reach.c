/* SPDX-License-Identifier: Apache-2.0 */
/* What is reachable from visible refs, and what is kept of it across pushes.
 * Skipped where there is no git. */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/reach.h"
#include "git/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct lab {
	char dir[64];
	struct repository *repository;
};

/* Run a line of shell in the repository; what it prints is an id. */
static struct oid git(const struct lab *l, const char *line)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	char command[1024], path[128];
	struct oid id = { .len = 0 };
	struct span rest;
	struct err e;

	snprintf(command, sizeof command,
		 "cd %s && export GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent "
		 "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
		 "GIT_COMMITTER_EMAIL=a@b && { %s; } >out 2>/dev/null",
		 l->dir, line);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof path, "%s/out", l->dir);
	assert_int_equal(file_read(path, 4096, &out, &e), 0);
	rest = buf_span(&out);
	(void)oid_take(&rest, OID_SHA1, &id);
	return id;
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof *l);
	struct err e;

	*state = l;
	snprintf(l->dir, sizeof l->dir, "/tmp/reach-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	if (system("git --version >/dev/null 2>&1") != 0)
		return 0;
	git(l, "git init -q --bare . && "
	       "b=$(echo one | git hash-object -w --stdin) && "
	       "t=$(printf \"100644 blob $b\\tf\\n\" | git mktree) && "
	       "s=$(printf \"040000 tree $t\\td\\n\" | git mktree) && "
	       "c=$(git commit-tree -m 1 $s) && "
	       "d=$(git commit-tree -m 2 -p $c $t) && "
	       "git update-ref refs/heads/main $d && "
	       "git tag -a -m x v1 main && git tag -a -m x v2 v1 && "
	       "h=$(echo secret | git hash-object -w --stdin) && "
	       "u=$(printf \"100644 blob $h\\ts\\n\" | git mktree) && "
	       "git update-ref refs/hidden/x $(git commit-tree -m 3 $u) && "
	       "git tag -a -m x tree $s && git repack -qad");
	l->repository = repository_open(l->dir, &e);
	assert_non_null(l->repository);
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e;

	repository_put(l->repository);
	assert_int_equal(dir_remove(l->dir, &e), 0);
	free(l);
	return 0;
}

static bool is_shown(void *arg, const char *name)
{
	(void)arg;
	return strncmp(name, "refs/hidden/", 12) != 0;
}

static int check(const struct lab *l, const struct oid *ids, size_t n,
		 struct oid *missing)
{
	struct snapshot *s;
	struct err e = { 0 };
	int result;

	s = repository_snapshot(l->repository, &e);
	assert_non_null(s);
	result = reach_check(s, ids, n, is_shown, NULL, missing, &e);
	if (result < 0)
		fail_msg("%s", e.message);
	snapshot_put(s);
	return result;
}

static bool reaches(const struct lab *l, const char *name)
{
	char line[128];
	struct oid id, missing;

	snprintf(line, sizeof line, "git rev-parse %s", name);
	id = git(l, line);
	assert_int_equal(id.len, OID_SHA1_SIZE);
	return check(l, &id, 1, &missing) == 1;
}

static struct lab *need_git(void **state)
{
	struct lab *l = *state;

	if (!l->repository)
		skip();
	return l;
}

static void knows_all_that_refs_lead_to(void **state)
{
	struct lab *l = need_git(state);
	static const char *const names[] = {
		"main",
		"main~1",
		"v1",
		"v2",
		"main^{tree}",
		"main:f",
		"main~1^{tree}",
		"main~1:d",
		"main~1:d/f",
		"refs/tags/tree",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(reaches(l, names[i]));
}

static void denies_what_only_hidden_refs_lead_to(void **state)
{
	struct lab *l = need_git(state);

	assert_false(reaches(l, "refs/hidden/x"));
	assert_false(reaches(l, "refs/hidden/x^{tree}"));
	assert_false(reaches(l, "refs/hidden/x:s"));
}

static void denies_objects_that_are_absent_or_lost(void **state)
{
	struct lab *l = need_git(state);
	struct oid lost = git(l, "echo lost | git hash-object -w --stdin");
	struct oid commit = git(l, "git commit-tree -m 9 main^{tree}");
	struct oid absent = { .id = { 1, 2, 3 }, .len = OID_SHA1_SIZE };
	struct oid missing;

	assert_int_equal(check(l, &lost, 1, &missing), 0);
	assert_int_equal(check(l, &commit, 1, &missing), 0);
	assert_int_equal(check(l, &absent, 1, &missing), 0);
}

static void names_the_first_that_is_missing(void **state)
{
	struct lab *l = need_git(state);
	struct oid ids[7];
	struct oid missing;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = git(l, "git rev-parse main~1");
	assert_int_equal(check(l, ids, 7, &missing), 1);
	ids[3] = git(l, "git rev-parse refs/hidden/x:s");
	ids[5] = git(l, "git rev-parse refs/hidden/x");
	assert_int_equal(check(l, ids, 7, &missing), 0);
	assert_true(oid_eq(&missing, &ids[3]));
}

static void follows_pushes_repacks_and_deletions(void **state)
{
	struct lab *l = need_git(state);

	assert_true(reaches(l, "main:f"));
	git(l, "b=$(echo two | git hash-object -w --stdin) && "
	       "t=$(printf \"100644 blob $b\\tg\\n\" | git mktree) && "
	       "git update-ref refs/heads/side "
	       "$(git commit-tree -m 4 -p main $t)");
	assert_true(reaches(l, "side:g"));
	assert_true(reaches(l, "main~1:d"));
	git(l, "git repack -q");
	assert_true(reaches(l, "side:g"));
	git(l, "git repack -qad");
	assert_true(reaches(l, "side:g"));
	assert_false(reaches(l, "refs/hidden/x:s"));
	git(l, "git rev-parse side:g >gone && git update-ref -d "
	       "refs/heads/side");
	assert_false(reaches(l, "$(cat gone)"));
	assert_true(reaches(l, "main:f"));
	repository_trim(l->repository, false);
	assert_true(reaches(l, "main:f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_all_that_refs_lead_to),
		cmocka_unit_test(denies_what_only_hidden_refs_lead_to),
		cmocka_unit_test(denies_objects_that_are_absent_or_lost),
		cmocka_unit_test(names_the_first_that_is_missing),
		cmocka_unit_test(follows_pushes_repacks_and_deletions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
