/* SPDX-License-Identifier: Apache-2.0 */
/* One push over SSH: limits, quota, policy, webhooks, log. */
#pragma once

struct principal;
struct repository;
struct server;
struct sshd_command;

/* The exit status; what went wrong has been said on the stream. */
int git_push(struct server *s, const struct principal *p,
	     const struct sshd_command *c, struct repository *r,
	     const char *name);
