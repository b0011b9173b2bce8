/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loose objects: one deflated file each, looked for on disk every time.
 *
 * Format: "TYPE SIZE\0" and the bytes, as one zlib stream, in XX/YYYY... below
 * the objects directory.
 * Limits: memory for an object is asked for only after its file was found large
 * enough to hold it.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/object.h"

struct err;

/* deflate never shrinks by more than this; larger claims are false. */
#define DEFLATE_RATIO_MAX 1032

/* 1 there, 0 not, -1 where it cannot be looked at or is no file. */
int loose_find(const char *objects_dir, const struct oid *id,
	       struct err *e) MUST_CHECK;

/* Call `each` with the id of every file that is named like an object, until it
 * returns -1, which is returned. */
int loose_each(const char *objects_dir,
	       int (*each)(void *arg, const struct oid *id, struct err *e),
	       void *arg, struct err *e) MUST_CHECK;

/* The whole object. ERR_NOT_FOUND; ERR_CORRUPT naming the file; ERR_LIMIT where
 * it has more than `max` bytes. The caller calls object_fini(). */
int loose_read(const char *objects_dir, const struct oid *id, size_t max,
	       struct object *out, struct err *e) MUST_CHECK;

/* Type and size from the header alone. */
int loose_info(const char *objects_dir, const struct oid *id,
	       enum object_type *type_out, uint64_t *size_out,
	       struct err *e) MUST_CHECK;
