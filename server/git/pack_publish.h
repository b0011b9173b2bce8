/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of a pack gets the name under which readers find it.
 * Durable once the directory is synced; the file itself must be before.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

struct err;

/* Rename; where `to` is there already with the same bytes, drop `from`. With
 * other bytes ERR_CONFLICT: a pack's name is a checksum that does not detect
 * collisions, so one must not be taken for the other. */
int pack_publish_file(const char *from, const char *to,
		      struct err *e) MUST_CHECK;
