/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/repository.h"
#include "store/data_dir.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every case runs in an empty directory of its own, with "data" in it. */
static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct data_dir *d;
	struct err e;
	char *dir;

	if (asprintf(&dir, "%s/repos-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return -1;
	*state = dir;
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	d = data_dir_open("data", &e);
	data_dir_free(d);
	return d ? 0 : -1;
}

static int leave(void **state)
{
	CLEANUP(freep) char *dir = *state;
	struct err e;

	return chdir("/") || dir_remove(dir, &e);
}

static struct repo_store *open_store(void)
{
	struct err e;
	struct repo_store *rs = repo_store_new("data", 64 << 20, &e);

	assert_non_null(rs);
	return rs;
}

/* A state that has the repositories named. */
static struct state *state_of(const char *sections)
{
	static const char *const configs[] = { "c" };
	struct state_options options = { .configs = configs, .n_configs = 1 };
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	struct mistakes m = MISTAKES_INIT;
	struct err e;

	assert_int_equal(
		file_replace("c", sections, strlen(sections), 0600, &e), 0);
	store = state_store_open(&options, &m, &e);
	assert_non_null(store);
	return state_store_get(store);
}

static void create(struct repo_store *rs, const char *name, bool is_new)
{
	bool is_new_now = !is_new;
	struct err e;

	if (repo_store_create(rs, name, "main", &is_new_now, &e) < 0)
		fail_msg("%s", e.message);
	assert_int_equal(is_new_now, is_new);
}

static void assert_absent(struct repo_store *rs, struct state *s,
			  const char *name, enum err_code code)
{
	struct err e;

	assert_null(repo_store_open(rs, s, name, &e));
	assert_int_equal(e.code, code);
}

static void serves_what_the_state_has(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	CLEANUP(state_putp) struct state *s = state_of("[repo \"a/b\"]\n");
	struct repository *one, *two;
	struct err e;

	(void)state;
	assert_absent(rs, s, "a/b", ERR_NOT_FOUND);
	create(rs, "a/b", true);
	create(rs, "other", true);
	one = repo_store_open(rs, s, "a/b", &e);
	two = repo_store_open(rs, s, "a/b", &e);
	assert_non_null(one);
	assert_ptr_equal(one, two);
	assert_string_equal(repository_dir(one), "data/repos/a/b.git");
	repository_put(one);
	repository_put(two);
	assert_absent(rs, s, "other", ERR_NOT_FOUND);
}

static void adopts_what_is_there(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	bool is_new;
	struct err e;

	(void)state;
	create(rs, "a", true);
	create(rs, "a", false);
	mkdir("data/repos/b.git", 0700);
	assert_int_equal(repo_store_create(rs, "b", "main", &is_new, &e), -1);
	assert_non_null(strstr(e.message, "is there already"));
}

static void links_do_not_lead_out(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	CLEANUP(state_putp)
	struct state *s =
		state_of("[repo \"l\"]\n[repo \"d/a\"]\n[repo \"inside\"]\n"
			 "[repo \"f\"]\n");
	bool is_new;
	struct err e;

	(void)state;
	create(rs, "a", true);
	assert_int_equal(rename("data/repos/a.git", "a.git"), 0);
	create(rs, "real", true);
	assert_int_equal(symlink("../../a.git", "data/repos/l.git"), 0);
	assert_int_equal(symlink("../..", "data/repos/d"), 0);
	assert_int_equal(symlink("real.git", "data/repos/inside.git"), 0);
	close(open("data/repos/f.git", O_CREAT | O_WRONLY, 0600));
	assert_absent(rs, s, "l", ERR_DENIED);
	assert_absent(rs, s, "d/a", ERR_DENIED);
	assert_absent(rs, s, "inside", ERR_DENIED);
	assert_absent(rs, s, "f", ERR_DENIED);
	assert_int_equal(repo_store_create(rs, "d/new", "main", &is_new, &e),
			 -1);
	assert_int_equal(access("new.git", F_OK), -1);
	assert_int_equal(repo_store_delete(rs, "l", &e), -1);
	assert_int_equal(access("a.git/HEAD", F_OK), 0);
}

static void a_directory_in_anothers_place_is_another(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	CLEANUP(state_putp) struct state *s = state_of("[repo \"a\"]\n");
	struct repository *one, *two;
	struct err e;

	(void)state;
	create(rs, "a", true);
	one = repo_store_open(rs, s, "a", &e);
	assert_int_equal(rename("data/repos/a.git", "data/repos/old"), 0);
	assert_absent(rs, s, "a", ERR_NOT_FOUND);
	create(rs, "a", true);
	two = repo_store_open(rs, s, "a", &e);
	assert_ptr_not_equal(one, two);
	repository_put(one);
	repository_put(two);
}

static void deletes_whole_and_sweeps(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	CLEANUP(state_putp)
	struct state *s = state_of("[repo \"t/x/a\"]\n[repo \"t/b\"]\n");
	struct repository *r;
	struct err e;

	(void)state;
	create(rs, "t/x/a", true);
	create(rs, "t/b", true);
	r = repo_store_open(rs, s, "t/x/a", &e);
	assert_int_equal(repo_store_delete(rs, "t/x/a", &e), 0);
	assert_int_equal(repo_store_delete(rs, "t/x/a", &e), 0);
	repository_put(r);
	assert_absent(rs, s, "t/x/a", ERR_NOT_FOUND);
	assert_int_equal(access("data/repos/t/x", F_OK), -1);
	assert_true(repo_store_exists(rs, "t/b"));
	mkdir("data/repos/.trash/left", 0700);
	repo_store_sweep(rs);
	assert_int_equal(access("data/repos/.trash", F_OK), -1);
}

static void sweeps_unfinished_repositories_of_the_dead_only(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	CLEANUP(closep) int fd = -1;

	(void)state;
	create(rs, "t/b", true);
	mkdir("data/repos/t/a.git.new-01234567", 0700);
	mkdir("data/repos/t/a.git.new-01234567/refs", 0700);
	mkdir("data/repos/a.git.new-89abcdef", 0700);
	mkdir("data/repos/t/b.git/x.git.new-01234567", 0700);
	fd = open("data/repos/a.git.new-89abcdef", O_RDONLY | O_DIRECTORY);
	assert_true(fd_claim(fd));
	repo_store_sweep(rs);
	assert_int_equal(access("data/repos/t/a.git.new-01234567", F_OK), -1);
	assert_int_equal(access("data/repos/a.git.new-89abcdef", F_OK), 0);
	assert_int_equal(access("data/repos/t/b.git/x.git.new-01234567", F_OK),
			 0);
	assert_true(repo_store_exists(rs, "t/b"));
}

static int add_name(void *arg, const char *name)
{
	struct buf *b = arg;

	buf_addf(b, "%s;", name);
	return 0;
}

static void lists_what_could_be_served(void **state)
{
	CLEANUP(repo_store_freep) struct repo_store *rs = open_store();
	struct buf b = BUF_INIT;
	uint64_t bytes;
	struct err e;

	(void)state;
	create(rs, "a", true);
	create(rs, "t/b", true);
	mkdir("data/repos/.trash", 0700);
	mkdir("data/repos/.trash/x.git", 0700);
	mkdir("data/repos/-odd.git", 0700);
	mkdir("data/repos/t/b.git/inner.git", 0700);
	assert_int_equal(symlink("a.git", "data/repos/link.git"), 0);
	assert_int_equal(repo_store_each(rs, add_name, &b, &e), 0);
	assert_int_equal(b.len, strlen("a;t/b;"));
	assert_non_null(strstr(buf_str(&b), "a;"));
	assert_non_null(strstr(buf_str(&b), "t/b;"));
	buf_fini(&b);
	assert_int_equal(repo_store_usage(rs, "a", &bytes, &e), 0);
	assert_in_range(bytes, 4096, 1 << 20);
	assert_int_equal(repo_store_usage(rs, "none", &bytes, &e), -1);
}

/* -- the data directory ---------------------------------------------------- */

static void others_may_not_enter(void **state)
{
	struct data_dir *d;
	struct stat st;
	struct err e;

	(void)state;
	d = data_dir_open("fresh/deep", &e);
	assert_non_null(d);
	data_dir_free(d);
	assert_int_equal(stat("fresh/deep/secrets", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod("fresh/deep/secrets", 0705), 0);
	assert_null(data_dir_open("fresh/deep", &e));
	assert_int_equal(e.code, ERR_DENIED);
	assert_non_null(strstr(e.message, "others may enter"));
	assert_int_equal(chmod("fresh/deep/secrets", 0770), 0);
	d = data_dir_open("fresh/deep", &e);
	assert_non_null(d);
	data_dir_free(d);
}

static void new_files_inherit_the_groups_bits(void **state)
{
	(void)state;
	assert_int_equal(file_mode_in("data"), 0600);
	assert_int_equal(chmod("data", 0770), 0);
	assert_int_equal(file_mode_in("data"), 0660);
	assert_int_equal(dir_mode_in("data"), 0770);
}

static int count_id(void *arg, const char *id, bool is_dead)
{
	int *counts = arg;

	(void)id;
	counts[is_dead]++;
	return 0;
}

static void a_daemon_lives_as_long_as_its_lock(void **state)
{
	CLEANUP(data_dir_freep) struct data_dir *d = NULL;
	char id[DAEMON_ID_SIZE] = "";
	int up[2], down[2];
	int counts[2] = { 0, 0 };
	struct err e;
	char c;
	pid_t pid;

	(void)state;
	d = data_dir_open("data", &e);
	assert_non_null(d);
	assert_int_equal(data_dir_live(d, &e), 0);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	if (!pid) {
		struct data_dir *own = data_dir_open("data", &e);

		if (data_dir_live(own, &e) < 0 ||
		    write(up[1], data_dir_id(own), sizeof id) < 0 ||
		    read(down[0], &c, 1) < 0)
			_exit(1);
		_exit(0); /* as a crash: nothing is removed */
	}
	assert_int_equal(read(up[0], id, sizeof id), sizeof id);
	assert_false(data_dir_is_dead(d, id));
	assert_false(data_dir_is_dead(d, data_dir_id(d)));
	assert_false(data_dir_is_dead(d, "../../etc"));
	assert_true(data_dir_is_dead(d, "0123456789abcdef0123456789abcdef"));
	assert_int_equal(write(down[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(data_dir_is_dead(d, id));
	assert_int_equal(data_dir_each_id(d, count_id, counts, &e), 0);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	close(open("data/state.conf.tmp-01234567", O_CREAT | O_RDWR, 0600));
	close(open("data/secrets/x.tmp-01234567", O_CREAT | O_RDWR, 0600));
	data_dir_sweep(d);
	assert_int_equal(access("data/state.conf.tmp-01234567", F_OK), -1);
	assert_int_equal(access("data/secrets/x.tmp-01234567", F_OK), -1);
	counts[1] = 0;
	assert_int_equal(data_dir_each_id(d, count_id, counts, &e), 0);
	assert_int_equal(counts[1], 0);
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(down[i]);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		CASE(serves_what_the_state_has),
		CASE(adopts_what_is_there),
		CASE(links_do_not_lead_out),
		CASE(a_directory_in_anothers_place_is_another),
		CASE(deletes_whole_and_sweeps),
		CASE(sweeps_unfinished_repositories_of_the_dead_only),
		CASE(lists_what_could_be_served),
		CASE(others_may_not_enter),
		CASE(new_files_inherit_the_groups_bits),
		CASE(a_daemon_lives_as_long_as_its_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
