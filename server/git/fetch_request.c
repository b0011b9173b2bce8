/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a fetch, from one table for all versions. */
#include "git/fetch_request.h"

#include "base/err.h"
#include "git/objects.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/upload_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The longest name that deepen-not and want-ref look up. */
#define REF_NAME_MAX 4096

void fetch_request_init(struct fetch_request *q)
{
	*q = (struct fetch_request){ .wanted_names = BUF_INIT };
}

void fetch_request_fini(struct fetch_request *q)
{
	oid_set_fini(&q->wants);
	oid_set_fini(&q->shallows);
	oid_set_fini(&q->not_ids);
	free(q->wanted_refs);
	buf_fini(&q->wanted_names);
}

bool fetch_request_deepens(const struct fetch_request *q)
{
	return q->depth || q->since || q->not_ids.n;
}

/* Decimal digits only, at most `max`, not 0. */
static bool parse_positive(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	struct span digit;

	if (!s.len)
		return false;
	while (span_take(&s, 1, &digit)) {
		if (digit.data[0] < '0' || digit.data[0] > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit.data[0] - '0', &value))
			return false;
	}
	*out = value;
	return value && value <= max;
}

static int refuse(struct err *e, const char *what, struct span line)
{
	char text[UPLOAD_SHOWN_MAX];

	return err_set(e, ERR_MALFORMED, "%s%s", what,
		       upload_shown(line, text));
}

static int count(uint32_t *n, uint32_t max, const char *what, struct err *e)
{
	if (*n >= max)
		return err_set(e, ERR_LIMIT,
			       "more than %" PRIu32 " %s lines in one request",
			       max, what);
	(*n)++;
	return 0;
}

static int take_shallow(struct upload *u, struct fetch_request *q,
			struct span value, struct err *e)
{
	enum object_type type;
	struct oid id;
	uint64_t size;
	int found;

	if (count(&q->n_shallow_lines, u->limits.wants, "shallow", e) < 0)
		return -1;
	if (!oid_parse(value, objects_kind(u->objects), &id))
		return refuse(e, "invalid shallow line: shallow ", value);
	found = object_glance(&u->glance, &id, e);
	if (found <= 0)
		return found; /* a commit we do not know limits nothing here */
	if (object_info(u->reader, &id, &type, &size, e) < 0)
		return -1;
	if (type != OBJECT_COMMIT)
		return refuse(e, "invalid shallow object ", value);
	return oid_set_add(&q->shallows, &id, e) < 0 ? -1 : 0;
}

static int take_deepen(struct upload *u, struct fetch_request *q,
		       struct span value, struct err *e)
{
	uint64_t depth;

	(void)u;
	if (!parse_positive(value, INT32_MAX, &depth) ||
	    (q->depth && q->depth != (int32_t)depth))
		return refuse(e, "Invalid deepen: deepen ", value);
	q->depth = (int32_t)depth;
	return 0;
}

static int take_since(struct upload *u, struct fetch_request *q,
		      struct span value, struct err *e)
{
	uint64_t since;

	(void)u;
	if (!parse_positive(value, INT64_MAX, &since) ||
	    (q->since && q->since != (int64_t)since))
		return refuse(e, "Invalid deepen-since: deepen-since ", value);
	q->since = (int64_t)since;
	return 0;
}

/* What git's short names may stand for; the name must be one of them only. */
static const char *const ref_rules[] = { "%s",
					 "refs/%s",
					 "refs/tags/%s",
					 "refs/heads/%s",
					 "refs/remotes/%s",
					 "refs/remotes/%s/HEAD" };

static bool resolve(const struct upload *u, const char *name, struct oid *out)
{
	const struct ref *ref;

	if (ref_is_hidden(&u->config->upload_hide, name))
		return false;
	if (!strcmp(name, "HEAD")) {
		*out = refs_head(u->refs)->id;
		return out->len > 0;
	}
	ref = refs_find(u->refs, name);
	if (!ref)
		return false;
	*out = ref->id;
	return true;
}

static bool copy_name(struct span name, char out[REF_NAME_MAX])
{
	if (!name.len || name.len >= REF_NAME_MAX ||
	    memchr(name.data, '\0', name.len))
		return false;
	memcpy(out, name.data, name.len);
	out[name.len] = '\0';
	return true;
}

/* deepen-not: the id `name` stands for; the number of refs it could mean. */
static unsigned expand(const struct upload *u, const char *name,
		       struct oid *out)
{
	char full[REF_NAME_MAX + 32];
	unsigned n = 0;
	struct oid id;

	for (size_t i = 0; i < ARRAY_SIZE(ref_rules); i++) {
		const char *rule = ref_rules[i];
		int prefix = (int)(strstr(rule, "%s") - rule);

		snprintf(full, sizeof full, "%.*s%s%s", prefix, rule, name,
			 rule + prefix + 2);
		if (!resolve(u, full, &id))
			continue;
		n++;
		*out = id;
	}
	return n;
}

static int take_not(struct upload *u, struct fetch_request *q,
		    struct span value, struct err *e)
{
	char name[REF_NAME_MAX];
	struct oid id;

	if (count(&q->n_shallow_lines, u->limits.wants, "deepen-not", e) < 0)
		return -1;
	if (!copy_name(value, name) || expand(u, name, &id) != 1)
		return refuse(e, "ambiguous deepen-not: deepen-not ", value);
	return oid_set_add(&q->not_ids, &id, e) < 0 ? -1 : 0;
}

static int take_filter(struct upload *u, struct fetch_request *q,
		       struct span value, struct err *e)
{
	if (!u->config->allow_filter ||
	    (u->options->version != 2 && !q->has_filter))
		return err_set(e, ERR_DENIED,
			       "filtering capability not negotiated");
	if (q->filter.is_set)
		return err_set(e, ERR_MALFORMED,
			       "multiple filter-specs cannot be combined");
	return filter_parse(value, u->config, &q->filter, e);
}

static const struct {
	const char *word;
	int (*take)(struct upload *u, struct fetch_request *q,
		    struct span value, struct err *e);
} lines[] = {
	{ "shallow ", take_shallow },	 { "deepen ", take_deepen },
	{ "deepen-since ", take_since }, { "deepen-not ", take_not },
	{ "filter ", take_filter },
};

int fetch_request_line(struct upload *u, struct fetch_request *q,
		       struct span line, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (span_skip(&line, lines[i].word))
			return lines[i].take(u, q, line, e) < 0 ? -1 : 1;
	return 0;
}

static int not_our_ref(struct err *e, enum err_code code, const struct oid *id)
{
	char hex[OID_MAX_HEX + 1];

	return err_set(e, code, "upload-pack: not our ref %s",
		       oid_hex(id, hex));
}

int fetch_request_want(struct upload *u, struct fetch_request *q,
		       const struct oid *id, struct err *e)
{
	struct object_at at;
	int found;

	if (count(&q->n_want_lines, u->limits.wants, "want", e) < 0)
		return -1;
	found = objects_find(u->objects, id, &at, e);
	if (found < 0)
		return -1;
	if (!found)
		return not_our_ref(e, ERR_NOT_FOUND, id);
	return oid_set_add(&q->wants, id, e) < 0 ? -1 : 0;
}

static int add_wanted_ref(struct fetch_request *q, const char *name,
			  const struct oid *id, struct err *e)
{
	struct wanted_ref *grown;

	/* A power of two is full. */
	if (!(q->n_wanted_refs & (q->n_wanted_refs - 1))) {
		size_t cap = q->n_wanted_refs ? 2 * q->n_wanted_refs : 1;

		grown = reallocarray(q->wanted_refs, cap, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		q->wanted_refs = grown;
	}
	q->wanted_refs[q->n_wanted_refs++] =
		(struct wanted_ref){ *id, q->wanted_names.len };
	buf_add(&q->wanted_names, name, strlen(name) + 1);
	return buf_check(&q->wanted_names, e);
}

int fetch_request_want_ref(struct upload *u, struct fetch_request *q,
			   struct span value, struct err *e)
{
	char name[REF_NAME_MAX];
	struct oid id;

	if (!copy_name(value, name) || !resolve(u, name, &id))
		return refuse(e, "unknown ref ", value);
	if (fetch_request_want(u, q, &id, e) < 0)
		return -1;
	return add_wanted_ref(q, name, &id, e);
}

int fetch_request_check(const struct fetch_request *q, struct err *e)
{
	if (q->depth && (q->since || q->not_ids.n))
		return err_set(e, ERR_MALFORMED,
			       "deepen and deepen-since (or deepen-not) cannot "
			       "be used together");
	return 0;
}
