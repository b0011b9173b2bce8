/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of series in static tables, printed as OpenMetrics text.
 *
 * Format: OpenMetrics 1.0.0, the text exposition: TYPE and HELP before a
 * family's samples, families whole and in the order of their first use,
 * counters with _total, histogram buckets cumulative up to le="+Inf".
 * Locks: `registry` guards every family and series; printing functions of
 * others are called without it, so that they may count, too.
 */
#include "base/metrics.h"

#include "base/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOURCES 32

/* What "other" stands for, in every label. */
#define OTHER "other"

/* Upper ends of the buckets in seconds, with the canonical text of `le`. */
static const struct {
	double upto;
	const char *le;
} buckets[] = {
	{ 0.0005, "0.0005" }, { 0.001, "0.001" }, { 0.0025, "0.0025" },
	{ 0.005, "0.005" },   { 0.01, "0.01" },	  { 0.025, "0.025" },
	{ 0.05, "0.05" },     { 0.1, "0.1" },	  { 0.25, "0.25" },
	{ 0.5, "0.5" },	      { 1, "1.0" },	  { 2.5, "2.5" },
	{ 5, "5.0" },	      { 10, "10.0" },	  { 30, "30.0" },
	{ 60, "60.0" },
};

struct metric_series {
	struct metric_series *next;
	char *labels[METRIC_MAX_LABELS];
	double value; /* of a histogram: the sum */
	uint64_t count;
	uint64_t in_bucket[ARRAY_SIZE(buckets)];
};

struct source {
	void (*print)(struct buf *out, void *arg);
	void *arg;
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
/* under the lock */
static struct metric_family *families;
static struct metric_family **families_end = &families;
static struct source sources[MAX_SOURCES];
static size_t n_sources;

static const char *const type_names[] = {
	[METRIC_TYPE_COUNTER] = "counter",
	[METRIC_TYPE_GAUGE] = "gauge",
	[METRIC_TYPE_HISTOGRAM] = "histogram",
};

/* Label values as the caller gives them, one for each label. */
struct label_values {
	const char *at[METRIC_MAX_LABELS];
};

static size_t n_labels(const struct metric_family *f)
{
	size_t n = 0;

	while (n < METRIC_MAX_LABELS && f->labels[n])
		n++;
	return n;
}

static struct label_values values_of(const struct metric_family *f,
				     va_list args)
{
	struct label_values v = { { NULL } };

	for (size_t i = 0; i < n_labels(f); i++) {
		v.at[i] = va_arg(args, const char *);
		if (!v.at[i])
			v.at[i] = "";
	}
	return v;
}

static bool series_is(const struct metric_series *s,
		      const struct label_values *v)
{
	for (size_t i = 0; i < METRIC_MAX_LABELS && v->at[i]; i++)
		if (strcmp(s->labels[i], v->at[i]))
			return false;
	return true;
}

static struct metric_series *series_free(struct metric_series *s)
{
	for (size_t i = 0; s && i < METRIC_MAX_LABELS; i++)
		free(s->labels[i]);
	free(s);
	return NULL;
}

static inline void series_freep(struct metric_series **s)
{
	series_free(*s);
}

static struct metric_series *series_new(const struct label_values *v)
{
	CLEANUP(series_freep) struct metric_series *s = calloc(1, sizeof *s);

	for (size_t i = 0; s && i < METRIC_MAX_LABELS && v->at[i]; i++) {
		s->labels[i] = strdup(v->at[i]);
		if (!s->labels[i])
			return NULL;
	}
	return TAKE(s);
}

/* Find the series, or where a new one would be linked in. */
static struct metric_series **series_find(struct metric_family *f,
					  const struct label_values *v,
					  size_t *n_out)
{
	struct metric_series **at = &f->series;

	for (*n_out = 0; *at && !series_is(*at, v); at = &(*at)->next)
		++*n_out;
	return at;
}

/* The series of these values, made if there is none; "other" where there are
 * too many; NULL out of memory. */
static struct metric_series *series_get(struct metric_family *f,
					struct label_values v)
{
	struct metric_series **at;
	size_t n;

	at = series_find(f, &v, &n);
	if (!*at && n >= METRIC_MAX_SERIES) {
		for (size_t i = 0; i < METRIC_MAX_LABELS && v.at[i]; i++)
			v.at[i] = OTHER;
		at = series_find(f, &v, &n);
	}
	if (!*at)
		*at = series_new(&v);
	return *at;
}

static void register_locked(struct metric_family *f)
{
	if (f->is_registered)
		return;
	f->is_registered = true;
	*families_end = f;
	families_end = &f->next;
	/* What nothing tells apart is known from the start: it is zero. */
	if (!n_labels(f) && f->type != METRIC_TYPE_GAUGE)
		(void)series_get(f, (struct label_values){ { NULL } });
}

void metric_register(struct metric_family *f)
{
	pthread_mutex_lock(&registry);
	register_locked(f);
	pthread_mutex_unlock(&registry);
}

static void observe(struct metric_series *s, double seconds)
{
	s->value += seconds;
	s->count++;
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++)
		if (seconds <= buckets[i].upto) {
			s->in_bucket[i]++;
			return;
		}
}

enum change { CHANGE_ADD, CHANGE_SET, CHANGE_OBSERVE };

static void change(struct metric_family *f, enum change how, double value,
		   va_list args)
{
	struct label_values v = values_of(f, args);
	struct metric_series *s;

	pthread_mutex_lock(&registry);
	register_locked(f);
	s = series_get(f, v);
	if (s && how == CHANGE_ADD)
		s->value += value;
	else if (s && how == CHANGE_SET)
		s->value = value;
	else if (s)
		observe(s, value);
	pthread_mutex_unlock(&registry);
}

void metric_add(struct metric_family *f, double value, ...)
{
	va_list args;

	assert(f->type != METRIC_TYPE_HISTOGRAM);
	assert(f->type != METRIC_TYPE_COUNTER || value >= 0);
	va_start(args, value);
	change(f, CHANGE_ADD, value, args);
	va_end(args);
}

void metric_set(struct metric_family *f, double value, ...)
{
	va_list args;

	assert(f->type == METRIC_TYPE_GAUGE);
	va_start(args, value);
	change(f, CHANGE_SET, value, args);
	va_end(args);
}

void metric_observe(struct metric_family *f, double seconds, ...)
{
	va_list args;

	assert(f->type == METRIC_TYPE_HISTOGRAM);
	va_start(args, seconds);
	/* A histogram's sum must not fall, whatever a clock did. */
	change(f, CHANGE_OBSERVE, seconds > 0 ? seconds : 0, args);
	va_end(args);
}

double metric_value(struct metric_family *f, ...)
{
	struct metric_series *s;
	struct label_values v;
	double value = 0;
	va_list args;
	size_t n;

	va_start(args, f);
	v = values_of(f, args);
	va_end(args);
	pthread_mutex_lock(&registry);
	s = *series_find(f, &v, &n);
	if (s)
		value = f->type == METRIC_TYPE_HISTOGRAM ? (double)s->count
							 : s->value;
	pthread_mutex_unlock(&registry);
	return value;
}

void metrics_add_source(void (*print)(struct buf *out, void *arg), void *arg)
{
	pthread_mutex_lock(&registry);
	assert(n_sources < MAX_SOURCES);
	sources[n_sources++] = (struct source){ print, arg };
	pthread_mutex_unlock(&registry);
}

static void print_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_addc(out, '\\');
		if (*text == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *text);
	}
}

/* A whole number as one; anything else with as many digits as it needs. */
static void print_number(struct buf *out, double value)
{
	const double exact = 9007199254740992.0; /* 2^53 */
	char text[32];

	if (isnan(value)) {
		buf_adds(out, "NaN");
		return;
	}
	if (isinf(value)) {
		buf_adds(out, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (fabs(value) < exact && value == (double)(int64_t)value) {
		buf_addf(out, "%.0f", value);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_adds(out, text);
}

/* NAME SUFFIX {labels,le} and a space. */
static void print_sample(struct buf *out, const struct metric_family *f,
			 const struct metric_series *s, const char *suffix,
			 const char *le)
{
	const char *before = "{";

	buf_addf(out, "%s%s", f->name, suffix);
	for (size_t i = 0; i < n_labels(f); i++) {
		buf_addf(out, "%s%s=\"", before, f->labels[i]);
		print_escaped(out, s->labels[i]);
		buf_addc(out, '"');
		before = ",";
	}
	if (le)
		buf_addf(out, "%sle=\"%s\"", before, le);
	buf_adds(out, le || n_labels(f) ? "} " : " ");
}

static void print_count(struct buf *out, uint64_t count)
{
	buf_addf(out, "%" PRIu64 "\n", count);
}

static void print_histogram(struct buf *out, const struct metric_family *f,
			    const struct metric_series *s)
{
	uint64_t so_far = 0;

	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++) {
		so_far += s->in_bucket[i];
		print_sample(out, f, s, "_bucket", buckets[i].le);
		print_count(out, so_far);
	}
	print_sample(out, f, s, "_bucket", "+Inf");
	print_count(out, s->count);
	print_sample(out, f, s, "_count", NULL);
	print_count(out, s->count);
	print_sample(out, f, s, "_sum", NULL);
	print_number(out, s->value);
	buf_addc(out, '\n');
}

static void print_series(struct buf *out, const struct metric_family *f,
			 const struct metric_series *s)
{
	if (f->type == METRIC_TYPE_HISTOGRAM) {
		print_histogram(out, f, s);
		return;
	}
	print_sample(out, f, s, f->type == METRIC_TYPE_COUNTER ? "_total" : "",
		     NULL);
	print_number(out, s->value);
	buf_addc(out, '\n');
}

static void print_family(struct buf *out, const struct metric_family *f)
{
	buf_addf(out, "# TYPE %s %s\n", f->name, type_names[f->type]);
	buf_addf(out, "# HELP %s ", f->name);
	print_escaped(out, f->help);
	buf_addc(out, '\n');
	for (const struct metric_series *s = f->series; s; s = s->next)
		print_series(out, f, s);
}

void metrics_print(struct buf *out)
{
	struct source now[MAX_SOURCES];
	size_t n;

	pthread_mutex_lock(&registry);
	for (const struct metric_family *f = families; f; f = f->next)
		print_family(out, f);
	n = n_sources;
	memcpy(now, sources, n * sizeof *now);
	pthread_mutex_unlock(&registry);
	for (size_t i = 0; i < n; i++)
		now[i].print(out, now[i].arg);
	buf_adds(out, "# EOF\n");
}
