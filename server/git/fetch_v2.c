/* SPDX-License-Identifier: Apache-2.0 */
/* The command fetch: arguments by table, then section by section. */
#include "git/fetch_v2.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/fetch_request.h"
#include "git/fetch_response.h"
#include "git/negotiate.h"
#include "git/objects.h"
#include "git/repo_config.h"
#include "git/shallow_info.h"
#include "git/upload_session.h"

#include <stddef.h>

struct fetch {
	struct upload *u;
	struct fetch_request q;
	struct negotiation n;
	bool has_haves;
};

static void fetch_fini(struct fetch *f)
{
	fetch_request_fini(&f->q);
	negotiation_fini(&f->n);
}

static const struct {
	const char *word;
	size_t flag;
} switches[] = {
	{ "thin-pack", offsetof(struct fetch_request, is_thin) },
	{ "ofs-delta", offsetof(struct fetch_request, has_ofs_delta) },
	{ "no-progress", offsetof(struct fetch_request, no_progress) },
	{ "include-tag", offsetof(struct fetch_request, include_tag) },
	{ "done", offsetof(struct fetch_request, is_done) },
	{ "wait-for-done", offsetof(struct fetch_request, waits_for_done) },
	{ "deepen-relative", offsetof(struct fetch_request, is_relative) },
};

static bool take_switch(struct fetch *f, struct span line)
{
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		if (!span_is(line, switches[i].word))
			continue;
		*(bool *)((char *)&f->q + switches[i].flag) = true;
		return true;
	}
	return false;
}

static int take_id(struct fetch *f, struct span hex, struct span line,
		   struct oid *out, struct err *e)
{
	char text[UPLOAD_SHOWN_MAX];

	if (oid_parse(hex, objects_kind(f->u->objects), out))
		return 0;
	return err_set(e, ERR_MALFORMED,
		       "protocol error, expected to get oid, not '%s'",
		       upload_shown(line, text));
}

/* want, want-ref, have: 1 taken, 0 none of these, -1. */
static int take_object(struct fetch *f, struct span line, struct err *e)
{
	struct span rest = line;
	struct oid id;

	if (span_skip(&rest, "want ")) {
		if (take_id(f, rest, line, &id, e) < 0 ||
		    fetch_request_want(f->u, &f->q, &id, e) < 0)
			return -1;
		return 1;
	}
	if (span_skip(&rest, "have ")) {
		f->has_haves = true;
		if (take_id(f, rest, line, &id, e) < 0 ||
		    negotiation_have(f->u, &f->n, &f->q, &id, e) < 0)
			return -1;
		return 1;
	}
	if (f->u->config->allow_ref_in_want && span_skip(&rest, "want-ref "))
		return fetch_request_want_ref(f->u, &f->q, rest, e) < 0 ? -1
									: 1;
	return 0;
}

static int take_argument(struct fetch *f, struct span line, struct err *e)
{
	struct upload *u = f->u;
	char text[UPLOAD_SHOWN_MAX];
	int rc;

	if (take_switch(f, line))
		return 0;
	rc = take_object(f, line, e);
	if (!rc)
		rc = fetch_request_line(u, &f->q, line, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (u->config->allow_sideband_all && span_is(line, "sideband-all")) {
		u->has_sideband_all = true;
		u->error_band = SIDEBAND_64K;
		return 0;
	}
	return err_set(e, ERR_MALFORMED, "unexpected line: '%s'",
		       upload_shown(line, text));
}

static int read_arguments(struct fetch *f, struct err *e)
{
	struct pkt pkt;

	for (;;) {
		if (upload_read(f->u, &pkt, e) < 0)
			return -1;
		if (pkt.kind != PKT_DATA)
			break;
		if (take_argument(f, pkt.data, e) < 0)
			return -1;
	}
	if (pkt.kind != PKT_FLUSH)
		return err_set(e, ERR_MALFORMED,
			       "expected flush after fetch arguments");
	return fetch_request_check(&f->q, e);
}

/* 1: the pack follows; 0: the client has to tell more; -1. */
static int acknowledge(struct fetch *f, struct err *e)
{
	struct upload *u = f->u;
	char hex[OID_MAX_HEX + 1];
	int is_ready = 0;

	upload_addf(u, "acknowledgments\n");
	if (!f->n.common.n)
		upload_addf(u, "NAK\n");
	for (size_t i = 0; i < f->n.common.n; i++) {
		upload_addf(u, "ACK %s\n", oid_hex(&f->n.common.items[i], hex));
		if (u->out.len > UPLOAD_OUT_MAX && upload_flush(u, e) < 0)
			return -1;
	}
	if (!f->q.waits_for_done)
		is_ready = negotiation_is_enough(u, &f->n, &f->q, e);
	if (is_ready < 0)
		return -1;
	if (is_ready) {
		upload_addf(u, "ready\n");
		pkt_add_delim(&u->out);
	} else {
		pkt_add_flush(&u->out);
	}
	return is_ready;
}

static void add_wanted_refs(struct upload *u, const struct fetch_request *q)
{
	char hex[OID_MAX_HEX + 1];

	if (!q->n_wanted_refs)
		return;
	upload_addf(u, "wanted-refs\n");
	for (size_t i = 0; i < q->n_wanted_refs; i++)
		upload_addf(u, "%s %s\n", oid_hex(&q->wanted_refs[i].id, hex),
			    buf_str(&q->wanted_names) + q->wanted_refs[i].name);
	pkt_add_delim(&u->out);
}

static int send_pack(struct fetch *f, struct err *e)
{
	CLEANUP(shallow_info_fini) struct shallow_info shallow = { 0 };
	struct upload *u = f->u;

	if (!f->n.common.n)
		shallow_info_narrow(u, &f->q);
	if (shallow_info_compute(u, &f->q, &shallow, e) < 0)
		return -1;
	if (shallow.has_lines) {
		upload_addf(u, "shallow-info\n");
		shallow_info_add(u, &shallow);
		pkt_add_delim(&u->out);
	}
	add_wanted_refs(u, &f->q);
	upload_addf(u, "packfile\n");
	return fetch_respond(u, &f->q, &f->n, &shallow, e);
}

int fetch_v2_serve(struct upload *u, struct err *e)
{
	CLEANUP(fetch_fini) struct fetch f = { .u = u };
	int rc = 1;

	upload_whole_graph(u);
	fetch_request_init(&f.q);
	f.q.sideband = SIDEBAND_64K;
	if (read_arguments(&f, e) < 0)
		return -1;
	u->result->n_wants = (uint32_t)f.q.wants.n;
	u->result->kind = "none";
	if (!f.q.wants.n && !f.q.waits_for_done)
		return 0; /* it did not want anything: git says nothing */
	if (fetch_request_authorize(u, &f.q, e) < 0)
		return -1;
	if (f.has_haves && !f.q.is_done)
		rc = acknowledge(&f, e);
	return rc > 0 ? send_pack(&f, e) : rc;
}
