/* SPDX-License-Identifier: Apache-2.0 */
/* The door's errors in the form the API promises; the rest is httpd's. */
#include "net/admin_api.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

/* Administration is rare and small; a seed may be large and slow to come. */
#define CONNECTIONS 128
#define HEAD_MS	    30000
#define REQUEST_MS  3600000

struct admin_api {
	struct admin_api_options options;
	struct httpd *httpd;
};

/* "Content Too Large" becomes "content-too-large". */
static void code_of(unsigned status, char *out, size_t size)
{
	const char *reason = http_reason(status);
	size_t i;

	for (i = 0; reason[i] && i + 1 < size; i++) {
		char c = reason[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[i] = c == ' ' ? '-' : c;
	}
	out[i] = '\0';
}

static void refuse(void *arg, unsigned status, const char *message,
		   struct http_response *out)
{
	char code[64];

	(void)arg;
	code_of(status, code, sizeof code);
	http_response_json_error(out, status, code, message, NULL);
}

static void take_head(void *arg, const struct http_request *r,
		      struct http_body_plan *plan, struct http_response *out)
{
	const struct admin_api *a = arg;

	(void)out;
	plan->max_bytes = ADMIN_JSON_MAX;
	if (a->options.plan)
		a->options.plan(a->options.arg, r, plan);
}

static void handle(void *arg, const struct http_request *r,
		   struct http_response *out)
{
	const struct admin_api *a = arg;

	if (a->options.handler(a->options.arg, r, out) == 0)
		return;
	http_response_json_error(out, 404, "no-such-route",
				 "nothing is served at this path",
				 "the routes begin with /v1/; 'headwater "
				 "--help' lists what they do");
}

struct admin_api *admin_api_open(const struct admin_api_options *options,
				 struct err *e)
{
	struct admin_api *a = calloc(1, sizeof *a);
	struct httpd_options o = {
		.name = "admin",
		.unix_path = options->path,
		.workers = options->workers,
		.limits = { .connections = CONNECTIONS,
			    .head_ms = HEAD_MS,
			    .request_ms = REQUEST_MS },
		.handler = { .arg = a,
			     .head = take_head,
			     .handle = handle,
			     .refuse = refuse,
			     .on_worker = true },
	};

	if (!a) {
		err_nomem(e);
		return NULL;
	}
	a->options = *options;
	a->httpd = httpd_open(&o, e);
	return a->httpd ? a : admin_api_free(a);
}

void admin_api_stop(struct admin_api *a)
{
	httpd_stop(a->httpd);
}

size_t admin_api_wait(struct admin_api *a, int64_t deadline_ms)
{
	return httpd_wait(a->httpd, deadline_ms);
}

struct admin_api *admin_api_free(struct admin_api *a)
{
	if (!a)
		return NULL;
	httpd_free(a->httpd);
	free(a);
	return NULL;
}
