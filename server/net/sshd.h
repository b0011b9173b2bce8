/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSH door: git over SSH, and nothing else.
 *
 * One thread accepts and watches, one thread serves each connection. The door
 * knows keys only as blobs and repositories only as paths: what they mean is
 * asked of the handler, so that it runs (and is tested) without a store.
 * A client is who signed with a key that authenticate() knows; the user name
 * means nothing. One command per channel: git-upload-pack or git-receive-pack
 * with one path. A shell request is answered with whoami() and exit 1;
 * everything else with one sentence and a non-zero exit.
 *
 * Limits: struct sshd_limits. Every wait of every connection ends.
 * Log: ssh.session for each command and for connections that did without,
 * ssh.refused where no key was good, ssh.scan where none was tried.
 * Threads: sshd_open/free by one; everything else by any. The handler is
 * called from many threads at once.
 * Lock order: sshd.lock is a leaf; nothing is called with it held.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct public_key; /* store/keys.h */
struct sshd;
struct stream;

/* Zero means the default in parentheses. */
struct sshd_limits {
	uint32_t sessions;	  /* connections at once (2000); when full, the
				     oldest that is not logged in goes */
	uint32_t unauthenticated; /* of them not logged in (1000); likewise */
	uint32_t channels;	  /* open at once on a connection (4); their
				     commands run one after the other */
	uint32_t refused_keys;	  /* then the connection ends (30) */
	int login_ms;		  /* from accept to login, absolute (30 s) */
	int idle_ms;		  /* logged in without a command (5 min) */
	int stall_ms;		  /* the client takes no byte (60 s) */
	int silence_ms;		  /* the client sends none while we wait for
				     it: it may be packing (10 min) */
	int session_ms;		  /* the whole connection (6 h) */
	int keepalive_ms;	  /* asked after this silence; three unanswered
				     end the connection (30 s) */
};

enum sshd_service { SSHD_UPLOAD_PACK, SSHD_RECEIVE_PACK };

/* One command; valid until run() returns. */
struct sshd_command {
	enum sshd_service service;
	struct span path;	  /* unquoted, else as the client sent it */
	struct span git_protocol; /* GIT_PROTOCOL; empty where not sent */
	const char *peer;	  /* "192.0.2.1:50000" */
	struct stream *stream;	  /* closed by the door */
};

/* How many unknown keys a connection is remembered by. */
#define SSHD_UNKNOWN_MAX 8

/* How a connection ended. */
struct sshd_end {
	const char *peer;
	bool is_logged_in;
	/* Where it never logged in: the keys it offered that nobody knows, of
	 * accepted types, no signature seen. */
	const struct public_key *unknown;
	size_t n_unknown; /* SSHD_UNKNOWN_MAX at most */
};

/* What the door asks of the floors above. `principal` is theirs: a reference
 * to whatever a key stands for. */
struct sshd_handler {
	void *arg;
	/* Whose is this public key (RFC 4253, 6.6)? A principal, or NULL.
	 * Called for probes too, where nothing is proven: it must not act. */
	void *(*authenticate)(void *arg, struct span blob);
	/* The signature held: this principal is now logged in. May be NULL. */
	void (*logged_in)(void *arg, void *principal, const char *peer);
	/* May it still start a command? */
	bool (*still_valid)(void *arg, void *principal);
	/* Its name in logs and messages. */
	const char *(*name)(void *arg, void *principal);
	void (*release)(void *arg, void *principal);
	/* Who it is and what it may do, for people: lines ended by LF. */
	void (*whoami)(void *arg, void *principal, const char *fingerprint,
		       struct buf *out);
	/* Serve; the exit status. What went wrong has been said on the stream;
	 * it is not closed nor used after the return. */
	int (*run)(void *arg, void *principal, const struct sshd_command *c);
	/* May be NULL. */
	void (*ended)(void *arg, const struct sshd_end *end);
};

struct sshd_options {
	struct address listen;
	const char *host_key_path; /* made if missing: sshd_hostkey.h */
	struct sshd_limits limits;
	struct sshd_handler handler;
};

/* Bind and listen, load or make the host key, start serving. What `options`
 * points to must outlive the door; the struct itself need not. */
struct sshd *sshd_open(const struct sshd_options *options,
		       struct err *e) MUST_CHECK;

/* Where it is bound. */
void sshd_bound(const struct sshd *d, struct sockaddr_storage *out);

/* "ssh-ed25519 AAAA...", and "SHA256:...". Valid as long as the door. */
const char *sshd_host_key(const struct sshd *d);
const char *sshd_host_fingerprint(const struct sshd *d);

/* For new connections; those there are keep the limits they began with. */
void sshd_set_limits(struct sshd *d, const struct sshd_limits *limits);

/* Connections now, and how many of them have a command running. */
void sshd_count(struct sshd *d, size_t *sessions_out, size_t *running_out);

/* Listen no more, end connections without a running command; returns at
 * once. A connection ends after its running command. */
void sshd_stop(struct sshd *d);

/* After sshd_stop(): wait until all have ended or the monotonic clock passes
 * `deadline_ms`. Returns how many are left. */
size_t sshd_wait(struct sshd *d, int64_t deadline_ms);

/* Cuts what is left, waits for every thread, frees. Accepts NULL. */
struct sshd *sshd_free(struct sshd *d);
