/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text in front of a bundle's pack.
 * Format: gitformat-bundle(5), versions 2 and 3.
 * Limits: a line of BUNDLE_LINE_MAX bytes, BUNDLE_REFS_MAX refs.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/stream.h"
#include "git/oid.h"

struct err;

#define BUNDLE_V2	"# v2 git bundle"
#define BUNDLE_V3	"# v3 git bundle"
#define BUNDLE_LINE_MAX 2048
#define BUNDLE_REFS_MAX 1000000

/* Lines first, then the rest as it comes. */
struct bundle_reader {
	struct stream *stream;
	struct buf ahead;
	size_t at;
};

void bundle_reader_init(struct bundle_reader *r, struct stream *s);
void bundle_reader_fini(struct bundle_reader *r);
ssize_t bundle_read_rest(struct bundle_reader *r, void *data, size_t n,
			 struct err *e) MUST_CHECK;

struct bundle_ref {
	char *name; /* full */
	struct oid id;
};

struct bundle_header {
	struct bundle_ref *refs; /* without HEAD */
	size_t n_refs;
	const char *head_branch; /* of `refs`: where HEAD is; NULL */
};

/* ERR_MALFORMED with what is wrong with the bundle. */
int bundle_header_read(struct bundle_reader *r, struct bundle_header *out,
		       struct err *e) MUST_CHECK;
void bundle_header_fini(struct bundle_header *h);
