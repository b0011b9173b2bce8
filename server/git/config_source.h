/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a repository's git config comes from: its file, by libgit2, and the
 * variables GIT_CONFIG_COUNT, GIT_CONFIG_KEY_n, GIT_CONFIG_VALUE_n.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct err;

/*
 * Call `each` with every entry in order, the environment's last. Names are
 * normalised (section and key in lower case); `value` is NULL for a key alone.
 * A file that is not there has no entries; one that cannot be parsed is
 * ERR_CORRUPT. Ends with -1 where `each` does.
 */
int config_each(const char *path, bool use_environment,
		int (*each)(void *arg, const char *name, const char *value,
			    struct err *e),
		void *arg, struct err *e) MUST_CHECK;
