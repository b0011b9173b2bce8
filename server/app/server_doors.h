/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the doors of a server. */
#pragma once

#include "base/attr.h"

#include <stdint.h>

struct config_values;
struct err;
struct server;

/* All doors that are not "none". */
int doors_open(struct server *s, struct err *e) MUST_CHECK;
/* For connections that come from now on. */
void doors_set_limits(struct server *s, const struct config_values *v);
/* Stop listening everywhere, wait until the monotonic clock passes
 * `deadline_ms`, cut what is left. Also of doors that never opened. */
void doors_close(struct server *s, int64_t deadline_ms);
