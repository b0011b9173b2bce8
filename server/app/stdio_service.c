/* SPDX-License-Identifier: Apache-2.0 */
/* One fetch or push over standard input and output. */
#include "app/stdio_service.h"

#include "app/enter_repo.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "git/receive_pack.h"
#include "git/repo_config.h"
#include "git/repository.h"
#include "git/upload_pack.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_DIED  128 /* as git's die() */
#define EXIT_USAGE 2

struct request {
	bool is_strict;
	bool is_stateless;
	bool advertise_only;
	int timeout_s;
	const char *dir;
	char session_id[2 * 16 + 1];
};

DEFINE_PUTP(repository)

static const struct option long_options[] = {
	{ "strict", no_argument, NULL, 's' },
	{ "no-strict", no_argument, NULL, 'S' },
	{ "timeout", required_argument, NULL, 't' },
	{ "stateless-rpc", no_argument, NULL, 'r' },
	{ "http-backend-info-refs", no_argument, NULL, 'a' },
	{ "advertise-refs", no_argument, NULL, 'a' },
	{ "quiet", no_argument, NULL, 'q' },
	{ NULL, 0, NULL, 0 },
};

/* Seconds as git's --timeout takes them; 0 is none. */
static int timeout_parse(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text && !*end && n >= 0 && n <= 1000000 ? (int)n : -1;
}

static int request_parse(int argc, char **argv, struct request *out)
{
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "q", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			out->is_strict = true;
			break;
		case 'S':
			out->is_strict = false;
			break;
		case 't':
			out->timeout_s = timeout_parse(optarg);
			if (out->timeout_s < 0)
				return -1;
			break;
		case 'r':
			out->is_stateless = true;
			break;
		case 'a':
			out->advertise_only = true;
			break;
		case 'q':
			break;
		default:
			return -1;
		}
	}
	if (argc - optind != 1)
		return -1;
	out->dir = argv[optind];
	return 0;
}

static int protocol_of_environment(void)
{
	const char *value = getenv("GIT_PROTOCOL");

	return value ? protocol_version(span_str(value)) : 0;
}

static int serve_fetch(struct repository *r, struct stream *s,
		       const struct request *q, struct err *e)
{
	struct upload_pack_options options = {
		.version = protocol_of_environment(),
		.is_stateless = q->is_stateless,
		.advertise_only = q->advertise_only,
		.session_id = q->session_id,
	};
	struct upload_pack_result result = { 0 };

	return upload_pack(r, s, &options, &result, e);
}

static int serve_push(struct repository *r, struct stream *s,
		      const struct request *q, struct err *e)
{
	char id[32];
	struct receive_pack_options options = {
		.version = protocol_of_environment(),
		.is_stateless = q->is_stateless,
		.advertise_only = q->advertise_only,
		.session_id = q->session_id,
		.quarantine_id = id,
	};
	struct receive_pack_result result = { 0 };

	snprintf(id, sizeof id, "stdio-%ld", (long)getpid());
	if (receive_pack(r, s, &options, &result, e) < 0)
		return -1;
	/* A failure for git's client, which then shows one of its own. */
	if (result.is_abandoned)
		return err_set(e, ERR_CLOSED,
			       "the client left before it said what to push");
	return 0;
}

/* `headwaterd stdio SERVICE`: one row each. */
static const struct service {
	const char *name;
	int (*serve)(struct repository *r, struct stream *s,
		     const struct request *q, struct err *e);
} services[] = {
	{ "upload-pack", serve_fetch },
	{ "receive-pack", serve_push },
};

static const struct service *service_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (!strcmp(services[i].name, name))
			return &services[i];
	return NULL;
}

static int run(const struct service *service, const struct request *q,
	       struct err *e)
{
	CLEANUP(freep) char *git_dir = enter_repo(q->dir, q->is_strict, e);
	CLEANUP(repository_putp) struct repository *r = NULL;
	struct stream_fd s;

	if (!git_dir)
		return -1;
	r = repository_open(git_dir, e);
	if (!r)
		return -1;
	/* GIT_CONFIG_COUNT is heard, as git hears it. */
	repository_use_environment(r);
	stream_fd_init(&s, STDIN_FILENO, STDOUT_FILENO);
	s.base.idle_ms = q->timeout_s * 1000;
	return service->serve(r, &s.base, q, e);
}

int stdio_service_run(int argc, char **argv)
{
	const struct service *service = argc ? service_find(argv[0]) : NULL;
	struct request q = { 0 };
	unsigned char random[16];
	struct err e = { .code = ERR_OK };

	if (!service || request_parse(argc, argv, &q) < 0) {
		fputs("usage: headwaterd stdio upload-pack|receive-pack "
		      "[--strict] [--timeout=N] [--stateless-rpc] "
		      "[--http-backend-info-refs] DIR\n",
		      stderr);
		return EXIT_USAGE;
	}
	/* A client that is gone shows as ERR_CLOSED, not as a signal. */
	signal(SIGPIPE, SIG_IGN);
	random_bytes(random, sizeof random);
	hex_encode(random, sizeof random, q.session_id);
	if (run(service, &q, &e) < 0) {
		fprintf(stderr, "fatal: %s\n", e.message);
		return EXIT_DIED;
	}
	return EXIT_SUCCESS;
}
