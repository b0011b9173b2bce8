/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of the SSH door: who is there, who must go.
 *
 * A connection is cut by shutdown(2) on a descriptor that only its struct
 * owns, so that the number never means another connection; its thread notices
 * and ends. When the door is full the oldest connection that is not logged in
 * goes; none counts per address, since a port-forward is one address.
 * Threads: any. Lock order: the registry's lock is a leaf.
 */
#pragma once

#include "base/attr.h"
#include "net/sshd.h"

#include <pthread.h>

struct err;
struct sshd_session;

struct sshd_registry {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	struct sshd_limits limits;	   /* complete */
	struct sshd_session *first, *last; /* oldest first */
	size_t n_sessions, n_cut, n_strangers, n_running;
	bool is_stopping;
};

int registry_init(struct sshd_registry *r, const struct sshd_limits *limits,
		  struct err *e) MUST_CHECK;
void registry_fini(struct sshd_registry *r);

/* Zeroes become the defaults. */
void registry_set_limits(struct sshd_registry *r,
			 const struct sshd_limits *limits);
void registry_count(struct sshd_registry *r, size_t *sessions_out,
		    size_t *running_out);

/* Take it in, with the limits of now; false where there is no room. */
bool registry_admit(struct sshd_registry *r, struct sshd_session *s);
/* Its thread is done with it; closes and frees. */
void registry_remove(struct sshd_registry *r, struct sshd_session *s);

/* Cut the oldest that is not logged in; false where there is none. */
bool registry_make_room(struct sshd_registry *r);
/* Cut whoever has not come back from libssh in time. */
void registry_watch(struct sshd_registry *r);

/* Admit nobody; cut those without a running command, or all of them. */
void registry_stop(struct sshd_registry *r, bool all);
/* Wait until nobody is left or the clock passes `deadline_ms` (-1: never).
 * How many are left. */
size_t registry_wait(struct sshd_registry *r, int64_t deadline_ms);

/* What a session tells about itself. */
void registry_note_login(struct sshd_registry *r, struct sshd_session *s);
/* False where the door is stopping: no command begins any more. */
bool registry_command_begin(struct sshd_registry *r, struct sshd_session *s);
void registry_command_end(struct sshd_registry *r, struct sshd_session *s);
/* Why it was cut, or NULL. */
const char *registry_cut_reason(struct sshd_registry *r,
				struct sshd_session *s);
