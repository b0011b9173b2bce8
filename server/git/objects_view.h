/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a view is made of, for objects.c, objects_open.c and object_reader.c;
 * everybody else sees objects.h.
 * Threads: immutable once open, but for `late` (own lock).
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"
#include "git/pack_file.h"

#include <pthread.h>
#include <stdatomic.h>

/* An objects directory: the repository's own, or an alternate. */
struct object_source {
	char *dir;
	char *pack_dir;
	char *alternates;
	struct file_sig pack_sig;
	struct file_sig alternates_sig;
	bool is_missing;
};

/* A pack that could not be opened, and why. */
struct broken_pack {
	char *path;
	char *index;
	struct file_sig sig;
	struct file_sig index_sig;
	struct err why;
};

/* A view that was opened because something was not found in this one. */
struct late_view {
	pthread_mutex_t lock;
	struct objects *view;
};

struct objects {
	atomic_uint n_refs;
	enum oid_kind kind;
	struct object_source *sources; /* the own one first */
	size_t n_sources;
	struct pack **packs;
	uint32_t *first; /* number of a pack's first object; n_packs + 1 */
	uint32_t n_packs;
	struct broken_pack *broken;
	size_t n_broken;
	struct late_view *late;
};

/* objects_open(), which needs no more of `previous` than this. */
struct objects *objects_open_from(const char *dir, enum oid_kind kind,
				  const struct objects *previous,
				  struct err *e);

/* Empty, with one reference. */
struct objects *objects_alloc(enum oid_kind kind);
DEFINE_PUTP(objects)

/* Take the reference `p`. The error is ERR_NOMEM or ERR_LIMIT. */
int objects_add_pack(struct objects *o, struct pack *p, struct err *e);

/* Packs only: 1 or 0, from number `from` on. */
int objects_find_packed(const struct objects *o, const struct oid *id,
			uint32_t from, struct object_at *out);

/* A view of now, if packs came or went since `o` was opened; NULL with `e` set,
 * or with `e->code` ERR_OK where there is nothing new. The caller puts it. */
struct objects *objects_newer(const struct objects *o, struct err *e);

/* Why an object may be missing: 0, or -1 where a pack could not be read. */
int objects_missing(const struct objects *o, struct err *e);
/* ERR_NOT_FOUND (or the answer of objects_missing()) in words. -1. */
int objects_not_found(const struct objects *o, const struct oid *id,
		      struct err *e);
