/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs: create, set, replace and delete objects of state.conf.
 *
 * Each is one durable rewrite or none. Only what a change names is compared
 * and changed; other keys of the object keep their values.
 * Threads: any; one verb at a time in all processes.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "store/state.h"

#include <stdbool.h>

struct err;
struct state_store;

enum change_mode {
	CHANGE_CREATE,	/* make it; the same again is fine, else differs */
	CHANGE_REPLACE, /* make it, or change what is named */
	CHANGE_SET,	/* change what is named; it must be there */
};

/*
 * A secret to be kept in DATA/secrets/, never in state.conf. `key`:
 * "secret-file", "bearer-file" or "ca-file" of a hook (exact bytes), "file" of
 * a token (the clear token; only its hash is kept).
 */
struct change_secret {
	const char *key;
	struct span bytes; /* empty: remove */
	/* Made by us for this change: stored where the object is new or
	 * replaced, and never compared with what is there. */
	bool is_generated;
};

struct state_change {
	enum state_kind kind;
	const char *name;
	enum change_mode mode;
	const struct state_value *values; /* an empty list unsets the key */
	size_t n_values;
	const struct change_secret *secrets;
	size_t n_secrets;
};

enum change_outcome {
	CHANGE_CREATED,
	CHANGE_SAME,	 /* as asked already: nothing was written */
	CHANGE_DONE,	 /* changed or deleted */
	CHANGE_DIFFERS,	 /* refused: `text` says what differs */
	CHANGE_DECLARED, /* refused: `text` says where it is declared */
	CHANGE_ABSENT,	 /* nothing of that name to set or delete */
};

struct change_result {
	enum change_outcome outcome;
	/* A sentence for people, e.g. "read is \"**\", not \"cluster\"". */
	struct buf text;
};

#define CHANGE_RESULT_INIT        \
	{                         \
		.text = BUF_INIT, \
	}

void change_result_fini(struct change_result *r);

/*
 * 0 with the outcome; the state in force is the new one on return. -1 where it
 * could not be: ERR_MALFORMED (a value, a name, or the configuration as it is
 * on disk), ERR_CONFLICT (a public key or token that has another name),
 * ERR_TIMEOUT (locked), ERR_NO_SPACE, ERR_IO.
 */
int state_change(struct state_store *s, const struct state_change *change,
		 struct change_result *out, struct err *e) MUST_CHECK;

/* A file below the data directory, as it will be. */
struct state_file {
	const char *name;
	struct span bytes;
};

struct state_writer {
	int (*write)(void *arg, struct err *e);
	void *arg;
};

/* ERR_CONFLICT where `s` has something that is not declared. */
int state_check_empty(const struct state *s, struct err *e) MUST_CHECK;

/*
 * state.conf and the files of secrets/ at once, where nothing but what is
 * declared is there (ERR_CONFLICT): judged as they would be with `files`, then
 * written by `writer`, with all verbs of all processes kept out, and put in
 * force. ERR_MALFORMED where a start would refuse them, before `writer` runs.
 */
int state_restore(struct state_store *s, const struct state_file *files,
		  size_t n, const struct state_writer *writer,
		  struct err *e) MUST_CHECK;

/* Remove it and its secrets. */
int state_delete(struct state_store *s, enum state_kind kind, const char *name,
		 struct change_result *out, struct err *e) MUST_CHECK;
