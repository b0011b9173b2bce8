/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter specs. A combine: holds parts, percent-encoded, joined by "+", and a
 * part may be a combine: again: each level takes its name off the text, so the
 * work is bounded by the length of the spec times the levels it can hold, and
 * parts wait in a list instead of on the stack.
 */
#include "git/filter.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/repo_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What git wants to see escaped inside a combine:. */
#define RESERVED "~`!@#$^&*()[]{}\\;'\",<>?"

/* Room for a quoted piece of a spec in a sentence. */
#define SHOWN_MAX 64

/* Copy for a message, cut and cleaned. */
static const char *shown(struct span s, char out[SHOWN_MAX])
{
	size_t n = s.len < SHOWN_MAX - 1 ? s.len : SHOWN_MAX - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = isprint(s.data[i]) ? (char)s.data[i] : '?';
	out[n] = '\0';
	return out;
}

static int refuse_spec(struct span spec, struct err *e)
{
	char text[SHOWN_MAX];

	return err_set(e, ERR_MALFORMED, "invalid filter-spec '%s'",
		       shown(spec, text));
}

/* Decimal digits, and with `may_scale` one of k, m, g behind them. */
static bool parse_number(struct span s, bool may_scale, uint64_t *out)
{
	static const char suffixes[] = "kmg";
	uint64_t value = 0;
	struct span digit;

	if (!s.len || !isdigit(s.data[0]))
		return false;
	while (s.len && isdigit(s.data[0]) && span_take(&s, 1, &digit))
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit.data[0] - '0', &value))
			return false;
	if (s.len == 1 && may_scale) {
		const char *suffix = strchr(suffixes, tolower(s.data[0]));
		uint64_t scale;

		if (!s.data[0] || !suffix)
			return false;
		scale = UINT64_C(1) << (10 * (suffix - suffixes + 1));
		if (__builtin_mul_overflow(value, scale, &value))
			return false;
	} else if (s.len) {
		return false;
	}
	*out = value;
	return true;
}

static int refuse_kind(const char *kind, struct err *e)
{
	return err_set(e, ERR_DENIED, "filter '%s' not supported", kind);
}

/* A kind's own key decides, else uploadpackfilter.allow, else yes. */
static int check_kind(const struct repo_config *config, enum config_bool own,
		      const char *kind, struct err *e)
{
	enum config_bool allowed = own;

	if (allowed == CONFIG_UNSET)
		allowed = config->filter_allow;
	return allowed == CONFIG_FALSE ? refuse_kind(kind, e) : 0;
}

static void limit_blobs(struct filter *f, uint64_t limit)
{
	if (!f->has_blob_limit || limit < f->blob_limit)
		f->blob_limit = limit;
	f->has_blob_limit = true;
}

static int add_tree_depth(struct span depth, const struct repo_config *config,
			  struct filter *f, struct err *e)
{
	uint64_t value;

	if (!parse_number(depth, true, &value))
		return err_set(e, ERR_MALFORMED, "expected 'tree:<depth>'");
	if (check_kind(config, config->filter_tree, "tree", e) < 0)
		return -1;
	if (value > config->filter_tree_max_depth)
		return err_set(e, ERR_DENIED,
			       "tree filter allows max depth %" PRIu64
			       ", but got %" PRIu64,
			       config->filter_tree_max_depth, value);
	if (!f->has_tree_depth || value < f->tree_depth)
		f->tree_depth = value;
	f->has_tree_depth = true;
	return 0;
}

static int add_type(struct span name, const struct repo_config *config,
		    struct filter *f, struct err *e)
{
	enum object_type type = object_type_parse(name);
	char text[SHOWN_MAX];

	if (type == OBJECT_NONE)
		return err_set(e, ERR_MALFORMED,
			       "'%s' for 'object:type=<type>' is not a valid "
			       "object type",
			       shown(name, text));
	if (check_kind(config, config->filter_object_type, "object:type", e) <
	    0)
		return -1;
	if (f->has_type && f->type != type)
		type = OBJECT_NONE;
	f->has_type = true;
	f->type = type;
	return 0;
}

/* Anything but a combine:. */
static int add_simple(struct span spec, const struct repo_config *config,
		      struct filter *f, struct err *e)
{
	struct span rest = spec;
	uint64_t limit = 0;

	if (span_is(spec, "blob:none")) {
		limit_blobs(f, 0);
		return check_kind(config, config->filter_blob_none, "blob:none",
				  e);
	}
	if (span_skip(&rest, "blob:limit=")) {
		if (!parse_number(rest, true, &limit))
			return refuse_spec(spec, e);
		limit_blobs(f, limit);
		return check_kind(config, config->filter_blob_limit,
				  "blob:limit", e);
	}
	if (span_skip(&rest, "tree:"))
		return add_tree_depth(rest, config, f, e);
	if (span_skip(&rest, "object:type="))
		return add_type(rest, config, f, e);
	if (span_starts(spec, "sparse:oid="))
		return refuse_kind("sparse:oid", e);
	if (span_starts(spec, "sparse:path="))
		return err_set(e, ERR_DENIED,
			       "sparse:path filters support has been dropped");
	return refuse_spec(spec, e);
}

/* Parts that still have to be read, each behind the other in `text`. */
struct parts {
	struct buf text; /* decoded specs, each followed by a NUL */
	size_t at;	 /* where the next one begins */
	unsigned n_simple, n_waiting;
};

static int hex_value(unsigned char c)
{
	if (!isxdigit(c))
		return -1;
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* Append one part, decoded. */
static int add_part(struct parts *p, struct span part, struct err *e)
{
	struct span c;

	if (!part.len)
		return err_set(e, ERR_MALFORMED,
			       "expected something after combine:");
	if (++p->n_waiting + p->n_simple > FILTER_PARTS_MAX)
		return err_set(e, ERR_LIMIT,
			       "a filter of more than %d parts is not served",
			       FILTER_PARTS_MAX);
	while (span_take(&part, 1, &c)) {
		int value = c.data[0];
		struct span hex;

		if (value <= ' ' || strchr(RESERVED, value))
			return err_set(e, ERR_MALFORMED,
				       "must escape char in sub-filter-spec");
		if (value == '%') {
			int high, low;

			if (!span_take(&part, 2, &hex))
				return refuse_spec(part, e);
			high = hex_value(hex.data[0]);
			low = hex_value(hex.data[1]);
			value = high * 16 + low;
			if (high < 0 || low < 0 || !value)
				return refuse_spec(hex, e);
		}
		buf_addc(&p->text, (char)value);
	}
	buf_addc(&p->text, '\0');
	return buf_check(&p->text, e);
}

/* Replace a combine: by its parts. */
static int split(struct parts *p, struct span combined, struct err *e)
{
	CLEANUP(freep) void *copy = NULL;
	struct span part, rest;

	if (!combined.len)
		return err_set(e, ERR_MALFORMED,
			       "expected something after combine:");
	/* It may lie in p->text, which moves when it grows. */
	copy = malloc(combined.len);
	if (!copy)
		return err_nomem(e);
	memcpy(copy, combined.data, combined.len);
	rest = span_of(copy, combined.len);
	while (span_until(&rest, '+', &part))
		if (add_part(p, part, e) < 0)
			return -1;
	return add_part(p, rest, e);
}

static void parts_fini(struct parts *p)
{
	buf_fini(&p->text);
}

static int add_parts(struct parts *p, const struct repo_config *config,
		     struct filter *f, struct err *e)
{
	while (p->n_waiting) {
		struct span spec = span_str(buf_str(&p->text) + p->at);

		p->at += spec.len + 1;
		p->n_waiting--;
		if (span_skip(&spec, "combine:")) {
			if (split(p, spec, e) < 0)
				return -1;
			continue;
		}
		p->n_simple++;
		if (add_simple(spec, config, f, e) < 0)
			return -1;
	}
	return 0;
}

int filter_parse(struct span spec, const struct repo_config *config,
		 struct filter *out, struct err *e)
{
	CLEANUP(parts_fini) struct parts parts = { .text = BUF_INIT };
	struct filter f = { .is_set = true };

	if (spec.len > FILTER_SPEC_MAX)
		return err_set(e, ERR_LIMIT,
			       "a filter-spec of more than %d bytes",
			       FILTER_SPEC_MAX);
	if (memchr(spec.len ? (const void *)spec.data : "", '\0', spec.len))
		return refuse_spec(spec, e);
	if (!span_skip(&spec, "combine:")) {
		if (add_simple(spec, config, &f, e) < 0)
			return -1;
	} else if (check_kind(config, config->filter_combine, "combine", e) <
			   0 ||
		   split(&parts, spec, e) < 0 ||
		   add_parts(&parts, config, &f, e) < 0) {
		return -1;
	}
	*out = f;
	return 0;
}

void filter_canonical(const struct filter *f, struct buf *out)
{
	if (!f->is_set)
		return;
	buf_adds(out, "filter");
	if (f->has_blob_limit)
		buf_addf(out, " blob:limit=%" PRIu64, f->blob_limit);
	if (f->has_tree_depth)
		buf_addf(out, " tree:%" PRIu64, f->tree_depth);
	if (f->has_type)
		buf_addf(out, " object:type=%s",
			 f->type == OBJECT_NONE ? "none"
						: object_type_name(f->type));
}
