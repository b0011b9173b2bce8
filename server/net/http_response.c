/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling in answers. Running out of memory while an answer is made gives an
 * empty 500, so that no caller has to look.
 */
#include "net/http_response.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

static void drop_body(struct http_response *r)
{
	if (r->release)
		r->release(r->arg);
	r->release = NULL;
	r->arg = NULL;
	r->produce = NULL;
	r->bytes = (struct span){ 0 };
	r->kind = HTTP_BODY_NONE;
}

void http_response_fini(struct http_response *r)
{
	drop_body(r);
	r->status = 0;
	r->n_headers = 0; /* what lies behind is not looked at */
	r->must_close = false;
	r->what = NULL;
	*r->who = '\0';
}

void http_response_header(struct http_response *r, const char *name,
			  const char *value)
{
	struct http_header *h;
	size_t n = 0;

	if (r->n_headers == HTTP_HEADERS_MAX)
		return;
	h = &r->headers[r->n_headers++];
	h->name = name;
	while (n < sizeof h->value - 1 && (unsigned char)value[n] >= ' ' &&
	       value[n] != 0x7f)
		n++;
	memcpy(h->value, value, n);
	h->value[n] = '\0';
}

/* The status, and the type of what follows. */
static void begin(struct http_response *r, unsigned status, const char *type)
{
	drop_body(r);
	r->status = status;
	for (size_t i = 0; i < r->n_headers; i++) {
		if (strcmp(r->headers[i].name, "Content-Type"))
			continue;
		r->headers[i] = r->headers[--r->n_headers];
		break;
	}
	if (type)
		http_response_header(r, "Content-Type", type);
}

void http_response_buf(struct http_response *r, unsigned status,
		       const char *type, struct buf *b)
{
	size_t n = b->len;
	char *text;

	if (b->failed) {
		buf_clear(b);
		begin(r, 500, NULL);
		return;
	}
	begin(r, status, type);
	text = buf_take(b);
	if (!text)
		return;
	r->kind = HTTP_BODY_BYTES;
	r->bytes = span_of(text, n);
	r->release = free;
	r->arg = text;
}

void http_response_text(struct http_response *r, unsigned status,
			const char *type, const char *text)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, text);
	http_response_buf(r, status, type, &b);
	buf_fini(&b);
}

void http_response_region(struct http_response *r, unsigned status,
			  const char *type, struct span bytes,
			  void (*release)(void *arg), void *arg)
{
	begin(r, status, type);
	r->kind = HTTP_BODY_BYTES;
	r->bytes = bytes;
	r->release = release;
	r->arg = arg;
}

void http_response_produced(struct http_response *r, unsigned status,
			    const char *type, http_produce_fn *produce,
			    void (*release)(void *arg), void *arg)
{
	begin(r, status, type);
	r->kind = HTTP_BODY_PRODUCED;
	r->produce = produce;
	r->release = release;
	r->arg = arg;
}

/* -- JSON ----------------------------------------------------------------- */

/* How many bytes of valid UTF-8 begin here, 0 where none do (RFC 3629). */
static size_t utf8_len(struct span s)
{
	/* lead byte: least and most of it, least and most of the second */
	static const struct {
		unsigned char from, to, second_from, second_to, len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	if (s.data[0] < 0x80)
		return 1;
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if (s.data[0] >= forms[i].from && s.data[0] <= forms[i].to)
			break;
	}
	if (i == ARRAY_SIZE(forms) || s.len < forms[i].len ||
	    s.data[1] < forms[i].second_from || s.data[1] > forms[i].second_to)
		return 0;
	for (k = 2; k < forms[i].len; k++) {
		if ((s.data[k] & 0xc0) != 0x80)
			return 0;
	}
	return forms[i].len;
}

/* A JSON string (RFC 8259, 7); bytes that are not UTF-8 become U+FFFD. */
static void add_json(struct buf *b, const char *text)
{
	struct span s = span_str(text);
	struct span part;

	buf_addc(b, '"');
	while (s.len) {
		size_t n = utf8_len(s);

		if (!span_take(&s, n ? n : 1, &part))
			break;
		if (!n)
			buf_adds(b, "\\ufffd");
		else if (*part.data == '"' || *part.data == '\\')
			buf_addf(b, "\\%c", *part.data);
		else if (*part.data < ' ' || *part.data == 0x7f)
			buf_addf(b, "\\u%04x", (unsigned)*part.data);
		else
			buf_addspan(b, part);
	}
	buf_addc(b, '"');
}

void http_response_json_error(struct http_response *r, unsigned status,
			      const char *code, const char *message,
			      const char *hint)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"error\":{\"code\":");
	add_json(&b, code);
	buf_adds(&b, ",\"message\":");
	add_json(&b, message);
	if (hint) {
		buf_adds(&b, ",\"hint\":");
		add_json(&b, hint);
	}
	buf_adds(&b, "}}\n");
	http_response_buf(r, status, "application/json", &b);
	buf_fini(&b);
}

/* -- statuses ------------------------------------------------------------- */

unsigned http_status_of(int err_code)
{
	switch ((enum err_code)err_code) {
	case ERR_OK:
		return 200;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_DENIED:
		return 403;
	case ERR_MALFORMED:
		return 400;
	case ERR_CONFLICT:
		return 409;
	case ERR_LIMIT:
		return 413;
	case ERR_TIMEOUT:
		return 504;
	case ERR_NO_SPACE:
		return 507;
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_CORRUPT:
	case ERR_CLOSED:
		return 500;
	}
	return 500;
}

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}
