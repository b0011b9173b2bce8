/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git pack-refs --all: loose refs move into packed-refs, beside whoever pushes.
 *
 * Locks are git's, held for REF_PACK_BATCH refs at a time; a ref that somebody
 * else is changing is left out. What a ref holds never changes, not even for a
 * moment, not even across a crash.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdint.h>

struct err;
struct object_reader;
struct ref_place; /* git/ref_transaction.h */
struct refs;

#define REF_PACK_BATCH 1000

/* Those that are loose in `refs`; `reader` peels tags. Adds to `*n_out` how
 * many moved. */
int ref_pack(const struct ref_place *place, const struct refs *refs,
	     struct object_reader *reader, uint32_t *n_out,
	     struct err *e) MUST_CHECK;
