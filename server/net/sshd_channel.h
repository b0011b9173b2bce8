/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One channel of a connection, and the stream over it.
 * Inside the SSH door; see sshd_session.h. Threads: the session's own.
 */
#pragma once

#include "base/stream.h"
#include "net/sshd_session.h"

struct ssh_channel_callbacks_struct;

/* GIT_PROTOCOL is "version=2" and perhaps a few words more. */
#define SSHD_ENV_MAX 256

enum channel_request { CHANNEL_NONE, CHANNEL_EXEC, CHANNEL_SHELL };

struct sshd_channel {
	struct stream stream; /* first: a stream is its channel */
	struct sshd_session *session;
	struct sshd_channel *next;
	struct ssh_channel_struct *ssh;
	struct ssh_channel_callbacks_struct *callbacks;

	enum channel_request request;
	char *command;		   /* of the exec request */
	const char *command_fault; /* why it cannot be what it seems */
	char git_protocol[SSHD_ENV_MAX + 1];

	bool is_served; /* its one command is over */
	bool is_eof;	/* the client sends no more */
	bool is_git;	/* a git command: its client ends its input, too */
	bool is_closed; /* the client has closed it */

	/* Where a reader waits, and what it got. */
	unsigned char *into;
	size_t into_len, got;
	size_t left; /* bytes that libssh still holds for us */

	size_t unsent;	      /* written since the socket last took all */
	bool wrote_something; /* see first_write() */
};

/* -- sshd_stream.c ----------------------------------------------------------
 */

void channel_stream_init(struct sshd_channel *c);
/* libssh's data callback: how many of the `n` bytes are taken. */
int channel_take(struct sshd_channel *c, const void *data, uint32_t n);
/* All of it on stdout or stderr, or -1. */
int channel_send(struct sshd_channel *c, struct span data, bool is_stderr,
		 struct err *e) MUST_CHECK;
/* Until the kernel has taken all. */
int channel_flush(struct sshd_channel *c, struct err *e) MUST_CHECK;
