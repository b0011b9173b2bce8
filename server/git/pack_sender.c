/* SPDX-License-Identifier: Apache-2.0 */
/* Framing of a pack in packets that are full but for the last. */
#include "git/pack_sender.h"

#include "base/clock.h"
#include "base/err.h"
#include "git/repo_config.h"
#include "git/upload_session.h"

#include <inttypes.h>
#include <stdio.h>

#define PROGRESS_MS   1000
#define PROGRESS_LINE 160

void pack_sender_init(struct pack_sender *s, struct upload *u,
		      enum sideband kind, bool has_progress)
{
	*s = (struct pack_sender){
		.u = u,
		.kind = kind,
		.has_progress = has_progress && kind != SIDEBAND_NONE,
		.gathered = BUF_INIT,
	};
	if (kind != SIDEBAND_NONE && u->config->keepalive_s > 0)
		s->keepalive_ms = u->config->keepalive_s * 1000;
	s->written_ms = clock_ms();
	s->progress_ms = s->written_ms;
}

void pack_sender_fini(struct pack_sender *s)
{
	buf_fini(&s->gathered);
}

/* What one packet takes. */
static size_t payload_max(const struct pack_sender *s)
{
	return s->kind == SIDEBAND_SMALL ? SIDEBAND_DATA_MAX
					 : SIDEBAND_64K_DATA_MAX;
}

static int write_band(struct pack_sender *s, int band, struct span data,
		      struct err *e)
{
	struct upload *u = s->u;

	if (band == 1 && !u->result->first_byte_us)
		u->result->first_byte_us = clock_us() - u->request_us;
	if (sideband_write(u->stream, s->kind, band, data, e) < 0)
		return -1;
	s->written_ms = clock_ms();
	return 0;
}

int pack_sender_flush(struct pack_sender *s, struct err *e)
{
	if (!s->gathered.len)
		return 0;
	if (write_band(s, 1, buf_span(&s->gathered), e) < 0)
		return -1;
	buf_clear(&s->gathered);
	return 0;
}

int pack_sender_send(struct pack_sender *s, struct span piece, struct err *e)
{
	size_t max = payload_max(s);
	struct span part;

	s->n_bytes += piece.len;
	if (s->gathered.len) {
		size_t room = max - s->gathered.len;

		if (!span_take(&piece, piece.len < room ? piece.len : room,
			       &part))
			return 0;
		buf_addspan(&s->gathered, part);
		if (buf_check(&s->gathered, e) < 0)
			return -1;
		if (s->gathered.len < max)
			return 0;
		if (pack_sender_flush(s, e) < 0)
			return -1;
	}
	if (span_take(&piece, piece.len - piece.len % max, &part) && part.len &&
	    write_band(s, 1, part, e) < 0)
		return -1;
	buf_addspan(&s->gathered, piece);
	return buf_check(&s->gathered, e);
}

int pack_sender_progress(struct pack_sender *s, struct err *e,
			 const char *format, ...)
{
	char line[PROGRESS_LINE];
	va_list args;

	if (!s->has_progress)
		return 0;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (write_band(s, 2, span_str(line), e) < 0)
		return -1;
	s->progress_ms = s->written_ms;
	return stream_flush(s->u->stream, e);
}

int pack_sender_keepalive(struct pack_sender *s, struct err *e)
{
	if (!s->keepalive_ms || clock_ms() - s->written_ms < s->keepalive_ms)
		return 0;
	if (sideband_write_empty(s->u->stream, 1, e) < 0)
		return -1;
	s->written_ms = clock_ms();
	return stream_flush(s->u->stream, e);
}

int pack_sender_tick(struct pack_sender *s, const char *stage, uint64_t done,
		     struct err *e)
{
	if (s->has_progress && clock_ms() - s->progress_ms >= PROGRESS_MS)
		return pack_sender_progress(s, e, "%s: %" PRIu64 "\r", stage,
					    done);
	return pack_sender_keepalive(s, e);
}

int pack_sender_end(struct pack_sender *s, struct err *e)
{
	if (pack_sender_flush(s, e) < 0)
		return -1;
	s->u->result->pack_bytes += s->n_bytes;
	if (s->kind != SIDEBAND_NONE &&
	    stream_write(s->u->stream, "0000", 4, e) < 0)
		return -1;
	return stream_flush(s->u->stream, e);
}
