/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of at least PASS_ON bytes go out as they lie; smaller ones are copied
 * into one of HELD_SIZE: a call for each entry would cost more. */
#include "git/pack_out.h"

#include "base/digest.h"
#include "base/err.h"
#include "git/pack_emit.h"

#include <stdlib.h>

#define HELD_SIZE ((size_t)64 << 10)
#define PASS_ON	  ((size_t)16 << 10)

int pack_out_init(struct pack_out *o,
		  int (*write)(void *arg, struct span piece, struct err *e),
		  void *arg, bool is_hashed, struct err *e)
{
	*o = (struct pack_out){ .write = write, .arg = arg };
	o->held = malloc(HELD_SIZE);
	if (is_hashed)
		o->digest = digest_new(DIGEST_SHA1);
	if (o->held && (o->digest || !is_hashed))
		return 0;
	pack_out_fini(o);
	return err_nomem(e);
}

void pack_out_fini(struct pack_out *o)
{
	free(o->held);
	digest_free(o->digest);
	o->held = NULL;
	o->digest = NULL;
}

int pack_out_flush(struct pack_out *o, struct err *e)
{
	struct span piece = { o->held, o->n_held };

	o->n_held = 0;
	return piece.len ? o->write(o->arg, piece, e) : 0;
}

static int hold(struct pack_out *o, struct span bytes, struct err *e)
{
	if (bytes.len > HELD_SIZE - o->n_held && pack_out_flush(o, e) < 0)
		return -1;
	memcpy(o->held + o->n_held, bytes.data, bytes.len);
	o->n_held += bytes.len;
	return 0;
}

int pack_out_add(struct pack_out *o, struct span bytes, struct err *e)
{
	bool is_small = bytes.len < PASS_ON;

	if (!is_small && pack_out_flush(o, e) < 0)
		return -1;
	while (bytes.len) {
		size_t n =
			bytes.len < PACK_PIECE_MAX ? bytes.len : PACK_PIECE_MAX;
		struct span piece;

		(void)span_take(&bytes, n, &piece);
		/* Hashed piece by piece, while it is in the cache. */
		if (o->digest)
			digest_update(o->digest, piece.data, n);
		o->offset += n;
		if ((is_small ? hold(o, piece, e)
			      : o->write(o->arg, piece, e)) < 0)
			return -1;
	}
	return 0;
}

void pack_out_digest(struct pack_out *o, unsigned char *out)
{
	digest_final(o->digest, out);
	digest_free(o->digest);
	o->digest = NULL;
}

int pack_out_trailer(struct pack_out *o, struct err *e)
{
	unsigned char trailer[SHA1_SIZE];

	pack_out_digest(o, trailer);
	if (pack_out_add(o, span_of(trailer, sizeof trailer), e) < 0)
		return -1;
	return pack_out_flush(o, e);
}
