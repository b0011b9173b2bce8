/* SPDX-License-Identifier: Apache-2.0 */
/* Three addresses, GET only. */
#include "net/httpd_probe.h"

#include "base/buf.h"
#include "base/metrics.h"

#include <string.h>

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

static void answer_health(const struct httpd_probe *p,
			  struct http_response *out)
{
	(void)p;
	http_response_text(out, 200, TEXT_TYPE, "ok\n");
}

static void answer_ready(const struct httpd_probe *p, struct http_response *out)
{
	struct buf reason = BUF_INIT;

	if (p->is_ready(p->arg, &reason)) {
		http_response_text(out, 200, TEXT_TYPE, "ready\n");
	} else {
		buf_addc(&reason, '\n');
		http_response_buf(out, 503, TEXT_TYPE, &reason);
	}
	buf_fini(&reason);
}

static void answer_metrics(const struct httpd_probe *p,
			   struct http_response *out)
{
	struct buf b = BUF_INIT;

	(void)p;
	metrics_print(&b);
	http_response_buf(out, 200, METRICS_TYPE, &b);
	buf_fini(&b);
}

static const struct {
	const char *name;
	void (*answer)(const struct httpd_probe *p, struct http_response *out);
} routes[] = {
	{ "healthz", answer_health },
	{ "readyz", answer_ready },
	{ "metrics", answer_metrics },
};

static void handle(void *arg, const struct http_request *r,
		   struct http_response *out)
{
	http_response_header(out, "Cache-Control", "no-store");
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (r->n_elements != 1 ||
		    strcmp(r->elements[0], routes[i].name))
			continue;
		out->what = routes[i].name;
		if (r->method == HTTP_GET) {
			routes[i].answer(arg, out);
			return;
		}
		http_response_text(out, 405, TEXT_TYPE, "GET only\n");
		http_response_header(out, "Allow", "GET, HEAD");
		return;
	}
	http_response_text(out, 404, TEXT_TYPE,
			   "here are /healthz, /readyz and /metrics\n");
}

void httpd_probe_handler(struct httpd_probe *probe, struct http_handler *out)
{
	*out = (struct http_handler){ .arg = probe, .handle = handle };
}
