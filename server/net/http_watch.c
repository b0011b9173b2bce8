/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list in the order in which the connections entered their phase, so that
 * the one to shed stands near its head.
 *
 * What a client has taken is asked of the kernel: TCP_INFO counts acknowledged
 * bytes, SIOCOUTQ those that wait. On a unix socket only the latter is there.
 * A connection that waits for a head may still have bytes of the last answer
 * on their way: as long as it has, it is judged as one that is sent to.
 */
#include "net/http_watch.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/http_pipe.h"

/* The kernel's struct tcp_info is longer than that of the C library. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

/* How often clients that are sent to are looked at: a part of the stall time
 * within these bounds. */
#define TICKS_PER_STALL 32
#define TICK_MIN_MS	50
#define TICK_MAX_MS	2000

/* What a request's body may still take when the door closes. */
#define DRAIN_BODY_MS 3000

struct http_conn {
	struct http_watch *watch; /* set once */
	int fd;
	char peer[ADDRESS_TEXT_SIZE];
	/* under the watch's lock */
	struct http_conn *prev, *next;
	enum http_phase phase;
	int64_t deadline_ms; /* of the first two phases */
	const char *cut_reason;
	struct http_pipe *pipe;
	/* of an answer */
	uint64_t acked;	       /* bytes the client took */
	uint64_t acked_before; /* when the answer began */
	int outq;
	bool is_looked_at; /* most answers are gone before the first tick */
	int64_t looked_ms;
	int64_t progress_ms; /* when it last took some, or owed none */
	int64_t behind_ms;   /* how long bytes lay here for it */
};

struct http_watch {
	/* set once, then read-only */
	char door[16];
	struct httpd_limits limits;
	void (*changed)(void *arg);
	void *arg;

	pthread_mutex_t lock;
	pthread_cond_t is_empty;
	/* under lock */
	struct http_conn *first, *last;
	size_t n_conns;
	size_t n_cut;	 /* of them: whoever serves one removes it soon */
	int64_t next_ms; /* when the next tick is due; INT64_MAX: never */
	bool is_draining;
};

struct http_watch *http_watch_new(const char *door,
				  const struct httpd_limits *limits,
				  void (*changed)(void *arg), void *arg)
{
	struct http_watch *w = calloc(1, sizeof *w);
	pthread_condattr_t monotonic;

	if (!w)
		return NULL;
	strncpy(w->door, door, sizeof w->door - 1);
	w->limits = *limits;
	w->changed = changed;
	w->arg = arg;
	w->next_ms = INT64_MAX;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->is_empty, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return w;
}

struct http_watch *http_watch_free(struct http_watch *w)
{
	if (!w)
		return NULL;
	pthread_cond_destroy(&w->is_empty);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

/* -- the list ------------------------------------------------------------- */

static void unlink_locked(struct http_conn *c)
{
	struct http_watch *w = c->watch;

	if (c->prev)
		c->prev->next = c->next;
	else
		w->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		w->last = c->prev;
	c->prev = c->next = NULL;
}

static void append_locked(struct http_conn *c)
{
	struct http_watch *w = c->watch;

	c->prev = w->last;
	if (w->last)
		w->last->next = c;
	else
		w->first = c;
	w->last = c;
}

static int64_t tick_ms(const struct http_watch *w)
{
	int64_t ms = w->limits.stall_ms / TICKS_PER_STALL;

	if (ms < TICK_MIN_MS)
		return TICK_MIN_MS;
	return ms > TICK_MAX_MS ? TICK_MAX_MS : ms;
}

static void due_locked(struct http_watch *w, int64_t when_ms)
{
	if (when_ms >= w->next_ms)
		return;
	w->next_ms = when_ms;
	w->changed(w->arg);
}

static void cut_locked(struct http_conn *c, const char *reason)
{
	if (c->cut_reason)
		return;
	c->cut_reason = reason;
	c->watch->n_cut++;
	shutdown(c->fd, SHUT_RDWR);
	if (c->pipe)
		http_pipe_cut(c->pipe);
}

/* -- what the client took ------------------------------------------------- */

/* Fill in outq and acked. */
static void look_locked(struct http_conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	int before = c->outq;

	if (ioctl(c->fd, SIOCOUTQ, &c->outq) < 0)
		c->outq = 0;
	if (!getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	    len >= offsetof(struct tcp_info, tcpi_bytes_acked) +
			    sizeof info.tcpi_bytes_acked)
		c->acked = info.tcpi_bytes_acked;
	else if (c->outq != before)
		c->acked += (uint64_t)abs(c->outq - before);
}

/* Is a client slower than it may be? */
static const char *judge_sending_locked(struct http_conn *c, int64_t now)
{
	const struct httpd_limits *limits = &c->watch->limits;
	uint64_t acked = c->acked;
	uint64_t allowed;

	look_locked(c);
	if (!c->is_looked_at) {
		c->is_looked_at = true;
		c->acked_before = c->acked;
		c->looked_ms = now;
		c->behind_ms = 0;
		c->progress_ms = now;
	}
	if (!c->outq || c->acked != acked)
		c->progress_ms = now;
	if (c->outq)
		c->behind_ms += now - c->looked_ms;
	c->looked_ms = now;
	if (now - c->progress_ms >= limits->stall_ms)
		return "the client took no byte for too long";
	allowed = limits->stall_ms +
		  (c->acked - c->acked_before) * 1000 / limits->bytes_per_s;
	if (c->behind_ms >= 0 && (uint64_t)c->behind_ms > allowed)
		return "the client takes bytes too slowly";
	return NULL;
}

/* -- connections ---------------------------------------------------------- */

struct http_conn *http_watch_add(struct http_watch *w, int fd, const char *peer)
{
	struct http_conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->watch = w;
	c->fd = fd;
	strncpy(c->peer, peer, sizeof c->peer - 1);
	pthread_mutex_lock(&w->lock);
	w->n_conns++;
	append_locked(c);
	c->deadline_ms = clock_ms() + w->limits.head_ms;
	due_locked(w, c->deadline_ms);
	if (w->is_draining)
		cut_locked(c, "the door closes");
	pthread_mutex_unlock(&w->lock);
	return c;
}

void http_watch_remove(struct http_conn *c)
{
	struct http_watch *w = c->watch;
	const char *reason;

	pthread_mutex_lock(&w->lock);
	reason = c->cut_reason;
	w->n_cut -= reason != NULL;
	unlink_locked(c);
	if (!--w->n_conns)
		pthread_cond_broadcast(&w->is_empty);
	pthread_mutex_unlock(&w->lock);
	if (reason)
		log_debug("http.cut", "door", w->door, "peer", c->peer,
			  "reason", reason, NULL);
	free(c);
}

void *http_conn_arg(const struct http_conn *c)
{
	return c->watch->arg;
}

const char *http_conn_peer(const struct http_conn *c)
{
	return c->peer;
}

void http_conn_enter(struct http_conn *c, enum http_phase phase)
{
	struct http_watch *w = c->watch;
	int64_t now = clock_ms();

	pthread_mutex_lock(&w->lock);
	c->phase = phase;
	unlink_locked(c);
	append_locked(c);
	switch (phase) {
	case HTTP_WAITING:
		c->deadline_ms = now + w->limits.head_ms;
		due_locked(w, c->deadline_ms);
		if (w->is_draining)
			cut_locked(c, "the door closes");
		break;
	case HTTP_RECEIVING:
		c->deadline_ms = now + w->limits.request_ms;
		due_locked(w, c->deadline_ms);
		break;
	case HTTP_WORKING:
		break;
	case HTTP_SENDING:
		c->is_looked_at = false;
		due_locked(w, now + tick_ms(w));
		break;
	}
	pthread_mutex_unlock(&w->lock);
}

void http_conn_set_pipe(struct http_conn *c, struct http_pipe *pipe)
{
	pthread_mutex_lock(&c->watch->lock);
	c->pipe = pipe;
	if (pipe && c->cut_reason)
		http_pipe_cut(pipe);
	pthread_mutex_unlock(&c->watch->lock);
}

void http_conn_cut(struct http_conn *c, const char *reason)
{
	pthread_mutex_lock(&c->watch->lock);
	cut_locked(c, reason);
	pthread_mutex_unlock(&c->watch->lock);
}

const char *http_conn_cut_reason(struct http_conn *c)
{
	const char *reason;

	pthread_mutex_lock(&c->watch->lock);
	reason = c->cut_reason;
	pthread_mutex_unlock(&c->watch->lock);
	return reason;
}

/* -- ticks ---------------------------------------------------------------- */

/* Judge one connection; when to look at it again. */
static int64_t tick_conn_locked(struct http_conn *c, int64_t now)
{
	const char *reason;

	if (c->cut_reason || c->phase == HTTP_WORKING)
		return INT64_MAX;
	if (c->phase != HTTP_SENDING && now < c->deadline_ms)
		return c->deadline_ms;
	if (c->phase == HTTP_RECEIVING) {
		cut_locked(c, "the request took too long");
		return INT64_MAX;
	}
	reason = judge_sending_locked(c, now);
	if (!reason && c->phase == HTTP_WAITING && !c->outq)
		reason = "no request came in time";
	if (reason) {
		cut_locked(c, reason);
		return INT64_MAX;
	}
	return now + tick_ms(c->watch);
}

int http_watch_tick(struct http_watch *w)
{
	int64_t next = INT64_MAX;
	int64_t now = clock_ms();

	pthread_mutex_lock(&w->lock);
	if (now >= w->next_ms) {
		for (struct http_conn *c = w->first; c; c = c->next) {
			int64_t at = tick_conn_locked(c, now);

			if (at < next)
				next = at;
		}
		w->next_ms = next;
	}
	next = w->next_ms;
	pthread_mutex_unlock(&w->lock);
	if (next == INT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

/* -- room ----------------------------------------------------------------- */

static bool shed_locked(struct http_watch *w, enum http_phase phase)
{
	for (struct http_conn *c = w->first; c; c = c->next) {
		if (c->phase != phase || c->cut_reason)
			continue;
		cut_locked(c, "the door is full");
		return true;
	}
	return false;
}

bool http_watch_make_room(struct http_watch *w)
{
	bool has_room = true;

	pthread_mutex_lock(&w->lock);
	if (w->n_conns - w->n_cut >= w->limits.connections)
		has_room = shed_locked(w, HTTP_WAITING) ||
			   shed_locked(w, HTTP_RECEIVING);
	pthread_mutex_unlock(&w->lock);
	return has_room;
}

bool http_watch_shed(struct http_watch *w)
{
	bool is_shed;

	pthread_mutex_lock(&w->lock);
	is_shed = shed_locked(w, HTTP_WAITING);
	pthread_mutex_unlock(&w->lock);
	return is_shed;
}

void http_watch_drain(struct http_watch *w)
{
	int64_t until = clock_ms() + DRAIN_BODY_MS;

	pthread_mutex_lock(&w->lock);
	w->is_draining = true;
	for (struct http_conn *c = w->first; c; c = c->next) {
		if (c->phase == HTTP_WAITING)
			cut_locked(c, "the door closes");
		if (c->phase == HTTP_RECEIVING && c->deadline_ms > until) {
			c->deadline_ms = until;
			due_locked(w, until);
		}
	}
	pthread_mutex_unlock(&w->lock);
}

bool http_watch_is_draining(struct http_watch *w)
{
	bool is_draining;

	pthread_mutex_lock(&w->lock);
	is_draining = w->is_draining;
	pthread_mutex_unlock(&w->lock);
	return is_draining;
}

void http_watch_cut_all(struct http_watch *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct http_conn *c = w->first; c; c = c->next)
		cut_locked(c, "the door closes");
	pthread_mutex_unlock(&w->lock);
}

void http_watch_count(struct http_watch *w, size_t *all_out,
		      size_t *running_out)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (struct http_conn *c = w->first; c; c = c->next)
		n += c->phase != HTTP_WAITING;
	*all_out = w->n_conns;
	*running_out = n;
	pthread_mutex_unlock(&w->lock);
}

size_t http_watch_wait(struct http_watch *w, int64_t deadline_ms)
{
	struct timespec until = { deadline_ms / 1000,
				  deadline_ms % 1000 * 1000000 };
	size_t left;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	while (w->n_conns && !rc) {
		if (deadline_ms < 0)
			pthread_cond_wait(&w->is_empty, &w->lock);
		else
			rc = pthread_cond_timedwait(&w->is_empty, &w->lock,
						    &until);
	}
	left = w->n_conns;
	pthread_mutex_unlock(&w->lock);
	return left;
}
