/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The holder of the current state: reads it, notices changes, changes it.
 *
 * All or nothing: a configuration with a mistake is refused as a whole and the
 * state in force stays. state.conf is rewritten whole and durably, under
 * DATA/run/state.lock (flock), after reading it again, so that several daemons
 * and the CLI may share a data directory.
 * Owns: DATA/state.conf and DATA/secrets/.
 * Threads: any. Lock order: the file lock, then the pointer's mutex.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "store/mistakes.h"
#include "store/state.h"

#include <stdbool.h>

struct err;
struct state_store; /* opaque */

#define STATE_LOCK_WAIT_MS 10000 /* for another process's verb to end */

/* One entry of a section that is not the state's: [server], [limits]. */
struct state_foreign {
	const char *section;
	const char *subsection; /* NULL: none */
	const char *key;	/* NULL: the header itself, before its keys */
	const char *value;	/* NULL: none was written */
	const char *file;
	unsigned line;
	bool is_declared; /* else of state.conf, which comes first */
};

struct state_hooks {
	void *arg;
	/* Called for each in the order of reading, at every load, also by
	 * other threads than the one that opened the store. Adds its mistakes
	 * to `m`. Returns false where the section is unknown. NULL: [server]
	 * and [limits] are passed over. */
	bool (*foreign)(void *arg, const struct state_foreign *entry,
			struct mistakes *m);
	/* Before the first and after the last of one load; `is_good` says
	 * whether the whole was taken. NULL: not told. */
	void (*load_begin)(void *arg);
	void (*load_end)(void *arg, bool is_good);
	/* Is that a URL that a hook may be sent to? NULL: http:// or https://
	 * and a host. */
	int (*url_check)(void *arg, const char *url, struct err *e);
};

struct state_options {
	/* NULL: none, nothing is written or made (`headwaterd check`). */
	const char *data_dir;
	/* Files and directories, in this order; copied. */
	const char *const *configs;
	size_t n_configs;
	/* Read where it exists and no config is named; NULL: none. */
	const char *default_config;
	struct state_hooks hooks; /* copied */
};

/*
 * Open and load. NULL with `e` (the first mistake) where it cannot; `m` has
 * every mistake then. DATA must exist (store/data_dir.h).
 */
struct state_store *state_store_open(const struct state_options *options,
				     struct mistakes *m,
				     struct err *e) MUST_CHECK;
struct state_store *state_store_free(struct state_store *s);
DEFINE_FREEP(state_store)

/* The state in force; the caller puts it back. Never NULL. */
struct state *state_store_get(struct state_store *s) MUST_CHECK;

/* A descriptor: until it is closed no verb of any process changes state.conf or
 * a secret. As holders of it others wait for it, and then give up. */
int state_store_lock(struct state_store *s, struct err *e) MUST_CHECK;

/* Read everything again. 1 where the state changed or a refusal ended, 0 where
 * it is the same, -1 where it is refused, with the mistakes in `m`. */
int state_store_reload(struct state_store *s, struct mistakes *m) MUST_CHECK;

/* True while what the files say was refused and something older is in force. */
bool state_store_is_refused(struct state_store *s);

/* The same where a file or directory changed since it was read; a stat(2) of
 * each otherwise. What was refused is not read again before it changes. */
int state_store_refresh(struct state_store *s, struct mistakes *m) MUST_CHECK;
