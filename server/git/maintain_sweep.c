/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes: replaced packs, loose objects that are packed now, and what
 * crashes left. A multi-pack-index goes before any pack that it names, a pack
 * before its index: without the one, nobody looks at the other.
 */
#include "git/maintain_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/receive_pack.h"
#include "git/repo_lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACED "replaced"

static int file_drop(const char *path, struct err *e)
{
	return unlink(path) < 0 && errno != ENOENT
		       ? err_errno(e, "removing %s", path)
		       : 0;
}

/* -- packs ----------------------------------------------------------------- */

static bool is_named(const struct old_pack *p, const char *const names[2])
{
	const char *name = strrchr(p->stem, '-');

	for (int i = 0; name && i < 2; i++)
		if (!strcmp(name + 1, names[i]))
			return true;
	return false;
}

/* What stands beside a pack. */
static const char *const parts[] = { "idx", "bitmap", "rev", "mtimes" };

static int parts_drop(const char *stem, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		CLEANUP(freep) char *path = NULL;

		if (asprintf(&path, "%s.%s", stem, parts[i]) < 0) {
			path = NULL;
			return err_nomem(e);
		}
		if (file_drop(path, e) < 0)
			return -1;
	}
	return 0;
}

/* First the pack goes into a directory from which it is removed: our own work
 * directory, or where it waits, for its mapping may be in use on another
 * machine. From then on nobody opens it. A crash before the rest is gone leaves
 * the pack there to tell what else goes. */
static int pack_drop(const struct maintain *m, const struct old_pack *p,
		     struct err *e)
{
	CLEANUP(freep) char *replaced = path_join(m->objects_dir, REPLACED);
	CLEANUP(freep) char *from = NULL;
	CLEANUP(freep) char *to = NULL;
	const char *dir = m->options->is_alone ? m->work_dir : replaced;

	if (asprintf(&from, "%s.pack", p->stem) < 0)
		from = NULL;
	if (from && dir)
		to = path_join(dir, strrchr(from, '/') + 1);
	if (!to)
		return err_nomem(e);
	if (dir == replaced && dir_make(dir, 0777, e) < 0)
		return -1;
	if (rename(from, to) < 0 && errno != ENOENT)
		return err_errno(e, "%s", to);
	return parts_drop(p->stem, e);
}

int maintain_finish(const char *dir, const char *git_dir, struct err *e)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	CLEANUP(closep) int alone = -1;
	struct dirent *entry;
	struct err ignored;

	if (!list)
		return errno == ENOENT ? 0 : err_errno(e, "listing %s", dir);
	alone = repo_lock_alone(git_dir, &ignored);
	if (alone < 0)
		return 0;
	while ((errno = 0, entry = readdir(list))) {
		CLEANUP(freep) char *stem = NULL;
		size_t n = strlen(entry->d_name);

		if (strncmp(entry->d_name, "pack-", strlen("pack-")) ||
		    n <= strlen(".pack") ||
		    strcmp(entry->d_name + n - strlen(".pack"), ".pack") != 0)
			continue;
		if (asprintf(&stem, "%s/objects/pack/%.*s", git_dir,
			     (int)(n - strlen(".pack")), entry->d_name) < 0) {
			stem = NULL;
			return err_nomem(e);
		}
		/* A push may have brought the very same pack again. */
		if (!old_pack_has(stem, "pack") && parts_drop(stem, e) < 0)
			return -1;
	}
	return 0;
}

/* git's own caches over packs: stale once one of them is gone. */
static int midx_drop(const struct maintain *m, struct err *e)
{
	CLEANUP(closedirp) DIR *dir = opendir(m->pack_dir);
	struct dirent *entry;

	if (!dir)
		return err_errno(e, "listing %s", m->pack_dir);
	while ((errno = 0, entry = readdir(dir))) {
		CLEANUP(freep) char *path = NULL;

		if (strncmp(entry->d_name, "multi-pack-index",
			    strlen("multi-pack-index")))
			continue;
		path = path_join(m->pack_dir, entry->d_name);
		if (!path)
			return err_nomem(e);
		if ((entry->d_type == DT_DIR ? dir_remove(path, e)
					     : file_drop(path, e)) < 0)
			return -1;
	}
	return 0;
}

/* It may name commits that are about to go. */
static int commit_graph_drop(const struct maintain *m, struct err *e)
{
	CLEANUP(freep)
	char *file = path_join(m->objects_dir, "info/commit-graph");
	CLEANUP(freep)
	char *dir = path_join(m->objects_dir, "info/commit-graphs");

	if (!file || !dir)
		return err_nomem(e);
	return file_drop(file, e) < 0 || dir_remove(dir, e) < 0 ? -1 : 0;
}

static bool any_expired(const struct maintain *m)
{
	for (size_t i = 0; i < m->n_packs; i++)
		if (m->packs[i].is_chosen && m->packs[i].has_expired)
			return true;
	return false;
}

/* The lock under which things vanish; -1 where they stay: then why is in the
 * result. */
static int lock_expiry(struct maintain *m)
{
	struct err why;
	int fd = maintain_may_expire(m, &why);

	if (fd >= 0) {
		m->result->n_expired = (uint32_t)m->n_expired;
		return fd;
	}
	snprintf(m->result->problem, sizeof m->result->problem, "%s",
		 why.message);
	return -1;
}

int maintain_drop_packs(struct maintain *m, const char *const new_names[2],
			struct err *e)
{
	bool has_expired = any_expired(m);
	CLEANUP(closep) int fd = has_expired ? lock_expiry(m) : -1;

	if (midx_drop(m, e) < 0 || (fd >= 0 && commit_graph_drop(m, e) < 0))
		return -1;
	for (size_t i = 0; i < m->n_packs; i++) {
		const struct old_pack *p = &m->packs[i];

		if (!p->is_chosen || is_named(p, new_names) ||
		    (p->has_expired && fd < 0) || old_pack_has(p->stem, "keep"))
			continue;
		if (pack_drop(m, p, e) < 0)
			return -1;
	}
	return dir_sync(m->pack_dir, e);
}

/* -- loose objects --------------------------------------------------------- */

int maintain_drop_loose(struct maintain *m, struct err *e)
{
	for (size_t i = 0; i < m->n_loose; i++) {
		char hex[OID_MAX_HEX + 1];
		CLEANUP(freep) char *path = NULL;
		char *slash;

		oid_hex(&m->loose[i], hex);
		if (asprintf(&path, "%s/%.2s/%s", m->objects_dir, hex,
			     hex + 2) < 0) {
			path = NULL;
			return err_nomem(e);
		}
		if (file_drop(path, e) < 0)
			return -1;
		slash = strrchr(path, '/');
		*slash = '\0';
		(void)rmdir(path); /* the last one; git makes it again */
	}
	return 0;
}

/* -- left-overs ------------------------------------------------------------ */

/* When anything was last done to it. */
static int64_t touched(const struct stat *st)
{
	return st->st_mtime > st->st_ctime ? st->st_mtime : st->st_ctime;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), len = strlen(suffix);

	return n > len && !strcmp(name + n - len, suffix);
}

/* In objects/pack: a file that no reader looks at. */
static bool is_leftover(const struct maintain *m, const char *name)
{
	static const char *const suffixes[] = { ".pack", ".idx", ".rev",
						".bitmap", ".mtimes" };
	CLEANUP(freep) char *stem = NULL;

	if (!strncmp(name, "tmp_", strlen("tmp_")) ||
	    !strncmp(name, ".tmp-", strlen(".tmp-")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (strncmp(name, "pack-", strlen("pack-")) ||
		    !has_suffix(name, suffixes[i]))
			continue;
		stem = path_join(m->pack_dir, name);
		if (!stem)
			return false;
		stem[strlen(stem) - strlen(suffixes[i])] = '\0';
		return !old_pack_has(stem, "keep") &&
		       (!old_pack_has(stem, "pack") ||
			!old_pack_has(stem, "idx"));
	}
	return false;
}

/* Remove files of `dir` that are older than `age_s` and that `is_wanted` (NULL:
 * all) picks. */
static int sweep_dir(const struct maintain *m, const char *dir, int64_t age_s,
		     bool (*picks)(const struct maintain *m, const char *name),
		     struct err *e)
{
	CLEANUP(closedirp) DIR *list = opendir(dir);
	struct dirent *entry;
	struct stat st;

	if (!list)
		return errno == ENOENT ? 0 : err_errno(e, "listing %s", dir);
	while ((errno = 0, entry = readdir(list))) {
		CLEANUP(freep) char *path = path_join(dir, entry->d_name);

		if (!path)
			return err_nomem(e);
		if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
		    touched(&st) + age_s > m->now ||
		    (picks && !picks(m, entry->d_name)))
			continue;
		if (file_drop(path, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_temporary(const struct maintain *m, const char *name)
{
	(void)m;
	return !strncmp(name, "tmp_obj_", strlen("tmp_obj_"));
}

static int sweep_fan_out(const struct maintain *m, struct err *e)
{
	for (unsigned i = 0; i < 256; i++) {
		CLEANUP(freep) char *dir = NULL;

		if (asprintf(&dir, "%s/%02x", m->objects_dir, i) < 0) {
			dir = NULL;
			return err_nomem(e);
		}
		if (sweep_dir(m, dir, LEFTOVER_S, is_temporary, e) < 0)
			return -1;
	}
	return 0;
}

static bool nobody_is_dead(void *arg, const char *id)
{
	(void)arg;
	(void)id;
	return false;
}

/* A push may be about to take one of them for a part of its own pack. */
static int sweep_packs(const struct maintain *m, struct err *e)
{
	struct err ignored;
	CLEANUP(closep) int alone = repo_lock_alone(m->git_dir, &ignored);

	return alone < 0
		       ? 0
		       : sweep_dir(m, m->pack_dir, LEFTOVER_S, is_leftover, e);
}

int maintain_sweep(struct maintain *m, struct err *e)
{
	const struct maintain_options *o = m->options;
	CLEANUP(freep) char *replaced = path_join(m->objects_dir, REPLACED);

	if (!replaced)
		return err_nomem(e);
	if (receive_pack_sweep(m->git_dir,
			       o->is_dead ? o->is_dead : nobody_is_dead,
			       o->dead_arg, e) < 0 ||
	    maintain_finish(replaced, m->git_dir, e) < 0 ||
	    sweep_packs(m, e) < 0 || sweep_fan_out(m, e) < 0 ||
	    sweep_dir(m, replaced, o->is_alone ? 0 : REPLACED_S, NULL, e) < 0)
		return -1;
	(void)rmdir(replaced); /* where it is empty */
	return 0;
}
