/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the client what refs there are: the advertisement of versions 0 and
 * 1, and the command ls-refs of version 2. Both are slices of what
 * ref_listing.h has rendered.
 * Format: gitprotocol-pack(5), gitprotocol-v2(5).
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"

struct err;
struct upload;

/* HEAD, refs with peeled values, the repository's own shallow commits, flush;
 * a bare flush where there are no refs. */
int ls_refs_advertise(struct upload *u, struct err *e) MUST_CHECK;

/* Read the arguments of ls-refs up to the flush and answer. */
int ls_refs_serve(struct upload *u, struct err *e) MUST_CHECK;
