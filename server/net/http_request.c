/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the head of a request: target, method, the headers that frame it.
 *
 * Format: RFC 9112 (framing), RFC 9110 (fields), RFC 3986 (targets), RFC 7617
 * and RFC 6750 (credentials). Nothing here knows the library beneath the door.
 */
#include "net/http_request.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of an Authorization header; our tokens have fewer than 100. */
#define CREDENTIAL_MAX 4096

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{ "GET", HTTP_GET },	   { "HEAD", HTTP_GET },
	{ "POST", HTTP_POST },	   { "PUT", HTTP_PUT },
	{ "PATCH", HTTP_PATCH },   { "DELETE", HTTP_DELETE },
	{ "OPTIONS", HTTP_OTHER }, { "TRACE", HTTP_OTHER },
	{ "CONNECT", HTTP_OTHER },
};

const char *http_method_name(enum http_method method)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (method != HTTP_OTHER && methods[i].method == method)
			return methods[i].name;
	}
	return "other";
}

int http_method_parse(const char *text, enum http_method *out,
		      bool *is_head_out)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strcmp(text, methods[i].name))
			continue;
		*out = methods[i].method;
		*is_head_out = !strcmp(text, "HEAD");
		return 0;
	}
	return -1;
}

/* -- targets -------------------------------------------------------------- */

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte off the front, a percent-encoded one decoded; -1 where the percent
 * sign is followed by no two digits. */
static int decode_byte(struct span *s)
{
	int high, low;
	uint8_t c = 0;

	span_u8(s, &c);
	if (c != '%')
		return c;
	if (s->len < 2)
		return -1;
	high = hex_digit(s->data[0]);
	low = hex_digit(s->data[1]);
	s->data += 2;
	s->len -= 2;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A NUL-terminated decoded copy. */
static char *decode(struct span s, bool is_query, struct arena *a,
		    struct err *e)
{
	char *text = arena_alloc(a, s.len + 1);
	size_t n = 0;

	if (!text) {
		err_nomem(e);
		return NULL;
	}
	while (s.len) {
		bool is_space = is_query && *s.data == '+';
		int c = decode_byte(&s);

		if (c < 0 || is_control((unsigned char)c)) {
			err_set(e, ERR_MALFORMED,
				"the target holds a bad percent-encoding or a "
				"control character");
			return NULL;
		}
		text[n++] = is_space ? ' ' : (char)c;
	}
	text[n] = '\0';
	return text;
}

static int add_element(struct http_request *r, struct span s, struct arena *a,
		       struct err *e)
{
	char *text = decode(s, false, a, e);

	if (!text)
		return -1;
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return err_set(e, ERR_MALFORMED,
			       "the path holds '.' or '..' as an element");
	if (r->n_elements == HTTP_ELEMENTS_MAX)
		return err_set(e, ERR_LIMIT,
			       "the path has more than %d elements",
			       HTTP_ELEMENTS_MAX);
	r->elements[r->n_elements++] = text;
	return 0;
}

static int join_path(struct http_request *r, struct arena *a, struct err *e)
{
	size_t len = 2;
	char *text, *to;

	for (size_t i = 0; i < r->n_elements; i++)
		len += strlen(r->elements[i]) + 1;
	text = to = arena_alloc(a, len);
	if (!text)
		return err_nomem(e);
	*to = '/';
	for (size_t i = 0; i < r->n_elements; i++) {
		*to++ = '/';
		to = stpcpy(to, r->elements[i]);
	}
	r->path = text;
	return 0;
}

static int parse_path(struct http_request *r, struct span path, struct arena *a,
		      struct err *e)
{
	struct span element;

	while (span_word(&path, '/', &element)) {
		if (element.len && add_element(r, element, a, e) < 0)
			return -1;
	}
	return join_path(r, a, e);
}

static int parse_query(struct http_request *r, struct span query,
		       struct arena *a, struct err *e)
{
	struct span value, name;

	while (span_word(&query, '&', &value)) {
		struct http_param *p = &r->params[r->n_params];

		if (!value.len)
			continue;
		if (r->n_params == HTTP_PARAMS_MAX)
			return err_set(e, ERR_LIMIT,
				       "the query has more than %d parameters",
				       HTTP_PARAMS_MAX);
		if (!span_until(&value, '=', &name)) {
			name = value;
			value.len = 0;
		}
		p->name = decode(name, true, a, e);
		p->value = p->name ? decode(value, true, a, e) : NULL;
		if (!p->value)
			return -1;
		if (http_request_param(r, p->name))
			return err_set(e, ERR_MALFORMED,
				       "a query parameter stands there twice");
		r->n_params++;
	}
	return 0;
}

int http_target_parse(struct http_request *r, const char *target,
		      struct arena *a, struct err *e)
{
	struct span all = span_str(target);
	struct span path;

	r->n_elements = 0;
	r->n_params = 0;
	if (all.len > HTTP_TARGET_MAX)
		return err_set(e, ERR_LIMIT,
			       "the target has more than %d bytes",
			       HTTP_TARGET_MAX);
	if (!span_starts(all, "/"))
		return err_set(e, ERR_MALFORMED,
			       "the target does not begin with '/'");
	for (size_t i = 0; i < all.len; i++) {
		unsigned char c = all.data[i];

		if (c <= ' ' || c >= 0x7f || c == '#')
			return err_set(e, ERR_MALFORMED,
				       "the target holds a byte that must be "
				       "percent-encoded");
	}
	r->target = arena_strdup(a, all);
	if (!r->target)
		return err_nomem(e);
	span_word(&all, '?', &path);
	if (parse_path(r, path, a, e) < 0)
		return -1;
	return parse_query(r, all, a, e);
}

const char *http_request_param(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++) {
		if (!strcmp(r->params[i].name, name))
			return r->params[i].value;
	}
	return NULL;
}

/* -- headers -------------------------------------------------------------- */

bool http_type_is(const char *content_type, const char *type)
{
	size_t n;

	if (!content_type)
		return false;
	n = strcspn(content_type, "; \t");
	return n == strlen(type) && !strncasecmp(content_type, type, n);
}

static bool is_token_byte(unsigned char c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr(others, c));
}

bool http_header_is_valid(struct span name, struct span value)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_token_byte(name.data[i]))
			return false;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (is_control(value.data[i]) && value.data[i] != '\t')
			return false;
	}
	return name.len > 0;
}

/* Of RFC 3986's reg-name, IP-literal and port. */
static bool is_host_byte(unsigned char c)
{
	static const char others[] = "-._~!$&'()*+,;=:[]";

	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr(others, c));
}

bool http_host_is_valid(struct span host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (!is_host_byte(host.data[i]))
			return false;
	}
	return true;
}

bool http_length_parse(struct span text, uint64_t *out)
{
	uint64_t value = 0;

	if (!text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.data[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

/* -- credentials ---------------------------------------------------------- */

static bool skip_scheme(struct span *s, const char *scheme)
{
	size_t n = strlen(scheme);
	struct span skipped;

	if (s->len <= n || s->data[n] != ' ' ||
	    strncasecmp((const char *)s->data, scheme, n))
		return false;
	while (s->len && (n || *s->data == ' ')) {
		span_take(s, n ? n : 1, &skipped);
		n = 0;
	}
	return true;
}

static char *copy_secret(struct span s, size_t *n_out)
{
	char *copy;

	if (!s.len || memchr(s.data, '\0', s.len))
		return NULL;
	copy = malloc(s.len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	*n_out = s.len;
	return copy;
}

static char *basic_password(struct span text, size_t *n_out)
{
	struct span rest, user;
	char *secret = NULL;
	void *plain;
	size_t n = 0;

	plain = base64_decode((const char *)text.data, text.len, &n);
	if (!plain)
		return NULL;
	rest = span_of(plain, n);
	if (span_until(&rest, ':', &user))
		secret = copy_secret(rest, n_out);
	explicit_bzero(plain, n);
	free(plain);
	return secret;
}

char *http_credential(const char *authorization, size_t *n_out)
{
	struct span s;

	if (!authorization)
		return NULL;
	s = span_str(authorization);
	while (s.len && s.data[s.len - 1] == ' ')
		s.len--;
	if (s.len > CREDENTIAL_MAX)
		return NULL;
	if (skip_scheme(&s, "Basic"))
		return basic_password(s, n_out);
	if (skip_scheme(&s, "Bearer"))
		return copy_secret(s, n_out);
	return NULL;
}
