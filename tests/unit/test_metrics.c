/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/metrics.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A strict reader of the exposition, by the ABNF of OpenMetrics 1.0.0. It
 * takes one line at a time off `at` and fails the case where the text is not
 * well formed.
 */
struct reader {
	const char *at;
	char family[64];
	char type[16];
};

static void take(struct reader *r, const char *text)
{
	if (strncmp(r->at, text, strlen(text)))
		fail_msg("expected '%s' at '%.60s'", text, r->at);
	r->at += strlen(text);
}

static void take_name(struct reader *r, char *out)
{
	size_t n = strspn(r->at, "abcdefghijklmnopqrstuvwxyz_");

	assert_in_range(n, 1, 63);
	memcpy(out, r->at, n);
	out[n] = '\0';
	r->at += n;
}

/* Text up to a quote or a line's end; escapes are \\ \" and \n alone. */
static void take_escaped(struct reader *r, char stop)
{
	for (; *r->at != stop; r->at++) {
		assert_true(*r->at && *r->at != '\n' && *r->at != '"');
		if (*r->at == '\\') {
			r->at++;
			assert_non_null(strchr("\\\"n", *r->at));
		}
	}
}

static void take_labels(struct reader *r)
{
	char name[64];

	if (*r->at != '{')
		return;
	do {
		r->at++;
		take_name(r, name);
		take(r, "=\"");
		take_escaped(r, '"');
		take(r, "\"");
	} while (*r->at == ',');
	take(r, "}");
}

static void read_metadata(struct reader *r)
{
	char name[64];

	take(r, "# TYPE ");
	take_name(r, r->family);
	take(r, " ");
	take_name(r, r->type);
	take(r, "\n# HELP ");
	take_name(r, name);
	assert_string_equal(name, r->family);
	take(r, " ");
	take_escaped(r, '\n');
	take(r, "\n");
}

static bool is_suffix(const struct reader *r, const char *suffix)
{
	if (!strcmp(r->type, "counter"))
		return !strcmp(suffix, "_total");
	if (!strcmp(r->type, "gauge"))
		return !*suffix;
	return !strcmp(suffix, "_bucket") || !strcmp(suffix, "_count") ||
	       !strcmp(suffix, "_sum");
}

static void read_sample(struct reader *r)
{
	size_t n = strlen(r->family);
	char name[64];
	char *end;

	take_name(r, name);
	assert_int_equal(strncmp(name, r->family, n), 0);
	assert_true(is_suffix(r, name + n));
	take_labels(r);
	take(r, " ");
	assert_false(isspace((unsigned char)*r->at));
	(void)strtod(r->at, &end);
	assert_ptr_not_equal(end, r->at);
	r->at = end;
	take(r, "\n");
}

static void assert_well_formed(const char *text)
{
	struct reader r = { .at = text };

	while (strncmp(r.at, "# EOF", 5)) {
		if (*r.at == '#')
			read_metadata(&r);
		else
			read_sample(&r);
	}
	take(&r, "# EOF\n");
	assert_string_equal(r.at, "");
}

static char page[1 << 20];

static const char *printed(void)
{
	struct buf b = BUF_INIT;

	metrics_print(&b);
	assert_true(b.len < sizeof page);
	memcpy(page, buf_str(&b), b.len + 1);
	buf_fini(&b);
	assert_well_formed(page);
	return page;
}

static void assert_printed(const char *lines)
{
	if (!strstr(printed(), lines))
		fail_msg("'%s' is not in:\n%s", lines, page);
}

static void prints_a_counter_with_total(void **state)
{
	static struct metric_family pushes =
		METRIC_COUNTER("t_pushes", "Pushes by result.", "result");

	(void)state;
	metric_register(&pushes);
	assert_printed("# TYPE t_pushes counter\n"
		       "# HELP t_pushes Pushes by result.\n"
		       "# ");
	metric_add(&pushes, 1, "accepted");
	metric_add(&pushes, 1, "refused");
	metric_add(&pushes, 2, "accepted");
	assert_printed("# HELP t_pushes Pushes by result.\n"
		       "t_pushes_total{result=\"accepted\"} 3\n"
		       "t_pushes_total{result=\"refused\"} 1\n");
	assert_true(metric_value(&pushes, "accepted") == 3);
	assert_true(metric_value(&pushes, "unheard") == 0);
}

static void shows_a_counter_without_labels_from_the_start(void **state)
{
	static struct metric_family bytes =
		METRIC_COUNTER("t_bytes", "Bytes.", NULL);

	(void)state;
	metric_register(&bytes);
	metric_register(&bytes);
	assert_printed("t_bytes_total 0\n");
	metric_add(&bytes, 4294967297.0);
	assert_printed("t_bytes_total 4294967297\n");
}

static void sets_a_gauge(void **state)
{
	static struct metric_family level =
		METRIC_GAUGE("t_level", "A level.", "where", "what");

	(void)state;
	metric_set(&level, 2.5, "here", "a");
	metric_add(&level, -3, "here", "a");
	metric_set(&level, 0.1, "there", "b");
	assert_printed("t_level{where=\"here\",what=\"a\"} -0.5\n"
		       "t_level{where=\"there\",what=\"b\"} 0.1\n");
	metric_set(&level, 1e300 * 1e300, "here", "a");
	assert_printed("t_level{where=\"here\",what=\"a\"} +Inf\n");
	metric_set(&level, 1e20, "here", "a");
	assert_printed("t_level{where=\"here\",what=\"a\"} 1e+20\n");
}

static void counts_into_cumulative_buckets(void **state)
{
	static struct metric_family took =
		METRIC_HISTOGRAM("t_took", "Time.", "verb");

	(void)state;
	metric_observe(&took, 0.0004, "x");
	metric_observe(&took, 0.0005, "x");
	metric_observe(&took, 0.02, "x");
	metric_observe(&took, 1, "x");
	metric_observe(&took, 3600, "x");
	metric_observe(&took, -1, "x");
	assert_printed("# TYPE t_took histogram\n# HELP t_took Time.\n"
		       "t_took_bucket{verb=\"x\",le=\"0.0005\"} 3\n"
		       "t_took_bucket{verb=\"x\",le=\"0.001\"} 3\n");
	assert_printed("t_took_bucket{verb=\"x\",le=\"0.01\"} 3\n"
		       "t_took_bucket{verb=\"x\",le=\"0.025\"} 4\n");
	assert_printed("t_took_bucket{verb=\"x\",le=\"0.5\"} 4\n"
		       "t_took_bucket{verb=\"x\",le=\"1.0\"} 5\n");
	assert_printed("t_took_bucket{verb=\"x\",le=\"60.0\"} 5\n"
		       "t_took_bucket{verb=\"x\",le=\"+Inf\"} 6\n"
		       "t_took_count{verb=\"x\"} 6\n"
		       "t_took_sum{verb=\"x\"} 3601.0209\n");
	assert_true(metric_value(&took, "x") == 6);
}

static void escapes_labels_and_help(void **state)
{
	static struct metric_family odd =
		METRIC_GAUGE("t_odd", "A \"quote\",\na line, a \\.", "v");

	(void)state;
	metric_set(&odd, 1, "\"\\\n");
	metric_set(&odd, 2, NULL);
	assert_printed("# HELP t_odd A \\\"quote\\\",\\na line, a \\\\.\n"
		       "t_odd{v=\"\\\"\\\\\\n\"} 1\nt_odd{v=\"\"} 2\n");
}

static void counts_too_many_series_as_other(void **state)
{
	static struct metric_family many =
		METRIC_COUNTER("t_many", "Many.", "a", "b");
	char value[16];

	(void)state;
	for (int i = 0; i < METRIC_MAX_SERIES + 10; i++) {
		snprintf(value, sizeof value, "%d", i);
		metric_add(&many, 1, value, "x");
	}
	assert_true(metric_value(&many, "63", "x") == 1);
	assert_true(metric_value(&many, "64", "x") == 0);
	assert_true(metric_value(&many, "other", "other") == 10);
	metric_add(&many, 1, "0", "x");
	assert_true(metric_value(&many, "0", "x") == 2);
}

static struct metric_family scrapes =
	METRIC_COUNTER("t_scrapes", "Scrapes.", NULL);

static void print_memory(struct buf *out, void *arg)
{
	/* A source may count. */
	metric_add(&scrapes, 1);
	buf_addf(out,
		 "# TYPE t_memory gauge\n# HELP t_memory Memory.\n"
		 "t_memory %d\n",
		 *(int *)arg);
}

static void asks_sources_on_every_scrape(void **state)
{
	static int memory = 7;

	(void)state;
	metrics_add_source(print_memory, &memory);
	assert_printed("t_memory 7\n# EOF\n");
	memory = 8;
	assert_printed("t_memory 8\n# EOF\n");
	assert_true(metric_value(&scrapes) == 2);
}

static struct metric_family shared =
	METRIC_COUNTER("t_shared", "Shared.", "thread");

static void *add_many(void *arg)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < 1000; i++) {
		metric_add(&shared, 1, "all");
		metric_add(&shared, 1, arg);
		if (i % 100 == 0)
			metrics_print(&b);
	}
	buf_fini(&b);
	return NULL;
}

static void counts_for_many_threads(void **state)
{
	static char names[4][2] = { "a", "b", "c", "d" };
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, add_many, names[i]),
			0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(metric_value(&shared, "all") == 4000);
	assert_true(metric_value(&shared, "d") == 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_a_counter_with_total),
		cmocka_unit_test(shows_a_counter_without_labels_from_the_start),
		cmocka_unit_test(sets_a_gauge),
		cmocka_unit_test(counts_into_cumulative_buckets),
		cmocka_unit_test(escapes_labels_and_help),
		cmocka_unit_test(counts_too_many_series_as_other),
		cmocka_unit_test(asks_sources_on_every_scrape),
		cmocka_unit_test(counts_for_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
