/* SPDX-License-Identifier: Apache-2.0 */
/* Line by line; everything that is not a plain, complete bundle is refused. */
#include "git/bundle_header.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/refs.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_MAX ((size_t)64 << 10)

void bundle_reader_init(struct bundle_reader *r, struct stream *s)
{
	*r = (struct bundle_reader){ .stream = s };
	buf_init_max(&r->ahead, AHEAD_MAX);
}

void bundle_reader_fini(struct bundle_reader *r)
{
	buf_fini(&r->ahead);
}

/* Read more behind what is there: bytes, 0 at the end, -1. */
static ssize_t more(struct bundle_reader *r, struct err *e)
{
	void *room;
	ssize_t n;

	buf_consume(&r->ahead, r->at);
	r->at = 0;
	room = buf_reserve(&r->ahead, 4096);
	if (!room)
		return err_nomem(e);
	n = stream_read(r->stream, room, 4096, e);
	if (n > 0)
		r->ahead.len += (size_t)n;
	return n;
}

ssize_t bundle_read_rest(struct bundle_reader *r, void *data, size_t n,
			 struct err *e)
{
	size_t left = r->ahead.len - r->at;

	if (!left)
		return stream_read(r->stream, data, n, e);
	if (n > left)
		n = left;
	memcpy(data, r->ahead.data + r->at, n);
	r->at += n;
	return (ssize_t)n;
}

/* The next line without its LF; valid until the next call. */
static int read_line(struct bundle_reader *r, struct span *out, struct err *e)
{
	for (;;) {
		struct span rest =
			span_of(r->ahead.data + r->at, r->ahead.len - r->at);
		ssize_t n;

		if (r->ahead.len && span_until(&rest, '\n', out)) {
			r->at = r->ahead.len - rest.len;
			return 0;
		}
		if (r->ahead.len - r->at > BUNDLE_LINE_MAX)
			return err_set(e, ERR_MALFORMED,
				       "this is no git bundle: a line of its "
				       "header has no end");
		n = more(r, e);
		if (n < 0)
			return -1;
		if (!n)
			return err_set(e, ERR_MALFORMED,
				       "the bundle ends within its header");
	}
}

static int check_capability(struct span line, struct err *e)
{
	if (span_is(line, "@object-format=sha1"))
		return 0;
	return err_set(e, ERR_MALFORMED,
		       "the bundle needs \"%.*s\", which is not served",
		       (int)(line.len > 80 ? 80 : line.len),
		       (const char *)line.data);
}

static int add_ref(struct bundle_header *h, const struct oid *id,
		   struct span name, struct err *e)
{
	struct bundle_ref *refs;

	if (h->n_refs >= BUNDLE_REFS_MAX)
		return err_set(e, ERR_LIMIT, "the bundle has more than %d refs",
			       BUNDLE_REFS_MAX);
	if (ref_name_check(name, e) < 0)
		return err_wrap(e, "a ref of the bundle");
	if (!(h->n_refs & (h->n_refs - 1))) {
		refs = reallocarray(h->refs, h->n_refs ? 2 * h->n_refs : 1,
				    sizeof *refs);
		if (!refs)
			return err_nomem(e);
		h->refs = refs;
	}
	h->refs[h->n_refs].id = *id;
	h->refs[h->n_refs].name = strndup((const char *)name.data, name.len);
	if (!h->refs[h->n_refs].name)
		return err_nomem(e);
	h->n_refs++;
	return 0;
}

/* "main", then "master", then the first branch with HEAD's commit. */
static void find_head(struct bundle_header *h, const struct oid *head)
{
	static const char *const preferred[] = { "refs/heads/main",
						 "refs/heads/master" };

	for (size_t i = 0; i < h->n_refs; i++) {
		const struct bundle_ref *ref = &h->refs[i];

		if (strncmp(ref->name, "refs/heads/", 11) ||
		    (head->len && !oid_eq(&ref->id, head)))
			continue;
		if (!h->head_branch)
			h->head_branch = ref->name;
		for (size_t p = ARRAY_SIZE(preferred); p-- > 0;)
			if (!strcmp(ref->name, preferred[p]) &&
			    strcmp(h->head_branch, preferred[0]))
				h->head_branch = ref->name;
	}
}

static int read_ref(struct bundle_header *h, struct span line, struct oid *head,
		    struct err *e)
{
	struct oid id;

	if (span_starts(line, "-"))
		return err_set(e, ERR_MALFORMED,
			       "the bundle builds on commits it does not hold; "
			       "make it with `git bundle create FILE --all`");
	if (!oid_take(&line, OID_SHA1, &id) || !span_skip(&line, " "))
		return err_set(e, ERR_MALFORMED,
			       "the bundle's header is damaged");
	if (!span_is(line, "HEAD"))
		return add_ref(h, &id, line, e);
	*head = id;
	return 0;
}

int bundle_header_read(struct bundle_reader *r, struct bundle_header *out,
		       struct err *e)
{
	CLEANUP(bundle_header_fini) struct bundle_header h = { 0 };
	struct oid head = { 0 };
	struct span line;
	bool is_v3;

	if (read_line(r, &line, e) < 0)
		return -1;
	is_v3 = span_is(line, BUNDLE_V3);
	if (!is_v3 && !span_is(line, BUNDLE_V2))
		return err_set(e, ERR_MALFORMED, "this is no git bundle");
	for (;;) {
		if (read_line(r, &line, e) < 0)
			return -1;
		if (!line.len)
			break;
		if (is_v3 && line.data[0] == '@') {
			if (check_capability(line, e) < 0)
				return -1;
		} else if (read_ref(&h, line, &head, e) < 0) {
			return -1;
		}
	}
	if (!h.n_refs)
		return err_set(e, ERR_MALFORMED, "the bundle holds no refs");
	find_head(&h, &head);
	*out = h;
	h = (struct bundle_header){ 0 };
	return 0;
}

void bundle_header_fini(struct bundle_header *h)
{
	for (size_t i = 0; i < h->n_refs; i++)
		free(h->refs[i].name);
	free(h->refs);
}
