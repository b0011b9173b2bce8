/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole pack, in pieces as long as the first byte says. The trailer is made
 * right, since nothing behind it would be reached otherwise.
 */
#include "fuzz.h"

#include "base/digest.h"
#include "git/fsck.h"
#include "git/pack_ingest.h"

#define PACK_MIN 12

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

static void ingest(struct feed *feed)
{
	struct err e;
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", true, &e);
	struct pack_ingest_options options = {
		.quarantine_dir = fuzz_dir(),
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
