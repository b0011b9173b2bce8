/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads that are still being received, by thread, for the one mistake that the
 * library answers badly.
 *
 * A Content-Length that is no number is found by the library itself, before we
 * are asked. It logs that, and then sends the head of its answer twice. So the
 * log message is taken for what it is, a call that tells us in time: the
 * connection it is about is found by its header, answered on the socket and
 * shut down, and nothing of the library's own answer leaves.
 */
#include "net/httpd_exchange.h"

#include "base/buf.h"
#include "net/http_watch.h"

#include <sys/socket.h>

#define SENTENCE "the Content-Length is no number"

static _Thread_local struct httpd_pending *first;

void httpd_pending_begin(struct httpd_pending *p)
{
	p->next = first;
	p->prev = NULL;
	if (first)
		first->prev = p;
	first = p;
	p->is_linked = true;
}

void httpd_pending_end(struct httpd_pending *p)
{
	if (!p->is_linked)
		return;
	p->is_linked = false;
	if (p->prev)
		p->prev->next = p->next;
	else
		first = p->next;
	if (p->next)
		p->next->prev = p->prev;
}

/* A whole answer as bytes. What does not fit into the socket's empty buffer is
 * lost. */
static void answer_at_socket(const struct httpd_pending *p)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		p->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_response r = { 0 };
	struct buf b = BUF_INIT;

	httpd_refuse(p->door, 400, SENTENCE, &r);
	buf_addf(&b, "HTTP/1.1 %u %s\r\nConnection: close\r\n", r.status,
		 http_reason(r.status));
	buf_addf(&b, "Content-Length: %zu\r\n", r.bytes.len);
	for (size_t i = 0; i < r.n_headers; i++)
		buf_addf(&b, "%s: %s\r\n", r.headers[i].name,
			 r.headers[i].value);
	buf_adds(&b, "\r\n");
	buf_addspan(&b, r.bytes);
	if (info && !b.failed)
		(void)!send(info->connect_fd, b.data, b.len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_fini(&b);
	http_response_fini(&r);
}

void httpd_pending_refuse_lengths(void)
{
	for (struct httpd_pending *p = first; p; p = p->next) {
		const char *text = MHD_lookup_connection_value(
			p->connection, MHD_HEADER_KIND, "Content-Length");
		uint64_t length;

		if (!text || http_length_parse(span_str(text), &length))
			continue;
		if (!p->door->is_tls)
			answer_at_socket(p);
		http_conn_cut(p->conn, SENTENCE);
	}
}
