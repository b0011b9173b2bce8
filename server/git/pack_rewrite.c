/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan over a view of nothing but the old packs, oldest first: so a delta
 * that came with a copy of its base (every thin push does) leans on the copy
 * that was there before, and the other one is left out.
 */
#include "git/pack_rewrite.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects_view.h"
#include "git/pack_plan.h"
#include "git/pack_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What is kept is deflated well, once. */
#define LEVEL 6
/* As pack_ingest: below that a .rev file costs more than it saves. */
#define REV_MIN_OBJECTS 8192
#define READER_CACHE	((size_t)8 << 20)
/* Looks between two calls of tick(). */
#define TICK_OBJECTS 4096

DEFINE_FREEP(pack_plan)

struct rewriting {
	const struct pack_rewrite *w;
	struct pack_plan *plan;
	struct pack_record record;
	int fd;
	unsigned char trailer[OID_SHA1_SIZE];
	struct pack_rewritten *out;
};

static void rewriting_fini(struct rewriting *r)
{
	pack_plan_free(r->plan);
	free(r->record.entries);
	free(r->record.depths);
	closep(&r->fd);
}

static int tick(const struct pack_rewrite *w, struct err *e)
{
	return w->tick ? w->tick(w->tick_arg, e) : 0;
}

/* -- which objects --------------------------------------------------------- */

static int choose_of_pack(struct rewriting *r, uint32_t pack, struct err *e)
{
	const struct pack_rewrite *w = r->w;
	struct objects *view = r->plan->objects;
	uint32_t n = pack_count(objects_pack(view, pack));

	for (uint32_t pos = 0; pos < n; pos++) {
		struct object_at at;
		struct oid id;

		if (pos % TICK_OBJECTS == 0 && tick(w, e) < 0)
			return -1;
		pack_id(objects_pack(view, pack), pos, &id);
		if (!objects_find_packed(view, &id, 0, &at))
			return err_set(e, ERR_CORRUPT,
				       "the index of %s is damaged",
				       pack_path(objects_pack(view, pack)));
		/* The first copy, found the way deltas look for it. */
		if (at.pack != pack || at.pos != pos)
			continue;
		if (w->is_wanted && !w->is_wanted(w->arg, &id))
			continue;
		if (object_set_add(&r->plan->send, objects_number(view, &at),
				   e) < 0)
			return -1;
	}
	return 0;
}

static int choose_loose(struct rewriting *r, const struct oid *id,
			struct err *e)
{
	const struct pack_rewrite *w = r->w;
	struct object_at at;
	uint32_t number;

	if (objects_find_packed(r->plan->objects, id, 0, &at) ||
	    (w->is_wanted && !w->is_wanted(w->arg, id)))
		return 0;
	if (object_numbers_add_loose(&r->plan->numbers, id, &number, e) < 0)
		return -1;
	return object_set_add(&r->plan->send, number, e) < 0 ? -1 : 0;
}

static int choose(struct rewriting *r, struct err *e)
{
	struct pack_plan *p = r->plan;

	for (uint32_t i = 0; i < r->w->n_packs; i++)
		if (choose_of_pack(r, i, e) < 0)
			return -1;
	for (size_t i = 0; i < r->w->n_loose; i++)
		if (choose_loose(r, &r->w->loose[i], e) < 0)
			return -1;
	p->count = object_set_count(&p->send, 0,
				    p->numbers.n_packed + p->numbers.n_loose);
	return 0;
}

static int plan_make(struct rewriting *r, struct err *e)
{
	const struct pack_rewrite *w = r->w;
	CLEANUP(pack_plan_freep) struct pack_plan *p = calloc(1, sizeof *p);

	if (!p)
		return err_nomem(e);
	p->objects = objects_select(w->objects, w->packs, w->n_packs, e);
	if (!p->objects)
		return -1;
	object_numbers_init(&p->numbers, p->objects);
	p->reader = object_reader_new(p->objects, READER_CACHE, e);
	if (!p->reader)
		return -1;
	p->has_ofs_delta = true;
	p->level = LEVEL;
	p->record = &r->record;
	r->plan = TAKE(p);
	return choose(r, e);
}

/* -- the files ------------------------------------------------------------- */

static char *work_path(const struct pack_rewrite *w, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s.%s", w->work_dir, w->prefix, suffix) < 0
		       ? NULL
		       : path;
}

static int write_piece(void *arg, struct span piece, struct err *e)
{
	struct rewriting *r = arg;

	if (tick(r->w, e) < 0)
		return -1;
	r->out->bytes += piece.len;
	return fd_write_full(r->fd, piece.data, piece.len, e);
}

/* Where pages went missing, objects may have been overlooked. */
static int check_packs(const struct rewriting *r, struct err *e)
{
	for (uint32_t i = 0; i < r->w->n_packs; i++)
		if (pack_check(objects_pack(r->plan->objects, i), e) < 0)
			return -1;
	return 0;
}

static int pack_write(struct rewriting *r, struct err *e)
{
	CLEANUP(freep) char *path = work_path(r->w, "pack");
	const size_t n = sizeof r->trailer;

	if (!path)
		return err_nomem(e);
	r->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (r->fd < 0)
		return err_errno(e, "%s", path);
	if (pack_emit(r->plan, write_piece, r, e) < 0)
		return err_wrap(e, "writing a pack of several");
	if (pread(r->fd, r->trailer, n, (off_t)(r->out->bytes - n)) !=
	    (ssize_t)n)
		return err_errno(e, "%s", path);
	return fdatasync(r->fd) < 0 ? err_errno(e, "%s", path) : 0;
}

static int sync_file(const char *path, struct err *e)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fdatasync(fd) < 0)
		return err_errno(e, "%s", path);
	return 0;
}

static int times_write(struct rewriting *r, struct err *e)
{
	const struct pack_rewrite *w = r->w;
	CLEANUP(freep) char *path = work_path(w, "mtimes");
	CLEANUP(freep) uint32_t *times = calloc(r->record.n, sizeof *times);

	if (!path || !times)
		return err_nomem(e);
	for (uint32_t i = 0; i < r->record.n; i++) {
		struct oid id =
			oid_from_bytes(r->record.entries[i].id, OID_SHA1_SIZE);

		times[i] = w->time_of(w->arg, &id);
	}
	if (pack_mtimes_write(path, OID_SHA1, times, r->record.n, r->trailer,
			      e) < 0)
		return -1;
	return sync_file(path, e);
}

static int indexes_write(struct rewriting *r, struct err *e)
{
	CLEANUP(freep) char *idx = work_path(r->w, "idx");
	CLEANUP(freep) char *rev = work_path(r->w, "rev");
	struct pack_index_entry *entries = r->record.entries;
	uint32_t n = r->record.n;

	if (!idx || !rev)
		return err_nomem(e);
	pack_index_sort(entries, n);
	if (pack_index_write(idx, OID_SHA1, entries, n, r->trailer, e) < 0 ||
	    sync_file(idx, e) < 0)
		return -1;
	if (n >= REV_MIN_OBJECTS &&
	    (pack_rev_write(rev, OID_SHA1, entries, n, r->trailer, e) < 0 ||
	     sync_file(rev, e) < 0))
		return -1;
	return r->w->time_of ? times_write(r, e) : 0;
}

int pack_rewrite(const struct pack_rewrite *w, struct pack_rewritten *out,
		 struct err *e)
{
	CLEANUP(rewriting_fini)
	struct rewriting r = { .w = w, .fd = -1, .out = out };
	struct oid trailer;

	*out = (struct pack_rewritten){ .count = 0 };
	r.record.depth_max = REWRITE_DEPTH_MAX;
	if (plan_make(&r, e) < 0)
		return -1;
	if (!r.plan->count)
		return check_packs(&r, e);
	r.record.entries = calloc(r.plan->count, sizeof *r.record.entries);
	r.record.depths = calloc(r.plan->count, 1);
	if (!r.record.entries || !r.record.depths)
		return err_nomem(e);
	if (pack_write(&r, e) < 0 || check_packs(&r, e) < 0 ||
	    indexes_write(&r, e) < 0)
		return -1;
	trailer = oid_from_bytes(r.trailer, OID_SHA1_SIZE);
	oid_hex(&trailer, out->name);
	out->count = r.record.n;
	return 0;
}

/* Where none was made, an old one of that name is not right any more. */
static int publish(const struct pack_rewrite *w,
		   const struct pack_rewritten *pack, const char *pack_dir,
		   const char *suffix, struct err *e)
{
	CLEANUP(freep) char *from = work_path(w, suffix);
	CLEANUP(freep) char *to = NULL;

	if (asprintf(&to, "%s/pack-%s.%s", pack_dir, pack->name, suffix) < 0)
		to = NULL;
	if (!from || !to)
		return err_nomem(e);
	if (access(from, F_OK) < 0 && errno == ENOENT)
		return unlink(to) < 0 && errno != ENOENT
			       ? err_errno(e, "%s", to)
			       : 0;
	/* The same objects may have other times now. */
	if (!strcmp(suffix, "mtimes"))
		return rename(from, to) < 0 ? err_errno(e, "%s", to) : 0;
	return pack_publish_file(from, to, e);
}

int pack_rewrite_publish(const struct pack_rewrite *w,
			 const struct pack_rewritten *pack,
			 const char *pack_dir, struct err *e)
{
	static const char *const suffixes[] = { "pack", "rev", "mtimes",
						"idx" };

	if (!pack->count)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (publish(w, pack, pack_dir, suffixes[i], e) < 0)
			return -1;
	return dir_sync(pack_dir, e);
}
