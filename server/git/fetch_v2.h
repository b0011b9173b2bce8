/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command fetch of version 2: sections acknowledgments, shallow-info,
 * wanted-refs, packfile, in the order gitprotocol-v2(5) gives and clients
 * read. (git 2.39 sends wanted-refs before shallow-info, and its own client
 * then gives up.)
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"

struct err;
struct upload;

/* Read the arguments up to the flush and answer. */
int fetch_v2_serve(struct upload *u, struct err *e) MUST_CHECK;
