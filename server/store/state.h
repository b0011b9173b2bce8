/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One view of who and what there is: declared configuration and state.conf,
 * compiled.
 *
 * Immutable, and counted by reference: a session keeps the one it began with
 * and compares with a newer one when it starts a command. Names are unique per
 * kind; a declared object hides the one of the same name in state.conf, and a
 * declared public key hides a key of state.conf that holds the same one.
 * Ownership: everything below belongs to the state.
 * Limits: STATE_* below. Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/span.h"
#include "store/keys.h"

#include <stdbool.h>
#include <stdint.h>

#define STATE_MEMORY_MAX ((size_t)128 << 20) /* bytes of one compiled state */
#define STATE_FILES_MAX	 1000		     /* *.conf files */
#define STATE_LIST_MAX	 1000		     /* values of one list */
#define KEY_FILE_MAX	 ((size_t)1 << 20)   /* bytes of an authorized_keys */
#define KEY_DIR_MAX	 10000		     /* entries of a keys directory */
#define SECRET_MAX	 ((size_t)64 << 10)  /* bytes of a secret file */

enum state_kind { STATE_REPO, STATE_KEY, STATE_KEYS, STATE_TOKEN, STATE_HOOK };
#define STATE_KINDS 5

struct state_list {
	const char *const *items;
	size_t n;
};

/* One key of an object with all its values, as it was written. */
struct state_value {
	const char *key;
	struct state_list values;
};

/* What every object has. */
struct state_object {
	enum state_kind kind;
	bool is_declared; /* else of state.conf */
	const char *name;
	const char *file; /* where it stands */
	unsigned line;
	const struct state_value *values; /* in the order of the schema */
	size_t n_values;
	const char *problem; /* a sentence, where it cannot work; else NULL */
};

struct repo_settings {
	struct state_object object; /* first, in every settings struct */
	bool is_public;
	const char *branch; /* "main" where unset */
	const char *description;
	const char *seed; /* a path, or NULL */
	uint64_t quota;	  /* bytes; 0: none */
	struct state_list protect_branches;
	struct state_list protect_paths;
};

/* A key of [key "x"], or one of many of [keys "x"]. */
struct key_settings {
	struct state_object object;
	struct public_key key;
	/* "alice", "owners/alice" of a directory, "flux/previous" of one that
	 * is being replaced */
	const char *name;
	struct state_list read;
	struct state_list write;
	bool bypass;
	/* Another key stands for it until this one first logs in. */
	bool has_previous;
};

struct token_settings {
	struct state_object object;
	unsigned char hash[SHA256_SIZE]; /* of the token; see has_hash */
	bool has_hash;
	struct state_list read;
};

struct hook_settings {
	struct state_object object;
	struct state_list repos;
	const char *url;      /* or NULL */
	const char *receiver; /* "NAMESPACE/NAME", or NULL */
	const char *service;  /* "HOST[:PORT]", NULL: the server's default */
	const char *type;     /* "generic-hmac" where unset */
	struct span secret;   /* exact bytes */
	bool has_secret;
	struct span bearer;  /* empty: none */
	const char *ca_file; /* a path, or NULL */
	struct state_list branches;
	struct state_list tags;
};

struct state; /* opaque */

struct state *state_get(struct state *s);
/* Accepts NULL, returns NULL. */
struct state *state_put(struct state *s);
DEFINE_PUTP(state)

/* NULL where there is none of that name. */
const struct repo_settings *state_repo(const struct state *s, const char *name);
const struct token_settings *state_token(const struct state *s,
					 const char *name);
const struct hook_settings *state_hook(const struct state *s, const char *name);
/* By the name of the key ("alice", "owners/alice"). */
const struct key_settings *state_key(const struct state *s, const char *name);
/* By the blob a client offers. */
const struct key_settings *state_key_by_blob(const struct state *s,
					     struct span blob);
/* Any object: of STATE_KEY and STATE_KEYS by the name of its section. */
const struct state_object *state_object(const struct state *s,
					enum state_kind kind, const char *name);

/* All of them, by number, in the order of their names. Objects of STATE_KEY
 * are the [key] sections; the keys that may log in are counted apart, for a
 * directory holds many and a hidden one none. */
size_t state_count(const struct state *s, enum state_kind kind);
const struct state_object *state_object_at(const struct state *s,
					   enum state_kind kind, size_t i);
const struct repo_settings *state_repo_at(const struct state *s, size_t i);
const struct token_settings *state_token_at(const struct state *s, size_t i);
const struct hook_settings *state_hook_at(const struct state *s, size_t i);
size_t state_key_count(const struct state *s);
const struct key_settings *state_key_at(const struct state *s, size_t i);

/* True where a name of the list matches. */
bool state_list_matches(const struct state_list *patterns, const char *repo);
