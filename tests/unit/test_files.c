/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every case runs in an empty directory of its own. */
static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/files-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return -1;
	*state = dir;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int leave(void **state)
{
	CLEANUP(freep) char *dir = *state;
	struct err e;

	return chdir("/") || dir_remove(dir, &e);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *text)
{
	struct buf b = BUF_INIT;
	struct err e;

	assert_int_equal(file_read(path, 4096, &b, &e), 0);
	assert_string_equal(buf_str(&b), text);
	buf_fini(&b);
}

static int n_entries(const char *dir)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	int n = 0;

	assert_non_null(list);
	while (readdir(list))
		n++;
	return n - 2;
}

static void appends_what_it_reads(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	put("a", "two");
	buf_adds(&b, "one ");
	assert_int_equal(file_read("a", 3, &b, &e), 0);
	assert_string_equal(buf_str(&b), "one two");
	buf_fini(&b);
}

static void refuses_a_byte_past_the_limit_and_appends_nothing(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	put("a", "four");
	buf_adds(&b, "one");
	assert_int_equal(file_read("a", 3, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.message, "a is larger than 3 bytes");
	assert_string_equal(buf_str(&b), "one");
	buf_fini(&b);
}

static void reads_a_file_of_many_chunks(void **state)
{
	struct buf out = BUF_INIT, in = BUF_INIT;
	struct err e;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_addf(&out, "%d\n", i);
	assert_int_equal(file_replace("a", out.data, out.len, 0600, &e), 0);
	assert_int_equal(file_read("a", out.len, &in, &e), 0);
	assert_true(span_eq(buf_span(&out), buf_span(&in)));
	buf_clear(&in);
	assert_int_equal(file_read("a", out.len - 1, &in, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&in);
	buf_fini(&out);
}

static void fills_a_small_buf_to_its_own_limit(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	put("a", "0123456789");
	buf_init_max(&b, 16);
	assert_int_equal(file_read("a", 16, &b, &e), 0);
	assert_int_equal(file_read("a", 16, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&b);
}

static void says_that_a_file_is_missing_and_which(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(file_read("nowhere", 10, &b, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_non_null(strstr(e.message, "nowhere"));
	buf_fini(&b);
}

static void refuses_a_fifo_and_a_directory_without_waiting(void **state)
{
	struct buf b = BUF_INIT;
	struct file_map map;
	struct err e;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(file_read("fifo", 10, &b, &e), -1);
	assert_string_equal(e.message, "fifo is not a regular file");
	assert_int_equal(file_map_open("fifo", &map, &e), -1);
	assert_int_equal(file_map_open("dir", &map, &e), -1);
	assert_string_equal(e.message, "dir is not a regular file");
	buf_fini(&b);
}

static void replaces_content_and_mode(void **state)
{
	struct stat st;
	struct err e;
	mode_t old = umask(077);

	(void)state;
	put("a", "old and longer");
	assert_int_equal(file_replace("a", "new", 3, 0640, &e), 0);
	umask(old);
	assert_content("a", "new");
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(n_entries("."), 1);
}

static void creates_what_was_not_there_and_empty_files(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(file_replace("./a", NULL, 0, 0600, &e), 0);
	assert_content("a", "");
}

static void replaces_a_link_and_not_what_it_points_at(void **state)
{
	struct err e;

	(void)state;
	put("target", "kept");
	assert_int_equal(symlink("target", "a"), 0);
	assert_int_equal(file_replace("a", "new", 3, 0600, &e), 0);
	assert_content("target", "kept");
	assert_content("a", "new");
}

/* A file size limit stands in for a full disk: both cut a write short. */
static void keeps_the_old_file_when_a_write_fails(void **state)
{
	struct rlimit old, small;
	static char large[100000];
	struct err e;
	int rc;

	(void)state;
	put("a", "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 50000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = file_replace("a", large, sizeof large, 0600, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(e.message, "a.tmp-"));
	assert_content("a", "old");
	assert_int_equal(n_entries("."), 1);
}

static void sweeps_temporary_files_of_the_dead_only(void **state)
{
	CLEANUP(freep) char *temp = NULL;
	CLEANUP(closep) int fd = -1;
	struct err e;

	(void)state;
	put("a", "old");
	put("a.tmp-0123456z", "no such name");
	put("tmp-01234567", "none either");
	put("a.tmp-01234567", "left over");
	fd = file_temp_open("b", &temp, &e);
	assert_true(fd >= 0);
	assert_int_equal(file_temps_sweep(".", &e), 0);
	assert_int_equal(access("a.tmp-01234567", F_OK), -1);
	assert_int_equal(access(temp, F_OK), 0);
	assert_int_equal(n_entries("."), 4);
	assert_int_equal(file_temps_sweep("none", &e), 0);
}

static void leaves_nothing_where_the_name_is_a_directory(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(file_replace("a", "x", 1, 0600, &e), -1);
	assert_int_equal(n_entries("."), 1);
	assert_int_equal(file_replace("none/a", "x", 1, 0600, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void makes_parents_with_the_mode_asked_for(void **state)
{
	struct stat st;
	struct err e;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(dir_make("a//b/c/", 0750, &e), 0);
	assert_int_equal(dir_make("a/b/c", 0700, &e), 0);
	umask(old);
	for (const char *p = "a\0a/b\0a/b/c\0"; *p; p += strlen(p) + 1) {
		assert_int_equal(stat(p, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0750);
	}
}

static void refuses_to_make_a_directory_below_a_file(void **state)
{
	struct err e;

	(void)state;
	put("a", "");
	assert_int_equal(dir_make("a", 0700, &e), -1);
	assert_int_equal(dir_make("a/b", 0700, &e), -1);
	assert_non_null(strstr(e.message, "directory a"));
}

static void removes_a_tree_and_follows_no_link(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(dir_make("keep", 0700, &e), 0);
	put("keep/file", "kept");
	assert_int_equal(dir_make("t/a/b/c", 0700, &e), 0);
	assert_int_equal(dir_make("t/removed-0/x", 0700, &e), 0);
	put("t/removed-1", "");
	put("t/a/b/file", "");
	put("t/file", "");
	assert_int_equal(symlink("../keep", "t/link"), 0);
	assert_int_equal(symlink("../../keep", "t/a/link"), 0);
	assert_int_equal(mkfifo("t/a/fifo", 0600), 0);
	assert_int_equal(dir_remove("t", &e), 0);
	assert_int_equal(access("t", F_OK), -1);
	assert_content("keep/file", "kept");
	assert_int_equal(dir_remove("t", &e), 0);
}

static void refuses_to_remove_through_a_link(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(mkdir("keep", 0700), 0);
	put("keep/file", "kept");
	put("plain", "kept");
	assert_int_equal(symlink("keep", "link"), 0);
	assert_int_equal(dir_remove("link", &e), -1);
	assert_int_equal(dir_remove("plain", &e), -1);
	assert_content("keep/file", "kept");
	assert_content("plain", "kept");
}

/* Deeper than descriptors and PATH_MAX allow for, where the file system can
 * do that: overlays end at PATH_MAX. */
static void removes_a_tree_of_any_depth(void **state)
{
	const char *top = *state;
	int depth = 0;
	struct err e;

	while (depth < 3000 && mkdir("deep", 0700) == 0 && !chdir("deep")) {
		if (mknod("file", S_IFREG | 0600, 0) < 0)
			break;
		depth++;
	}
	assert_true(depth == 3000 || errno == ENAMETOOLONG);
	assert_true(depth > 500);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(dir_remove("deep", &e), 0);
	assert_int_equal(n_entries("."), 0);
}

static void syncs_directories_and_names_the_missing(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(dir_sync(".", &e), 0);
	assert_int_equal(parent_sync("a", &e), 0);
	assert_int_equal(parent_sync("/a", &e), 0);
	assert_int_equal(parent_sync("none/a", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* From here on openat(2) knows no O_TMPFILE, in this process for good. */
static void forget_o_tmpfile(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY,
			 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

/* The exit code of a process that makes a file and writes to it. */
static int make_unnamed(bool forget)
{
	struct err e;
	pid_t pid = fork();
	int status, fd;

	if (!pid) {
		if (forget)
			forget_o_tmpfile();
		if (forget && open(".", O_TMPFILE | O_RDWR, 0600) >= 0)
			_exit(78);
		fd = file_unnamed(".", &e);
		_exit(fd < 0 || write(fd, "x", 1) != 1 || n_entries("."));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void makes_files_without_a_name(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(make_unnamed(false), 0);
	assert_int_equal(make_unnamed(true), 0);
	assert_int_equal(n_entries("."), 0);
	assert_int_equal(file_unnamed("none", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void joins_with_one_slash(void **state)
{
	CLEANUP(freep) char *a = path_join("/data", "repos");
	CLEANUP(freep) char *b = path_join("/", "repos");

	(void)state;
	assert_string_equal(a, "/data/repos");
	assert_string_equal(b, "/repos");
}

static void tells_a_replaced_file_from_the_one_before(void **state)
{
	struct file_sig a, b;
	struct err e;

	(void)state;
	assert_int_equal(file_sig_take("a", false, &a, &e), 0);
	assert_int_equal(a.size, -1);
	assert_false(file_sig_racy(&a));
	put("a", "same");
	assert_int_equal(file_sig_take("a", false, &b, &e), 0);
	assert_false(file_sig_eq(&a, &b));
	assert_int_equal(file_sig_take("a", false, &a, &e), 0);
	assert_true(file_sig_eq(&a, &b));
	assert_int_equal(file_replace("a", "size", 4, 0600, &e), 0);
	assert_int_equal(file_sig_take("a", false, &a, &e), 0);
	assert_false(file_sig_eq(&a, &b));
}

static void signs_a_link_or_its_target(void **state)
{
	struct file_sig link, target;
	struct err e;

	(void)state;
	assert_int_equal(symlink("gone", "a"), 0);
	assert_int_equal(file_sig_take("a", true, &link, &e), 0);
	assert_int_equal(file_sig_take("a", false, &target, &e), 0);
	assert_int_equal(link.size, 4);
	assert_int_equal(target.size, -1);
}

static void is_racy_until_the_clock_has_moved_on(void **state)
{
	const int64_t s = INT64_C(1000000000), ms = INT64_C(1000000);
	struct file_sig sig = { .size = 1, .ctime_ns = 50 * s + 7 };

	(void)state;
	sig.taken_ns = sig.ctime_ns + 5 * ms;
	assert_true(file_sig_racy(&sig));
	sig.taken_ns = sig.ctime_ns - 5 * s;
	assert_true(file_sig_racy(&sig));
	sig.taken_ns = sig.ctime_ns + 30 * ms;
	assert_false(file_sig_racy(&sig));
	sig.ctime_ns = 50 * s; /* a file system of whole seconds */
	sig.taken_ns = 51 * s;
	assert_true(file_sig_racy(&sig));
	sig.taken_ns = 53 * s;
	assert_false(file_sig_racy(&sig));
}

static void is_racy_right_after_a_write(void **state)
{
	const struct timespec pause = { .tv_nsec = 60000000 };
	struct file_sig sig;
	struct err e;

	(void)state;
	put("a", "x");
	assert_int_equal(file_sig_take("a", false, &sig, &e), 0);
	assert_true(file_sig_racy(&sig));
	nanosleep(&pause, NULL);
	assert_int_equal(file_sig_take("a", false, &sig, &e), 0);
	/* Unless the file system keeps whole seconds. */
	assert_true(!file_sig_racy(&sig) || sig.ctime_ns % 1000000000 == 0);
}

static void maps_a_file_and_an_empty_one(void **state)
{
	struct file_map map;
	struct err e;

	(void)state;
	put("a", "mapped");
	put("empty", "");
	assert_int_equal(file_map_open("a", &map, &e), 0);
	assert_int_equal(map.len, 6);
	assert_memory_equal(map.data, "mapped", 6);
	file_map_close(&map);
	assert_null(map.data);
	assert_int_equal(file_map_open("empty", &map, &e), 0);
	assert_null(map.data);
	assert_int_equal(map.len, 0);
	file_map_close(&map);
	assert_int_equal(file_map_open("none", &map, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void writes_all_of_it_or_says_why(void **state)
{
	CLEANUP(closep) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	CLEANUP(closep) int fd = open("a", O_WRONLY | O_CREAT, 0600);
	struct err e;

	(void)state;
	assert_int_equal(fd_write_full(fd, "all", 3, &e), 0);
	assert_content("a", "all");
	assert_int_equal(fd_write_full(full, "all", 3, &e), -1);
	assert_int_equal(e.code, ERR_NO_SPACE);
	assert_int_equal(fd_write_full(-1, NULL, 0, &e), 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(appends_what_it_reads),
		CASE(refuses_a_byte_past_the_limit_and_appends_nothing),
		CASE(reads_a_file_of_many_chunks),
		CASE(fills_a_small_buf_to_its_own_limit),
		CASE(says_that_a_file_is_missing_and_which),
		CASE(refuses_a_fifo_and_a_directory_without_waiting),
		CASE(replaces_content_and_mode),
		CASE(creates_what_was_not_there_and_empty_files),
		CASE(replaces_a_link_and_not_what_it_points_at),
		CASE(keeps_the_old_file_when_a_write_fails),
		CASE(sweeps_temporary_files_of_the_dead_only),
		CASE(leaves_nothing_where_the_name_is_a_directory),
		CASE(makes_parents_with_the_mode_asked_for),
		CASE(refuses_to_make_a_directory_below_a_file),
		CASE(removes_a_tree_and_follows_no_link),
		CASE(refuses_to_remove_through_a_link),
		CASE(removes_a_tree_of_any_depth),
		CASE(syncs_directories_and_names_the_missing),
		CASE(makes_files_without_a_name),
		CASE(joins_with_one_slash),
		CASE(tells_a_replaced_file_from_the_one_before),
		CASE(signs_a_link_or_its_target),
		CASE(is_racy_until_the_clock_has_moved_on),
		CASE(is_racy_right_after_a_write),
		CASE(maps_a_file_and_an_empty_one),
		CASE(writes_all_of_it_or_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
