/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pack of a fetch, by one of three ways: from the cache, into the cache and
 * from there to the client, or straight to the client.
 *
 * What is cached is the bare pack: framing costs nothing, and so one entry
 * serves every kind of side-band. Whoever computes an entry runs ahead of its
 * own client by up to AHEAD_MAX bytes, so that a slow client does not hold up
 * those who joined; they wait JOIN_PATIENCE_MS in all and then compute for
 * themselves. Bytes already sent are compared with those computed anew: the
 * repository may have been repacked in between.
 */
#include "git/fetch_response.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "git/fetch_key.h"
#include "git/fetch_request.h"
#include "git/map_guard.h"
#include "git/negotiate.h"
#include "git/pack_emit.h"
#include "git/pack_file.h"
#include "git/pack_sender.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

#include <inttypes.h>

#define AHEAD_MAX	 ((uint64_t)16 << 20)
#define JOIN_PATIENCE_MS 20000
#define JOIN_WAIT_MS	 1000

struct response {
	struct upload *u;
	const struct fetch_request *q;
	const struct negotiation *n;
	const struct shallow_info *shallow;
	struct oid_set wants; /* the client's and those of unshallowing */
	struct pack_sender sender;
	struct pack_cache_entry *entry;
	bool is_writer;	    /* entry is ours to fill and not given up */
	int64_t waited_ms;  /* for whoever else computes it */
	uint64_t n_cached;  /* bytes given to the entry */
	uint64_t skip;	    /* bytes of the pack already sent ... */
	uint64_t n_emitted; /* ... of those computed so far */
};

static void response_fini(struct response *r)
{
	if (r->is_writer)
		pack_cache_finish(r->entry, false);
	if (r->entry)
		pack_cache_put(r->entry);
	oid_set_fini(&r->wants);
	pack_sender_fini(&r->sender);
}

static int collect_wants(struct response *r, struct err *e)
{
	const struct oid_set *sets[] = { &r->q->wants,
					 &r->shallow->more_wants };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		for (size_t k = 0; k < sets[i]->n; k++)
			if (oid_set_add(&r->wants, &sets[i]->items[k], e) < 0)
				return -1;
	return 0;
}

static int announce(struct response *r, uint32_t n_objects, struct err *e)
{
	r->u->result->n_objects = n_objects;
	return pack_sender_progress(&r->sender, e,
				    "Enumerating objects: %" PRIu32 ", done.\n",
				    n_objects);
}

static int tick(void *arg, const char *stage, uint64_t done, uint64_t total,
		struct err *e)
{
	struct response *r = arg;

	(void)total;
	return pack_sender_tick(&r->sender, stage, done, e);
}

static struct pack_plan *plan(struct response *r, struct err *e)
{
	const struct fetch_request *q = r->q;
	struct pack_progress progress = { tick, r };
	struct pack_request request = {
		.graph = r->u->graph,
		.wants = r->wants.items,
		.n_wants = r->wants.n,
		.haves = r->n->common.items,
		.n_haves = r->n->common.n,
		.shallow = r->shallow->shallow.n_words ? &r->shallow->shallow
						       : NULL,
		.unshallow = r->shallow->unshallow.n_words
				     ? &r->shallow->unshallow
				     : NULL,
		.filter = q->filter,
		.is_thin = q->is_thin,
		.has_ofs_delta = q->has_ofs_delta,
		.include_tag = q->include_tag,
	};

	return pack_plan_new(r->u->snapshot, &request, &progress, e);
}

/* Send the entry's bytes from what was sent last to `end`. */
static int drain(struct response *r, uint64_t end, struct err *e)
{
	while (r->sender.n_bytes < end) {
		struct span piece;

		if (pack_cache_read(r->entry, r->sender.n_bytes, 0, &piece, e) <
		    0)
			return -1;
		if (!piece.len)
			return err_set(e, ERR_CORRUPT,
				       "a cached response ends early");
		if (pack_sender_send(&r->sender, piece, e) < 0)
			return -1;
	}
	return 0;
}

/* Compare computed bytes with those that were sent from the entry. */
static int check_skipped(struct response *r, struct span piece, struct err *e)
{
	uint64_t at = r->n_emitted;

	while (piece.len) {
		struct span sent, part;

		if (pack_cache_read(r->entry, at, 0, &sent, e) < 0)
			return -1;
		if (!span_take(&piece,
			       sent.len < piece.len ? sent.len : piece.len,
			       &part) ||
		    !part.len || memcmp(part.data, sent.data, part.len))
			return err_set(e, ERR_CONFLICT,
				       "the repository was repacked during "
				       "this fetch; try again");
		at += part.len;
	}
	return 0;
}

/* A piece of the pack that was just computed. */
static int take_piece(void *arg, struct span piece, struct err *e)
{
	struct response *r = arg;
	struct err why;

	if (r->n_emitted < r->skip) {
		uint64_t left = r->skip - r->n_emitted;
		struct span known;

		if (!span_take(&piece,
			       piece.len < left ? piece.len : (size_t)left,
			       &known) ||
		    check_skipped(r, known, e) < 0)
			return -1;
		r->n_emitted += known.len;
	}
	if (!piece.len)
		return pack_sender_keepalive(&r->sender, e);
	r->n_emitted += piece.len;
	if (r->is_writer && !pack_cache_append(r->entry, piece, &why)) {
		r->n_cached += piece.len;
		if (r->n_cached - r->sender.n_bytes < AHEAD_MAX)
			return pack_sender_keepalive(&r->sender, e);
		return drain(r, r->n_cached, e);
	}
	if (r->is_writer) { /* no room: go on without it */
		r->is_writer = false;
		if (drain(r, r->n_cached, e) < 0)
			return -1;
	}
	return pack_sender_send(&r->sender, piece, e);
}

static int tell_total(struct response *r, const struct pack_plan *p,
		      struct err *e)
{
	struct pack_plan_stats stats;

	pack_plan_stats(p, &stats);
	return pack_sender_progress(
		&r->sender, e,
		"Total %" PRIu32 " (delta %" PRIu32 "), reused %" PRIu32
		" (delta %" PRIu32 "), pack-reused 0\n",
		pack_plan_count(p), stats.n_reused_delta,
		stats.n_reused + stats.n_reused_delta, stats.n_reused_delta);
}

static void plan_freep(struct pack_plan **p)
{
	if (*p)
		pack_plan_free(*p);
}

/* A pack that goes out as it lies is not copied. Where it cannot be mapped once
 * more, it is. */
static void lend(struct response *r, const struct pack_plan *p)
{
	const struct pack *pack = pack_plan_whole(p);
	struct guarded_map map;
	struct err ignored;

	if (pack && !pack_map_again(pack, &map, &ignored))
		pack_cache_lend(r->entry, &map);
}

static int compute(struct response *r, struct err *e)
{
	CLEANUP(plan_freep) struct pack_plan *p = NULL;
	uint64_t n_cached;

	p = plan(r, e);
	if (!p)
		return -1;
	/* Who joined has heard the number already, from the pack's header. */
	if (!r->skip && announce(r, pack_plan_count(p), e) < 0)
		return -1;
	if (r->is_writer)
		lend(r, p);
	if (pack_emit(p, take_piece, r, e) < 0)
		return -1;
	n_cached = r->n_cached;
	if (r->is_writer) {
		r->is_writer = false;
		pack_cache_finish(r->entry, true);
		if (drain(r, n_cached, e) < 0)
			return -1;
	}
	if (pack_sender_flush(&r->sender, e) < 0)
		return -1;
	return tell_total(r, p, e);
}

/* Send what an entry holds, waiting for its writer. 1: all of it; 0: the
 * writer gave up or is too slow; -1. */
static int copy_entry(struct response *r, struct err *e)
{
	struct span piece;

	while (r->waited_ms < JOIN_PATIENCE_MS) {
		int64_t before = clock_ms();
		int rc = pack_cache_read(r->entry, r->sender.n_bytes,
					 JOIN_WAIT_MS, &piece, e);

		r->waited_ms += clock_ms() - before;
		if (rc < 0 && e->code == ERR_CLOSED)
			return 0;
		if (rc < 0 && e->code != ERR_TIMEOUT)
			return -1;
		if (rc < 0) {
			if (pack_sender_keepalive(&r->sender, e) < 0)
				return -1;
			continue;
		}
		if (!piece.len)
			return 1;
		if (!r->sender.n_bytes && piece.len >= PACK_HEADER_SIZE &&
		    announce(r, load_u32be(piece.data + 8), e) < 0)
			return -1;
		if (pack_sender_send(&r->sender, piece, e) < 0)
			return -1;
	}
	return 0;
}

/* Find the pack in the cache, or become who computes it for the cache. As
 * copy_entry(); with 0 the rest is to be computed. */
static int look_up(struct response *r, struct err *e)
{
	struct pack_cache_key key;
	int rc;

	if (fetch_key(r->u, r->q, &r->wants, &r->n->common, r->shallow, &key,
		      e) < 0)
		return -1;
	while (r->waited_ms < JOIN_PATIENCE_MS) {
		r->entry = pack_cache_get(r->u->options->cache, &key,
					  &r->is_writer);
		if (!r->entry || r->is_writer)
			return 0;
		rc = copy_entry(r, e);
		if (rc || r->sender.n_bytes)
			return rc;
		/* Given up before anything was there: somebody is next. */
		pack_cache_put(r->entry);
		r->entry = NULL;
	}
	return 0;
}

static int produce(struct response *r, struct err *e)
{
	int rc = 0;

	if (r->u->options->cache)
		rc = look_up(r, e);
	r->u->result->is_cache_hit = rc > 0;
	if (rc)
		return rc < 0 ? -1 : 0;
	r->skip = r->sender.n_bytes;
	return compute(r, e);
}

static const char *kind_of(const struct fetch_request *q,
			   const struct negotiation *n)
{
	if (n->common.n)
		return "fetch";
	if (fetch_request_deepens(q))
		return "shallow";
	return q->filter.is_set ? "partial" : "clone";
}

int fetch_respond(struct upload *u, const struct fetch_request *q,
		  const struct negotiation *n, const struct shallow_info *s,
		  struct err *e)
{
	CLEANUP(response_fini)
	struct response r = { .u = u, .q = q, .n = n, .shallow = s };

	if (upload_flush(u, e) < 0)
		return -1;
	u->error_band = q->sideband;
	u->pack_is_raw = q->sideband == SIDEBAND_NONE;
	u->result->kind = kind_of(q, n);
	pack_sender_init(&r.sender, u, q->sideband, !q->no_progress);
	if (collect_wants(&r, e) < 0 || produce(&r, e) < 0)
		return -1;
	if (pack_sender_end(&r.sender, e) < 0)
		return -1;
	u->error_band = SIDEBAND_NONE;
	u->pack_is_raw = false;
	return 0;
}
