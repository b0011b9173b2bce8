/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What repositories, keys, tokens and hooks may be called, and the patterns
 * that speak about repositories.
 *
 * Repository: 1 to 8 elements joined by "/", each [A-Za-z0-9_][A-Za-z0-9._-]*,
 * none ending in ".git" or ".lock"; 200 bytes at most.
 * Key, token, hook: [A-Za-z0-9][A-Za-z0-9._@-]{0,63}.
 * Pattern: "*" stands for any bytes within one element, "**" as an element for
 * any number of elements, none included; "a" followed by "/" and "**" does not
 * match "a" itself; "**" alone is everything. Compared case-sensitively.
 * Matching takes at most the product of both lengths.
 * Threads: any; nothing is kept.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>

struct err;

#define REPO_NAME_MAX	   200
#define REPO_NAME_ELEMENTS 8
#define OBJECT_NAME_MAX	   64
#define PATTERN_MAX	   400 /* a name at its longest with a star a byte */

/* ERR_MALFORMED saying which rule `name` breaks. */
int repo_name_check(struct span name, struct err *e) MUST_CHECK;
int object_name_check(struct span name, struct err *e) MUST_CHECK;

/*
 * ERR_MALFORMED where no repository could match `pattern`, saying why. Also
 * where "**" is only part of an element, so that nobody takes "team**" for
 * more than "team*".
 */
int pattern_check(struct span pattern, struct err *e) MUST_CHECK;
bool pattern_matches(const char *pattern, const char *repo_name);

/* Short branch and tag names against a hook's --branch and --tag: the same
 * rules, on names that may hold any bytes. */
bool ref_pattern_matches(const char *pattern, const char *short_name);

/*
 * The canonical name of what a client asked for: "/cluster", "cluster.git",
 * "~/cluster" and "/cluster.git/" are "cluster"; "/~/cluster" too, which is
 * how some clients spell the third. Nothing is decoded. Writes it
 * NUL-terminated into `out`; ERR_MALFORMED where no repository could be called
 * so.
 */
int repo_name_from_path(struct span path, char out[REPO_NAME_MAX + 1],
			struct err *e) MUST_CHECK;
