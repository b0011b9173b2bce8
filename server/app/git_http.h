/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP doors ask: may this Authorization header read that. */
#pragma once

#include "net/httpd_git.h"

struct server;

/* Fill `git` for the doors; `s` outlives it. */
void git_http_init(struct server *s, struct httpd_git *git);
