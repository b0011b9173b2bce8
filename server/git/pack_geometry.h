/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packs to make one of, so that their number stays logarithmic and every
 * object is copied a logarithmic number of times: `git repack --geometric=2`.
 * Threads: a plain function.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Each pack that stays has at least so many times the objects of the next
 * smaller one. */
#define PACK_GEOMETRY_FACTOR 2

/* `counts` are the objects of each pack, ascending: how many of the first ones
 * are to become one. Never 1; 0 where they are a progression already. */
size_t pack_geometry_split(const uint32_t *counts, size_t n);
