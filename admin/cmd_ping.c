/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headwater ping: does an SSH server answer at this address, as seen from here?
 * For an image without a shell, in which nothing else could ask.
 */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define GREETING      "SSH-2.0-"
#define GREETING_SIZE 256 /* RFC 4253, with a NUL in place of the LF */
#define PATIENCE_S    5	  /* for a connection, and for the whole line */

static inline void addrinfop(struct addrinfo **a)
{
	if (*a)
		freeaddrinfo(*a);
}

/* "HOST", "HOST:PORT", "[V6]:PORT" in two, the port 22 if there is none. Cuts
 * `text` up. */
static void split(char *text, const char **host_out, const char **port_out)
{
	char *colon = strrchr(text, ':');
	size_t n;

	*host_out = text;
	*port_out = "22";
	if (colon && (colon == strchr(text, ':') || colon[-1] == ']')) {
		*colon = '\0';
		*port_out = colon + 1;
	}
	n = strlen(text);
	if (*text == '[' && text[n - 1] == ']') {
		text[n - 1] = '\0';
		*host_out = text + 1;
	}
}

/* A connection to the first address that takes one; -1 with errno. */
static int reach(const struct addrinfo *a)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int number = EHOSTUNREACH;

	for (; a; a = a->ai_next) {
		CLEANUP(closep)
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);

		if (fd >= 0 &&
		    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				sizeof patience) &&
		    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
				sizeof patience) &&
		    !connect(fd, a->ai_addr, a->ai_addrlen))
			return take_fd(&fd);
		/* That is how a connection that takes too long ends. */
		number = errno == EINPROGRESS ? ETIMEDOUT : errno;
	}
	errno = number;
	return -1;
}

/* False where there is no time left. */
static bool wait_until(int fd, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = until_ms - clock_ms();

	return left > 0 && poll(&p, 1, (int)left) == 1;
}

/* The first line that is sent, what no terminal should see of it replaced. */
static void read_line(int fd, char line[GREETING_SIZE])
{
	int64_t until = clock_ms() + PATIENCE_S * 1000;
	size_t n = 0;

	while (n < GREETING_SIZE - 1 && wait_until(fd, until) &&
	       read(fd, line + n, 1) == 1 && line[n] != '\n') {
		if (!isprint((unsigned char)line[n]))
			line[n] = '?';
		n++;
	}
	if (n && line[n - 1] == '?')
		n--; /* a CR */
	line[n] = '\0';
}

static int ping(const char *name)
{
	const struct addrinfo wish = { .ai_socktype = SOCK_STREAM };
	CLEANUP(freep) char *text = strdup(name);
	CLEANUP(addrinfop) struct addrinfo *found = NULL;
	CLEANUP(closep) int fd = -1;
	char line[GREETING_SIZE];
	const char *host, *port;
	int result;

	if (!text)
		out_of_memory();
	split(text, &host, &port);
	result = getaddrinfo(host, port, &wish, &found);
	if (result) {
		complain("%s: %s", name, gai_strerror(result));
		return CLI_UNREACHABLE;
	}
	fd = reach(found);
	if (fd < 0) {
		complain("%s port %s: %s", host, port, strerror(errno));
		return CLI_UNREACHABLE;
	}
	read_line(fd, line);
	if (strncmp(line, GREETING, strlen(GREETING)) != 0)
		return complain("%s port %s: what answers is no SSH server: "
				"\"%s\"",
				host, port, line);
	printf("%s port %s answers: %s\n", host, port, line);
	return CLI_DONE;
}

static int run_ping(struct cli *c)
{
	int worst = CLI_DONE;

	for (size_t i = 0; i < c->n_names; i++) {
		int result = ping(c->names[i]);

		if (result > worst)
			worst = result;
	}
	return worst;
}

static const struct cli_command commands[] = {
	{ NULL, "ping", "HOST[:PORT]...", "does an SSH server answer there",
	  NULL, 0, 1, CLI_NAMES_MAX, run_ping },
};

const struct command_table ping_commands = { commands, ARRAY_SIZE(commands) };
