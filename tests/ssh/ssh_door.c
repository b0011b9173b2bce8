/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSH door alone, for tests: no store, no git.
 *
 *	ssh_door HOST_KEY [NAME=VALUE]... < authorized_keys
 *
 * Serves every key of its standard input, named by its comment; prints
 * "ready PORT FINGERPRINT" and serves until SIGTERM. NAME is a limit's.
 * The path says what a command does:
 *
 *	zeros-N		write N bytes		sink		read all, say
 *how many echo		copy			exit-N		exit status N
 *	slow-N		write N bytes in lines	sleep-N		sleep N ms first
 *	env		write GIT_PROTOCOL	hang		read, never
 *answer
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/stream.h"
#include "net/sshd.h"
#include "store/keys.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS_MAX  64
#define DRAIN_MS  10000
#define CHUNK	  65515 /* as a side-band packet */
#define LINE_SIZE 8192

static struct public_key keys[KEYS_MAX];
static size_t n_keys;
/* Keys removed while the door is open: SIGHUP removes the first. */
static atomic_bool is_removed;

static void *authenticate(void *arg, struct span blob)
{
	size_t i;

	(void)arg;
	for (i = is_removed ? 1 : 0; i < n_keys; i++) {
		if (span_eq(span_of(keys[i].blob, keys[i].blob_len), blob))
			return &keys[i];
	}
	return NULL;
}

static bool still_valid(void *arg, void *principal)
{
	(void)arg;
	return !is_removed || principal != &keys[0];
}

static const char *name(void *arg, void *principal)
{
	const struct public_key *k = principal;

	(void)arg;
	return k->comment;
}

static void release(void *arg, void *principal)
{
	(void)arg;
	(void)principal;
}

static void whoami(void *arg, void *principal, const char *fingerprint,
		   struct buf *out)
{
	buf_addf(out, "You are %s (%s).\n", name(arg, principal), fingerprint);
}

static void ended(void *arg, const struct sshd_end *end)
{
	size_t i;

	(void)arg;
	for (i = 0; i < end->n_unknown; i++)
		log_info("test.unknown", "peer", end->peer, "type",
			 end->unknown[i].type, "fingerprint",
			 end->unknown[i].fingerprint, NULL);
}

static int write_zeros(struct stream *s, size_t n, size_t chunk)
{
	static char zeros[CHUNK];
	static char digits[] = "....";
	struct err e;

	while (n) {
		size_t now = n < chunk ? n : chunk;
		struct iovec iov[2] = {
			{ .iov_base = digits, .iov_len = now > 4 ? 4 : 0 },
			{ .iov_base = zeros, .iov_len = now },
		};

		iov[1].iov_len -= iov[0].iov_len;
		if (stream_writev(s, iov, 2, &e)) {
			log_info("test.write", "error", e.message, NULL);
			return 1;
		}
		n -= now;
	}
	return stream_flush(s, &e) ? 1 : 0;
}

static int read_all(struct stream *s, bool is_echo, bool says_count)
{
	CLEANUP(freep) char *data = malloc(CHUNK);
	struct buf b = BUF_INIT;
	uint64_t total = 0;
	ssize_t n;
	struct err e;

	if (!data)
		return 1;
	while ((n = stream_read(s, data, CHUNK, &e)) > 0) {
		total += (uint64_t)n;
		if (is_echo && stream_write(s, data, (size_t)n, &e))
			return 1;
	}
	if (n < 0) {
		log_info("test.read", "error", e.message, NULL);
		return 1;
	}
	if (!says_count)
		return 0;
	buf_addf(&b, "%llu\n", (unsigned long long)total);
	n = stream_write(s, b.data, b.len, &e);
	buf_fini(&b);
	return n ? 1 : 0;
}

static int run(void *arg, void *principal, const struct sshd_command *c)
{
	const char *path = (const char *)c->path.data;
	const char *dash = strchr(path, '-');
	size_t n = dash ? strtoul(dash + 1, NULL, 10) : 0;
	struct err e;

	(void)arg;
	(void)principal;
	if (*path == '/')
		path++;
	if (!strncmp(path, "zeros-", 6))
		return write_zeros(c->stream, n, CHUNK);
	if (!strncmp(path, "slow-", 5))
		return write_zeros(c->stream, n, 10);
	if (!strncmp(path, "exit-", 5))
		return (int)n;
	if (!strncmp(path, "sleep-", 6)) {
		usleep((useconds_t)n * 1000);
		return write_zeros(c->stream, 1 << 20, CHUNK);
	}
	if (!strcmp(path, "env"))
		return stream_write(c->stream, c->git_protocol.data,
				    c->git_protocol.len, &e);
	if (!strcmp(path, "sink"))
		return read_all(c->stream, false, true);
	if (!strcmp(path, "hang"))
		return read_all(c->stream, false, false);
	if (!strcmp(path, "echo"))
		return read_all(c->stream, true, false);
	return 2;
}

static void read_keys(void)
{
	char line[LINE_SIZE];
	struct err e;

	while (n_keys < KEYS_MAX && fgets(line, sizeof(line), stdin)) {
		if (public_key_parse(span_str(line), &keys[n_keys], &e))
			fprintf(stderr, "key: %s\n", e.message);
		else
			n_keys++;
	}
}

static int set_limit(struct sshd_limits *l, const char *text)
{
	const struct {
		const char *name;
		void *value;
	} names[] = {
		{ "sessions", &l->sessions },
		{ "unauthenticated", &l->unauthenticated },
		{ "channels", &l->channels },
		{ "refused", &l->refused_keys },
		{ "login", &l->login_ms },
		{ "idle", &l->idle_ms },
		{ "stall", &l->stall_ms },
		{ "silence", &l->silence_ms },
		{ "session", &l->session_ms },
		{ "keepalive", &l->keepalive_ms },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i].name);

		if (!strncmp(text, names[i].name, n) && text[n] == '=') {
			int value = atoi(text + n + 1);

			memcpy(names[i].value, &value, sizeof(value));
			return 0;
		}
	}
	return -1;
}

static int port_of(const struct sockaddr_storage *sa)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(sa, text);
	return atoi(strrchr(text, ':') + 1);
}

/* Until SIGTERM; SIGHUP removes the first key. */
static void wait_for_end(const sigset_t *signals)
{
	int signal;

	while (!sigwait(signals, &signal) && signal == SIGHUP)
		is_removed = true;
}

int main(int argc, char **argv)
{
	struct sshd_options options = {
		.handler = {
			.authenticate = authenticate,
			.still_valid = still_valid,
			.name = name,
			.release = release,
			.whoami = whoami,
			.run = run,
			.ended = ended,
		},
	};
	struct sockaddr_storage bound;
	sigset_t signals;
	struct sshd *d;
	size_t left;
	struct err e;
	int i;

	if (argc < 2)
		return 2;
	options.host_key_path = argv[1];
	for (i = 2; i < argc; i++) {
		if (set_limit(&options.limits, argv[i]))
			return 2;
	}
	read_keys();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (address_parse("127.0.0.1:0", &options.listen, &e) ||
	    !(d = sshd_open(&options, &e))) {
		fprintf(stderr, "ssh_door: %s\n", e.message);
		return 1;
	}
	sshd_bound(d, &bound);
	printf("ready %d %s\n", port_of(&bound), sshd_host_fingerprint(d));
	fflush(stdout);
	wait_for_end(&signals);
	sshd_stop(d);
	left = sshd_wait(d, clock_ms() + DRAIN_MS);
	log_info("test.drained", "left", fmt_u64(left), NULL);
	sshd_free(d);
	for (i = 0; i < (int)n_keys; i++)
		public_key_fini(&keys[i]);
	return 0;
}
