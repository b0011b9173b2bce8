/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the SSH door: one connection, and who may touch what of it.
 *
 * sshd.c		accepts; no libssh
 * sshd_registry.c	counts and cuts; no libssh
 * sshd_session.c	one connection from banner to end, in its thread
 * sshd_auth.c		who it is
 * sshd_channel.c	channels, requests, the end of a command
 * sshd_stream.c	a channel as struct stream
 *
 * libssh is never left waiting: sessions are non-blocking, and every wait is
 * session_turn(), which knows all deadlines. libssh's callbacks only note what
 * happened (they run inside its packet reader); the thread acts on it after.
 */
#pragma once

#include "base/attr.h"
#include "base/clock.h"
#include "net/address.h"
#include "net/ssh_command.h"
#include "net/sshd.h"
#include "store/keys.h"

#include <stdatomic.h>
#include <sys/types.h>

/* libssh's, whose headers only sshd*.c includes. */
struct ssh_bind_struct;
struct ssh_channel_struct;
struct ssh_event_struct;
struct ssh_session_struct;

struct sshd_channel;
struct sshd_registry;
struct sshd_traffic;

#define SSHD_USER_MAX 64 /* bytes of a user name that the log shows */
#define SSHD_STUCK_MS                                          \
	5000 /* libssh has not returned so long after its time \
	      */

struct sshd_session {
	struct sshd_registry *registry;
	struct sshd_limits limits;
	const struct sshd_handler *handler;
	struct ssh_bind_struct *bind;
	char peer[ADDRESS_TEXT_SIZE];
	int64_t accepted_ms;
	/* A duplicate of the socket that libssh closes, so that the watcher's
	 * number never means another connection. Open as long as the struct. */
	int fd;

	/* Under the registry's lock. */
	struct sshd_session *prev, *next;
	bool is_logged_in;
	bool is_running;     /* a command: not ended by sshd_stop() */
	const char *cut_for; /* why the socket was shut down, or NULL */

	/* The thread promises to leave libssh before this; 0: it is not in. */
	_Atomic int64_t must_return_ms;

	/* The thread's own from here on. */
	struct ssh_session_struct *ssh;
	struct ssh_event_struct *event;
	struct sshd_traffic *traffic;
	const char *ended_for; /* the first reason, or NULL */
	int64_t end_ms;	       /* absolute: login, later the whole session */
	int64_t heard_ms;      /* when the last bytes came */
	uint64_t heard_bytes;
	uint64_t rested_bytes; /* heard when the thread last rested */
	unsigned n_unanswered; /* keepalives */

	char user[SSHD_USER_MAX + 1]; /* the last one given */
	bool auth_began;
	uint64_t auth_in, auth_out; /* packets: see auth_is_ignored() */
	int64_t auth_silent_ms;
	unsigned n_refused; /* keys, and every other try */
	unsigned n_keys_tried;
	void *principal; /* NULL before login */
	struct public_key key;
	struct public_key unknown[SSHD_UNKNOWN_MAX];
	size_t n_unknown;

	struct sshd_channel *channels; /* newest first */
	unsigned n_channels;
	unsigned n_commands;
	/* in, up to the last packet that a channel's callback saw */
	uint64_t noted_packets, noted_payload;
};

/* -- sshd_session.c ---------------------------------------------------------
 */

/* Takes over host key and algorithms for all sessions; NULL with `e` set. */
struct sshd_hostkey;
struct ssh_bind_struct *session_bind_new(struct sshd_hostkey *key,
					 struct err *e) MUST_CHECK;
void session_bind_free(struct ssh_bind_struct *bind);

/* The whole life of a connection, in its thread. */
void session_serve(struct sshd_session *s);

/* Serve the client for at most `ms`: false once the connection is over. */
bool session_turn(struct sshd_session *s, int ms) MUST_CHECK;
/* The same for who waits for the client's next word, which may take for ever:
 * where it pauses, returns early once and has the thread rest. */
bool session_wait(struct sshd_session *s, int ms) MUST_CHECK;
/* Set the reason, unless there is one. Returns false. */
bool session_end(struct sshd_session *s, const char *reason);

/* What has passed through the socket and the packet layer so far. */
struct sshd_traffic_now {
	uint64_t socket_in, socket_out; /* bytes */
	uint64_t payload_in;		/* bytes of packets */
	uint64_t packets_in, packets_out;
};
struct sshd_traffic_now session_traffic(const struct sshd_session *s);

/* -- sshd_auth.c ------------------------------------------------------------
 */

struct ssh_key_struct;
/* libssh's auth_pubkey callback: SSH_AUTH_SUCCESS or SSH_AUTH_DENIED. */
int auth_publickey(struct ssh_session_struct *ssh, const char *user,
		   struct ssh_key_struct *key, char state, void *session);
/* Any other method was refused. */
void auth_count_refusal(struct sshd_session *s);
/* True where the client's last packet got no answer for too long. */
bool auth_is_ignored(struct sshd_session *s);
void auth_fini(struct sshd_session *s);

/* -- sshd_channel.c ---------------------------------------------------------
 */

/* libssh's channel_open callback: NULL refuses. */
struct ssh_channel_struct *channel_open(struct ssh_session_struct *ssh,
					void *session);
/* One command, to its end, where one waits; false where none does. */
bool channel_run_next(struct sshd_session *s);
/* Free the channels that both sides are done with. */
void channel_reap(struct sshd_session *s);
void channel_free_all(struct sshd_session *s);
