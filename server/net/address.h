/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a door listens: "HOST:PORT", "[V6]:PORT", "*:PORT" (both families) or
 * "none". Names are not resolved; port 0 picks a free one.
 * Threads: plain values.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

#define ADDRESS_TEXT_SIZE 64

struct address {
	bool is_none;
	bool is_any; /* "*": both families, IPv4 alone where IPv6 is off */
	struct sockaddr_storage sa;
	socklen_t len;
};

/* ERR_MALFORMED with a sentence that names the text and what is wrong. */
int address_parse(const char *text, struct address *out,
		  struct err *e) MUST_CHECK;

/* "127.0.0.1:2222", "[::1]:2222"; an IPv4 address mapped into IPv6 is written
 * as IPv4. "unknown" for other families. Returns `out`. */
char *address_text(const struct sockaddr_storage *sa,
		   char out[ADDRESS_TEXT_SIZE]);

/* A listening TCP socket, close-on-exec, non-blocking, SO_REUSEADDR. Stores
 * where it is really bound. Returns the descriptor or -1; "none" is
 * ERR_NOT_FOUND. */
int address_listen(const struct address *a, int backlog,
		   struct sockaddr_storage *bound_out,
		   struct err *e) MUST_CHECK;
