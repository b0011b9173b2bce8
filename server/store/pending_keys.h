/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that knocked and that nobody knows: what `headwater key pending` shows
 * and `headwater key approve` takes.
 *
 * Anybody may knock with as many keys as they like, so memory, disk and writing
 * are bounded: PENDING_MAX keys, PENDING_ADDRESS_MAX of them from one address
 * (an IPv6 /64 counts as one), PENDING_DAYS old at most, and a write every
 * PENDING_SAVE_MS at most. Where there is no room, a key of the address that
 * has most goes, and there the one that knocked least and longest ago: a Flux
 * that keeps trying outlasts a flood of keys that try once.
 * Format: DATA/pending-keys, "FIRST LAST COUNT ADDRESS TYPE BASE64" a line,
 * times in seconds since 1970. Several daemons may share the file: each adds
 * what it finds there to what it knows. A line that cannot be read is left out.
 * Promise: none. It is a list of offers; what a crash or a full disk loses
 * comes back with the next try.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"
#include "store/keys.h"

#include <stdbool.h>

struct err;
struct pending_keys; /* opaque */
struct state;

#define PENDING_MAX	    128
#define PENDING_ADDRESS_MAX 16
#define PENDING_DAYS	    30
#define PENDING_SAVE_MS	    10000

struct pending_key {
	struct public_key key; /* without a comment */
	char address[64];      /* "192.0.2.1", without a port */
	int64_t first, last;   /* seconds since 1970 */
	uint64_t count;	       /* connections */
};

/* With what the file of `data_dir` holds. NULL out of memory; a file that
 * cannot be read counts as empty. */
struct pending_keys *pending_keys_new(const char *data_dir,
				      struct err *e) MUST_CHECK;
/* Saves nothing. Accepts NULL, returns NULL. */
struct pending_keys *pending_keys_free(struct pending_keys *p);
DEFINE_FREEP(pending_keys)

/* A connection from `peer` ("192.0.2.1:50000") ended without a login after it
 * offered these. Nothing is written. */
void pending_keys_note(struct pending_keys *p, const struct public_key *keys,
		       size_t n, const char *peer);

/* Write what changed, if it is time to or `now` is set; keys that `s` knows
 * and old ones are left out. */
int pending_keys_save(struct pending_keys *p, const struct state *s, bool now,
		      struct err *e) MUST_CHECK;

/* Those that `s` does not know, the last to knock first; `each` must not call
 * back. Returns how many there are; `each` may be NULL. */
size_t pending_keys_list(struct pending_keys *p, const struct state *s,
			 void (*each)(void *arg, const struct pending_key *k),
			 void *arg);
