/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one request.
 *
 * Two may hold an exchange: the connection, from exchange_begin() to
 * exchange_completed(), and the worker that handles or produces. Whoever lets
 * go last logs the line. While a worker handles, the connection is suspended,
 * so the two never touch the exchange at the same time; while one produces,
 * they meet in the pipe only.
 */
#include "net/httpd_exchange.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/workers.h"
#include "net/http_body.h"
#include "net/http_pipe.h"
#include "net/http_watch.h"
#include "net/httpd_log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Of a head, decoded and copied: twice what the library holds of it. */
#define ARENA_MAX ((size_t)192 << 10)

/* What the library reads at once of an answer of unknown length, where the
 * client speaks HTTP/1.0. */
#define BLOCK_BYTES ((size_t)16384)

enum step {
	STEP_HEAD,	/* nothing was looked at */
	STEP_BODY,	/* the body comes in */
	STEP_PRODUCING, /* suspended until its first bytes are worth sending */
	STEP_READY,	/* the answer is made */
	STEP_SENDING
};

struct exchange {
	struct httpd_door *door;
	struct MHD_Connection *connection;
	struct http_conn *conn;
	struct httpd_pending pending;
	atomic_uint n_refs;
	enum step step;
	bool must_close;
	bool is_old; /* HTTP/1.0: an answer of unknown length ends by closing */
	bool is_paused; /* the reading end of the pipe is */
	struct arena arena;
	struct http_head head;
	struct http_request request;
	void (*release_carried)(void *carried);
	struct http_response response;
	struct http_body *body;
	struct http_pipe *pipe; /* the reading end is the connection's */
	struct http_pipe *writing;
	struct err error;
	struct httpd_record record;
};

static void exchange_put(struct exchange *x)
{
	struct httpd_door *door = x->door;

	if (atomic_fetch_sub(&x->n_refs, 1) > 1)
		return;
	x->record.error = x->error.code ? x->error.message : NULL;
	httpd_log(&x->record, &x->request, &x->response);
	http_response_fini(&x->response);
	http_body_free(x->body);
	if (x->release_carried)
		x->release_carried(x->request.carried);
	arena_fini(&x->arena);
	free(x);
	pthread_mutex_lock(&door->lock);
	if (!--door->n_exchanges)
		pthread_cond_broadcast(&door->is_empty);
	pthread_mutex_unlock(&door->lock);
}

void httpd_refuse(const struct httpd_door *door, unsigned status,
		  const char *message, struct http_response *out)
{
	const struct http_handler *h = &door->handler;

	http_response_fini(out);
	if (h->refuse)
		h->refuse(h->arg, status, message, out);
	else
		http_response_text(out, status, "text/plain; charset=utf-8",
				   message);
}

static void refuse(struct exchange *x, unsigned status, const char *message)
{
	httpd_refuse(x->door, status, message, &x->response);
	if (x->error.code == ERR_OK)
		err_set(&x->error, ERR_MALFORMED, "%s", message);
}

/* -- sending -------------------------------------------------------------- */

static ssize_t read_pipe(void *arg, uint64_t at, char *out, size_t n)
{
	struct exchange *x = arg;
	ssize_t got = http_pipe_read(x->pipe, out, n);

	(void)at;
	if (got == HTTP_PIPE_END && !x->is_old)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (got < 0) {
		http_conn_cut(x->conn, got == HTTP_PIPE_END
					       ? "the answer is complete"
					       : "the answer broke off");
		*out = '\0';
		return 1;
	}
	/* Only this thread moves it, whether or not it was woken meanwhile. */
	if (x->is_paused != !got)
		http_conn_enter(x->conn, got ? HTTP_SENDING : HTTP_WORKING);
	x->is_paused = !got;
	x->record.bytes += (uint64_t)got;
	return got;
}

static struct MHD_Response *bytes_response(struct exchange *x)
{
	struct http_response *r = &x->response;
	struct MHD_Response *m;
	void *data;

	/* The library does not write through it, whatever its type says. */
	memcpy(&data, &r->bytes.data, sizeof data);
	x->record.bytes = x->request.is_head ? 0 : r->bytes.len;
	if (!r->bytes.len || !r->release)
		return MHD_create_response_from_buffer(r->bytes.len, data,
						       MHD_RESPMEM_PERSISTENT);
	m = MHD_create_response_from_buffer_with_free_callback_cls(
		r->bytes.len, data, r->release, r->arg);
	if (m)
		r->release = NULL;
	return m;
}

/* Nothing came of it before the head was sent: there is time to say so. */
static struct MHD_Response *broken_response(struct exchange *x)
{
	http_conn_set_pipe(x->conn, NULL);
	http_pipe_close(x->pipe);
	x->pipe = NULL;
	refuse(x, http_status_of(x->error.code), x->error.message);
	return bytes_response(x);
}

/* What was produced so far: as a whole where it is, else in chunks. */
static struct MHD_Response *pipe_response(struct exchange *x)
{
	struct MHD_Response *m;
	uint64_t len;
	char *all;

	if (http_pipe_is_cut(x->pipe))
		return NULL;
	if (http_pipe_is_broken(x->pipe))
		return broken_response(x);
	if (!http_pipe_is_whole(x->pipe, &len))
		return MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_pipe, x, NULL);
	all = malloc(len ? (size_t)len : 1);
	if (!all)
		return NULL;
	for (uint64_t at = 0; at < len;) {
		ssize_t n =
			http_pipe_read(x->pipe, all + at, (size_t)(len - at));

		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	m = MHD_create_response_from_buffer((size_t)len, all,
					    MHD_RESPMEM_MUST_FREE);
	if (!m)
		free(all);
	x->record.bytes = len;
	return m;
}

static struct MHD_Response *make_response(struct exchange *x)
{
	if (x->pipe)
		return pipe_response(x);
	/* Of a HEAD request: what would be produced has no known length. */
	if (x->response.kind == HTTP_BODY_PRODUCED)
		return MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_pipe, x, NULL);
	return bytes_response(x);
}

static enum MHD_Result send_answer(struct exchange *x)
{
	struct MHD_Response *m = make_response(x);
	enum MHD_Result rc;

	if (!m)
		return MHD_NO;
	for (size_t i = 0; i < x->response.n_headers; i++)
		MHD_add_response_header(m, x->response.headers[i].name,
					x->response.headers[i].value);
	if (x->must_close || x->response.must_close ||
	    http_watch_is_draining(x->door->watch))
		MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
	x->step = STEP_SENDING;
	http_conn_enter(x->conn, HTTP_SENDING);
	rc = MHD_queue_response(x->connection, x->response.status, m);
	MHD_destroy_response(m);
	return rc;
}

/* -- workers -------------------------------------------------------------- */

/* Suspend and run on a worker; where none is free, the answer says so. */
static void delegate(struct exchange *x, void (*run)(void *arg))
{
	struct err e;

	atomic_fetch_add(&x->n_refs, 1);
	http_conn_enter(x->conn, HTTP_WORKING);
	MHD_suspend_connection(x->connection);
	if (workers_add(x->door->workers, run, x, &e) == 0)
		return;
	atomic_fetch_sub(&x->n_refs, 1); /* the connection still holds it */
	if (x->pipe) {
		http_conn_set_pipe(x->conn, NULL);
		http_pipe_abandon(x->pipe);
		x->pipe = x->writing = NULL;
	}
	refuse(x, 503, e.message);
	http_response_header(&x->response, "Retry-After", "5");
	x->step = STEP_READY;
	MHD_resume_connection(x->connection);
}

static void answer(struct exchange *x)
{
	const struct http_handler *h = &x->door->handler;

	h->handle(h->arg, &x->request, &x->response);
	if (!x->response.status)
		refuse(x, 500, "this request has no answer");
	x->step = STEP_READY;
}

static void run_handler(void *arg)
{
	struct exchange *x = arg;

	answer(x);
	/* Put only after the resumption: the connection is not ours then, the
	 * exchange still is. */
	MHD_resume_connection(x->connection);
	exchange_put(x);
}

static void run_producer(void *arg)
{
	struct exchange *x = arg;
	struct http_response *r = &x->response;
	struct err e = { 0 };
	int rc = r->produce(r->arg, http_pipe_stream(x->writing), &e);
	if (rc < 0)
		x->error = e;
	http_pipe_finish(x->writing, rc);
	exchange_put(x);
}

static void pause_sending(void *arg)
{
	MHD_suspend_connection(((struct exchange *)arg)->connection);
}

static void wake_sending(void *arg)
{
	MHD_resume_connection(((struct exchange *)arg)->connection);
}

static enum MHD_Result start_producing(struct exchange *x)
{
	const struct http_pipe_reader reader = {
		.pause = pause_sending,
		.wake = wake_sending,
		.arg = x,
	};

	x->pipe =
		http_pipe_new(&reader, clock_ms() + x->door->limits.produce_ms);
	if (!x->pipe)
		return MHD_NO;
	x->writing = x->pipe;
	x->step = STEP_PRODUCING;
	http_conn_set_pipe(x->conn, x->pipe);
	delegate(x, run_producer);
	return MHD_YES;
}

/* -- the steps ------------------------------------------------------------ */

static bool has_body(const struct exchange *x)
{
	return x->head.is_chunked || x->head.length;
}

/* The head is there. */
static enum MHD_Result take_head(struct exchange *x, const char *method,
				 const char *version)
{
	const struct http_handler *h = &x->door->handler;
	struct http_body_plan plan = { .max_bytes =
					       x->door->limits.body_bytes };
	struct err e = { 0 };
	bool is_framed;
	unsigned status;

	httpd_pending_end(&x->pending);
	if (http_conn_cut_reason(x->conn))
		return MHD_NO;
	x->step = STEP_BODY;
	x->is_old = !strcmp(version, "HTTP/1.0");
	status = exchange_head_read(x->connection, method, version, &x->head,
				    &x->request, &x->arena, &is_framed, &e);
	if (status) {
		refuse(x, status, e.message);
		if (!is_framed) {
			x->must_close = true;
			return send_answer(x);
		}
	}
	if (!x->response.status && h->head)
		h->head(h->arg, &x->request, &plan, &x->response);
	x->request.carried = plan.carried;
	x->release_carried = plan.release;
	if (!x->response.status && x->head.length > plan.max_bytes)
		refuse(x, 413, "the body is larger than this door takes");
	if (!has_body(x))
		return MHD_YES;
	if (x->response.status &&
	    (x->head.expects_continue || x->head.length > plan.max_bytes ||
	     x->head.length > HTTP_DRAIN_MAX)) {
		x->must_close = true;
		return send_answer(x);
	}
	http_conn_enter(x->conn, HTTP_RECEIVING);
	x->body = http_body_new(plan.max_bytes, x->head.is_gzip,
				x->response.status ? NULL : plan.dir,
				&x->door->bodies, &e);
	if (!x->body) {
		x->error = e;
		x->must_close = true;
		refuse(x, http_status_of(e.code), e.message);
		return send_answer(x);
	}
	if (x->response.status)
		http_body_drain(x->body);
	return MHD_YES;
}

/* The body, where nothing was refused before. */
static void take_body(struct exchange *x)
{
	struct err e;

	if (!x->body || x->response.status)
		return;
	if (http_body_finish(x->body, &e) < 0) {
		refuse(x, e.code == ERR_CONFLICT ? 503 : http_status_of(e.code),
		       e.message);
		return;
	}
	x->request.body = http_body_bytes(x->body);
	x->request.body_fd = http_body_fd(x->body);
	x->request.body_len = http_body_len(x->body);
}

/* All is there, or a worker has woken us. Nothing is touched after
 * delegate(): it may be over by then. */
static enum MHD_Result take_step(struct exchange *x)
{
	if (x->step == STEP_BODY) {
		take_body(x);
		if (!x->response.status && x->door->handler.on_worker) {
			delegate(x, run_handler);
			return MHD_YES;
		}
		http_conn_enter(x->conn, HTTP_WORKING);
		if (!x->response.status)
			answer(x);
		x->step = STEP_READY;
	}
	if (x->step == STEP_READY && x->response.kind == HTTP_BODY_PRODUCED &&
	    !x->request.is_head)
		return start_producing(x);
	return send_answer(x);
}

enum MHD_Result exchange_handle(void *door, struct MHD_Connection *connection,
				const char *url, const char *method,
				const char *version, const char *data,
				size_t *n, void **context)
{
	struct exchange *x = *context;

	(void)door;
	(void)connection;
	(void)url;
	if (!x)
		return MHD_NO;
	if (x->step == STEP_HEAD)
		return take_head(x, method, version);
	if (*n) {
		if (!x->body || http_body_add(x->body, span_of(data, *n)) < 0)
			return MHD_NO;
		*n = 0;
		return MHD_YES;
	}
	return take_step(x);
}

/* -- begin and end -------------------------------------------------------- */

void *exchange_begin(void *arg, const char *target,
		     struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct httpd_door *door = arg;
	struct exchange *x;

	if (!info || !info->socket_context || !target)
		return NULL;
	x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	x->door = door;
	x->connection = connection;
	x->conn = info->socket_context;
	atomic_init(&x->n_refs, 1);
	arena_init(&x->arena, ARENA_MAX);
	x->head.target_at = target;
	/* The library is about to cut it up where it lies. One byte more than
	 * is taken is enough to refuse it. */
	x->head.target_len = strlen(target);
	x->request.target = arena_strdup(
		&x->arena, span_of(target, x->head.target_len > HTTP_TARGET_MAX
						   ? HTTP_TARGET_MAX + 1
						   : x->head.target_len));

	x->request.body_fd = -1;
	x->request.method = HTTP_OTHER; /* until it is read */
	x->record.door = door->name;
	x->record.started_us = clock_us();
	strncpy(x->record.peer, http_conn_peer(x->conn),
		sizeof x->record.peer - 1);
	x->request.peer = x->record.peer;
	x->pending.door = door;
	x->pending.connection = connection;
	x->pending.conn = x->conn;
	httpd_pending_begin(&x->pending);
	pthread_mutex_lock(&door->lock);
	door->n_exchanges++;
	pthread_mutex_unlock(&door->lock);
	return x;
}

void exchange_completed(void *door, struct MHD_Connection *connection,
			void **context, enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct exchange *x = *context;

	(void)door;
	*context = NULL;
	if (!x)
		return;
	httpd_pending_end(&x->pending);
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_HTTP_STATUS);
	x->record.status = info ? info->http_status : 0;
	x->record.is_cut = code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
	x->record.cut_reason = http_conn_cut_reason(x->conn);
	x->record.ended_us = clock_us();
	if (x->pipe) {
		http_conn_set_pipe(x->conn, NULL);
		http_pipe_close(x->pipe);
		x->pipe = NULL;
	}
	http_conn_enter(x->conn, HTTP_WAITING);
	exchange_put(x);
}
