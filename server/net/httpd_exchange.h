/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer between libmicrohttpd and the handler.
 *
 * The library calls: begin when the request line is there, handle once when
 * the head is, then with each part of the body, then at the end (and again
 * whenever a suspended connection is resumed), completed when all is over.
 * Private to net/httpd*.c.
 *
 * What is known of libmicrohttpd 0.9.75 and relied upon, or worked around:
 * - An answer given at the first call ends the connection; one that may keep
 *   it is held back until the body was read.
 * - The head lies in one buffer, its lines ended by overwriting CR LF with two
 *   NULs: whoever finds gaps has found a NUL, a bare LF, a folded line or a
 *   space before a colon. The library itself accepts all of them.
 * - It takes the first of several Content-Length headers and ignores them all
 *   beside a Transfer-Encoding.
 * - A Content-Length that is no number makes it send the head of its answer
 *   twice: see httpd_pending.c.
 * - Its own checks (MHD_OPTION_STRICT_FOR_CLIENT) close without an answer, or
 *   answer and go on; ours come first, so they are left off.
 * - A reader of content that says "error", or "end" to HTTP/1.0, may leave a
 *   connection behind for ever that was suspended before: it is closed but in
 *   no list. So the socket is shut down and a last byte given, whose sending
 *   fails.
 * - A connection must be suspended before anybody can resume it, and none may
 *   be suspended when the daemon is stopped.
 */
#pragma once

#include "net/http_body.h"
#include "net/httpd.h"

#include <microhttpd.h>
#include <pthread.h>

struct exchange;
struct http_conn;
struct http_watch;

/* What an exchange needs of its door. */
struct httpd_door {
	const char *name;
	bool is_tls;
	struct workers *workers;
	struct httpd_limits limits; /* all set */
	struct http_handler handler;
	struct http_watch *watch;
	struct http_budget bodies;

	pthread_mutex_t lock;
	pthread_cond_t is_empty;
	size_t n_exchanges; /* under lock: their last use may be a worker's */
};

/* A refusal in the handler's own form. */
void httpd_refuse(const struct httpd_door *door, unsigned status,
		  const char *message, struct http_response *out);

/* A request whose head is not complete: of the thread that serves it. */
struct httpd_pending {
	struct httpd_door *door;
	struct MHD_Connection *connection;
	struct http_conn *conn;
	bool is_linked;
	struct httpd_pending *prev, *next;
};

void httpd_pending_begin(struct httpd_pending *p);
/* Does nothing where it has ended already. */
void httpd_pending_end(struct httpd_pending *p);
/* The library has just logged that a Content-Length is no number: answer and
 * cut those of this thread's that have such a one. */
void httpd_pending_refuse_lengths(void);

/* MHD_OPTION_URI_LOG_CALLBACK, MHD_AccessHandlerCallback,
 * MHD_OPTION_NOTIFY_COMPLETED and MHD_OPTION_NOTIFY_CONNECTION, with the door
 * as their first argument. */
void *exchange_begin(void *door, const char *target,
		     struct MHD_Connection *connection);
enum MHD_Result exchange_handle(void *door, struct MHD_Connection *connection,
				const char *url, const char *method,
				const char *version, const char *data,
				size_t *n, void **context);
void exchange_completed(void *door, struct MHD_Connection *connection,
			void **context, enum MHD_RequestTerminationCode code);
void exchange_connection(void *door, struct MHD_Connection *connection,
			 void **context,
			 enum MHD_ConnectionNotificationCode code);

/* The head of a request, from what the library read: fills `r`, with copies in
 * `a`, and says how the body comes. */
struct http_head {
	const char *target_at; /* in the library's buffer */
	size_t target_len;
	bool has_length, is_chunked, is_gzip, expects_continue;
	uint64_t length; /* of the body, as it is sent */
};

/* 0, or the status to refuse it with; `*is_framed_out` is false where it is
 * not even clear where the request ends. */
unsigned exchange_head_read(struct MHD_Connection *connection,
			    const char *method, const char *version,
			    struct http_head *head, struct http_request *r,
			    struct arena *a, bool *is_framed_out,
			    struct err *e) MUST_CHECK;
