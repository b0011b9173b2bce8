/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions 0 and 1: advertisement, wants, shallow lines, haves, pack.
 * A client that has seen the refs and wants nothing sends a flush or hangs up;
 * both are a listing that went well.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "git/capabilities.h"
#include "git/fetch_request.h"
#include "git/fetch_response.h"
#include "git/ls_refs.h"
#include "git/negotiate.h"
#include "git/objects.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

/* The words behind the id of a want; they count on every line, as with git. */
static int take_capabilities(struct upload *u, struct fetch_request *q,
			     struct span words, struct err *e)
{
	struct capabilities c = { 0 };

	capabilities_parse(words, &c);
	if (capabilities_has(&c, CAP_OBJECT_FORMAT) &&
	    object_format_check(c.object_format, e) < 0)
		return -1;
	if (capabilities_has(&c, CAP_AGENT))
		agent_copy(c.agent, u->result->agent, sizeof u->result->agent);
	q->is_relative |= capabilities_has(&c, CAP_DEEPEN_RELATIVE);
	q->no_done |= capabilities_has(&c, CAP_NO_DONE);
	q->is_thin |= capabilities_has(&c, CAP_THIN_PACK);
	q->has_ofs_delta |= capabilities_has(&c, CAP_OFS_DELTA);
	q->no_progress |= capabilities_has(&c, CAP_NO_PROGRESS);
	q->include_tag |= capabilities_has(&c, CAP_INCLUDE_TAG);
	q->has_filter |= capabilities_has(&c, CAP_FILTER);
	if (capabilities_has(&c, CAP_MULTI_ACK_DETAILED))
		q->multi_ack = ACK_DETAILED;
	else if (capabilities_has(&c, CAP_MULTI_ACK))
		q->multi_ack = ACK_MULTI;
	if (capabilities_has(&c, CAP_SIDE_BAND_64K))
		q->sideband = SIDEBAND_64K;
	else if (capabilities_has(&c, CAP_SIDE_BAND))
		q->sideband = SIDEBAND_SMALL;
	return 0;
}

static int take_want(struct upload *u, struct fetch_request *q,
		     struct span line, struct err *e)
{
	char text[UPLOAD_SHOWN_MAX];
	struct span rest = line;
	struct oid id;

	if (!span_skip(&rest, "want ") ||
	    !oid_take(&rest, objects_kind(u->objects), &id) ||
	    (rest.len && rest.data[0] != ' '))
		return err_set(e, ERR_MALFORMED,
			       "protocol error, expected to get object ID, "
			       "not '%s'",
			       upload_shown(line, text));
	if (rest.len && take_capabilities(u, q, rest, e) < 0)
		return -1;
	return fetch_request_want(u, q, &id, e);
}

static int take_line(struct upload *u, struct fetch_request *q,
		     struct span line, struct err *e)
{
	int rc = fetch_request_line(u, q, line, e);

	return rc ? rc : take_want(u, q, line, e);
}

/* Up to the flush. 1: there are wants; 0: none, or nobody there; -1. */
static int read_wants(struct upload *u, struct fetch_request *q, struct err *e)
{
	bool is_first = true;
	struct pkt pkt;

	for (;; is_first = false) {
		if (upload_read(u, &pkt, e) < 0)
			return -1;
		if (pkt.kind == PKT_EOF && is_first)
			return 0;
		if (pkt.kind == PKT_EOF)
			return err_set(e, ERR_CLOSED,
				       "the client hung up inside its request");
		if (pkt.kind == PKT_FLUSH)
			return q->wants.n > 0;
		if (pkt.kind != PKT_DATA)
			return err_set(e, ERR_MALFORMED,
				       "expected flush after want lines");
		if (take_line(u, q, pkt.data, e) < 0)
			return -1;
	}
}

static int serve(struct upload *u, struct fetch_request *q, struct err *e)
{
	CLEANUP(shallow_info_fini) struct shallow_info shallow = { 0 };
	CLEANUP(negotiation_fini) struct negotiation n = { 0 };
	int rc;

	rc = read_wants(u, q, e);
	if (rc <= 0)
		return rc;
	u->result->n_wants = (uint32_t)q->wants.n;
	u->result->kind = "none";
	if (fetch_request_check(q, e) < 0 ||
	    fetch_request_authorize(u, q, e) < 0)
		return -1;
	shallow_info_narrow(u, q);
	if (shallow_info_compute(u, q, &shallow, e) < 0)
		return -1;
	if (shallow.has_lines) {
		shallow_info_add(u, &shallow);
		pkt_add_flush(&u->out);
	}
	rc = negotiate_v0(u, &n, q, e);
	if (rc <= 0)
		return rc;
	if (shallow.graph != u->graph) { /* it had something after all */
		shallow_info_fini(&shallow);
		shallow = (struct shallow_info){ 0 };
		if (shallow_info_compute(u, q, &shallow, e) < 0)
			return -1;
	}
	return fetch_respond(u, q, &n, &shallow, e);
}

int upload_v0(struct upload *u, struct err *e)
{
	bool advertises =
		u->options->advertise_only || !u->options->is_stateless;
	struct fetch_request q;
	int rc;

	if (advertises && ls_refs_advertise(u, e) < 0)
		return -1;
	u->result->kind = advertises ? "list" : "none";
	if (u->options->advertise_only)
		return 0;
	fetch_request_init(&q);
	rc = serve(u, &q, e);
	fetch_request_fini(&q);
	return rc;
}
