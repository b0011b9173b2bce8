/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pack at the end of a fetch: planned, or taken from the cache, framed,
 * kept alive meanwhile, and closed with a flush where there is a side-band.
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"

struct err;
struct fetch_request;
struct negotiation;
struct shallow_info;
struct upload;

/* What was gathered goes out first. Fills the result's counts. */
int fetch_respond(struct upload *u, const struct fetch_request *q,
		  const struct negotiation *n, const struct shallow_info *s,
		  struct err *e) MUST_CHECK;
