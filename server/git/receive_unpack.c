/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pushed pack, in a quarantine: objects/incoming-ID-XXXXXX. Readers never
 * look there; it is gone on every way out, and where a crash took the way out,
 * the sweep knows by the ID whose it was.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "git/fsck.h"
#include "git/maintain.h"
#include "git/objects.h"
#include "git/pack_ingest.h"
#include "git/ref_lock.h"
#include "git/ref_transaction.h"
#include "git/repo_config.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define QUARANTINE_PREFIX "incoming-"
#define RANDOM_LETTERS	  6 /* of mkdtemp(3) */
#define DAEMON_ID_DIGITS  32
/* Policy reads commits, tags and trees, some of them deltas. */
#define READER_CACHE_BYTES ((size_t)4 << 20)

DEFINE_FREEP(fsck)

int push_quarantine_open(struct push *p, struct err *e)
{
	CLEANUP(freep) char *dir = NULL;
	const char *id = p->options->quarantine_id;

	if (asprintf(&dir, "%s/objects/" QUARANTINE_PREFIX "%s-XXXXXX",
		     p->git_dir, id ? id : "0") < 0) {
		dir = NULL;
		return err_nomem(e);
	}
	if (dir_make_temp(dir, e) < 0)
		return err_wrap(e, "a quarantine");
	p->quarantine = TAKE(dir);
	return 0;
}

/* As a rule there is nothing in it but what the one ref held before. */
static void quarantine_remove(const char *dir)
{
	CLEANUP(freep) char *usual = path_join(dir, REF_WORK_FIRST);
	struct err ignored;

	if (usual)
		unlink(usual);
	if (rmdir(dir) < 0)
		(void)!dir_remove(dir, &ignored);
}

void push_quarantine_close(struct push *p)
{
	p->reader = object_reader_free(p->reader);
	p->objects = objects_put(p->objects);
	p->ingest = pack_ingest_free(p->ingest);
	if (p->quarantine)
		quarantine_remove(p->quarantine);
	free(TAKE(p->quarantine));
}

static ssize_t read_pack(void *arg, void *data, size_t n, struct err *e)
{
	struct push *p = arg;

	return pkt_reader_raw(&p->in, data, n, e);
}

static int tell_progress(void *arg, const char *stage, uint64_t done,
			 uint64_t total, struct err *e)
{
	(void)e; /* a client that does not listen may push all the same */
	push_progress(arg, stage, done, total);
	return 0;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

bool push_wants_fsck(const struct push *p)
{
	if (p->config->fsck_objects == CONFIG_UNSET)
		return p->options->fsck_default;
	return p->config->fsck_objects == CONFIG_TRUE;
}

/* Each line of what fsck only warned about. */
static void tell_warnings(struct push *p, const struct fsck *fsck)
{
	struct span text = span_str(fsck_warnings(fsck)), line;
	char message[512];

	while (span_until(&text, '\n', &line)) {
		snprintf(message, sizeof message, "warning: %.*s",
			 (int)line.len, (const char *)line.data);
		push_message(p, message);
	}
}

static int ingest_run(struct push *p, struct err *e)
{
	CLEANUP(fsck_freep) struct fsck *fsck = NULL;
	struct pack_ingest_options options = {
		.objects = snapshot_objects(p->snapshot),
		.quarantine_dir = p->quarantine,
		.limits = p->options->limits,
		.disk_reserve = p->options->disk_reserve,
		.progress = tell_progress,
		.progress_arg = p,
	};

	options.limits.pack_bytes = smaller_limit(options.limits.pack_bytes,
						  p->config->max_input_size);
	if (push_wants_fsck(p)) {
		fsck = fsck_new(p->kind, &p->config->fsck_levels, p->git_dir,
				true, e);
		if (!fsck)
			return -1;
		options.fsck = fsck;
	}
	p->pack_is_pending = true;
	p->ingest = pack_ingest_run(&options, read_pack, p, e);
	if (!p->ingest)
		return -1;
	p->pack_is_pending = false;
	if (fsck)
		tell_warnings(p, fsck);
	p->result->n_objects = pack_ingest_count(p->ingest);
	p->result->pack_bytes = pack_ingest_bytes(p->ingest);
	return 0;
}

static bool has_pack(const struct push *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!command_is_deletion(&p->commands[i]))
			return true;
	return false;
}

static int unpack(struct push *p, struct err *e)
{
	if (!has_pack(p)) {
		p->objects = objects_get(snapshot_objects(p->snapshot));
	} else {
		if (ingest_run(p, e) < 0)
			return -1;
		p->objects = pack_ingest_objects(p->ingest, e);
	}
	if (!p->objects)
		return -1;
	p->reader = object_reader_new(p->objects, READER_CACHE_BYTES, e);
	return p->reader ? 0 : -1;
}

void push_unpack(struct push *p)
{
	struct err e = { 0 };

	if (p->unpack.code != ERR_OK) {
		p->pack_is_pending = true; /* lines passed a limit */
		return;
	}
	if (push_quarantine_open(p, &e) < 0 || unpack(p, &e) < 0)
		p->unpack = e;
}

int push_publish(struct push *p, struct err *e)
{
	CLEANUP(freep) char *dir = NULL;
	struct pack *pack;

	if (!p->ingest || !pack_ingest_count(p->ingest))
		return 0;
	dir = path_join(p->git_dir, "objects");
	if (!dir)
		return err_nomem(e);
	if (pack_ingest_publish(p->ingest, dir, e) < 0)
		return -1;
	pack = pack_ingest_published(p->ingest);
	if (pack)
		repository_published(p->repository, pack);
	return 0;
}

/* -- after a crash -------------------------------------------------------- */

/* The ID in "incoming-ID-XXXXXX"; NULL where it is no such name. malloc'ed. */
static char *quarantine_id(const char *name)
{
	struct span rest = span_str(name);
	const size_t tail = RANDOM_LETTERS + 1;

	if (!span_skip(&rest, QUARANTINE_PREFIX) || rest.len <= tail ||
	    rest.data[rest.len - tail] != '-')
		return NULL;
	return strndup((const char *)rest.data, rest.len - tail);
}

/* An ID that is no daemon's: of `stdio`, a seed, a transaction. Nobody can be
 * asked whether they live. */
static bool is_nobodys(const char *id)
{
	return strlen(id) != DAEMON_ID_DIGITS ||
	       strspn(id, "0123456789abcdef") != DAEMON_ID_DIGITS;
}

/* Was nothing in it touched for a day? */
static bool is_stale(const char *objects, const char *name)
{
	CLEANUP(freep) char *path = path_join(objects, name);
	CLEANUP(closedirp) DIR *dir = path ? opendir(path) : NULL;
	int64_t newest = clock_unix() - LEFTOVER_S;
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st.st_mtime > newest && strcmp(entry->d_name, "..")))
			return false;
	return dir != NULL;
}

static int sweep_one(const char *git_dir, const char *objects, const char *name,
		     struct err *e)
{
	CLEANUP(freep) char *dir = path_join(objects, name);

	if (!dir)
		return err_nomem(e);
	if (pack_ingest_finish(dir, objects, e) < 0 ||
	    maintain_finish(dir, git_dir, e) < 0)
		return -1;
	return dir_remove(dir, e);
}

/* Whose quarantines are swept. */
struct sweeping {
	const char *objects;
	bool (*is_dead)(void *arg, const char *id);
	void *arg;
};

/* Of a lock, told by its owner's quarantine, which may be gone already. */
static bool is_dead_lock(void *arg, const char *owner, int64_t made_at)
{
	const struct sweeping *s = arg;
	CLEANUP(freep) char *id = quarantine_id(owner);
	CLEANUP(freep) char *dir = path_join(s->objects, owner);

	if (!id || !dir)
		return false;
	if (s->is_dead(s->arg, id))
		return true;
	return is_nobodys(id) && made_at < clock_unix() - LEFTOVER_S &&
	       (access(dir, F_OK) < 0 || is_stale(s->objects, owner));
}

int receive_pack_sweep(const char *git_dir,
		       bool (*is_dead)(void *arg, const char *id), void *arg,
		       struct err *e)
{
	CLEANUP(freep) char *objects = path_join(git_dir, "objects");
	CLEANUP(closedirp) DIR *list = objects ? opendir(objects) : NULL;
	struct sweeping s = { objects, is_dead, arg };
	struct dirent *entry;
	int result;

	if (!objects)
		return err_nomem(e);
	if (!list)
		return errno == ENOENT ? 0
				       : err_errno(e, "listing %s", objects);
	gc_lock_sweep(git_dir, is_dead, arg);
	result = ref_locks_sweep(git_dir, is_dead_lock, &s, e);
	while (!result && (errno = 0, entry = readdir(list))) {
		CLEANUP(freep) char *id = quarantine_id(entry->d_name);

		if (!id)
			continue;
		if (is_dead(arg, id) ||
		    (is_nobodys(id) && is_stale(objects, entry->d_name)))
			result = sweep_one(git_dir, objects, entry->d_name, e);
	}
	return result;
}
