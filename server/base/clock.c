/* SPDX-License-Identifier: Apache-2.0 */
/* Time, and the one way this program writes it down: RFC 3339 in UTC. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

/* The years a four-digit field can show, in seconds since 1970. Time stamps
 * from strangers may lie outside; they are shown as the nearest end. */
#define YEAR_0_UNIX    INT64_C(-62167219200)
#define YEAR_9999_UNIX INT64_C(253402300799)

static struct timespec now(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return t;
}

int64_t clock_ms(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_us(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_unix(void)
{
	return now(CLOCK_REALTIME).tv_sec;
}

/* "2026-03-01T12:00:00" and what follows the seconds. The remainders change
 * nothing; they show the compiler that every field fits. */
static void print_iso(int64_t unix_seconds, const char *rest,
		      char out[CLOCK_ISO_SIZE])
{
	struct tm tm = { 0 };
	time_t t;

	if (unix_seconds < YEAR_0_UNIX)
		unix_seconds = YEAR_0_UNIX;
	if (unix_seconds > YEAR_9999_UNIX)
		unix_seconds = YEAR_9999_UNIX;
	t = (time_t)unix_seconds;
	gmtime_r(&t, &tm);
	snprintf(out, CLOCK_ISO_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u%.5s",
		 (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, rest);
}

char *clock_iso(char out[CLOCK_ISO_SIZE])
{
	struct timespec t = now(CLOCK_REALTIME);
	char rest[sizeof ".123Z"];

	snprintf(rest, sizeof rest, ".%03uZ",
		 (unsigned)(t.tv_nsec / 1000000) % 1000);
	print_iso(t.tv_sec, rest, out);
	return out;
}

char *clock_iso_of(int64_t unix_seconds, char out[CLOCK_ISO_SIZE])
{
	print_iso(unix_seconds, "Z", out);
	return out;
}
