/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the admin API, over the socket or in this process: one interface,
 * so no verb knows which.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdio.h>

struct cli;
struct err;

struct api_request {
	const char *method;
	const char *path; /* "/v1/repos/team%2Fapp?replace=true" */
	json_t *body;	  /* borrowed; NULL: none */
	FILE *upload;	  /* sent as it is, instead of `body` */
	FILE *download;	  /* a good answer goes there instead of `answer` */
};

struct api_answer {
	int status;
	struct buf text;
	json_t *json; /* NULL where it is none */
};

void api_answer_fini(struct api_answer *a);

/* CLI_DONE for 2xx. Otherwise the error has been shown. */
int api_call(struct cli *c, const struct api_request *r,
	     struct api_answer *answer_out) MUST_CHECK;

/* Call, and show: the JSON unchanged with --json, else by `show` (NULL:
 * nothing). */
int api_show(struct cli *c, const struct api_request *r,
	     void (*show)(struct cli *c,
			  const struct api_answer *a)) MUST_CHECK;

/* "/v1/KIND/NAME" with `name` percent-encoded and `tail` behind it; malloc'ed.
 * Never NULL. */
char *api_path(const char *kind, const char *name, const char *tail);

/* GET into a file, replaced once it is whole, and PUT from one; "-": a pipe. */
int transfer_get(struct cli *c, const char *path, const char *file);
int transfer_put(struct cli *c, const char *path, const char *file,
		 struct api_answer *answer_out) MUST_CHECK;

/* The two ways; ERR_CLOSED and ERR_NOT_FOUND mean "cannot be reached". */
int client_call(const char *socket, const struct api_request *r,
		struct api_answer *answer_out, struct err *e) MUST_CHECK;
int local_call(const char *data, const struct api_request *r,
	       struct api_answer *answer_out, struct err *e) MUST_CHECK;
