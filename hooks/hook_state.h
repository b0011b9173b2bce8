/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the compiled state to the hooks that are in force: those that have a
 * problem (a secret that cannot be read) are left out.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

struct err;
struct hook_set;
struct state;

/* `default_service` is [server] receiver-service. */
struct hook_set *hook_set_of_state(const struct state *s,
				   const char *default_service,
				   struct err *e) MUST_CHECK;
