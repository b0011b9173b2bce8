/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka after the four headers it needs, where no formatter reorders them. */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
