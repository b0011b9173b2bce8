/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a pack's bytes out: counted, hashed for the trailer, small pieces
 * gathered, large ones passed on from where they lie.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct digest;
struct err;

struct pack_out {
	int (*write)(void *arg, struct span piece, struct err *e);
	void *arg;
	struct digest *digest; /* NULL: the trailer comes from elsewhere */
	uint64_t offset;       /* of the next byte */
	unsigned char *held;
	size_t n_held;
};

int pack_out_init(struct pack_out *o,
		  int (*write)(void *arg, struct span piece, struct err *e),
		  void *arg, bool is_hashed, struct err *e) MUST_CHECK;
void pack_out_fini(struct pack_out *o);

int pack_out_add(struct pack_out *o, struct span bytes,
		 struct err *e) MUST_CHECK;
/* Nothing is held back afterwards. */
int pack_out_flush(struct pack_out *o, struct err *e) MUST_CHECK;
/* The digest of everything so far, for who has a trailer to compare it with;
 * nothing is hashed from here on. */
void pack_out_digest(struct pack_out *o, unsigned char *out);
/* The same as the trailer, and flush. */
int pack_out_trailer(struct pack_out *o, struct err *e) MUST_CHECK;
