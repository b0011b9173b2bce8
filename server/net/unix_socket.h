/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening at a path of the file system, for this user only.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct err;

/*
 * A listening socket of mode 0600, close-on-exec, non-blocking. What is there
 * already is replaced only if it is a socket at which nobody answers
 * (ERR_CONFLICT otherwise). The descriptor, or -1.
 */
int unix_socket_listen(const char *path, int backlog, struct err *e) MUST_CHECK;

/* Is the other end of uid 0 or our own? */
bool unix_socket_is_trusted(int fd);
