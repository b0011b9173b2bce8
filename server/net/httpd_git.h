/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Git over HTTP: the smart protocol in versions 0, 1 and 2, for reading.
 *
 * GET  NAME(.git)/info/refs?service=git-upload-pack
 * POST NAME(.git)/git-upload-pack
 *
 * Pushing is refused with 403 and where to push, for any name, before any
 * look-up. Whoever may read nothing under a name cannot tell whether it is
 * there: without a valid token every name that is not public is answered by
 * the same 401, with one by the same 404. Everything else is 404.
 * Listing refs is answered at once; fetches run on workers.
 * Format: gitprotocol-http(5); statuses as go-git shows them to Flux's users
 * (it keeps the bodies of 401, 403 and 404 only).
 * Metrics: headwater_http_fetches by kind.
 * Threads: any, as the door calls.
 */
#pragma once

#include "base/attr.h"
#include "git/upload_pack.h"
#include "net/httpd.h"

struct buf;
struct err;
struct pack_cache;
struct repository;

enum httpd_git_decision {
	HTTPD_GIT_ALLOWED,
	HTTPD_GIT_NO_TOKEN,  /* 401: not public, and no valid token */
	HTTPD_GIT_NOT_THERE, /* 404: absent, or not for this token */
	HTTPD_GIT_BROKEN     /* allowed, and cannot be opened: `e` is shown */
};

struct httpd_git_access {
	struct repository *repository; /* a reference, where allowed */
	char who[65];		       /* for logs: a token's name, or "" */
};

struct httpd_git {
	void *arg;
	/* May whoever sends this Authorization header (NULL: none) read the
	 * repository of this canonical name (NULL: no repository can be called
	 * so)? A public repository's readers need no valid header. */
	enum httpd_git_decision (*authorise)(void *arg, const char *name,
					     const char *authorization,
					     struct httpd_git_access *out,
					     struct err *e);
	/* Append the SSH URL of a repository; `name` NULL: of any, with a
	 * placeholder. */
	void (*ssh_url)(void *arg, const char *name, struct buf *out);
	const char *session_id;	  /* may be NULL */
	struct pack_cache *cache; /* may be NULL */
	/* The limits in force; NULL: upload_pack()'s defaults. */
	void (*limits)(void *arg, struct fetch_limits *out);
};

/* The handler of a door; `git` outlives it. */
void httpd_git_handler(struct httpd_git *git, struct http_handler *out);
