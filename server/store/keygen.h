/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 keys for people and for Flux.
 * Format: OpenSSH's PROTOCOL.key, unencrypted; RFC 8709 for the public line.
 * Threads: plain functions.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

struct err;

/* A new key: the private file into `private_out`, the line of the .pub file
 * without its newline into `public_out`. */
int keygen_ed25519(const char *comment, struct buf *private_out,
		   struct buf *public_out, struct err *e) MUST_CHECK;

/* The public line of a private key file: OpenSSH's format, which may be
 * encrypted (its public part never is), or PEM without a passphrase (what Flux
 * makes) with a key of an accepted type. ERR_MALFORMED for others. */
int keygen_public_of(struct span private_file, struct buf *public_out,
		     struct err *e) MUST_CHECK;
