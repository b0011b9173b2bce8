/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pack bytes on their way to a client: gathered into full packets, with
 * progress and keep-alives between them.
 *
 * Pieces that fill a packet are written where they lie; only what is left over
 * is copied. Whatever the pieces, the packets are the same.
 * Threads: one per session.
 */
#pragma once

#include "base/attr.h"
#include "git/pktline.h"

struct err;
struct upload;

struct pack_sender {
	struct upload *u;
	enum sideband kind;
	bool has_progress;
	int keepalive_ms;    /* 0: none */
	int64_t written_ms;  /* when something last went out */
	int64_t progress_ms; /* when progress last went out */
	uint64_t n_bytes;    /* of the pack, sent or gathered */
	struct buf gathered; /* less than a packet */
};

void pack_sender_init(struct pack_sender *s, struct upload *u,
		      enum sideband kind, bool has_progress);
void pack_sender_fini(struct pack_sender *s);

int pack_sender_send(struct pack_sender *s, struct span piece,
		     struct err *e) MUST_CHECK;

/* A line of progress, LF or CR included; dropped where there is none. */
int pack_sender_progress(struct pack_sender *s, struct err *e,
			 const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* Long work goes on: progress each second, else a keep-alive when due. */
int pack_sender_tick(struct pack_sender *s, const char *stage, uint64_t done,
		     struct err *e) MUST_CHECK;
int pack_sender_keepalive(struct pack_sender *s, struct err *e) MUST_CHECK;

/* What is gathered, and the flush that ends a side-band. */
int pack_sender_flush(struct pack_sender *s, struct err *e) MUST_CHECK;
int pack_sender_end(struct pack_sender *s, struct err *e) MUST_CHECK;
