/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives of regular files, written to and read from a stream.
 *
 * Format: POSIX.1-2001 pax interchange, tar(5): ustar headers, and a pax record
 * where a name or a size does not fit one. Other kinds of entry are refused:
 * an archive of ours has none.
 * libarchive would do it, and brings libxml2 and ICU into a small image.
 * Limits: names of TAR_NAME_MAX bytes, pax headers of 4 KiB.
 * Threads: one at a time per stream.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdint.h>

struct err;
struct stream;

#define TAR_NAME_MAX 511

struct tar_entry {
	char name[TAR_NAME_MAX + 1];
	uint64_t size;
};

/* A header; the caller writes `size` bytes and then tar_pad(). */
int tar_begin(struct stream *out, const char *name, uint64_t size,
	      int64_t mtime, struct err *e) MUST_CHECK;
int tar_pad(struct stream *out, uint64_t size, struct err *e) MUST_CHECK;

/* A whole file. */
int tar_file(struct stream *out, const char *name, struct span data,
	     int64_t mtime, struct err *e) MUST_CHECK;

/* What ends an archive; one that lacks it was cut off. */
int tar_end(struct stream *out, struct err *e) MUST_CHECK;

/*
 * The next entry: 1; 0 at the archive's end. The caller reads its `size` bytes
 * and then calls tar_skip_pad(). ERR_MALFORMED where it is no archive or one
 * with other things than files in it, ERR_CLOSED where it was cut off.
 */
int tar_next(struct stream *in, struct tar_entry *out,
	     struct err *e) MUST_CHECK;
int tar_skip_pad(struct stream *in, uint64_t size, struct err *e) MUST_CHECK;
