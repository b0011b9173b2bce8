/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refs on the wire. A prefix becomes a range of ref numbers as soon as it is
 * read; ranges are sorted, merged and written as slices, so that thousands of
 * prefixes, nested or repeated, cost a binary search each and no copy.
 */
#include "git/ls_refs.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/ref_listing.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_NAME "HEAD"

static bool head_is_hidden(const struct upload *u)
{
	return ref_is_hidden(&u->config->upload_hide, HEAD_NAME);
}

/* The first line carries the capabilities behind a NUL. */
static void add_first_line(struct upload *u, const struct oid *id,
			   const char *name)
{
	struct capability_context context;
	struct buf line = BUF_INIT;

	upload_capability_context(u, &context);
	buf_addhex(&line, id->id, id->len);
	buf_addf(&line, " %s", name);
	buf_addc(&line, '\0');
	capabilities_add(&line, UPLOAD_CAPABILITIES, &context);
	buf_addc(&line, '\n');
	if (line.failed)
		u->out.failed = true;
	else
		pkt_add(&u->out, line.data, line.len);
	buf_fini(&line);
}

static void add_peeled(struct upload *u, const struct oid *peeled,
		       const char *name)
{
	char hex[OID_MAX_HEX + 1];

	if (peeled->len)
		pkt_addf(&u->out, "%s %s^{}\n", oid_hex(peeled, hex), name);
}

/* HEAD or, without one, the first ref; `*next_out` is the number of the first
 * ref that is left for the slice. */
static void add_first(struct upload *u, size_t *next_out)
{
	const struct head *head = refs_head(u->refs);
	size_t first = ref_listing_first(u->listing);
	const struct ref *ref;

	*next_out = first;
	if (head->id.len && !head_is_hidden(u)) {
		add_first_line(u, &head->id, HEAD_NAME);
		add_peeled(u, &head->peeled, HEAD_NAME);
		return;
	}
	if (first == refs_count(u->refs))
		return;
	ref = refs_at(u->refs, first);
	add_first_line(u, &ref->id, ref->name);
	add_peeled(u, &ref->peeled, ref->name);
	*next_out = first + 1;
}

int ls_refs_advertise(struct upload *u, struct err *e)
{
	struct buf tail = BUF_INIT;
	struct span spans[2];
	size_t next;
	int rc;

	if (u->options->version == 1)
		pkt_addf(&u->out, "version 1\n");
	add_first(u, &next);
	if (ref_listing_slice(u->listing, REF_STYLE_V0, next,
			      refs_count(u->refs), &spans[0], e) < 0)
		return -1;
	shallow_info_advertise(u, &tail);
	pkt_add_flush(&tail);
	spans[1] = buf_span(&tail);
	rc = buf_check(&tail, e);
	if (!rc)
		rc = upload_write_spans(u, spans, ARRAY_SIZE(spans), e);
	buf_fini(&tail);
	return rc;
}

struct range {
	size_t first, end;
};

struct ls_refs_request {
	bool peel, symrefs, unborn;
	bool has_head; /* a prefix matches HEAD */
	uint32_t n_prefixes;
	struct range *ranges;
	size_t n_ranges, cap;
};

static void request_fini(struct ls_refs_request *q)
{
	free(q->ranges);
}

/* The first number past those whose name begins with `prefix`. */
static size_t range_end(const struct refs *refs, struct span prefix,
			size_t first)
{
	size_t low = first, high = refs_count(refs);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *name = refs_at(refs, middle)->name;

		if (strncmp(name, (const char *)prefix.data, prefix.len))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int add_range(struct ls_refs_request *q, struct range range,
		     struct err *e)
{
	if (q->n_ranges == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 16;
		struct range *ranges;

		ranges = reallocarray(q->ranges, cap, sizeof *ranges);
		if (!ranges)
			return err_nomem(e);
		q->ranges = ranges;
		q->cap = cap;
	}
	q->ranges[q->n_ranges++] = range;
	return 0;
}

static int add_prefix(struct upload *u, struct ls_refs_request *q,
		      struct span prefix, struct err *e)
{
	struct range range;

	/* Too many count as none, as with git: everything is listed. */
	if (q->n_prefixes >= u->limits.ref_prefixes)
		return 0;
	q->n_prefixes++;
	if (prefix.len <= strlen(HEAD_NAME) &&
	    !memcmp(HEAD_NAME, prefix.len ? (const void *)prefix.data : "",
		    prefix.len))
		q->has_head = true;
	/* A name holds no NUL, so nothing begins with this. */
	if (prefix.len && memchr(prefix.data, '\0', prefix.len))
		return 0;
	range.first = refs_lower_bound(u->refs, prefix);
	range.end = range_end(u->refs, prefix, range.first);
	return range.first < range.end ? add_range(q, range, e) : 0;
}

static int read_argument(struct upload *u, struct ls_refs_request *q,
			 struct span line, struct err *e)
{
	char text[UPLOAD_SHOWN_MAX];

	if (span_skip(&line, "ref-prefix "))
		return add_prefix(u, q, line, e);
	if (span_is(line, "peel"))
		q->peel = true;
	else if (span_is(line, "symrefs"))
		q->symrefs = true;
	else if (span_is(line, "unborn"))
		q->unborn = u->config->lsrefs_unborn_allow;
	else
		return err_set(e, ERR_MALFORMED, "unexpected line: '%s'",
			       upload_shown(line, text));
	return 0;
}

static int read_arguments(struct upload *u, struct ls_refs_request *q,
			  struct err *e)
{
	struct pkt pkt;

	for (;;) {
		if (upload_read(u, &pkt, e) < 0)
			return -1;
		if (pkt.kind != PKT_DATA)
			break;
		if (read_argument(u, q, pkt.data, e) < 0)
			return -1;
	}
	if (pkt.kind != PKT_FLUSH)
		return err_set(e, ERR_MALFORMED,
			       "expected flush after ls-refs arguments");
	return 0;
}

static void add_head(struct upload *u, const struct ls_refs_request *q)
{
	const struct head *head = refs_head(u->refs);
	bool is_told = head->id.len > 0 || (q->unborn && q->symrefs);
	bool has_peeled = q->peel && head->peeled.len > 0;
	char hex[OID_MAX_HEX + 1], peeled[OID_MAX_HEX + 1];

	if (head_is_hidden(u) || !is_told || (!head->id.len && !head->target))
		return;
	pkt_addf(&u->out, "%s %s%s%s%s%s\n",
		 head->id.len ? oid_hex(&head->id, hex) : "unborn", HEAD_NAME,
		 q->symrefs && head->target ? " symref-target:" : "",
		 q->symrefs && head->target ? head->target : "",
		 has_peeled ? " peeled:" : "",
		 has_peeled ? oid_hex(&head->peeled, peeled) : "");
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return 0;
}

/* Sort, and join what overlaps or touches. */
static void merge_ranges(struct ls_refs_request *q)
{
	size_t n = 0;

	if (!q->n_ranges)
		return;
	qsort(q->ranges, q->n_ranges, sizeof *q->ranges, compare_ranges);
	for (size_t i = 1; i < q->n_ranges; i++) {
		struct range next = q->ranges[i];

		if (next.first > q->ranges[n].end)
			q->ranges[++n] = next;
		else if (next.end > q->ranges[n].end)
			q->ranges[n].end = next.end;
	}
	q->n_ranges = n + 1;
}

static int write_ranges(struct upload *u, const struct ls_refs_request *q,
			struct err *e)
{
	unsigned style = (q->peel ? REF_STYLE_PEEL : 0) |
			 (q->symrefs ? REF_STYLE_SYMREFS : 0);
	struct span spans[16];
	size_t n = 0;

	for (size_t i = 0; i < q->n_ranges; i++) {
		if (ref_listing_slice(u->listing, style, q->ranges[i].first,
				      q->ranges[i].end, &spans[n++], e) < 0)
			return -1;
		if (n < ARRAY_SIZE(spans) - 1)
			continue;
		if (upload_write_spans(u, spans, n, e) < 0)
			return -1;
		n = 0;
	}
	spans[n++] = span_str("0000");
	return upload_write_spans(u, spans, n, e);
}

int ls_refs_serve(struct upload *u, struct err *e)
{
	CLEANUP(request_fini) struct ls_refs_request q = { 0 };

	if (read_arguments(u, &q, e) < 0)
		return -1;
	if (!q.n_prefixes || q.n_prefixes >= u->limits.ref_prefixes) {
		q.has_head = true;
		q.n_ranges = 0;
		if (refs_count(u->refs) &&
		    add_range(&q, (struct range){ 0, refs_count(u->refs) }, e) <
			    0)
			return -1;
	}
	if (q.has_head)
		add_head(u, &q);
	merge_ranges(&q);
	if (write_ranges(u, &q, e) < 0)
		return -1;
	u->result->kind = "list";
	return 0;
}
