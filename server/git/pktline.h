/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git's framing: pkt-lines and side-bands, over a stream.
 * Format: gitprotocol-common(5), gitprotocol-pack(5).
 * Limits: a line is at most PKT_MAX bytes with its four digits; every length
 * is checked before it is believed.
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/stream.h"

#include <string.h>

struct err;

#define PKT_MAX		      65520 /* LARGE_PACKET_MAX: digits and payload */
#define PKT_DATA_MAX	      (PKT_MAX - 4)
#define SIDEBAND_64K_DATA_MAX (PKT_MAX - 5)
#define SIDEBAND_DATA_MAX     (1000 - 5)

enum pkt_kind { PKT_DATA, PKT_FLUSH, PKT_DELIM, PKT_RESPONSE_END, PKT_EOF };

struct pkt {
	enum pkt_kind kind;
	struct span data; /* without the length and without one final LF */
	bool has_lf;
};

/* Reads through a buffer of its own; what lies behind the last pkt-line (a
 * pack) is read with pkt_reader_raw(). */
struct pkt_reader {
	struct stream *stream;
	unsigned char *buffer; /* made at first use, PKT_MAX bytes at most */
	size_t size;
	size_t start, end;
	uint64_t n_lines;
};

void pkt_reader_init(struct pkt_reader *r, struct stream *s);
void pkt_reader_fini(struct pkt_reader *r);

/* The next line. PKT_EOF where the input ends before it; an end inside is
 * ERR_CLOSED; a bad length ERR_MALFORMED. `data` is valid until the next
 * call. */
int pkt_read(struct pkt_reader *r, struct pkt *out, struct err *e) MUST_CHECK;

/* True where the next pkt_read() needs the stream, and so may wait: the moment
 * to send what the other side may be waiting for. */
bool pkt_reader_is_drained(const struct pkt_reader *r);

/* Up to `n` bytes of what follows, unframed; 0 at the end. */
ssize_t pkt_reader_raw(struct pkt_reader *r, void *data, size_t n,
		       struct err *e) MUST_CHECK;

/* Into a buffer, to be written in one go. A line is at most PKT_DATA_MAX bytes;
 * more is the caller's mistake. */
void pkt_add(struct buf *b, const void *data, size_t n);
void pkt_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void pkt_add_flush(struct buf *b);
void pkt_add_delim(struct buf *b);
void pkt_add_response_end(struct buf *b);
/* "ERR <text>"; control bytes in `text` become "?". */
void pkt_add_err(struct buf *b, const char *text);

enum sideband { SIDEBAND_NONE, SIDEBAND_SMALL, SIDEBAND_64K };

/* Frame `data` on `band` (1 pack, 2 progress, 3 error) in as many packets as
 * it takes and write them without copying `data`. With SIDEBAND_NONE band 1 is
 * written raw and the others are dropped. */
int sideband_write(struct stream *s, enum sideband kind, int band,
		   struct span data, struct err *e) MUST_CHECK;

/* A packet of `band` without content, which keeps a connection awake. */
int sideband_write_empty(struct stream *s, int band, struct err *e) MUST_CHECK;

/* Borrowed bytes for stream_writev(), which does not change them. */
static inline struct iovec iov_of(struct span s)
{
	struct iovec iov = { .iov_len = s.len };

	memcpy(&iov.iov_base, &s.data, sizeof s.data);
	return iov;
}
