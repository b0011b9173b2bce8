/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of configuration values: booleans, sizes, durations, shares.
 *
 * Boolean: true yes on 1, false no off 0, in any case; a key without a value
 * is true and a key with an empty one false, as in git.
 * Size: a number of bytes, with k, m, g or t for powers of 1024.
 * Duration: a number and ms, s, m, h or d; a bare number is seconds.
 * Percent: a whole number up to 100 and "%".
 * Every sentence says what was expected. Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/* `text` NULL is a key without a value. ERR_MALFORMED. */
int value_bool(const char *text, bool *out, struct err *e) MUST_CHECK;
int value_size(const char *text, uint64_t *out, struct err *e) MUST_CHECK;
int value_number(const char *text, uint64_t *out, struct err *e) MUST_CHECK;
int value_duration_ms(const char *text, int64_t *out, struct err *e) MUST_CHECK;
int value_percent(const char *text, unsigned *out, struct err *e) MUST_CHECK;

/* The shortest spelling that reads back as the same: "2g", "90s". Into `out`,
 * which is returned. */
#define VALUE_TEXT_SIZE 24
char *value_size_text(uint64_t bytes, char out[VALUE_TEXT_SIZE]);
char *value_duration_text(int64_t ms, char out[VALUE_TEXT_SIZE]);
