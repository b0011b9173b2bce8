/* SPDX-License-Identifier: Apache-2.0 */
/* Files without content: a login costs one stat, and a touch once a minute. */
#include "store/key_logins.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GRAIN_SECONDS 60

/* "DATA/logins/DIGEST", malloc'ed. */
static char *login_file(const char *data_dir, const struct public_key *k)
{
	char digest[SHA256_HEX_SIZE];
	char *path;

	hex_encode(k->sha256, SHA256_SIZE, digest);
	return asprintf(&path, "%s/logins/%s", data_dir, digest) < 0 ? NULL
								     : path;
}

static int make(const char *path, const char *dir, struct err *e)
{
	CLEANUP(closep)
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      file_mode_in(dir));

	if (fd < 0)
		return err_errno(e, "making %s", path);
	return parent_sync(path, e);
}

int key_login_note(const char *data_dir, const struct public_key *k,
		   struct err *e)
{
	CLEANUP(freep) char *path = login_file(data_dir, k);
	CLEANUP(freep) char *dir = path_join(data_dir, "logins");
	struct stat st;

	if (!path || !dir)
		return err_nomem(e);
	if (lstat(path, &st) < 0)
		return make(path, dir, e);
	/* A clock that was set back is believed, too. */
	if (st.st_mtime <= clock_unix() &&
	    clock_unix() - st.st_mtime < GRAIN_SECONDS)
		return 0;
	if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "touching %s", path);
	return 0;
}

int64_t key_login_last(const char *data_dir, const struct public_key *k)
{
	CLEANUP(freep) char *path = login_file(data_dir, k);
	struct stat st;

	return path && !lstat(path, &st) ? st.st_mtime : 0;
}

/* Does `s` know a key of that digest? */
static bool is_known(const struct state *s, const char *digest)
{
	for (size_t i = 0; i < state_key_count(s); i++) {
		char one[SHA256_HEX_SIZE];

		hex_encode(state_key_at(s, i)->key.sha256, SHA256_SIZE, one);
		if (!strcmp(one, digest))
			return true;
	}
	return false;
}

void key_logins_sweep(const char *data_dir, const struct state *s)
{
	CLEANUP(freep) char *dir = path_join(data_dir, "logins");
	CLEANUP(closedirp) DIR *entries = dir ? opendir(dir) : NULL;
	struct dirent *entry;

	while (entries && (entry = readdir(entries)))
		if (strlen(entry->d_name) == SHA256_HEX_SIZE - 1 &&
		    !is_known(s, entry->d_name))
			(void)unlinkat(dirfd(entries), entry->d_name, 0);
}
