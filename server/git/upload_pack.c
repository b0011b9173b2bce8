/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of upload-pack: takes the snapshot, chooses the protocol, and sees
 * to it that no failure is silent.
 */
#include "git/upload_pack.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "git/graph.h"
#include "git/objects.h"
#include "git/ref_listing.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repository.h"
#include "git/upload_session.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Delta bases a reader keeps: enough for tags and a walk's headers. */
#define READER_CACHE ((size_t)1 << 20)

/* Room for lines that is kept between writes. */
#define KEPT_OUT ((size_t)1 << 10)

static const struct fetch_limits default_limits = {
	.wants = 100000,
	.haves = 1000000,
	.lines = 2000000,
	.ref_prefixes = 65536,
	.commands = 10000,
};

static uint32_t limit(uint32_t asked, uint32_t otherwise)
{
	return asked ? asked : otherwise;
}

static struct fetch_limits limits_of(const struct fetch_limits *asked)
{
	const struct fetch_limits *d = &default_limits;

	return (struct fetch_limits){
		.wants = limit(asked->wants, d->wants),
		.haves = limit(asked->haves, d->haves),
		.lines = limit(asked->lines, d->lines),
		.ref_prefixes = limit(asked->ref_prefixes, d->ref_prefixes),
		.commands = limit(asked->commands, d->commands),
	};
}

int upload_flush(struct upload *u, struct err *e)
{
	if (buf_check(&u->out, e) < 0)
		return -1;
	if (!u->out.len)
		return 0;
	if (stream_write(u->stream, u->out.data, u->out.len, e) < 0)
		return -1;
	/* What follows may be a long wait, of many sessions at once. */
	if (u->out.cap > KEPT_OUT)
		buf_fini(&u->out);
	else
		buf_clear(&u->out);
	return stream_flush(u->stream, e);
}

int upload_read(struct upload *u, struct pkt *out, struct err *e)
{
	if (u->flush_is_due) {
		u->flush_is_due = false;
		*out = (struct pkt){ .kind = PKT_FLUSH };
		return 0;
	}
	if ((pkt_reader_is_drained(&u->in) || u->out.len > UPLOAD_OUT_MAX) &&
	    upload_flush(u, e) < 0)
		return -1;
	if (pkt_read(&u->in, out, e) < 0)
		return -1;
	u->request_us = clock_us();
	if (u->in.n_lines - u->lines_before > u->limits.lines)
		return err_set(e, ERR_LIMIT,
			       "more than %" PRIu32 " lines in one request",
			       u->limits.lines);
	return 0;
}

void upload_addf(struct upload *u, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof line) {
		u->out.failed = true;
		return;
	}
	pkt_addf(&u->out, "%s%s", u->has_sideband_all ? "\1" : "", line);
}

int upload_write_spans(struct upload *u, const struct span *spans, size_t n,
		       struct err *e)
{
	struct iovec iov[32];
	int used = 0;

	if (buf_check(&u->out, e) < 0)
		return -1;
	if (u->out.len)
		iov[used++] = iov_of(buf_span(&u->out));
	for (size_t i = 0; i < n; i++) {
		if (!spans[i].len)
			continue;
		if (used == (int)ARRAY_SIZE(iov)) {
			if (stream_writev(u->stream, iov, used, e) < 0)
				return -1;
			used = 0;
		}
		iov[used++] = iov_of(spans[i]);
	}
	if (used && stream_writev(u->stream, iov, used, e) < 0)
		return -1;
	buf_clear(&u->out);
	return stream_flush(u->stream, e);
}

void upload_capability_context(const struct upload *u,
			       struct capability_context *out)
{
	const struct head *head = refs_head(u->refs);
	bool is_shown =
		head->id.len && !ref_is_hidden(&u->config->upload_hide, "HEAD");

	*out = (struct capability_context){
		.config = u->config,
		.session_id = u->options->session_id,
		.head_target = is_shown ? head->target : NULL,
		.is_stateless =
			u->options->is_stateless || u->options->advertise_only,
	};
}

const char *upload_shown(struct span s, char out[UPLOAD_SHOWN_MAX])
{
	size_t n = s.len < UPLOAD_SHOWN_MAX - 1 ? s.len : UPLOAD_SHOWN_MAX - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = isprint(s.data[i]) ? (char)s.data[i] : '?';
	out[n] = '\0';
	return out;
}

/* In version 2 an advertisement names no ref. */
static bool says_capabilities_only(const struct upload *u)
{
	return u->options->version == 2 && u->options->advertise_only;
}

static int prepare(struct upload *u, struct err *e)
{
	u->snapshot = says_capabilities_only(u)
			      ? repository_snapshot_configured(u->repository, e)
			      : repository_snapshot(u->repository, e);
	if (!u->snapshot)
		return -1;
	u->refs = snapshot_refs(u->snapshot);
	u->objects = snapshot_objects(u->snapshot);
	object_glance_init(&u->glance, u->objects);
	u->config = snapshot_config(u->snapshot);
	u->graph = snapshot_graph(u->snapshot);
	u->listing = ref_listing_get(u->refs, &u->config->upload_hide, e);
	if (!u->listing)
		return -1;
	if (u->options->advertise_only)
		return 0;
	u->reader = object_reader_new(u->objects, READER_CACHE, e);
	return u->reader ? 0 : -1;
}

void upload_whole_graph(struct upload *u)
{
	u->graph = snapshot_graph(u->snapshot);
	u->cut = graph_free(u->cut);
}

static void upload_fini(struct upload *u)
{
	graph_free(u->cut);
	object_glance_fini(&u->glance);
	object_reader_free(u->reader);
	ref_listing_put(u->listing);
	snapshot_put(u->snapshot);
	pkt_reader_fini(&u->in);
	buf_fini(&u->out);
}

/* Tell the client why, as far as that is still possible; a failure of this
 * changes nothing. */
static void tell_failure(struct upload *u, const struct err *why)
{
	struct err ignored;

	if (u->pack_is_raw || why->code == ERR_CLOSED)
		return;
	/* What was gathered belongs in front of it, if it is whole. */
	if (u->out.failed)
		buf_clear(&u->out);
	if (u->error_band == SIDEBAND_NONE)
		pkt_add_err(&u->out, why->message);
	if (upload_flush(u, &ignored) < 0)
		return;
	/* No flush follows: that would end a pack as if it were whole. */
	if (u->error_band != SIDEBAND_NONE &&
	    sideband_write(u->stream, u->error_band, 3, span_str(why->message),
			   &ignored) < 0)
		return;
	if (stream_flush(u->stream, &ignored) < 0)
		return;
}

static int serve(struct upload *u, struct err *e)
{
	if (prepare(u, e) < 0)
		return -1;
	if (u->options->http_service_line && u->options->version != 2) {
		pkt_addf(&u->out, "# service=git-upload-pack\n");
		pkt_add_flush(&u->out);
	}
	if ((u->options->version == 2 ? upload_v2(u, e) : upload_v0(u, e)) < 0)
		return -1;
	return upload_flush(u, e);
}

int upload_pack(struct repository *r, struct stream *s,
		const struct upload_pack_options *options,
		struct upload_pack_result *result, struct err *e)
{
	struct upload u = {
		.repository = r,
		.options = options,
		.limits = limits_of(&options->limits),
		.result = result,
		.stream = s,
		.out = BUF_INIT,
		.request_us = clock_us(),
	};
	int rc;

	*result = (struct upload_pack_result){ .kind = "none" };
	pkt_reader_init(&u.in, s);
	rc = serve(&u, e);
	if (rc < 0)
		tell_failure(&u, e);
	upload_fini(&u);
	return rc;
}

int protocol_version(struct span value)
{
	struct span item;
	int version = 0;

	while (span_word(&value, ':', &item))
		for (int v = 1; v <= 2; v++)
			if (v > version &&
			    span_is(item, v == 1 ? "version=1" : "version=2"))
				version = v;
	return version;
}

bool upload_pack_is_light(struct span body, int version)
{
	struct stream_mem mem;
	struct pkt_reader r;
	bool is_light = false;
	struct pkt pkt;
	struct err e;

	if (version != 2)
		return false;
	stream_mem_init(&mem, body, NULL);
	pkt_reader_init(&r, &mem.base);
	while (!pkt_read(&r, &pkt, &e) && pkt.kind == PKT_DATA && !is_light)
		is_light = span_is(pkt.data, "command=ls-refs");
	pkt_reader_fini(&r);
	return is_light;
}
