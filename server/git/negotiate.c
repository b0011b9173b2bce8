/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Haves and acknowledgements. In versions 0 and 1 there are three dialects,
 * which differ in what is said when; the dialogue is one loop for all of them.
 */
#include "git/negotiate.h"

#include "base/err.h"
#include "git/fetch_request.h"
#include "git/objects.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

#include <inttypes.h>
#include <stdlib.h>

/* Evaluations after which each next one waits until a quarter more is known. */
#define FREE_EVALUATIONS 64

void negotiation_fini(struct negotiation *n)
{
	oid_set_fini(&n->common);
	commit_set_fini(&n->have);
	free(n->wants);
}

/* Mark a commit the client has, and its parents, which it then has too unless
 * it is shallow there. */
static int mark(struct upload *u, struct negotiation *n,
		const struct fetch_request *q, uint32_t number, struct err *e)
{
	const struct graph_node *node = graph_node(u->graph, number);

	if (commit_set_add(&n->have, number, e) < 0)
		return -1;
	if (oid_set_has(&q->shallows, &node->id))
		return 0;
	for (uint32_t i = 0; i < node->n_parents; i++)
		if (commit_set_add(&n->have, node->parents[i], e) < 0)
			return -1;
	return 0;
}

/* 1 where it is a commit whose history is there, or no commit at all; 0 where
 * its history is missing: then nothing can be built on it. */
static int learn(struct upload *u, struct negotiation *n,
		 const struct fetch_request *q, const struct oid *id,
		 struct err *e)
{
	uint32_t number;

	if (u->cut)
		upload_whole_graph(u);
	number = graph_lookup(u->graph, id);
	if (number == GRAPH_NONE &&
	    graph_load(u->graph, u->reader, id, &number, e) < 0) {
		if (e->code == ERR_CONFLICT)
			return 1;
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	}
	return mark(u, n, q, number, e) < 0 ? -1 : 1;
}

int negotiation_have(struct upload *u, struct negotiation *n,
		     const struct fetch_request *q, const struct oid *id,
		     struct err *e)
{
	int rc;

	if (u->result->n_haves >= u->limits.haves)
		return err_set(e, ERR_LIMIT,
			       "more than %" PRIu32
			       " have lines in one request",
			       u->limits.haves);
	u->result->n_haves++;
	if (oid_set_has(&n->common, id)) {
		n->last = *id;
		return 1;
	}
	rc = object_glance(&u->glance, id, e);
	if (rc > 0)
		rc = learn(u, n, q, id, e);
	if (rc <= 0)
		return rc;
	if (oid_set_add(&n->common, id, e) < 0)
		return -1;
	n->last = *id;
	return 1;
}

int negotiation_is_enough(struct upload *u, struct negotiation *n,
			  const struct fetch_request *q, struct err *e)
{
	int rc;

	if (n->is_enough)
		return 1;
	if (!n->common.n || n->common.n < n->evaluate_at)
		return 0;
	if (!n->has_wants &&
	    commits_of(u, &q->wants, &n->wants, &n->n_wants, e) < 0)
		return -1;
	n->has_wants = true;
	n->evaluate_at = n->common.n + 1;
	if (++n->n_evaluations > FREE_EVALUATIONS)
		n->evaluate_at += n->common.n / 4;
	rc = graph_all_meet(u->graph, n->wants, n->n_wants, &n->have, e);
	n->is_enough = rc > 0;
	return rc;
}

/* What was said since the last flush. */
struct round {
	bool has_common, has_other;
	bool is_ready;
};

static void ack(struct upload *u, const struct oid *id, const char *status)
{
	char hex[OID_MAX_HEX + 1];

	pkt_addf(&u->out, "ACK %s%s\n", oid_hex(id, hex), status);
}

static int answer_have(struct upload *u, struct negotiation *n,
		       const struct fetch_request *q, const struct oid *id,
		       struct round *round, struct err *e)
{
	size_t before = n->common.n;
	int is_common, is_enough;

	is_common = negotiation_have(u, n, q, id, e);
	if (is_common < 0)
		return -1;
	if (is_common) {
		round->has_common = true;
		if (q->multi_ack == ACK_DETAILED)
			ack(u, id, " common");
		else if (q->multi_ack == ACK_MULTI)
			ack(u, id, " continue");
		else if (!before)
			ack(u, id, "");
		return 0;
	}
	round->has_other = true;
	if (q->multi_ack == ACK_SINGLE)
		return 0;
	/* The client has what we do not: tell it early that we are content. */
	is_enough = negotiation_is_enough(u, n, q, e);
	if (is_enough <= 0)
		return is_enough;
	if (q->multi_ack == ACK_DETAILED)
		round->is_ready = true;
	ack(u, id, q->multi_ack == ACK_DETAILED ? " ready" : " continue");
	return 0;
}

/* The end of a round. 1: the pack follows at once, without "done". */
static int answer_flush(struct upload *u, struct negotiation *n,
			const struct fetch_request *q, struct round *round,
			struct err *e)
{
	if (q->multi_ack == ACK_DETAILED && round->has_common &&
	    !round->has_other) {
		int is_enough = negotiation_is_enough(u, n, q, e);

		if (is_enough < 0)
			return -1;
		if (is_enough) {
			round->is_ready = true;
			ack(u, &n->last, " ready");
		}
	}
	if (!n->common.n || q->multi_ack != ACK_SINGLE)
		pkt_addf(&u->out, "NAK\n");
	if (q->no_done && round->is_ready && u->options->is_stateless) {
		ack(u, &n->last, "");
		return 1;
	}
	round->has_common = false;
	round->has_other = false;
	return 0;
}

static void answer_done(struct upload *u, const struct negotiation *n,
			const struct fetch_request *q)
{
	if (!n->common.n)
		pkt_addf(&u->out, "NAK\n");
	else if (q->multi_ack != ACK_SINGLE)
		ack(u, &n->last, "");
}

/* 1: a pack is due; 0: go on; -1. */
static int answer_line(struct upload *u, struct negotiation *n,
		       const struct fetch_request *q, struct span line,
		       struct round *round, struct err *e)
{
	struct span hex = line;
	char text[UPLOAD_SHOWN_MAX];
	struct oid id;

	if (span_is(line, "done")) {
		answer_done(u, n, q);
		return 1;
	}
	if (!span_skip(&hex, "have "))
		return err_set(e, ERR_MALFORMED, "expected SHA1 list, got '%s'",
			       upload_shown(line, text));
	if (!oid_parse(hex, objects_kind(u->objects), &id))
		return err_set(e, ERR_MALFORMED,
			       "expected SHA1 object, got '%s'",
			       upload_shown(hex, text));
	return answer_have(u, n, q, &id, round, e);
}

int negotiate_v0(struct upload *u, struct negotiation *n,
		 const struct fetch_request *q, struct err *e)
{
	struct round round = { 0 };
	bool is_first = true;
	struct pkt pkt;
	int rc;

	for (;; is_first = false) {
		if (upload_read(u, &pkt, e) < 0)
			return -1;
		/* A stateless client takes the shallow lines and comes back. */
		if (pkt.kind == PKT_EOF && is_first && u->options->is_stateless)
			return 0;
		if (pkt.kind == PKT_EOF)
			return err_set(e, ERR_CLOSED,
				       "the client hung up before 'done'");
		if (pkt.kind == PKT_DATA) {
			rc = answer_line(u, n, q, pkt.data, &round, e);
			if (rc)
				return rc;
			continue;
		}
		if (pkt.kind != PKT_FLUSH)
			return err_set(e, ERR_MALFORMED,
				       "expected flush after have lines");
		rc = answer_flush(u, n, q, &round, e);
		if (rc)
			return rc;
		if (u->options->is_stateless)
			return 0;
	}
}
