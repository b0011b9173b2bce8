/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole pack, in pieces as long as the first byte says. The trailer is made
 * right, since nothing behind it would be reached otherwise.
 */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "git/fsck.h"
#include "git/pack_ingest.h"

#include <stdlib.h>

#define PACK_MIN 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
	struct span rest;
	size_t piece;
};

static ssize_t feed_read(void *arg, void *data, size_t n, struct err *e)
{
	struct feed *f = arg;
	struct span piece;

	(void)e;
	if (n > f->piece)
		n = f->piece;
	if (n > f->rest.len)
		n = f->rest.len;
	(void)span_take(&f->rest, n, &piece);
	if (n)
		memcpy(data, piece.data, n);
	return (ssize_t)n;
}

/* A directory for the life of the process, on a memory file system if there
 * is one. */
static const char *quarantine(void)
{
	static char dir[] = "/dev/shm/headwater-fuzz-XXXXXX";
	static char other[] = "/tmp/headwater-fuzz-XXXXXX";
	static const char *made;

	if (!made)
		made = mkdtemp(dir);
	if (!made)
		made = mkdtemp(other);
	if (!made)
		abort();
	return made;
}

static void ingest(struct feed *feed)
{
	struct err e;
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", true, &e);
	struct pack_ingest_options options = {
		.quarantine_dir = quarantine(),
		.limits = { .object_bytes = 1 << 20,
			    .inflated_bytes = 8 << 20,
			    .memory = 1 << 20 },
		.fsck = f,
	};

	pack_ingest_free(pack_ingest_run(&options, feed_read, feed, &e));
	fsck_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) unsigned char *pack = NULL;
	struct span input = span_of(data, size);
	struct digest *d;
	struct feed feed;
	uint8_t piece;

	if (!span_u8(&input, &piece) || input.len < PACK_MIN)
		return 0;
	pack = malloc(input.len + SHA1_SIZE);
	d = digest_new(DIGEST_SHA1);
	if (!pack || !d)
		abort();
	memcpy(pack, input.data, input.len);
	digest_update(d, pack, input.len);
	digest_final(d, pack + input.len);
	digest_free(d);
	feed.rest = span_of(pack, input.len + SHA1_SIZE);
	feed.piece = piece ? piece : SIZE_MAX;
	ingest(&feed);
	return 0;
}
