/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a request's head before anybody acts on it.
 *
 * Format: RFC 9112 3 (request line), 5 (fields), 6 (message body); where it
 * leaves a choice between repairing and refusing, we refuse.
 */
#include "net/httpd_exchange.h"

#include "base/arena.h"
#include "base/err.h"
#include "net/http_body.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Fields that may stand there once, and where their value goes. */
static const struct {
	const char *name;
	size_t offset; /* in struct http_request */
} fields[] = {
	{ "Host", offsetof(struct http_request, host) },
	{ "Authorization", offsetof(struct http_request, authorization) },
	{ "Content-Type", offsetof(struct http_request, content_type) },
	{ "Git-Protocol", offsetof(struct http_request, git_protocol) },
	{ "User-Agent", offsetof(struct http_request, user_agent) },
	{ "Accept", offsetof(struct http_request, accept) },
};

enum framing { CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING, EXPECT };

static const char *const framing_names[] = {
	[CONTENT_LENGTH] = "Content-Length",
	[TRANSFER_ENCODING] = "Transfer-Encoding",
	[CONTENT_ENCODING] = "Content-Encoding",
	[EXPECT] = "Expect",
};

struct reading {
	struct http_request *r;
	struct arena *arena;
	const char *at; /* where the next line must begin */
	const char *framing[ARRAY_SIZE(framing_names)];
	bool is_malformed;
	bool is_twice;
	bool is_out_of_memory;
};

/* A value that stands there a second time; Accept may (RFC 9110, 5.3). */
static void take_twice(struct reading *g, const char *name)
{
	if (strcasecmp(name, "Accept"))
		g->is_twice = true;
}

static void take_field(struct reading *g, const char *name, struct span value)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char **slot = (const char **)(void *)((char *)g->r +
							    fields[i].offset);

		if (strcasecmp(name, fields[i].name))
			continue;
		if (*slot) {
			take_twice(g, name);
			return;
		}
		*slot = arena_strdup(g->arena, value);
		g->is_out_of_memory |= !*slot;
		return;
	}
}

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind,
				   const char *name, size_t name_len,
				   const char *value, size_t value_len)
{
	struct reading *g = arg;

	(void)kind;
	if (!value)
		value = "";
	if (name != g->at || !http_header_is_valid(span_of(name, name_len),
						   span_of(value, value_len))) {
		g->is_malformed = true;
		return MHD_NO;
	}
	g->at = value + value_len + 2; /* CR LF */
	for (size_t i = 0; i < ARRAY_SIZE(framing_names); i++) {
		if (strcasecmp(name, framing_names[i]))
			continue;
		g->is_twice |= g->framing[i] != NULL;
		g->framing[i] = value;
		return MHD_YES;
	}
	take_field(g, name, span_of(value, value_len));
	return MHD_YES;
}

/* Do the lines follow each other without gaps? */
static bool is_head_dense(struct MHD_Connection *connection, const char *method,
			  const struct reading *g)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info && method + info->header_size == g->at + 2;
}

static int check_framing(const struct reading *g, const char *version,
			 struct http_head *head, struct err *e)
{
	const char *length = g->framing[CONTENT_LENGTH];
	const char *coding = g->framing[TRANSFER_ENCODING];
	bool is_new = !strcmp(version, "HTTP/1.1");

	if (g->is_twice)
		return err_set(e, ERR_MALFORMED,
			       "a header that must stand alone is there twice");
	if (is_new && !g->r->host)
		return err_set(e, ERR_MALFORMED, "the Host header is missing");
	if (g->r->host && !http_host_is_valid(span_str(g->r->host)))
		return err_set(e, ERR_MALFORMED, "the Host header is no host");
	if (coding && (length || !is_new || strcasecmp(coding, "chunked")))
		return err_set(e, ERR_MALFORMED,
			       "of Transfer-Encoding only chunked is taken, "
			       "in HTTP/1.1 and without Content-Length");
	if (length && !http_length_parse(span_str(length), &head->length))
		return err_set(e, ERR_MALFORMED,
			       "the Content-Length is no number");
	head->is_chunked = coding != NULL;
	head->has_length = length != NULL;
	head->expects_continue = g->framing[EXPECT] != NULL;
	return 0;
}

/* What is refused though it is clear where it ends. */
static unsigned check_rest(const struct reading *g, const char *method,
			   struct http_head *head, struct http_request *r,
			   struct err *e)
{
	if (!r->target || g->is_out_of_memory) {
		err_nomem(e);
		return 500;
	}
	if (http_method_parse(method, &r->method, &r->is_head) < 0 ||
	    r->method == HTTP_OTHER) {
		err_set(e, ERR_MALFORMED, "this method is not served here");
		return 501;
	}
	if (http_target_parse(r, r->target, g->arena, e) < 0)
		return e->code == ERR_LIMIT ? 414 : http_status_of(e->code);
	if (http_encoding_parse(g->framing[CONTENT_ENCODING], &head->is_gzip) <
	    0) {
		err_set(e, ERR_MALFORMED,
			"of Content-Encoding only gzip is taken");
		return 415;
	}
	if (r->method == HTTP_GET && (head->is_chunked || head->length)) {
		err_set(e, ERR_MALFORMED, "a GET request has no body");
		return 400;
	}
	return 0;
}

unsigned exchange_head_read(struct MHD_Connection *connection,
			    const char *method, const char *version,
			    struct http_head *head, struct http_request *r,
			    struct arena *a, bool *is_framed_out, struct err *e)
{
	struct reading g = { .r = r, .arena = a };

	*is_framed_out = false;
	g.at = version + strlen(version) + 2;
	if (method + strlen(method) + 1 != head->target_at ||
	    head->target_at + head->target_len + 1 != version) {
		err_set(e, ERR_MALFORMED, "the request line is malformed");
		return 400;
	}
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header,
				    &g);
	if (g.is_malformed || !is_head_dense(connection, method, &g)) {
		err_set(e, ERR_MALFORMED, "a header line is malformed");
		return 400;
	}
	if (check_framing(&g, version, head, e) < 0)
		return 400;
	*is_framed_out = true;
	return check_rest(&g, method, head, r, e);
}
