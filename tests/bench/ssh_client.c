/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cheap SSH client with a stop-watch, for the benchmark.
 *
 *	ssh_client PORT KEY USER CIPHER PROTOCOL
 *
 * Reads orders from standard input, a line each, fields split by tabs:
 *
 *	run COMMAND MARK [FILE...]
 *		A connection, a login, COMMAND. Each FILE is sent when the
 *		server has said a flush packet; the last is followed by EOF.
 *		MARK is what the first byte of interest begins with.
 *	hold N [COMMAND]
 *		N connections that log in, start COMMAND if there is one, and
 *		stay until the next order.
 *
 * and answers each with a line: "ok LOGIN MARK END BYTES STATUS", times in
 * microseconds since before connect(), or "error WHY". It does not look at
 * the server's key and keeps nothing of what it receives.
 */
#include <libssh/libssh.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIELDS_MAX 16
#define LINE_SIZE  8192
#define HOLD_MAX   1000
#define READ_SIZE  65536
#define MARK_MAX   32
/* Nothing that is measured stays silent for so long. */
#define SILENCE_S 60

struct client {
	unsigned int port;
	const char *user;
	const char *cipher;
	const char *protocol;
	ssh_key key;
};

struct session {
	ssh_session ssh;
	ssh_channel channel;
};

/* What is heard, as far as it matters. */
struct ear {
	const char *mark;
	char tail[MARK_MAX]; /* the end of what came before */
	size_t tail_len;
	int64_t marked;
	uint64_t bytes;
	/* pkt-lines: header bytes so far, payload still to skip */
	char header[5];
	size_t header_len;
	size_t skip;
	int flushes;
};

/* Kept apart from what it is about, which is freed before it is told. */
static char why[256];

static void because(const char *text)
{
	snprintf(why, sizeof(why), "%s", text);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void session_close(struct session *s)
{
	if (s->channel)
		ssh_channel_free(s->channel);
	if (s->ssh) {
		ssh_disconnect(s->ssh);
		ssh_free(s->ssh);
	}
	memset(s, 0, sizeof(*s));
}

static int session_options(const struct client *client, ssh_session ssh)
{
	const long timeout = SILENCE_S;
	const int yes = 1;
	const bool no = false;

	if (ssh_options_set(ssh, SSH_OPTIONS_HOST, "127.0.0.1") ||
	    ssh_options_set(ssh, SSH_OPTIONS_PORT, &client->port) ||
	    ssh_options_set(ssh, SSH_OPTIONS_USER, client->user) ||
	    ssh_options_set(ssh, SSH_OPTIONS_TIMEOUT, &timeout) ||
	    ssh_options_set(ssh, SSH_OPTIONS_NODELAY, &yes) ||
	    ssh_options_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &no) ||
	    ssh_options_set(ssh, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") ||
	    ssh_options_set(ssh, SSH_OPTIONS_KEY_EXCHANGE,
			    "curve25519-sha256") ||
	    ssh_options_set(ssh, SSH_OPTIONS_CIPHERS_S_C, client->cipher) ||
	    ssh_options_set(ssh, SSH_OPTIONS_CIPHERS_C_S, client->cipher))
		return -1;
	return 0;
}

static int session_open(const struct client *client, struct session *s)
{
	memset(s, 0, sizeof(*s));
	s->ssh = ssh_new();
	if (!s->ssh || session_options(client, s->ssh)) {
		because("options");
		return -1;
	}
	if (ssh_connect(s->ssh) != SSH_OK) {
		because(ssh_get_error(s->ssh));
		return -1;
	}
	if (ssh_userauth_publickey(s->ssh, NULL, client->key) !=
	    SSH_AUTH_SUCCESS) {
		because("login refused");
		return -1;
	}
	return 0;
}

static int session_exec(const struct client *client, struct session *s,
			const char *command)
{
	s->channel = ssh_channel_new(s->ssh);
	if (!s->channel || ssh_channel_open_session(s->channel)) {
		because("no channel");
		return -1;
	}
	if (strcmp(client->protocol, "0") != 0) {
		char value[32];

		snprintf(value, sizeof(value), "version=%s", client->protocol);
		if (ssh_channel_request_env(s->channel, "GIT_PROTOCOL",
					    value)) {
			because("GIT_PROTOCOL refused");
			return -1;
		}
	}
	if (ssh_channel_request_exec(s->channel, command)) {
		because("command refused");
		return -1;
	}
	return 0;
}

/* Look for the mark, across the seam of two reads too. */
static void ear_mark(struct ear *ear, const char *bytes, size_t len)
{
	size_t mark_len = strlen(ear->mark);
	char seam[2 * MARK_MAX];
	size_t head = len < mark_len ? len : mark_len;

	if (ear->marked || !mark_len)
		return;
	memcpy(seam, ear->tail, ear->tail_len);
	memcpy(seam + ear->tail_len, bytes, head);
	if (memmem(seam, ear->tail_len + head, ear->mark, mark_len) ||
	    memmem(bytes, len, ear->mark, mark_len)) {
		ear->marked = now();
		return;
	}
	ear->tail_len = len < mark_len - 1 ? len : mark_len - 1;
	memcpy(ear->tail, bytes + len - ear->tail_len, ear->tail_len);
}

/* Count flush packets. */
static int ear_packets(struct ear *ear, const char *bytes, size_t len)
{
	while (len) {
		size_t n = ear->skip < len ? ear->skip : len;
		size_t size;
		char *end;

		ear->skip -= n;
		bytes += n;
		len -= n;
		if (!len)
			break;
		ear->header[ear->header_len++] = *bytes++;
		len--;
		if (ear->header_len < 4)
			continue;
		ear->header_len = 0;
		size = strtoul(ear->header, &end, 16);
		if (end != ear->header + 4) {
			because("no packets");
			return -1;
		}
		if (size == 0)
			ear->flushes++;
		ear->skip = size > 4 ? size - 4 : 0;
	}
	return 0;
}

/* One read; 1 at the end, -1 on errors. */
static int ear_read(struct ear *ear, ssh_channel channel, int wants_packets)
{
	static char bytes[READ_SIZE];
	int n = ssh_channel_read_timeout(channel, bytes, sizeof(bytes), 0,
					 SILENCE_S * 1000);

	if (n < 0) {
		because("reading failed");
		return -1;
	}
	if (n == 0) {
		if (ssh_channel_is_eof(channel))
			return 1;
		because("silence");
		return -1;
	}
	ear->bytes += (uint64_t)n;
	ear_mark(ear, bytes, (size_t)n);
	return wants_packets ? ear_packets(ear, bytes, (size_t)n) : 0;
}

static int send_file(ssh_channel channel, const char *path)
{
	static char bytes[READ_SIZE / 2];
	FILE *file = fopen(path, "rb");
	size_t n;

	if (!file) {
		because("no such file");
		return -1;
	}
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0) {
		if (ssh_channel_write(channel, bytes, (uint32_t)n) != (int)n) {
			because("writing failed");
			fclose(file);
			return -1;
		}
	}
	fclose(file);
	return 0;
}

/* The conversation after the command was started. */
static int converse(struct ear *ear, ssh_channel channel, char **files,
		    size_t n_files)
{
	size_t i;
	int rc;

	for (i = 0; i < n_files; i++) {
		while (ear->flushes <= (int)i) {
			rc = ear_read(ear, channel, 1);
			if (rc) {
				if (rc > 0)
					because("the server ended early");
				return -1;
			}
		}
		if (send_file(channel, files[i]))
			return -1;
	}
	if (ssh_channel_send_eof(channel)) {
		because("EOF refused");
		return -1;
	}
	do {
		rc = ear_read(ear, channel, 0);
	} while (rc == 0);
	return rc < 0 ? -1 : 0;
}

static int run(const struct client *client, char **fields, size_t n)
{
	struct session s;
	struct ear ear = { .mark = n > 2 ? fields[2] : "" };
	int64_t start = now();
	int64_t login;
	int64_t end;
	int status = -1;

	if (n < 3 || strlen(ear.mark) >= MARK_MAX) {
		because("run COMMAND MARK [FILE...]");
		return -1;
	}
	if (session_open(client, &s)) {
		session_close(&s);
		return -1;
	}
	login = now() - start;
	if (session_exec(client, &s, fields[1]) ||
	    converse(&ear, s.channel, fields + 3, n - 3)) {
		session_close(&s);
		return -1;
	}
	end = now() - start;
	status = ssh_channel_get_exit_status(s.channel);
	session_close(&s);
	printf("ok %lld %lld %lld %llu %d\n", (long long)login,
	       (long long)(ear.marked ? ear.marked - start : -1),
	       (long long)end, (unsigned long long)ear.bytes, status);
	return 0;
}

static int hold(const struct client *client, char **fields, size_t n,
		struct session *held, size_t *n_held)
{
	size_t wanted = n > 1 ? strtoul(fields[1], NULL, 10) : 0;

	if (wanted > HOLD_MAX) {
		because("too many");
		return -1;
	}
	for (*n_held = 0; *n_held < wanted; (*n_held)++) {
		struct session *s = &held[*n_held];
		struct ear ear = { .mark = "" };

		if (session_open(client, s) ||
		    (n > 2 && session_exec(client, s, fields[2]))) {
			session_close(s);
			return -1;
		}
		while (n > 2 && !ear.flushes) {
			if (ear_read(&ear, s->channel, 1))
				return -1;
		}
	}
	printf("ok 0 0 0 0 0\n");
	return 0;
}

static size_t split(char *line, char **fields)
{
	size_t n = 0;
	char *field;

	line[strcspn(line, "\n")] = 0;
	while (n < FIELDS_MAX && (field = strsep(&line, "\t")))
		fields[n++] = field;
	return n;
}

int main(int argc, char **argv)
{
	static struct session held[HOLD_MAX];
	static char line[LINE_SIZE];
	struct client client = { 0 };
	size_t n_held = 0;

	if (argc != 6) {
		fprintf(stderr, "usage: %s PORT KEY USER CIPHER PROTOCOL\n",
			argv[0]);
		return 2;
	}
	client.port = (unsigned int)strtoul(argv[1], NULL, 10);
	client.user = argv[3];
	client.cipher = argv[4];
	client.protocol = argv[5];
	if (ssh_init() || ssh_pki_import_privkey_file(argv[2], NULL, NULL, NULL,
						      &client.key)) {
		fprintf(stderr, "%s: cannot read the key %s\n", argv[0],
			argv[2]);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		char *fields[FIELDS_MAX];
		size_t n = split(line, fields);
		int rc;

		while (n_held)
			session_close(&held[--n_held]);
		because("unknown order");
		rc = -1;
		if (n && strcmp(fields[0], "run") == 0)
			rc = run(&client, fields, n);
		else if (n && strcmp(fields[0], "hold") == 0)
			rc = hold(&client, fields, n, held, &n_held);
		if (rc)
			printf("error %s\n", why);
		fflush(stdout);
	}
	ssh_key_free(client.key);
	return 0;
}
