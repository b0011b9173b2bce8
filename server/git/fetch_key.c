/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections of sorted ids, each behind its length, then the filter in its
 * canonical spelling, the flags and, with include-tag, the tags.
 */
#include "git/fetch_key.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/fetch_request.h"
#include "git/ref_listing.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

#include <inttypes.h>
#include <stdlib.h>

/* Changes when the same request would give other bytes. */
#define KEY_VERSION "1"

static void digest_freep(struct digest **d)
{
	if (*d)
		digest_free(*d);
}

static int add_ids(struct digest *d, const struct oid_set *ids, struct err *e)
{
	CLEANUP(freep) struct oid *sorted = NULL;
	char length[32];

	snprintf(length, sizeof length, "%zu;", ids->n);
	digest_update(d, length, strlen(length));
	if (!ids->n)
		return 0;
	sorted = calloc(ids->n, sizeof *sorted);
	if (!sorted)
		return err_nomem(e);
	memcpy(sorted, ids->items, ids->n * sizeof *sorted);
	oid_sort(sorted, ids->n);
	for (size_t i = 0; i < ids->n; i++)
		digest_update(d, sorted[i].id, sorted[i].len);
	return 0;
}

static int add_commits(struct digest *d, const struct upload *u,
		       const struct commit_set *set, struct err *e)
{
	CLEANUP(oid_set_fini) struct oid_set ids = { 0 };

	if (commit_set_ids(u->graph, set, &ids, e) < 0)
		return -1;
	return add_ids(d, &ids, e);
}

static int add_rest(struct digest *d, struct upload *u,
		    const struct fetch_request *q, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	filter_canonical(&q->filter, &text);
	buf_addf(&text, ";%d%d%d", q->is_thin, q->has_ofs_delta,
		 q->include_tag);
	if (buf_check(&text, e) < 0)
		return -1;
	digest_update(d, text.data, text.len);
	if (q->include_tag)
		digest_update(d, ref_listing_tags(u->listing), SHA256_SIZE);
	return 0;
}

int fetch_key(struct upload *u, const struct fetch_request *q,
	      const struct oid_set *wants, const struct oid_set *common,
	      const struct shallow_info *shallow, struct pack_cache_key *out,
	      struct err *e)
{
	CLEANUP(digest_freep) struct digest *d = digest_new(DIGEST_SHA256);

	if (!d)
		return err_nomem(e);
	digest_update(d, KEY_VERSION ";", strlen(KEY_VERSION) + 1);
	if (add_ids(d, wants, e) < 0 || add_ids(d, common, e) < 0 ||
	    add_commits(d, u, &shallow->shallow, e) < 0 ||
	    add_commits(d, u, &shallow->unshallow, e) < 0 ||
	    add_rest(d, u, q, e) < 0)
		return -1;
	digest_final(d, out->digest);
	return 0;
}
