/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All objects of one repository as they were at one moment: its packs, mapped,
 * and the directories of loose objects (alternates as git follows them).
 *
 * A view is immutable and counted. Packs are ordered so that a view opened
 * from a previous one numbers the packs that are still there as before and
 * appends new ones: `pack` and the object numbers stay valid for caches that
 * check objects_same_prefix(). A pack that is unlinked meanwhile stays readable
 * as long as a view holds it. A pack whose index or body is damaged is an error
 * naming the file when it is touched, never a crash.
 * Format: gitformat-pack(5), pack version 2, idx version 2.
 * Threads: any; reading needs no lock.
 */
#pragma once

#include "base/attr.h"
#include "git/object.h"

struct err;
struct objects;
struct pack; /* git/pack_file.h: one mapped pack with its index */

/*
 * Open `objects_dir` (".../objects"). With `previous`, packs that are still
 * there unchanged are shared instead of mapped again. NULL with `e` set.
 */
struct objects *objects_open(const char *objects_dir, enum oid_kind kind,
			     struct objects *previous,
			     struct err *e) MUST_CHECK;
struct objects *objects_get(struct objects *o);
struct objects *objects_put(struct objects *o);

/* The packs of `o`, shared, with one more behind them: what a quarantine holds
 * beside what is there. Takes a reference of its own to `extra`. */
struct objects *objects_plus(struct objects *o, struct pack *extra,
			     struct err *e) MUST_CHECK;
/* Is the pack of this path one of them? */
bool objects_has_pack(const struct objects *o, const char *path);

/* Some of the packs of `o`, in the order of `packs` (numbers in `o`), shared;
 * loose objects and alternates as in `o`. */
struct objects *objects_select(struct objects *o, const uint32_t *packs,
			       uint32_t n, struct err *e) MUST_CHECK;

/* False once packs or alternates came or went on disk, judged by stat(2) as
 * design D2 says (a signature too young to trust counts as changed), and once
 * a pack was found damaged that may have been mended since. */
bool objects_fresh(const struct objects *o);

/* How many packs, from the first, two views have in common. Up to there a pack
 * and an object have the same number in both. */
uint32_t objects_same_prefix(const struct objects *a, const struct objects *b);

enum oid_kind objects_kind(const struct objects *o);
const char *objects_dir(const struct objects *o);
uint32_t objects_pack_count(const struct objects *o);
struct pack *objects_pack(const struct objects *o, uint32_t pack);

/* Where an object lies. */
struct object_at {
	uint32_t pack;	 /* OBJECT_LOOSE: not in a pack of this view */
	uint32_t pos;	 /* position in the pack's index */
	uint64_t offset; /* of the entry in the pack */
};
#define OBJECT_LOOSE UINT32_MAX

/*
 * 1 found; 0 not there; -1 damaged (or something is, that may have held it).
 * Packs first, in order, then loose, then packs that came after the view was
 * opened (stock git may have packed what was loose): those count as loose too,
 * so that the numbers of a view never change. Only ids find such objects.
 */
int objects_find(const struct objects *o, const struct oid *id,
		 struct object_at *out, struct err *e) MUST_CHECK;

/*
 * A number for every packed object: those of pack 0 first, each pack in the
 * order of its index. An object in several packs has the number that
 * objects_find() leads to.
 */
/* UINT32_MAX for a loose one. */
uint32_t objects_number(const struct objects *o, const struct object_at *at);
uint32_t objects_total(const struct objects *o); /* one past the last number */
void objects_by_number(const struct objects *o, uint32_t number,
		       struct object_at *at_out, struct oid *id_out);

/*
 * A reader keeps what makes reading fast (inflate state, recent delta bases)
 * and belongs to one thread and one view.
 */
struct object_reader;
struct object_reader *object_reader_new(struct objects *o, size_t cache_bytes,
					struct err *e) MUST_CHECK;
struct object_reader *object_reader_free(struct object_reader *r);

/* The whole object, deltas resolved; `max` bytes at most (ERR_LIMIT). An
 * absent object is ERR_NOT_FOUND. Where a copy is damaged another one is taken
 * if there is one, else ERR_CORRUPT. The caller calls object_fini(). */
int object_read(struct object_reader *r, const struct oid *id, size_t max,
		struct object *out, struct err *e) MUST_CHECK;
int object_read_at(struct object_reader *r, const struct object_at *at,
		   const struct oid *id, size_t max, struct object *out,
		   struct err *e) MUST_CHECK;

/* Type and size without the content (headers and the ends of delta chains). */
int object_info(struct object_reader *r, const struct oid *id,
		enum object_type *type_out, uint64_t *size_out,
		struct err *e) MUST_CHECK;

/* Follow tags to what they mean in the end; ERR_NOT_FOUND where a link is
 * missing, ERR_LIMIT past 1,000 of them. */
int object_peel(struct object_reader *r, const struct oid *id,
		struct oid *id_out, enum object_type *type_out,
		struct err *e) MUST_CHECK;

/* The largest object that is ever held in memory whole for serving. */
#define OBJECT_SIZE_MAX ((size_t)2 << 30)
