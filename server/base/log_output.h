/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to a descriptor whose reader may stop reading: one who is slow is
 * waited for, one who has stopped stops nobody.
 *
 * A line that is not taken in time is dropped and counted, and so is what
 * follows, without waiting, until something is taken again. A line that was
 * begun is kept and finished first. So lines come in order and are never cut.
 * Threads: one at a time; the caller has a lock.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#define LOG_LINE_MAX ((size_t)16 << 10)

struct log_output {
	int fd;
	int patience_ms;
	bool is_stuck;	    /* the last line was not taken in time */
	uint64_t n_dropped; /* not told yet; the caller's to reset */
	size_t n_rest;	    /* of a line that was begun */
	char rest[LOG_LINE_MAX];
};

/* Is there room for a line's beginning now? Finishes what was begun. */
bool log_output_is_ready(struct log_output *o) MUST_CHECK;

/* False where the line, LOG_LINE_MAX at most, was dropped. Where the descriptor
 * is gone there is nobody to tell, and it is true. */
bool log_output_line(struct log_output *o, struct span line) MUST_CHECK;
