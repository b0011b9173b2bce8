/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kubernetes and Prometheus ask: /healthz, /readyz, /metrics, and nothing
 * else.
 *
 * /healthz is 200 as long as the process answers. /readyz is 200 or 503 with
 * the reason. /metrics is OpenMetrics 1.0.0.
 * Threads: any, as the door calls.
 */
#pragma once

#include "base/attr.h"
#include "net/httpd.h"

#include <stdbool.h>

struct buf;

struct httpd_probe {
	void *arg;
	/* Can it serve? Where not, a sentence why into `reason`. Must not
	 * wait. */
	bool (*is_ready)(void *arg, struct buf *reason);
};

/* The handler of a door; `probe` outlives it. */
void httpd_probe_handler(struct httpd_probe *probe, struct http_handler *out);
