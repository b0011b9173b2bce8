/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Deadlines count on the monotonic clock, so a clock that is set does
 * not end or extend a session.
 */
#pragma once

#include <stdint.h>

/* Milliseconds and microseconds of the monotonic clock. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Seconds since 1970. */
int64_t clock_unix(void);

/* "2026-03-01T12:00:00.123Z" into `out`. Returns `out`. */
#define CLOCK_ISO_SIZE 25
char *clock_iso(char out[CLOCK_ISO_SIZE]);

/* The same for seconds since 1970, without the fraction. */
char *clock_iso_of(int64_t unix_seconds, char out[CLOCK_ISO_SIZE]);
