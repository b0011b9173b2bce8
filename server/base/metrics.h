/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms, kept in static tables and printed as
 * OpenMetrics text (the exposition format version 1.0.0).
 *
 * A family is a static object of the module that counts:
 *
 *	static struct metric_family pushes = METRIC_COUNTER(
 *		"headwater_pushes", "Pushes by result.", "result");
 *	...
 *	metric_add(&pushes, 1, "accepted");
 *
 * A family without labels gives NULL in their place.
 * Label values are a bounded set chosen by us, never by a client (a family
 * takes METRIC_MAX_SERIES different ones, the rest counts as "other").
 * Threads: any.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

#define METRIC_MAX_SERIES 64
#define METRIC_MAX_LABELS 3

enum metric_type {
	METRIC_TYPE_COUNTER,
	METRIC_TYPE_GAUGE,
	METRIC_TYPE_HISTOGRAM
};

struct metric_series; /* opaque */

struct metric_family {
	const char *name; /* without _total */
	const char *help;
	enum metric_type type;
	const char *labels[METRIC_MAX_LABELS]; /* NULL where there are fewer */
	/* under the registry's lock */
	struct metric_series *series;
	struct metric_family *next;
	int is_registered;
};

#define METRIC_COUNTER(n, h, ...)                                              \
	{                                                                      \
		.name = n, .help = h, .type = METRIC_TYPE_COUNTER, .labels = { \
			__VA_ARGS__                                            \
		}                                                              \
	}
#define METRIC_GAUGE(n, h, ...)                                              \
	{                                                                    \
		.name = n, .help = h, .type = METRIC_TYPE_GAUGE, .labels = { \
			__VA_ARGS__                                          \
		}                                                            \
	}
/* Observed in seconds; buckets from 0.5 ms to 60 s. */
#define METRIC_HISTOGRAM(n, h, ...)                                  \
	{                                                            \
		.name = n, .help = h, .type = METRIC_TYPE_HISTOGRAM, \
		.labels = {                                          \
			__VA_ARGS__                                  \
		}                                                    \
	}

/* Make the family appear before it is first used: with no series yet, or at 0
 * where it is a counter or histogram without labels. */
void metric_register(struct metric_family *f);

/* As many label values as the family has labels. */
void metric_add(struct metric_family *f, double value, ...);
void metric_set(struct metric_family *f, double value, ...);
void metric_observe(struct metric_family *f, double seconds, ...);

/* The present value of one series, for tests and the status verb; of a
 * histogram the number of observations. */
double metric_value(struct metric_family *f, ...);

/* Append everything, "# EOF" included. */
void metrics_print(struct buf *out);

/* Print one family into `out` on every scrape, for values that live elsewhere
 * (resident memory, open sessions). At most 32 of them. */
void metrics_add_source(void (*print)(struct buf *out, void *arg), void *arg);
