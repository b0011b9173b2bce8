/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How pack_file makes its struct pack_order (see there); no one else's.
 * Format: gitformat-pack(5), .rev version 1.
 */
#pragma once

#include "base/attr.h"
#include "git/pack_file.h"
#include "git/pack_index.h"

/* `end` is where the last entry ends. The file `rev_path` is used where it is
 * there and true. ERR_CORRUPT where two entries begin at one place or one
 * begins out of the pack. */
struct pack_order *pack_order_new(const struct pack_index *x, uint64_t end,
				  const char *rev_path,
				  struct err *e) MUST_CHECK;
struct pack_order *pack_order_free(struct pack_order *o);
