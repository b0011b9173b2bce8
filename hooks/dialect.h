/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each type of receiver wants to be told: its header lines around the one
 * body of event.h.
 * Format: Flux's Receiver types; GitHub's, Gitea's and GitLab's webhooks.
 * Threads: plain functions.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "hooks/event.h"

struct dialect;

/* "generic-hmac", "generic", "github", "gitea", "gitlab"; NULL for others. */
const struct dialect *dialect_find(const char *name);
const char *dialect_name(const struct dialect *d);

/* May a hook of this type have no secret? */
bool dialect_needs_secret(const struct dialect *d);

/*
 * The lines that say type, event and signature, each "Name: value" and NUL,
 * appended to `out`. The signature is over the exact bytes of `body` with the
 * exact bytes of `secret` (empty: unsigned).
 */
void dialect_headers(const struct dialect *d, const struct event *ev,
		     struct span secret, struct span body, struct buf *out);
