/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of a request when it is over: one line and two metrics.
 *
 * Log: http.request, at info; at debug for the probe's door.
 * Metrics: headwater_http_requests by kind and class of status,
 * headwater_http_request_seconds by kind. The kind is what the route says it
 * served, else the door's name.
 * Threads: any.
 */
#pragma once

#include "net/address.h"

#include <stdbool.h>
#include <stdint.h>

struct http_request;
struct http_response;

struct httpd_record {
	const char *door;
	char peer[ADDRESS_TEXT_SIZE];
	unsigned status;	/* 0: none was sent */
	bool is_cut;		/* the connection ended before the answer did */
	const char *cut_reason; /* NULL: by the client */
	const char *error;	/* a sentence; may be NULL */
	uint64_t bytes;		/* of the body */
	int64_t started_us, ended_us;
};

void httpd_log(const struct httpd_record *record, const struct http_request *r,
	       const struct http_response *answer);
