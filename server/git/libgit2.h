/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The border to libgit2: started once when first needed, its errors folded.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

struct err;

/*
 * Start the library in this process: no system or user configuration, no
 * judging of who owns a directory (the data directory's owner is judged once,
 * above). Every later call is free. -1 with `e` where it does not start.
 */
int libgit2_ready(struct err *e) MUST_CHECK;

/* "CONTEXT: what libgit2 said"; `result` is what the call returned. The only
 * reader of libgit2's thread-local message. Returns -1. */
int err_git(struct err *e, int result, const char *format, ...)
	PRINTF_LIKE(3, 4);
