/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs that webhooks may be sent to, taken apart and judged.
 * Format: RFC 3986, http and https only, no user and password, no fragment.
 * Ownership: the spans point into the text that was parsed.
 * Threads: plain functions.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>

struct err;

#define HOOK_URL_MAX 2048

struct hook_url {
	bool is_https;
	struct span host; /* without the brackets of an IPv6 address */
	struct span port; /* empty where the URL has none */
	struct span path; /* with the query; "" or begins with "/" */
};

/* ERR_MALFORMED says what a hook's URL must look like; ERR_DENIED for a
 * link-local or metadata address in any numeric spelling. */
int hook_url_parse(const char *url, struct hook_url *out,
		   struct err *e) MUST_CHECK;
