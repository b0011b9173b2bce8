/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to one ref, and the JSON body that tells a receiver so.
 *
 * Format of the body: GitHub's push event with extra keys allowed; the keys are
 * always the same ones, so that CEL filters of Flux never meet a missing one.
 * Ownership: an event owns its strings.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "git/oid.h"

struct err;

enum event_kind {
	EVENT_PUSH,  /* a push moved the ref */
	EVENT_START, /* the daemon started; before equals after */
	EVENT_TEST,  /* `headwater hook test`, before equals after */
	EVENT_SYNC,  /* `headwater sync`, before equals after */
};

#define EVENT_ID_SIZE 33 /* 32 hex digits, sorting by time, and a NUL */

struct event {
	enum event_kind kind;
	char id[EVENT_ID_SIZE];
	int64_t time; /* seconds since 1970 */
	char *repo;
	char *ref; /* full name */
	struct oid before;
	struct oid after;
	bool is_created;
	bool is_deleted;
	bool is_forced;
	char *pusher;	      /* name of the key, "headwater" for our own */
	char *default_branch; /* short */
};

/* URLs a receiver may use to find the repository; NULL ones become "". */
struct event_urls {
	const char *html; /* without ".git": Argo CD compares it */
	const char *clone;
	const char *ssh;
};

const char *event_kind_name(enum event_kind kind);
void event_id_make(char out[EVENT_ID_SIZE]);
void event_fini(struct event *ev);
int event_copy(const struct event *ev, struct event *out,
	       struct err *e) MUST_CHECK;

/* The request body, compact JSON without a final newline. */
int event_body(const struct event *ev, const struct event_urls *urls,
	       struct buf *out, struct err *e) MUST_CHECK;

/* The ref name of a printed event, for people: what is not UTF-8 stands as
 * \\xNN. Appends nothing where `base64` is no ref name. */
void event_ref_text(const char *base64, struct buf *out);

/* One line of JSON that event_parse() reads back: the outbox's own form. */
int event_print(const struct event *ev, struct buf *out,
		struct err *e) MUST_CHECK;
int event_parse(struct span line, struct event *out, struct err *e) MUST_CHECK;
