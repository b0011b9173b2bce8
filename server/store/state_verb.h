/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the verbs: what one asks for, how that differs from what there is,
 * and what state.conf and the secrets will be. Nothing here writes.
 * Threads: a verb belongs to one.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "store/state_change.h"
#include "store/state_holder.h"
#include "store/state_schema.h"

#define VERB_SECRETS_MAX 4 /* a hook's three, and one to be made */
#define VERB_OPTIONS_MAX 16

#define KEPT_SECRETS 4

/* A secret that the admin API hands over, and where it is kept. */
struct kept_secret {
	enum state_kind kind;
	const char *key;
	const char *what; /* DATA/secrets/WHAT-NAME */
	bool is_written;  /* state.conf names the file */
};
extern const struct kept_secret kept_secrets[KEPT_SECRETS];
/* NULL where that key of the kind is no secret. */
const struct kept_secret *kept_secret(enum state_kind kind, const char *key);

struct verb_secret {
	char *path; /* in the arena, as the load will name it */
	struct span bytes;
	bool is_removed;
	bool was_there;
	struct buf before; /* what was there */
};

struct verb {
	struct state_store *store;
	enum state_kind kind;
	const char *name;
	const struct state_object *object; /* of the state in force, or NULL */

	struct arena arena;
	/* By place in the schema: what is named, and with which values. */
	bool is_named[VERB_OPTIONS_MAX];
	bool is_secret[VERB_OPTIONS_MAX]; /* handed over, not a path */
	struct state_list named[VERB_OPTIONS_MAX];
	struct verb_secret secrets[VERB_SECRETS_MAX];
	size_t n_secrets;
	char made[SECRET_TEXT_SIZE];
	struct buf text; /* state.conf as it will be */
};

/* The place of a key in the schema, where it must be. */
size_t place_of(enum state_kind kind, const char *key);

void verb_init(struct verb *v);
void verb_fini(struct verb *v);

/* Hold the request against the schema. */
int verb_judge(struct verb *v, const struct state_change *change,
	       struct err *e) MUST_CHECK;

/* True where the object is not as asked; appends what differs. */
bool verb_compare(struct verb *v, const struct state_change *change,
		  struct buf *text);

/* Compose state.conf and the secrets: state_compose.c. */
int verb_compose(struct verb *v, const struct state_change *change,
		 struct err *e) MUST_CHECK;
int verb_compose_delete(struct verb *v, struct err *e) MUST_CHECK;

/* What the files will hold: at most VERB_SECRETS_MAX + 1. */
size_t verb_overlays(const struct verb *v, struct overlay *out);
