/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the SSH door asks: whose key is it, may it, then serve.
 * An absent repository and one that the key may not touch get the same words
 * after the same work.
 * Threads: any.
 */
#pragma once

#include "net/sshd.h"

struct server;

/* The handler of the door; `s` outlives it. */
struct sshd_handler git_ssh_handler(struct server *s);
