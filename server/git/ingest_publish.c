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
#include "git/pack_file.h"
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

static char *target_path(const char *objects_dir, const char *name,
			 const char *suffix)
{
	char *path;

	if (asprintf(&path, "%s/pack/pack-%s.%s", objects_dir, name, suffix) <
	    0)
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
		if (compare_files(from, to, e) == 0)
			return unlink(from), 0;
		/* Maintenance may have replaced it meanwhile. */
		if (e->code != ERR_NOT_FOUND)
			return -1;
	} else if (errno != ENOENT) {
		return err_errno(e, "%s", to);
	}
	return rename(from, to) < 0 ? err_errno(e, "%s", to) : 0;
}

/* Move `*path` away, which is NULL afterwards. */
static int move(const struct pack_ingest *p, const char *objects_dir,
		const char *suffix, char **path, struct err *e)
{
	CLEANUP(freep) char *target = target_path(objects_dir, p->name, suffix);

	if (!target)
		return err_nomem(e);
	if (pack_publish_file(*path, target, e) < 0)
		return -1;
	free(*path);
	*path = NULL;
	return 0;
}

/* Where another pack has the name already, ours is not what is found there;
 * whoever looks sees another file (pack_is_current()). */
static int rename_pack(struct pack_ingest *p, const char *objects_dir,
		       struct err *e)
{
	CLEANUP(freep) char *path = target_path(objects_dir, p->name, "pack");

	return path ? pack_set_path(p->pack, path, e) : err_nomem(e);
}

/* A cruft pack of the same bytes is new again, as are its objects. */
static int times_drop(const struct pack_ingest *p, const char *objects_dir,
		      struct err *e)
{
	CLEANUP(freep) char *path = target_path(objects_dir, p->name, "mtimes");

	if (!path)
		return err_nomem(e);
	return unlink(path) < 0 && errno != ENOENT ? err_errno(e, "%s", path)
						   : 0;
}

int pack_ingest_publish(struct pack_ingest *p, const char *objects_dir,
			struct err *e)
{
	CLEANUP(freep) char *dir = path_join(objects_dir, "pack");
	bool has_rev = p->rev_path != NULL;

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
	    times_drop(p, objects_dir, e) < 0 ||
	    move(p, objects_dir, "pack", &p->pack_path, e) < 0 ||
	    (has_rev && move(p, objects_dir, "rev", &p->rev_path, e) < 0) ||
	    move(p, objects_dir, "idx", &p->idx_path, e) < 0)
		return -1;
	if (dir_sync(dir, e) < 0)
		return -1;
	return p->pack ? rename_pack(p, objects_dir, e) : 0;
}

/* -- after a crash -------------------------------------------------------- */

/* The pack's name as its index ends: checksums of the pack and of itself. */
static int name_from_index(const char *path, char out[OID_MAX_HEX + 1],
			   struct err *e)
{
	const size_t size = oid_size(OID_SHA1);
	struct file_map map;
	struct oid id;

	if (file_map_open(path, &map, e) < 0)
		return -1;
	if (map.len < 2 * size) {
		file_map_close(&map);
		return err_set(e, ERR_CORRUPT, "%s is cut short", path);
	}
	id = oid_from_bytes(map.data + map.len - 2 * size, size);
	oid_hex(&id, out);
	file_map_close(&map);
	return 0;
}

/* Is there pack-NAME.pack, and no index of it? */
static bool wants_index(const char *objects_dir, const char *name)
{
	CLEANUP(freep) char *pack = target_path(objects_dir, name, "pack");
	CLEANUP(freep) char *idx = target_path(objects_dir, name, "idx");

	return pack && idx && !access(pack, F_OK) && access(idx, F_OK) < 0 &&
	       errno == ENOENT;
}

static int finish_one(const char *from, const char *objects_dir,
		      const char *name, const char *suffix, struct err *e)
{
	CLEANUP(freep) char *to = target_path(objects_dir, name, suffix);

	if (!to)
		return err_nomem(e);
	if (rename(from, to) < 0 && errno != ENOENT)
		return err_errno(e, "%s", to);
	return 0;
}

/*
 * The pack alone could be removed as well, but another push of the same bytes
 * may be taking it for its own at this moment.
 */
int pack_ingest_finish(const char *quarantine_dir, const char *objects_dir,
		       struct err *e)
{
	CLEANUP(freep) char *idx = path_join(quarantine_dir, "incoming.idx");
	CLEANUP(freep) char *rev = path_join(quarantine_dir, "incoming.rev");
	CLEANUP(freep) char *dir = path_join(objects_dir, "pack");
	char name[OID_MAX_HEX + 1];

	if (!idx || !rev || !dir)
		return err_nomem(e);
	/* No index, or half of one: there was no pack to finish. */
	if (name_from_index(idx, name, e) < 0)
		return e->code == ERR_NOT_FOUND || e->code == ERR_CORRUPT ? 0
									  : -1;
	if (!wants_index(objects_dir, name))
		return 0;
	if (finish_one(rev, objects_dir, name, "rev", e) < 0 ||
	    finish_one(idx, objects_dir, name, "idx", e) < 0)
		return -1;
	return dir_sync(dir, e);
}
