/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command object-info of version 2: sizes of objects by id. An object that
 * is not there, or may not be had, has none.
 * Format: gitprotocol-v2(5). Limits: fetch_limits.wants ids in a request.
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"

struct err;
struct upload;

/* Read the arguments up to the flush and answer. */
int object_info_serve(struct upload *u, struct err *e) MUST_CHECK;
