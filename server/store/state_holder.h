/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the store: what loading and the verbs share, and nobody else.
 * Lock order: load_lock, then the file lock, then pointer_lock.
 */
#pragma once

#include "base/attr.h"
#include "store/state_build.h"
#include "store/state_store.h"

#include <pthread.h>
#include <sys/types.h>

#define SECRET_TEXT_SIZE 65 /* 64 digits and a NUL */

struct state_store {
	/* set once, then read-only */
	struct state_options options; /* owned copies */
	char *conf_path;
	char *lock_path;
	mode_t file_mode;

	/* under load_lock */
	pthread_mutex_t load_lock;
	struct watch *watches; /* of the last load, taken or refused */
	size_t n_watches;
	bool is_stale;			    /* look again whatever they say */
	bool had_default;		    /* the default file existed */
	unsigned char content[SHA256_SIZE]; /* of the state in force */
	unsigned char refused[SHA256_SIZE]; /* of the last refused */
	bool was_refused;
	bool is_known_refusal; /* the last load was refused once more */

	/* written under both locks, read under pointer_lock */
	pthread_mutex_t pointer_lock;
	struct state *current;
};

/* All with load_lock held. */

/* A descriptor that holds the lock until it is closed. */
int holder_lock(struct state_store *s, struct err *e) MUST_CHECK;
/* Load and install: as state_store_reload(). `is_locked`: the caller holds
 * the file lock. */
int holder_load(struct state_store *s, struct mistakes *m,
		bool is_locked) MUST_CHECK;
/* Put a loaded state in force; takes the reference. */
void holder_install(struct state_store *s, struct state *made,
		    const struct load *l);

/* 64 random digits. */
void secret_random(char out[SECRET_TEXT_SIZE]);
