/* SPDX-License-Identifier: Apache-2.0 */
/* What a request was, for people and for graphs. */
#include "net/httpd_log.h"

#include "base/log.h"
#include "base/metrics.h"
#include "net/http_request.h"
#include "net/http_response.h"

#include <string.h>

static struct metric_family requests = METRIC_COUNTER(
	"headwater_http_requests", "HTTP requests by kind and class of status.",
	"kind", "code");
static struct metric_family seconds = METRIC_HISTOGRAM(
	"headwater_http_request_seconds",
	"From the request line to the end of the answer, by kind.", "kind");

static const char *status_class(unsigned status)
{
	static const char *const classes[] = { "none", "1xx", "2xx",
					       "3xx",  "4xx", "5xx" };

	return classes[status < 600 ? status / 100 : 0];
}

void httpd_log(const struct httpd_record *record, const struct http_request *r,
	       const struct http_response *answer)
{
	enum log_level level = LEVEL_INFO;
	int64_t us = record->ended_us - record->started_us;
	const char *kind = answer->what ? answer->what : record->door;
	const char *cut = NULL;

	metric_add(&requests, 1, kind, status_class(record->status));
	metric_observe(&seconds, (double)us / 1e6, kind);
	if (!strcmp(record->door, "probe"))
		level = LEVEL_DEBUG;
	if (!log_enabled(level))
		return;
	if (record->is_cut)
		cut = record->cut_reason ? record->cut_reason : "by the client";
	log_event(level, "http.request", "door", record->door, "peer",
		  record->peer, "method",
		  r->is_head ? "HEAD" : http_method_name(r->method), "target",
		  r->target, "status", fmt_u64(record->status), "bytes",
		  fmt_u64(record->bytes), "us", fmt_u64((uint64_t)us), "what",
		  answer->what, "who", *answer->who ? answer->who : NULL,
		  "agent", r->user_agent, "cut", cut, "error", record->error,
		  NULL);
}
