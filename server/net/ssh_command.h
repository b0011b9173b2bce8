/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks for with an exec request: one of four spellings and one
 * path, and nothing around them.
 *
 *	git-upload-pack 'path'		git upload-pack 'path'
 *	git-receive-pack 'path'		git receive-pack 'path'
 *
 * The path is one word of the shell's grammar as git, go-git, JGit and
 * libgit2 write it: any mixture of '...', \c and plain bytes. Nothing is ever
 * given to a shell; what only a shell could mean is refused.
 * Limits: SSH_COMMAND_MAX. Threads: any; nothing is kept.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "net/sshd.h"

struct err;

#define SSH_COMMAND_MAX                                      \
	4096 /* bytes: names end at 200, git quotes up to 4x \
	      */

struct ssh_command {
	enum sshd_service service;
	size_t path_len;
	char path[SSH_COMMAND_MAX + 1]; /* NUL-terminated, holds no NUL */
};

/* ERR_MALFORMED with a sentence for the user's terminal. */
int ssh_command_parse(struct span command, struct ssh_command *out,
		      struct err *e) MUST_CHECK;

/* "git-upload-pack" or "git-receive-pack". */
const char *ssh_service_name(enum sshd_service service);
