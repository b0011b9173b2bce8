/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each key last logged in: what tells a key that is in use from one that
 * was printed and lost.
 *
 * Format: DATA/logins/DIGEST, SHA-256 of the key in hexadecimal: an empty file
 * whose time says when, to a minute. The first login is durable on return.
 * Limits: a file for each key that may log in; key_logins_sweep() removes those
 * of keys that are gone.
 * Threads: any; several daemons may share the directory.
 */
#pragma once

#include "base/attr.h"
#include "store/keys.h"

struct err;
struct state;

int key_login_note(const char *data_dir, const struct public_key *k,
		   struct err *e) MUST_CHECK;

/* Seconds since 1970; 0: never, or unknown. */
int64_t key_login_last(const char *data_dir, const struct public_key *k);

void key_logins_sweep(const char *data_dir, const struct state *s);
