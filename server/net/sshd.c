/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the SSH door that knows no SSH: listening and starting threads.
 *
 * One thread accepts; it also wakes once a second while there are connections,
 * to cut the thread that libssh does not give back. Each connection is a
 * struct in the registry and a detached thread that removes it. An idle door
 * does not wake.
 */
#include "net/sshd.h"

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/workers.h"
#include "net/sshd_hostkey.h"
#include "net/sshd_registry.h"
#include "net/sshd_session.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG	    1024 /* a burst waits here instead of being refused */
#define TICK_MS	    1000
#define BACK_OFF_MS 100 /* no descriptors or memory: others may end */
#define ACCEPT_TURN 64	/* then the watch has its turn */

/* Of 8 MB by default a session touches 30 KB; libssh reads packets with a
 * recursion of at most 128 frames (one read(2) of 4096 bytes holds no more),
 * and upload-pack and receive-pack keep large things elsewhere. */
#define STACK_BYTES ((size_t)256 << 10)

/* The kernel asks an idle peer after a minute and gives up two later. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 30
#define KEEPALIVE_COUNT	     4

struct sshd {
	struct sshd_registry registry;
	pthread_t thread;
	int listen_fd;
	int wake_fd;
	struct sockaddr_storage bound;
	struct sshd_hostkey key;
	struct ssh_bind_struct *bind;
	struct sshd_handler handler;
	_Atomic bool is_stopping;
	_Atomic bool is_quitting;
};

static struct metric_family connections =
	METRIC_COUNTER("headwater_ssh_connections",
		       "SSH connections by how they began.", "result");
/* -- one connection ---------------------------------------------------------
 */

static void set_option(int fd, int level, int name, int value)
{
	/* Advice to the kernel: a connection works without. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/*
 * libssh sets none of these on accepted sockets. NODELAY and the first QUICKACK
 * (session_turn() repeats it until login) are worth a factor of eight in the
 * time of a whole connection: clients keep Nagle on during the handshake.
 */
static void set_socket_options(int fd, const struct sshd_limits *l)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	/* Sent and not acknowledged: no longer than a client may be slow. */
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, l->stall_ms);
}

static void *session_thread(void *arg)
{
	struct sshd_session *s = arg;

	session_serve(s);
	crypto_thread_end();
	registry_remove(s->registry, s);
	return NULL;
}

static struct sshd_session *session_new(struct sshd *d, int fd,
					const struct sockaddr_storage *peer)
{
	struct sshd_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->registry = &d->registry;
	s->handler = &d->handler;
	s->bind = d->bind;
	s->fd = fd;
	s->accepted_ms = clock_ms();
	address_text(peer, s->peer);
	return s;
}

/* Takes over `fd`. */
static void start_session(struct sshd *d, int fd,
			  const struct sockaddr_storage *peer)
{
	struct sshd_session *s = session_new(d, fd, peer);
	struct err e;

	if (!s || !registry_admit(&d->registry, s)) {
		metric_add(&connections, 1, "full");
		close(fd);
		free(s);
		return;
	}
	set_socket_options(fd, &s->limits);
	if (!thread_start("ssh", STACK_BYTES, true, session_thread, s, NULL,
			  &e)) {
		metric_add(&connections, 1, "accepted");
		return;
	}
	log_error("ssh.no-thread", "peer", s->peer, "error", e.message, NULL);
	metric_add(&connections, 1, "full");
	registry_remove(&d->registry, s);
}

/* -- the accepting thread ---------------------------------------------------
 */

/* False where accepting makes no sense for a while. */
static bool accept_some(struct sshd *d)
{
	struct sockaddr_storage peer;
	int i, fd;

	for (i = 0; i < ACCEPT_TURN; i++) {
		socklen_t len = sizeof(peer);

		fd = accept4(d->listen_fd, (struct sockaddr *)&peer, &len,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			start_session(d, fd, &peer);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			return true;
		if (errno == ECONNABORTED || errno == EPROTO)
			continue;
		/* sshd_stop() has shut the socket down. */
		if (errno == EINVAL)
			return false;
		log_warn("ssh.accept", "error", strerror(errno), NULL);
		registry_make_room(&d->registry);
		return false;
	}
	return true;
}

static void *accept_thread(void *arg)
{
	struct sshd *d = arg;
	bool is_paused = false;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = d->wake_fd, .events = POLLIN },
			{ .fd = d->listen_fd, .events = POLLIN },
		};
		size_t n_sessions, n_running;
		uint64_t wakes;

		if (atomic_load(&d->is_quitting))
			return NULL;
		if (is_paused || atomic_load(&d->is_stopping))
			fds[1].fd = -1;
		registry_count(&d->registry, &n_sessions, &n_running);
		(void)poll(fds, ARRAY_SIZE(fds),
			   is_paused	? BACK_OFF_MS
			   : n_sessions ? TICK_MS
					: -1);
		is_paused = false;
		if (fds[0].revents & POLLIN)
			(void)!read(d->wake_fd, &wakes, sizeof(wakes));
		if (fds[1].revents)
			is_paused = !accept_some(d);
		registry_watch(&d->registry);
	}
}

static void wake(struct sshd *d)
{
	uint64_t one = 1;

	(void)!write(d->wake_fd, &one, sizeof(one));
}

/* -- the door ---------------------------------------------------------------
 */

static void release(struct sshd *d)
{
	closep(&d->listen_fd);
	closep(&d->wake_fd);
	session_bind_free(d->bind);
	sshd_hostkey_fini(&d->key);
	registry_fini(&d->registry);
	free(d);
}

static int open_parts(struct sshd *d, const struct sshd_options *options,
		      struct err *e)
{
	if (sshd_hostkey_load(options->host_key_path, &d->key, e))
		return -1;
	d->bind = session_bind_new(&d->key, e);
	if (!d->bind)
		return -1;
	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return err_errno(e, "eventfd");
	d->listen_fd = address_listen(&options->listen, BACKLOG, &d->bound, e);
	if (d->listen_fd < 0)
		return -1;
	return thread_start("ssh-accept", STACK_BYTES, false, accept_thread, d,
			    &d->thread, e);
}

struct sshd *sshd_open(const struct sshd_options *options, struct err *e)
{
	struct sshd *d = calloc(1, sizeof(*d));

	if (!d) {
		err_nomem(e);
		return NULL;
	}
	d->listen_fd = -1;
	d->wake_fd = -1;
	d->handler = options->handler;
	if (registry_init(&d->registry, &options->limits, e)) {
		free(d);
		return NULL;
	}
	metric_register(&connections);
	if (open_parts(d, options, e)) {
		release(d);
		return NULL;
	}
	return d;
}

void sshd_bound(const struct sshd *d, struct sockaddr_storage *out)
{
	*out = d->bound;
}

const char *sshd_host_key(const struct sshd *d)
{
	return d->key.line;
}

const char *sshd_host_fingerprint(const struct sshd *d)
{
	return d->key.fingerprint;
}

void sshd_set_limits(struct sshd *d, const struct sshd_limits *limits)
{
	registry_set_limits(&d->registry, limits);
}

void sshd_count(struct sshd *d, size_t *sessions_out, size_t *running_out)
{
	registry_count(&d->registry, sessions_out, running_out);
}

void sshd_stop(struct sshd *d)
{
	atomic_store(&d->is_stopping, true);
	/* Refuses at once; the descriptor is closed with the door. */
	shutdown(d->listen_fd, SHUT_RDWR);
	registry_stop(&d->registry, false);
	wake(d);
}

size_t sshd_wait(struct sshd *d, int64_t deadline_ms)
{
	return registry_wait(&d->registry, deadline_ms);
}

struct sshd *sshd_free(struct sshd *d)
{
	if (!d)
		return NULL;
	sshd_stop(d);
	registry_stop(&d->registry, true);
	registry_wait(&d->registry, -1);
	atomic_store(&d->is_quitting, true);
	wake(d);
	pthread_join(d->thread, NULL);
	release(d);
	return NULL;
}
