/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pusher hears: progress, lines for its terminal, the report.
 * Format: gitprotocol-pack(5), "Report Status". With side-band the report's
 * pkt-lines travel inside band 1; without, they stand alone, and nothing else
 * may be said.
 * A client that cannot be written to any more changes nothing of what is done.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "git/refs.h"
#include "git/repo_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A name that long is refused; it need not be repeated whole. */
#define NAME_SHOWN_MAX 4096
/* The first line of progress, and from one to the next. */
#define PROGRESS_MS 1000
/* How long a client may go on sending what will not be used. */
#define DRAIN_MS	  60000
#define DRAIN_CHUNK_BYTES 16384

static void say(struct push *p, int band, struct span text)
{
	struct err ignored;

	if (p->is_gone || p->band == SIDEBAND_NONE)
		return;
	if (sideband_write(p->stream, p->band, band, text, &ignored) < 0 ||
	    stream_flush(p->stream, &ignored) < 0)
		p->is_gone = true;
	p->last_write_ms = clock_ms();
}

/* Control bytes and DEL become "?", so that no text plays with a terminal. */
static void add_printable(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		buf_addc(b, (c >= ' ' || c == '\t') && c != 0x7f ? *text : '?');
	}
}

void push_message(struct push *p, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	if (p->band == SIDEBAND_NONE)
		return;
	add_printable(&b, text);
	buf_addc(&b, '\n');
	if (!b.failed)
		say(p, 2, buf_span(&b));
}

const struct push_options_list *push_options(const struct push *p)
{
	return &p->option_list;
}

const char *push_head(const struct push *p)
{
	return refs_head(p->refs)->target;
}

/* -- while it lasts ------------------------------------------------------- */

static void keep_alive(struct push *p, int64_t now)
{
	int seconds = p->config->receive_keepalive_s;
	struct err ignored;

	if (p->is_gone || p->band == SIDEBAND_NONE || !seconds ||
	    now - p->last_write_ms < (int64_t)seconds * 1000)
		return;
	if (sideband_write_empty(p->stream, 1, &ignored) < 0 ||
	    stream_flush(p->stream, &ignored) < 0)
		p->is_gone = true;
	p->last_write_ms = now;
}

/* The line of a stage that was shown gets an end. */
static void stage_close(struct push *p)
{
	if (p->stage_is_shown)
		say(p, 2, span_str(", done.\n"));
	p->stage_is_shown = false;
	p->stage = NULL;
}

static void stage_show(struct push *p, uint64_t done, uint64_t total)
{
	char text[160];
	uint64_t percent = total ? done * 100 / total : 0;

	if (total)
		snprintf(text, sizeof text,
			 "\r%s: %3" PRIu64 "%% (%" PRIu64 "/%" PRIu64 ")",
			 p->stage, percent, done, total);
	else
		snprintf(text, sizeof text, "\r%s: %" PRIu64, p->stage, done);
	/* The first has no line to go over. */
	say(p, 2, span_str(p->stage_is_shown ? text : text + 1));
	p->stage_is_shown = true;
}

void push_progress(struct push *p, const char *stage, uint64_t done,
		   uint64_t total)
{
	int64_t now = clock_ms();

	if (stage && (!p->stage || strcmp(p->stage, stage))) {
		stage_close(p);
		p->stage = stage;
		p->stage_ms = now;
	}
	if (stage && !capabilities_has(&p->caps, CAP_QUIET) &&
	    now - p->stage_ms >= PROGRESS_MS &&
	    now - p->last_write_ms >= PROGRESS_MS)
		stage_show(p, done, total);
	keep_alive(p, now);
}

/* -- the report ----------------------------------------------------------- */

static void name_add(struct buf *b, const char *name)
{
	CLEANUP(freep) char *cut = strndup(name, NAME_SHOWN_MAX);

	add_printable(b, cut ? cut : "?");
}

static void line_add(struct buf *b, const struct push_command *c)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT;

	buf_adds(&line, c->reason ? "ng " : "ok ");
	name_add(&line, c->ref);
	if (c->reason) {
		buf_addc(&line, ' ');
		buf_adds(&line, c->reason);
	}
	buf_addc(&line, '\n');
	pkt_add(b, line.data, line.len);
}

static void report_render(const struct push *p, struct buf *b)
{
	if (p->unpack.code == ERR_OK) {
		pkt_addf(b, "unpack ok\n");
	} else {
		CLEANUP(buf_fini) struct buf text = BUF_INIT;

		add_printable(&text, p->unpack.message);
		pkt_addf(b, "unpack %s\n", buf_str(&text));
	}
	for (size_t i = 0; i < p->n; i++)
		line_add(b, &p->commands[i]);
	pkt_add_flush(b);
}

static bool wants_report(const struct push *p)
{
	return capabilities_has(&p->caps, CAP_REPORT_STATUS) ||
	       capabilities_has(&p->caps, CAP_REPORT_STATUS_V2);
}

void push_report(struct push *p)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct err ignored;

	stage_close(p);
	for (size_t i = 0; i < p->n; i++)
		p->result->n_rejected += !!p->commands[i].reason;
	p->result->n_updates = (uint32_t)p->n;
	if (!wants_report(p) || p->is_gone)
		return;
	report_render(p, &b);
	if (b.failed ||
	    sideband_write(p->stream, p->band, 1, buf_span(&b), &ignored) < 0 ||
	    stream_flush(p->stream, &ignored) < 0)
		p->is_gone = true;
	p->last_write_ms = clock_ms();
}

void push_finish(struct push *p)
{
	struct err ignored;

	if (p->is_gone || p->band == SIDEBAND_NONE)
		return;
	if (stream_write(p->stream, "0000", 4, &ignored) < 0 ||
	    stream_flush(p->stream, &ignored) < 0)
		p->is_gone = true;
}

void push_abort(struct push *p, const struct err *why)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct err ignored;

	if (why->code == ERR_CLOSED)
		return;
	if (p->band != SIDEBAND_NONE) {
		add_printable(&b, why->message);
		buf_addc(&b, '\n');
		say(p, 3, buf_span(&b));
		push_finish(p);
		return;
	}
	pkt_add_err(&b, why->message);
	if (!b.failed && !stream_write(p->stream, b.data, b.len, &ignored))
		(void)!stream_flush(p->stream, &ignored);
}

void push_drain(struct push *p)
{
	unsigned char chunk[DRAIN_CHUNK_BYTES];
	int64_t end_ms = clock_ms() + DRAIN_MS;
	struct stream *s = p->stream;
	struct err ignored;

	if (!s->deadline_ms || s->deadline_ms > end_ms)
		s->deadline_ms = end_ms;
	while (!p->is_gone &&
	       pkt_reader_raw(&p->in, chunk, sizeof chunk, &ignored) > 0)
		;
}
