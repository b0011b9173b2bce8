/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers are read digit by digit: strtoull() would take signs, white space,
 * other bases, and wrap.
 */
#include "store/values.h"

#include "base/err.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Largest first, so that the shortest spelling is found first. */
struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "t", UINT64_C(1) << 40 },
	{ "g", UINT64_C(1) << 30 },
	{ "m", UINT64_C(1) << 20 },
	{ "k", UINT64_C(1) << 10 },
	{ "", 1 },
};

static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
	{ "s", 1000 },	   { "", 1000 },     { "ms", 1 },
};

/* The digits that `text` begins with; what follows them, NULL where there are
 * none or the number does not fit. */
static const char *take_digits(const char *text, uint64_t *out)
{
	const char *at = text;
	uint64_t n = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return NULL;
	}
	*out = n;
	return at == text ? NULL : at;
}

static int with_unit(const char *text, const struct unit *units, size_t n_units,
		     uint64_t *out)
{
	uint64_t n = 0;
	const char *unit = text ? take_digits(text, &n) : NULL;

	if (!unit)
		return -1;
	for (size_t i = 0; i < n_units; i++) {
		if (!strcasecmp(unit, units[i].name))
			return __builtin_mul_overflow(n, units[i].factor, out)
				       ? -1
				       : 0;
	}
	return -1;
}

int value_bool(const char *text, bool *out, struct err *e)
{
	static const char *const words[] = { "false", "true", "no", "yes",
					     "off",   "on",   "0",  "1" };

	if (!text || !*text) {
		*out = !text;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcasecmp(text, words[i])) {
			*out = i % 2;
			return 0;
		}
	}
	return err_set(e, ERR_MALFORMED, "\"%.60s\" is neither true nor false",
		       text);
}

int value_size(const char *text, uint64_t *out, struct err *e)
{
	if (with_unit(text, size_units, ARRAY_SIZE(size_units), out) < 0)
		return err_set(e, ERR_MALFORMED,
			       "\"%.60s\" is no size such as 500k, 10m or 2g",
			       text ? text : "");
	return 0;
}

int value_number(const char *text, uint64_t *out, struct err *e)
{
	uint64_t n = 0;
	const char *end = text ? take_digits(text, &n) : NULL;

	if (!end || *end)
		return err_set(e, ERR_MALFORMED, "\"%.60s\" is no number",
			       text ? text : "");
	*out = n;
	return 0;
}

int value_duration_ms(const char *text, int64_t *out, struct err *e)
{
	uint64_t n;

	if (with_unit(text, duration_units, ARRAY_SIZE(duration_units), &n) <
		    0 ||
	    n > INT64_MAX)
		return err_set(e, ERR_MALFORMED,
			       "\"%.60s\" is no duration such as 500ms, 30s, "
			       "5m or 2h",
			       text ? text : "");
	*out = (int64_t)n;
	return 0;
}

int value_percent(const char *text, unsigned *out, struct err *e)
{
	uint64_t n = 0;
	const char *end = text ? take_digits(text, &n) : NULL;

	if (!end || strcmp(end, "%") != 0 || n > 100)
		return err_set(e, ERR_MALFORMED,
			       "\"%.60s\" is no percentage such as 5%%",
			       text ? text : "");
	*out = (unsigned)n;
	return 0;
}

static char *shortest(uint64_t n, const struct unit *units, size_t n_units,
		      char out[VALUE_TEXT_SIZE])
{
	size_t i = 0;

	while (n && i + 1 < n_units && n % units[i].factor)
		i++;
	if (!n)
		i = n_units - 1;
	snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64 "%s", n / units[i].factor,
		 units[i].name);
	return out;
}

char *value_size_text(uint64_t bytes, char out[VALUE_TEXT_SIZE])
{
	return shortest(bytes, size_units, ARRAY_SIZE(size_units), out);
}

char *value_duration_text(int64_t ms, char out[VALUE_TEXT_SIZE])
{
	return shortest((uint64_t)ms, duration_units,
			ARRAY_SIZE(duration_units), out);
}
