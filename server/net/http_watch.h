/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of one door, and the clocks that end them.
 *
 * A connection waits for a head, receives a body, works, or sends. The first
 * two have an absolute deadline, so that dripping bytes does not extend them;
 * sending ends where the client takes no byte for stall_ms, or less than
 * bytes_per_s on average after the first stall_ms that it kept us waiting.
 * To end one is to shut its socket down and to cut its pipe; whoever serves it
 * notices and removes it.
 * Owns: no descriptor; a connection is removed before its socket is closed.
 * Threads: any. Lock order: the watch's lock, then a pipe's.
 */
#pragma once

#include "base/attr.h"
#include "net/httpd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_conn;
struct http_pipe;
struct http_watch;

enum http_phase {
	HTTP_WAITING,	/* for the next head */
	HTTP_RECEIVING, /* a body */
	HTTP_WORKING,	/* it is our turn */
	HTTP_SENDING
};

/* Limits are all set. `changed` is called, with the lock held, where
 * http_watch_tick() shall be called sooner than it said. */
struct http_watch *http_watch_new(const char *door,
				  const struct httpd_limits *limits,
				  void (*changed)(void *arg),
				  void *arg) MUST_CHECK;
struct http_watch *http_watch_free(struct http_watch *w);

/* It waits for its first head. NULL out of memory. */
struct http_conn *http_watch_add(struct http_watch *w, int fd,
				 const char *peer) MUST_CHECK;
void http_watch_remove(struct http_conn *c);

/* What http_watch_new() was given. */
void *http_conn_arg(const struct http_conn *c);

const char *http_conn_peer(const struct http_conn *c);
void http_conn_enter(struct http_conn *c, enum http_phase phase);

/* The pipe that is cut with it; NULL for none any more. */
void http_conn_set_pipe(struct http_conn *c, struct http_pipe *pipe);

/* End it: what was sent so far still arrives. `reason` is a static text. */
void http_conn_cut(struct http_conn *c, const char *reason);

/* Why it was cut; NULL where it was not. */
const char *http_conn_cut_reason(struct http_conn *c);

/* End what is over time. Milliseconds until the next call, -1: none needed. */
int http_watch_tick(struct http_watch *w);

/* Make room for one more where the door is full: the one that waits longest
 * for its client goes. False where all are busy. */
bool http_watch_make_room(struct http_watch *w);

/* End one whatever the number: descriptors are short. */
bool http_watch_shed(struct http_watch *w);

/* From now on a connection that has no request ends. */
void http_watch_drain(struct http_watch *w);
bool http_watch_is_draining(struct http_watch *w);

void http_watch_cut_all(struct http_watch *w);

void http_watch_count(struct http_watch *w, size_t *all_out,
		      size_t *running_out);

/* Until none is left or the deadline has passed (-1: none). Their number. */
size_t http_watch_wait(struct http_watch *w, int64_t deadline_ms);
