/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flux's Receivers: their path is computed, so a hook can exist before its
 * Receiver does.
 * Format: "/hook/" + hex(sha256(token + name + namespace)), as
 * notification-controller builds status.webhookPath.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>

#define RECEIVER_PATH_SIZE (sizeof "/hook/" + 64)

/* Writes the NUL-terminated path. `token` is the exact bytes of the Secret.
 * Returns `out`, or NULL out of memory. */
char *receiver_path(struct span token, const char *name, const char *ns,
		    char out[RECEIVER_PATH_SIZE]) MUST_CHECK;

/* True where a URL's path is one of those. */
bool receiver_path_is(const char *path);
