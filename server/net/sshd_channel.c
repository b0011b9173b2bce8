/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: what a client may ask of one, and how a command ends.
 *
 * Callbacks run inside libssh's packet reader and are answered when they
 * return, so they only note the request; channel_run_next() runs it later, in
 * the session's loop. One request per channel: exec, or a shell's, which gets
 * a sentence. There is no callback for pty, x11, agent, subsystem and
 * forwarding, and libssh refuses what has none.
 */
#include "net/sshd_channel.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/sshd_registry.h"

#include <libssh/callbacks.h>
#include <libssh/server.h>
#include <stdlib.h>

#define EXIT_NOT_GIT  128  /* as git ends when it dies */
#define EXIT_NO_SHELL 1	   /* as the forges do */
#define EOF_MS	      1000 /* for a git client to end its input */
#define LINGER_MS     5000 /* for the client to close its side */

static struct metric_family commands =
	METRIC_COUNTER("headwater_ssh_commands", "SSH commands by result.",
		       "service", "result");

/* -- callbacks --------------------------------------------------------------
 */

/* Every callback calls this, so that the next one knows its packet's size. */
static void note_packet(struct sshd_channel *c)
{
	struct sshd_traffic_now now = session_traffic(c->session);

	c->session->noted_packets = now.packets_in;
	c->session->noted_payload = now.payload_in;
}

static int on_env(ssh_session ssh, ssh_channel channel, const char *name,
		  const char *value, void *arg)
{
	struct sshd_channel *c = arg;
	size_t n = strlen(value);

	(void)ssh;
	(void)channel;
	note_packet(c);
	if (strcmp(name, "GIT_PROTOCOL") != 0 || n > SSHD_ENV_MAX ||
	    c->request != CHANNEL_NONE)
		return -1;
	memcpy(c->git_protocol, value, n + 1);
	return 0;
}

/*
 * libssh gives the command as a C string: what stands behind a NUL is cut off
 * without a word. The packet's size betrays it, where this is the packet after
 * the last one that was noted. Where another stands between (a keepalive's
 * answer) the command runs as it was cut, which is a command like any other.
 */
static bool hides_bytes(struct sshd_channel *c, const char *command)
{
	const struct sshd_session *s = c->session;
	/* type, channel, "exec", want-reply, and the command's length */
	const uint64_t frame = 1 + 4 + (4 + 4) + 1 + 4;
	struct sshd_traffic_now now = session_traffic(c->session);

	return now.packets_in == s->noted_packets + 1 &&
	       now.payload_in - s->noted_payload != frame + strlen(command);
}

static int on_exec(ssh_session ssh, ssh_channel channel, const char *command,
		   void *arg)
{
	struct sshd_channel *c = arg;
	bool is_cut = hides_bytes(c, command);

	(void)ssh;
	(void)channel;
	note_packet(c);
	if (c->request != CHANNEL_NONE)
		return -1;
	if (is_cut)
		c->command_fault = "the command holds a NUL";
	/* One byte more than fits is enough to see that it is too long. */
	c->command = strndup(command, SSH_COMMAND_MAX + 1);
	if (!c->command)
		return -1;
	c->request = CHANNEL_EXEC;
	return 0;
}

static int on_shell(ssh_session ssh, ssh_channel channel, void *arg)
{
	struct sshd_channel *c = arg;

	(void)ssh;
	(void)channel;
	note_packet(c);
	if (c->request != CHANNEL_NONE)
		return -1;
	c->request = CHANNEL_SHELL;
	return 0;
}

static int on_data(ssh_session ssh, ssh_channel channel, void *data, uint32_t n,
		   int is_stderr, void *arg)
{
	struct sshd_channel *c = arg;

	(void)ssh;
	(void)channel;
	note_packet(c);
	return is_stderr ? (int)n : channel_take(c, data, n);
}

static void on_eof(ssh_session ssh, ssh_channel channel, void *arg)
{
	struct sshd_channel *c = arg;

	(void)ssh;
	(void)channel;
	note_packet(c);
	c->is_eof = true;
}

static void on_close(ssh_session ssh, ssh_channel channel, void *arg)
{
	struct sshd_channel *c = arg;

	(void)ssh;
	(void)channel;
	note_packet(c);
	c->is_closed = true;
}

/* The client's window has grown; libssh sends what waits by itself. */
static int on_window(ssh_session ssh, ssh_channel channel, uint32_t bytes,
		     void *arg)
{
	(void)ssh;
	(void)channel;
	(void)bytes;
	note_packet(arg);
	return 0;
}

static struct ssh_channel_callbacks_struct *
callbacks_new(struct sshd_channel *c)
{
	struct ssh_channel_callbacks_struct *cb = calloc(1, sizeof(*cb));

	if (!cb)
		return NULL;
	cb->userdata = c;
	cb->channel_env_request_function = on_env;
	cb->channel_exec_request_function = on_exec;
	cb->channel_shell_request_function = on_shell;
	cb->channel_data_function = on_data;
	cb->channel_eof_function = on_eof;
	cb->channel_close_function = on_close;
	cb->channel_write_wontblock_function = on_window;
	ssh_callbacks_init(cb);
	return cb;
}

static void free_channel(struct sshd_channel *c)
{
	free(c->callbacks);
	free(c->command);
	free(c);
}

struct ssh_channel_struct *channel_open(struct ssh_session_struct *ssh,
					void *session)
{
	struct sshd_session *s = session;
	struct sshd_channel *c;

	if (!s->principal || s->n_channels >= s->limits.channels)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->session = s;
	c->callbacks = callbacks_new(c);
	c->ssh = c->callbacks ? ssh_channel_new(ssh) : NULL;
	if (!c->ssh || ssh_set_channel_callbacks(c->ssh, c->callbacks)) {
		ssh_channel_free(c->ssh);
		free_channel(c);
		return NULL;
	}
	channel_stream_init(c);
	note_packet(c);
	c->next = s->channels;
	s->channels = c;
	s->n_channels++;
	return c->ssh;
}

/* -- the end of a command ---------------------------------------------------
 */

/* Until `*flag`, the client's close, the end of the session, or `ms` later;
 * false where the session has ended. */
static bool await(struct sshd_channel *c, const bool *flag, int ms)
{
	int64_t until = clock_ms() + ms;

	while (!*flag && !c->is_closed && clock_ms() < until) {
		if (!session_turn(c->session, (int)(until - clock_ms()) + 1))
			return false;
	}
	return true;
}

/*
 * In this order, or bytes are lost: all data to the kernel, exit-status, EOF,
 * close, all of that to the kernel, and then the client's own close. A socket
 * that is closed with unread input makes TCP throw away what it has not yet
 * sent, and a client is always about to send one more window adjustment. Go
 * clients need the exit-status before the close.
 *
 * Between EOF and close a git client gets time for its own EOF. We have seen
 * the end of its request and may have answered before it comes to end its
 * input; go-git calls a clone, and a push that we took, failed when the
 * channel is closed by then ("closing input: EOF").
 */
static void finish(struct sshd_channel *c, int status)
{
	struct err e;

	c->is_served = true; /* what still comes is thrown away */
	if (channel_flush(c, &e))
		return;
	ssh_channel_request_send_exit_status(c->ssh, status);
	ssh_channel_send_eof(c->ssh);
	if (c->is_git &&
	    (channel_flush(c, &e) || !await(c, &c->is_eof, EOF_MS)))
		return;
	ssh_channel_close(c->ssh);
	if (channel_flush(c, &e))
		return;
	(void)await(c, &c->is_closed, LINGER_MS);
}

/* -- running ----------------------------------------------------------------
 */

/* Sentences for a terminal: "headwater: ..." on stderr. */
static int refuse(struct sshd_channel *c, const char *sentence)
{
	struct buf b = BUF_INIT;
	struct err e;

	buf_addf(&b, "headwater: %s\n", sentence);
	/* A client that is gone needs no sentence. */
	(void)!channel_send(c, buf_span(&b), true, &e);
	buf_fini(&b);
	return EXIT_NOT_GIT;
}

static int run_shell(struct sshd_channel *c)
{
	struct sshd_session *s = c->session;
	struct buf b = BUF_INIT;
	struct err e;

	if (!s->handler->still_valid(s->handler->arg, s->principal))
		return refuse(c, "this key has been removed");
	s->handler->whoami(s->handler->arg, s->principal, s->key.fingerprint,
			   &b);
	(void)!channel_send(c, buf_span(&b), false, &e);
	buf_fini(&b);
	return EXIT_NO_SHELL;
}

static int run_git(struct sshd_channel *c, const struct ssh_command *command)
{
	struct sshd_session *s = c->session;
	struct sshd_command run = {
		.service = command->service,
		.path = span_of(command->path, command->path_len),
		.git_protocol = span_str(c->git_protocol),
		.peer = s->peer,
		.stream = &c->stream,
	};

	c->is_git = true;
	return s->handler->run(s->handler->arg, s->principal, &run);
}

static int run_exec(struct sshd_channel *c, struct ssh_command *command,
		    const char **service_out)
{
	struct sshd_session *s = c->session;
	struct err e;

	*service_out = "other";
	if (c->command_fault)
		return refuse(c, c->command_fault);
	if (ssh_command_parse(span_str(c->command), command, &e))
		return refuse(c, e.message);
	*service_out = ssh_service_name(command->service);
	if (!s->handler->still_valid(s->handler->arg, s->principal))
		return refuse(c, "this key has been removed");
	return run_git(c, command);
}

static void report(struct sshd_channel *c, const char *service,
		   const char *repo, int status, int64_t began)
{
	struct sshd_session *s = c->session;
	const struct sshd_handler *h = s->handler;

	metric_add(&commands, 1, service, status ? "failed" : "done");
	log_info("ssh.session", "peer", s->peer, "user", s->user, "key",
		 h->name(h->arg, s->principal), "command", service, "repo",
		 repo, "exit", fmt_u64((uint64_t)status), "in",
		 fmt_u64(c->stream.n_read), "out", fmt_u64(c->stream.n_written),
		 "ms", fmt_u64((uint64_t)(clock_ms() - began)), "end",
		 s->ended_for, NULL);
}

/* With room for the path that is in the command, and not for the longest: it
 * is held as long as the command runs. */
static struct ssh_command *command_new(const struct sshd_channel *c)
{
	size_t n = c->command ? strlen(c->command) : 0;

	return calloc(1, offsetof(struct ssh_command, path) + n + 1);
}

static void run(struct sshd_channel *c)
{
	CLEANUP(freep) struct ssh_command *command = NULL;
	const char *service = "shell";
	int64_t began = clock_ms();
	int status;

	command = command_new(c);
	if (!command) {
		session_end(c->session, "out of memory");
		return;
	}
	if (c->request == CHANNEL_SHELL)
		status = run_shell(c);
	else
		status = run_exec(c, command, &service);
	report(c, service, command->path_len ? command->path : NULL, status,
	       began);
	finish(c, status);
}

/* The oldest request that waits. */
static struct sshd_channel *next_request(struct sshd_session *s)
{
	struct sshd_channel *c, *found = NULL;

	for (c = s->channels; c; c = c->next) {
		if (c->request != CHANNEL_NONE && !c->is_served)
			found = c;
	}
	return found;
}

bool channel_run_next(struct sshd_session *s)
{
	struct sshd_channel *c = next_request(s);

	if (!c || s->ended_for)
		return false;
	s->n_commands++;
	if (!registry_command_begin(s->registry, s)) {
		session_end(s, "the server is stopping");
		return false;
	}
	run(c);
	c->is_served = true;
	registry_command_end(s->registry, s);
	return true;
}

void channel_reap(struct sshd_session *s)
{
	struct sshd_channel **at = &s->channels;

	while (*at) {
		struct sshd_channel *c = *at;

		/* Served, or closed by the client before it asked for
		 * anything. libssh forgets it when both sides closed it. */
		if (!c->is_served &&
		    !(c->is_closed && c->request == CHANNEL_NONE)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		s->n_channels--;
		ssh_remove_channel_callbacks(c->ssh, c->callbacks);
		ssh_channel_free(c->ssh);
		free_channel(c);
	}
}

void channel_free_all(struct sshd_session *s)
{
	while (s->channels) {
		struct sshd_channel *c = s->channels;

		s->channels = c->next;
		free_channel(c);
	}
}
