/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pack becomes visible: pack, then .rev, then .idx, since readers look for
 * the index. Flushes: pack, index (and .rev, which only large packs have), the
 * directory; each file before its rename.
 */
#include "git/ingest.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/pack_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static int sync_path(const char *path, struct err *e)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fdatasync(fd) < 0)
		return err_errno(e, "%s", path);
	return 0;
}

static char *target_path(const struct pack_ingest *p, const char *objects_dir,
			 const char *suffix)
{
	char *path;

	if (asprintf(&path, "%s/pack/pack-%s.%s", objects_dir, p->name,
		     suffix) < 0)
		return NULL;
	return path;
}

/*
 * The name is a checksum that does not detect collisions. Another pack with
 * the same name must not be taken for ours: our objects would be lost.
 */
static int compare_files(const char *path, const char *there, struct err *e)
{
	struct file_map a, b;
	bool same;

	if (file_map_open(path, &a, e) < 0)
		return -1;
	if (file_map_open(there, &b, e) < 0) {
		file_map_close(&a);
		return -1;
	}
	same = span_eq(span_of(a.data, a.len), span_of(b.data, b.len));
	file_map_close(&a);
	file_map_close(&b);
	if (same)
		return 0;
	return err_set(e, ERR_CONFLICT, "%s exists already with other content",
		       there);
}

int pack_publish_file(const char *from, const char *to, struct err *e)
{
	if (access(to, F_OK) == 0) {
		if (compare_files(from, to, e) < 0)
			return -1;
		unlink(from);
	} else if (errno != ENOENT || rename(from, to) < 0) {
		return err_errno(e, "%s", to);
	}
	return 0;
}

/* Move `*path` away, which is NULL afterwards. */
static int move(const struct pack_ingest *p, const char *objects_dir,
		const char *suffix, char **path, struct err *e)
{
	CLEANUP(freep) char *target = target_path(p, objects_dir, suffix);

	if (!target)
		return err_nomem(e);
	if (pack_publish_file(*path, target, e) < 0)
		return -1;
	free(*path);
	*path = NULL;
	return 0;
}

int pack_ingest_publish(struct pack_ingest *p, const char *objects_dir,
			struct err *e)
{
	CLEANUP(freep) char *dir = path_join(objects_dir, "pack");
	bool has_rev = p->rev_path && access(p->rev_path, F_OK) == 0;

	if (!dir)
		return err_nomem(e);
	if (!p->n || !p->pack_path)
		return 0;
	if (fdatasync(p->in.fd) < 0)
		return err_errno(e, "%s", p->pack_path);
	if (sync_path(p->idx_path, e) < 0 ||
	    (has_rev && sync_path(p->rev_path, e) < 0))
		return -1;
	if (dir_make(dir, dir_mode_in(objects_dir), e) < 0 ||
	    move(p, objects_dir, "pack", &p->pack_path, e) < 0 ||
	    (has_rev && move(p, objects_dir, "rev", &p->rev_path, e) < 0) ||
	    move(p, objects_dir, "idx", &p->idx_path, e) < 0)
		return -1;
	return dir_sync(dir, e);
}
