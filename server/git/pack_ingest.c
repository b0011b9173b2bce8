/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things from the first byte to the rename, and the clean-up
 * where it ends before. Files in the quarantine are named incoming.*; only
 * pack_ingest_publish() gives them the pack's name.
 */
#include "git/pack_ingest.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/fsck.h"
#include "git/ingest.h"
#include "git/pack_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>

/* The defaults of struct push_limits. */
#define DEFAULT_OBJECT_BYTES   ((uint64_t)2 << 30)
#define DEFAULT_INFLATED_BYTES ((uint64_t)64 << 30)
#define DEFAULT_OBJECTS	       10000000
#define DEFAULT_MEMORY	       ((uint64_t)64 << 20)

/* Packs with fewer objects are sorted faster than a .rev file is opened, and a
 * small push has a file less to write. */
#define REV_MIN_OBJECTS 8192
/* Enough for the bases of a thin pack; they come in no order. */
#define READER_CACHE ((size_t)8 << 20)
/* Scratch memory past this is given back between the passes. */
#define SCRATCH_KEPT ((size_t)1 << 20)

static void fill_limits(struct pack_ingest *p)
{
	struct push_limits *l = &p->limits;

	*l = p->options.limits;
	if (!l->object_bytes)
		l->object_bytes = DEFAULT_OBJECT_BYTES;
	if (!l->inflated_bytes)
		l->inflated_bytes = DEFAULT_INFLATED_BYTES;
	if (!l->objects)
		l->objects = DEFAULT_OBJECTS;
	if (!l->memory)
		l->memory = DEFAULT_MEMORY;
	p->hold_max = l->memory < l->object_bytes ? (size_t)l->memory
						  : (size_t)l->object_bytes;
}

static int open_files(struct pack_ingest *p, struct err *e)
{
	const char *dir = p->options.quarantine_dir;

	p->pack_path = path_join(dir, "incoming.pack");
	p->idx_path = path_join(dir, "incoming.idx");
	p->rev_path = path_join(dir, "incoming.rev");
	if (!p->pack_path || !p->idx_path || !p->rev_path)
		return err_nomem(e);
	p->in.fd =
		open(p->pack_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (p->in.fd < 0)
		return err_errno(e, "%s", p->pack_path);
	return 0;
}

static int begin(struct pack_ingest *p, struct err *e)
{
	struct objects *objects = p->options.objects;

	p->in.dir = p->options.quarantine_dir;
	p->in.reserve = p->options.disk_reserve;
	p->in.max_bytes = p->limits.pack_bytes;
	if (objects) {
		p->reader = object_reader_new(objects, READER_CACHE, e);
		if (!p->reader)
			return -1;
		object_glance_init(&p->glance, objects);
	}
	if (ingest_input_begin(&p->in, e) < 0)
		return -1;
	return open_files(p, e);
}

static void end_first_pass(struct pack_ingest *p)
{
	if (p->has_zlib)
		inflateEnd(&p->zlib);
	p->has_zlib = false;
	if (p->hold_cap <= SCRATCH_KEPT)
		return;
	free(p->hold);
	p->hold = NULL;
	p->hold_cap = 0;
}

/* What only the passes need. */
static void drop_work(struct pack_ingest *p)
{
	end_first_pass(p);
	ingest_input_fini(&p->in);
	free(p->hold);
	free(p->packed);
	free(p->nodes);
	free(p->refs);
	p->hold = NULL;
	p->packed = NULL;
	p->nodes = NULL;
	p->refs = NULL;
	p->hold_cap = p->packed_cap = 0;
	libdeflate_free_decompressor(p->inflater);
	p->inflater = NULL;
	p->reader = object_reader_free(p->reader);
	object_glance_fini(&p->glance);
}

/* git accepts a pack that has an object twice unless it is strict; nothing
 * that makes packs does that, and readers may trip over it. */
static int check_duplicates(const struct pack_ingest *p, struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	struct oid id;

	for (uint32_t i = 1; i < p->n; i++) {
		if (memcmp(p->index[i - 1].id, p->index[i].id,
			   oid_size(p->kind)))
			continue;
		id = ingest_id(p, i);
		return err_set(e, ERR_MALFORMED,
			       "object %s stands twice in the pack",
			       oid_hex(&id, hex));
	}
	return 0;
}

static int write_index(struct pack_ingest *p, struct err *e)
{
	pack_index_sort(p->index, p->n);
	if (check_duplicates(p, e) < 0 ||
	    pack_index_write(p->idx_path, p->kind, p->index, p->n, p->trailer,
			     e) < 0)
		return -1;
	if (p->n < REV_MIN_OBJECTS) {
		free(p->rev_path);
		p->rev_path = NULL;
		return 0;
	}
	return pack_rev_write(p->rev_path, p->kind, p->index, p->n, p->trailer,
			      e);
}

static int judge_special_blobs(struct pack_ingest *p, struct err *e)
{
	struct object_reader *reader;
	int r;

	if (!p->options.fsck || !fsck_has_pending(p->options.fsck) || !p->view)
		return 0;
	reader = object_reader_new(p->view, 0, e);
	if (!reader)
		return -1;
	r = fsck_finish(p->options.fsck, reader, e);
	object_reader_free(reader);
	return r;
}

static int make_view(struct pack_ingest *p, struct err *e)
{
	if (!p->options.objects)
		return 0;
	if (!p->n) {
		p->view = objects_get(p->options.objects);
		return 0;
	}
	p->pack = pack_open(p->pack_path, p->kind, e);
	if (!p->pack)
		return -1;
	p->view = objects_plus(p->options.objects, p->pack, e);
	return p->view ? 0 : -1;
}

static int run(struct pack_ingest *p, struct err *e)
{
	if (begin(p, e) < 0 || ingest_entries(p, e) < 0)
		return -1;
	end_first_pass(p);
	if (ingest_compare_large(p, e) < 0)
		return -1;
	ingest_table_link(p);
	if (pack_resolve(p, e) < 0 || ingest_thin(p, e) < 0)
		return -1;
	/* Its way to the disk may begin; a failure shows when it is synced. */
	(void)sync_file_range(p->in.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	drop_work(p);
	if (p->n) {
		struct oid name = oid_from_bytes(p->trailer, oid_size(p->kind));

		oid_hex(&name, p->name);
		if (write_index(p, e) < 0)
			return -1;
	}
	if (make_view(p, e) < 0)
		return -1;
	return judge_special_blobs(p, e);
}

struct pack_ingest *pack_ingest_run(const struct pack_ingest_options *options,
				    ssize_t (*read)(void *arg, void *data,
						    size_t n, struct err *e),
				    void *arg, struct err *e)
{
	struct pack_ingest *p = calloc(1, sizeof *p);

	if (!p) {
		err_nomem(e);
		return NULL;
	}
	p->options = *options;
	p->kind = options->objects ? objects_kind(options->objects) : OID_SHA1;
	p->in = (struct ingest_input){ .read = read, .arg = arg, .fd = -1 };
	fill_limits(p);
	if (run(p, e) < 0)
		return pack_ingest_free(p);
	return p;
}

static void remove_file(char *path)
{
	if (path)
		unlink(path);
	free(path);
}

struct pack_ingest *pack_ingest_free(struct pack_ingest *p)
{
	if (!p)
		return NULL;
	p->view = objects_put(p->view);
	p->pack = pack_put(p->pack);
	drop_work(p);
	free(p->index);
	closep(&p->in.fd);
	remove_file(p->pack_path);
	remove_file(p->idx_path);
	remove_file(p->rev_path);
	free(p);
	return NULL;
}

uint32_t pack_ingest_count(const struct pack_ingest *p)
{
	return p->n;
}

uint64_t pack_ingest_bytes(const struct pack_ingest *p)
{
	return p->end + oid_size(p->kind);
}

const char *pack_ingest_name(const struct pack_ingest *p)
{
	return p->name;
}

struct pack *pack_ingest_published(const struct pack_ingest *p)
{
	return p->pack_path ? NULL : p->pack;
}

struct objects *pack_ingest_objects(const struct pack_ingest *p, struct err *e)
{
	if (p->view)
		return objects_get(p->view);
	err_set(e, ERR_NOT_FOUND, "the pack was received without a repository");
	return NULL;
}
