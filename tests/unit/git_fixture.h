/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of its own for every case, files in it, and stock git as the
 * other opinion where it is installed. */
#pragma once

#include "test.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static inline int fixture_enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_AUTHOR_NAME", "A", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "C", 1);
	setenv("GIT_COMMITTER_EMAIL", "c@example.org", 1);
	if (asprintf(&dir, "%s/refs-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return -1;
	*state = dir;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static inline int fixture_leave(void **state)
{
	CLEANUP(freep) char *dir = *state;
	struct err e;

	return chdir("/") || dir_remove(dir, &e);
}

static inline void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Run a shell command that must succeed. */
static inline void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* What a command prints, without the last LF; freed by the caller. */
static inline char *sh_out(const char *command)
{
	FILE *pipe = popen(command, "r");
	struct buf b = BUF_INIT;
	char chunk[4096];
	size_t n;

	assert_non_null(pipe);
	while ((n = fread(chunk, 1, sizeof chunk, pipe)) > 0)
		buf_add(&b, chunk, n);
	assert_int_equal(pclose(pipe), 0);
	if (b.len && b.data[b.len - 1] == '\n')
		buf_truncate(&b, b.len - 1);
	buf_adds(&b, "");
	if (!b.data)
		buf_addc(&b, '\0');
	return buf_take(&b);
}

static inline bool has_git(void)
{
	return !system("git --version >/dev/null 2>&1");
}

#define NEED_GIT()                                 \
	do {                                       \
		if (!has_git()) {                  \
			print_message("no git\n"); \
			skip();                    \
		}                                  \
	} while (0)

static inline void assert_file(const char *path, const char *text)
{
	struct buf b = BUF_INIT;
	struct err e;

	if (file_read(path, 1 << 20, &b, &e) < 0)
		fail_msg("%s", e.message);
	assert_string_equal(buf_str(&b), text);
	buf_fini(&b);
}

static inline bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}
