/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of connections, its counts and its limits.
 *
 * The list is in order of arrival. A connection that was cut stays on it until
 * its thread has gone, but makes room at once; OVERSHOOT bounds how many of
 * those there may be.
 */
#include "net/sshd_registry.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/metrics.h"
#include "net/sshd_session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OVERSHOOT 256 /* connections that were cut and are not gone yet */

static struct metric_family sessions =
	METRIC_GAUGE("headwater_ssh_sessions", "SSH connections now.", NULL);

static void limits_complete(struct sshd_limits *l)
{
	const struct {
		uint32_t *value;
		uint32_t fallback;
	} counts[] = {
		{ &l->sessions, 2000 },
		{ &l->unauthenticated, 1000 },
		{ &l->channels, 4 },
		{ &l->refused_keys, 30 },
	};
	const struct {
		int *value;
		int fallback;
	} times[] = {
		{ &l->login_ms, 30 * 1000 },
		{ &l->idle_ms, 5 * 60 * 1000 },
		{ &l->stall_ms, 60 * 1000 },
		{ &l->silence_ms, 10 * 60 * 1000 },
		{ &l->session_ms, 6 * 3600 * 1000 },
		{ &l->keepalive_ms, 30 * 1000 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!*counts[i].value)
			*counts[i].value = counts[i].fallback;
	}
	for (i = 0; i < ARRAY_SIZE(times); i++) {
		if (*times[i].value <= 0)
			*times[i].value = times[i].fallback;
	}
}

/* -- with the lock held -----------------------------------------------------
 */

static void list_add(struct sshd_registry *r, struct sshd_session *s)
{
	s->prev = r->last;
	if (r->last)
		r->last->next = s;
	else
		r->first = s;
	r->last = s;
	r->n_sessions++;
	r->n_strangers++;
	metric_set(&sessions, (double)r->n_sessions);
}

static void list_remove(struct sshd_registry *r, struct sshd_session *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		r->first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		r->last = s->prev;
	r->n_sessions--;
	if (!s->is_logged_in && !s->cut_for)
		r->n_strangers--;
	if (s->is_running)
		r->n_running--;
	if (s->cut_for)
		r->n_cut--;
	metric_set(&sessions, (double)r->n_sessions);
}

static void cut(struct sshd_registry *r, struct sshd_session *s,
		const char *reason)
{
	if (s->cut_for)
		return;
	s->cut_for = reason;
	r->n_cut++;
	if (!s->is_logged_in)
		r->n_strangers--;
	shutdown(s->fd, SHUT_RDWR);
}

static bool make_room(struct sshd_registry *r)
{
	struct sshd_session *s;

	for (s = r->first; s; s = s->next) {
		if (!s->is_logged_in && !s->cut_for) {
			cut(r, s, "made room for a newer connection");
			return true;
		}
	}
	return false;
}

static bool has_room(struct sshd_registry *r)
{
	size_t alive = r->n_sessions - r->n_cut;

	if (r->is_stopping || r->n_sessions >= r->limits.sessions + OVERSHOOT)
		return false;
	if (alive < r->limits.sessions &&
	    r->n_strangers < r->limits.unauthenticated)
		return true;
	return make_room(r);
}

/* -- from outside -----------------------------------------------------------
 */

int registry_init(struct sshd_registry *r, const struct sshd_limits *limits,
		  struct err *e)
{
	pthread_condattr_t monotonic;
	int rc;

	memset(r, 0, sizeof(*r));
	r->limits = *limits;
	limits_complete(&r->limits);
	metric_register(&sessions);
	if (pthread_mutex_init(&r->lock, NULL))
		return err_nomem(e);
	rc = pthread_condattr_init(&monotonic);
	if (!rc) {
		pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
		rc = pthread_cond_init(&r->changed, &monotonic);
		pthread_condattr_destroy(&monotonic);
	}
	if (!rc)
		return 0;
	pthread_mutex_destroy(&r->lock);
	return err_nomem(e);
}

void registry_fini(struct sshd_registry *r)
{
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
}

void registry_set_limits(struct sshd_registry *r,
			 const struct sshd_limits *limits)
{
	struct sshd_limits complete = *limits;

	limits_complete(&complete);
	pthread_mutex_lock(&r->lock);
	r->limits = complete;
	pthread_mutex_unlock(&r->lock);
}

void registry_count(struct sshd_registry *r, size_t *sessions_out,
		    size_t *running_out)
{
	pthread_mutex_lock(&r->lock);
	*sessions_out = r->n_sessions;
	*running_out = r->n_running;
	pthread_mutex_unlock(&r->lock);
}

bool registry_admit(struct sshd_registry *r, struct sshd_session *s)
{
	bool is_admitted;

	pthread_mutex_lock(&r->lock);
	is_admitted = has_room(r);
	if (is_admitted) {
		s->limits = r->limits;
		list_add(r, s);
	}
	pthread_mutex_unlock(&r->lock);
	return is_admitted;
}

void registry_remove(struct sshd_registry *r, struct sshd_session *s)
{
	pthread_mutex_lock(&r->lock);
	list_remove(r, s);
	close(s->fd);
	free(s);
	pthread_cond_broadcast(&r->changed);
	/* After this the door may be gone. */
	pthread_mutex_unlock(&r->lock);
}

bool registry_make_room(struct sshd_registry *r)
{
	bool made;

	pthread_mutex_lock(&r->lock);
	made = make_room(r);
	pthread_mutex_unlock(&r->lock);
	return made;
}

void registry_watch(struct sshd_registry *r)
{
	int64_t now = clock_ms();
	struct sshd_session *s;

	pthread_mutex_lock(&r->lock);
	for (s = r->first; s; s = s->next) {
		int64_t limit = atomic_load(&s->must_return_ms);

		if (limit && now > limit)
			cut(r, s, "the SSH library did not return");
	}
	pthread_mutex_unlock(&r->lock);
}

void registry_stop(struct sshd_registry *r, bool all)
{
	struct sshd_session *s;

	pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	for (s = r->first; s; s = s->next) {
		if (all || !s->is_running)
			cut(r, s, "the server is stopping");
	}
	pthread_mutex_unlock(&r->lock);
}

size_t registry_wait(struct sshd_registry *r, int64_t deadline_ms)
{
	struct timespec until = {
		.tv_sec = deadline_ms / 1000,
		.tv_nsec = deadline_ms % 1000 * 1000000,
	};
	size_t left;
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	while (r->n_sessions && rc != ETIMEDOUT) {
		if (deadline_ms < 0)
			pthread_cond_wait(&r->changed, &r->lock);
		else
			rc = pthread_cond_timedwait(&r->changed, &r->lock,
						    &until);
	}
	left = r->n_sessions;
	pthread_mutex_unlock(&r->lock);
	return left;
}

void registry_note_login(struct sshd_registry *r, struct sshd_session *s)
{
	pthread_mutex_lock(&r->lock);
	if (!s->cut_for)
		r->n_strangers--;
	s->is_logged_in = true;
	pthread_mutex_unlock(&r->lock);
}

bool registry_command_begin(struct sshd_registry *r, struct sshd_session *s)
{
	bool may;

	pthread_mutex_lock(&r->lock);
	may = !r->is_stopping && !s->cut_for;
	if (may) {
		s->is_running = true;
		r->n_running++;
	}
	pthread_mutex_unlock(&r->lock);
	return may;
}

void registry_command_end(struct sshd_registry *r, struct sshd_session *s)
{
	pthread_mutex_lock(&r->lock);
	s->is_running = false;
	r->n_running--;
	if (r->is_stopping)
		cut(r, s, "the server is stopping");
	pthread_mutex_unlock(&r->lock);
}

const char *registry_cut_reason(struct sshd_registry *r, struct sshd_session *s)
{
	const char *reason;

	pthread_mutex_lock(&r->lock);
	reason = s->cut_for;
	pthread_mutex_unlock(&r->lock);
	return reason;
}
