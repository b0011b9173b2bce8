/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event is one line on standard error: a fixed name and pairs.
 *
 *	log_info("push.accepted", "repo", name, "key", key, NULL);
 *
 * Values are escaped, so that nothing a client sends can forge or break a
 * line or reach a terminal. A function that returns an error does not log it;
 * the edge that handles the error logs it, once.
 * Format: logfmt ("time=... level=info event=push.accepted repo=cluster"), or
 * one JSON object a line.
 * Threads: any; lines come one after the other. Where standard error is not
 * read for a second, lines are dropped until it is, and "log.dropped" says how
 * many.
 * Limits: a value is cut at LOG_VALUE_MAX bytes, a line at 16 KiB.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_VALUE_MAX 1024

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* At start, before threads. Defaults: info, text. */
void log_configure(enum log_level level, enum log_format format);

bool log_enabled(enum log_level level);

/* `event`, then name and value pairs of C strings, closed by NULL. A NULL
 * value leaves its pair out. */
void log_event(enum log_level level, const char *event, ...)
	__attribute__((sentinel));

#define log_error(...) log_event(LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                       \
	do {                                                 \
		if (log_enabled(LEVEL_DEBUG))                \
			log_event(LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

/* The newest warnings and errors, newest first, in the text format without the
 * line's end, long ones cut. Returns how many, at most LOG_RECENT. */
#define LOG_RECENT	 8
#define LOG_RECENT_BYTES 512
size_t log_recent(char out[LOG_RECENT][LOG_RECENT_BYTES]);

/* Numbers as values: fmt_u64(n) lives until the end of the enclosing block. */
struct fmt_number {
	char text[24];
};
const char *fmt_u64_into(struct fmt_number *n, uint64_t value);
#define fmt_u64(value) fmt_u64_into(&(struct fmt_number){ { 0 } }, (value))
