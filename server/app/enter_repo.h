/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what stands behind `git-upload-pack` on a command line to a repository
 * directory, by git's own rules: without `is_strict` "DIR" may also mean
 * "DIR/.git", "DIR.git/.git" and "DIR.git", in git's order, and a ".git" that
 * is a file names the directory. With it, DIR is taken as it stands.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct err;

/* The malloc'ed path; NULL with ERR_NOT_FOUND where there is none. */
char *enter_repo(const char *dir, bool is_strict, struct err *e) MUST_CHECK;
