/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting the few keys of a repository's own git config that the server heeds.
 * Format: git-config(1); written by libgit2 under git's own lock file.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Is that a key the admin may set? */
bool git_settings_known(const char *key);

/* Would git_settings_set() take it? */
int git_settings_check(const char *key, const char *const *values, size_t n,
		       struct err *e) MUST_CHECK;

/* Replace all values of `key` by these; none unsets it. ERR_DENIED for a key
 * that is not heeded, ERR_MALFORMED for a value git would not take. */
int git_settings_set(const char *git_dir, const char *key,
		     const char *const *values, size_t n,
		     struct err *e) MUST_CHECK;
