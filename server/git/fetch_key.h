/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a fetch's pack in the cache: a digest of everything its bytes
 * depend on but the layout of the packs they are taken from. Two requests with
 * one key want the same objects, whatever repository, side-band or order of
 * lines they came with.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/pack_cache.h"

struct err;
struct fetch_request;
struct oid_set;
struct shallow_info;
struct upload;

int fetch_key(struct upload *u, const struct fetch_request *q,
	      const struct oid_set *wants, const struct oid_set *common,
	      const struct shallow_info *shallow, struct pack_cache_key *out,
	      struct err *e) MUST_CHECK;
