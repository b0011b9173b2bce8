/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deltas: an object said as copies from its base and new bytes.
 *
 * Format: gitformat-pack(5), "Deltified representation".
 * Limits: none of its own; sizes are checked before a byte is written, so a
 * delta that lies is an error and never a stray write or read.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct err;

/* Two varints of at most ten bytes stand before the instructions. */
#define DELTA_HEADER_MAX 20

/* Take both sizes off the front. ERR_CORRUPT. */
int delta_header(struct span *delta, uint64_t *base_size_out,
		 uint64_t *result_size_out, struct err *e) MUST_CHECK;

/*
 * Rebuild into `out`, which has exactly the `size` bytes that the delta's
 * header promises. `delta` is whole, header included; `base` must have the size
 * it was made for. ERR_CORRUPT; what stands in `out` then is of no use.
 */
int delta_apply(struct span base, struct span delta, unsigned char *out,
		size_t size, struct err *e) MUST_CHECK;
