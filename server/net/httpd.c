/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing a door, and the thread at its threshold.
 *
 * The library serves connections on its own threads but does not listen: one
 * thread of ours accepts and keeps the clocks. So the door can make room when
 * it is full, does not spin where descriptors are short, and looks at the
 * credentials of a unix socket's peer before the library sees a byte.
 * An idle door without connections waits in poll(2) for ever.
 */
#include "net/httpd.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/workers.h"
#include "net/http_watch.h"
#include "net/httpd_exchange.h"
#include "net/httpd_tls.h"
#include "net/unix_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define BACKLOG 512

/* One thread accepts and keeps clocks; the others run handlers, of which
 * answering a fetch's refs is the deepest. */
#define ACCEPT_STACK ((size_t)64 << 10)
#define SERVE_STACK  ((size_t)1 << 20)

/* How long nothing is accepted where the process has no descriptors left. */
#define SHORTAGE_MS 100

/* The library's own limit stands behind ours: it would close without a word,
 * and divides it by its threads. */
#define SPARE_CONNECTIONS 256

static const struct httpd_limits defaults = {
	.connections = 2000,
	.head_ms = 30000,
	.request_ms = 45000,
	.stall_ms = 70000,
	.bytes_per_s = 1024,
	.produce_ms = 6 * 3600 * 1000,
	.body_bytes = (uint64_t)10 << 20,
	.bodies_bytes = (uint64_t)128 << 20,
	.head_bytes = 32 << 10,
};

struct httpd {
	struct httpd_door door; /* first: what exchanges are given */
	struct MHD_Daemon *daemon;
	struct httpd_tls *tls;
	struct sockaddr_storage bound;
	char *unix_path;
	int listen_fd; /* the accepting thread's, once it runs */
	int wake_fd;
	pthread_t thread;
	bool has_thread;
	int64_t warned_ms;
	atomic_bool is_stopping;
	atomic_bool is_ending;
};

/* -- accepting ------------------------------------------------------------ */

static void wake(void *arg)
{
	struct httpd *h = arg;

	eventfd_write(h->wake_fd, 1);
}

static void admit(struct httpd *h, int fd, const struct sockaddr_storage *sa,
		  socklen_t len)
{
	int on = 1;

	if (sa->ss_family == AF_UNIX && !unix_socket_is_trusted(fd)) {
		log_warn("http.untrusted", "door", h->door.name, NULL);
		close(fd);
		return;
	}
	if (!http_watch_make_room(h->door.watch)) {
		close(fd);
		return;
	}
	if (sa->ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* It closes the socket where it fails. */
	MHD_add_connection(h->daemon, fd, (const struct sockaddr *)sa, len);
}

static bool is_shortage(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS ||
	       number == ENOMEM;
}

/* All that wait at the door. False where none can be let in for now. */
static bool accept_all(struct httpd *h)
{
	for (;;) {
		struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof sa;
		int fd = accept4(h->listen_fd, (struct sockaddr *)&sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(h, fd, &sa, len);
			continue;
		}
		if (errno == EAGAIN)
			return true;
		if (!is_shortage(errno)) /* that client is gone already */
			continue;
		http_watch_shed(h->door.watch);
		if (clock_ms() - h->warned_ms > 60000 || !h->warned_ms) {
			h->warned_ms = clock_ms();
			log_warn("http.shortage", "door", h->door.name, "error",
				 strerror(errno), NULL);
		}
		return false;
	}
}

static void close_listener(struct httpd *h)
{
	if (h->listen_fd < 0)
		return;
	close(h->listen_fd);
	h->listen_fd = -1;
	if (h->unix_path)
		unlink(h->unix_path);
}

static void *keep_door(void *arg)
{
	struct httpd *h = arg;
	bool is_short = false;
	eventfd_t ignored;

	while (!atomic_load(&h->is_ending)) {
		struct pollfd fds[] = {
			{ .fd = h->wake_fd, .events = POLLIN },
			{ .fd = is_short ? -1 : h->listen_fd,
			  .events = POLLIN },
		};
		int wait_ms = http_watch_tick(h->door.watch);

		if (is_short && (wait_ms < 0 || wait_ms > SHORTAGE_MS))
			wait_ms = SHORTAGE_MS;
		is_short = false;
		if (poll(fds, ARRAY_SIZE(fds), wait_ms) < 0)
			continue;
		if (fds[0].revents)
			eventfd_read(h->wake_fd, &ignored);
		if (atomic_load(&h->is_stopping))
			close_listener(h);
		else if (fds[1].revents || fds[1].fd < 0)
			is_short = !accept_all(h);
	}
	return NULL;
}

/* -- the library ---------------------------------------------------------- */

static void log_library(void *arg, const char *format, va_list args)
	PRINTF_LIKE(2, 0);

static void log_library(void *arg, const char *format, va_list args)
{
	struct httpd *h = arg;
	char text[LOG_VALUE_MAX];

	if (strstr(format, "Content-Length"))
		httpd_pending_refuse_lengths();
	if (!log_enabled(LEVEL_DEBUG))
		return;
	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http.library", "door", h->door.name, "message", text, NULL);
}

/* Targets are decoded by us: the library's own way would make "%2F" a "/". */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection,
			    char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static int choose_certificate(gnutls_session_t session,
			      const gnutls_datum_t *authorities,
			      int n_authorities,
			      const gnutls_pk_algorithm_t *algorithms,
			      int n_algorithms, gnutls_pcert_st **chain_out,
			      unsigned *n_out, gnutls_privkey_t *key_out)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(gnutls_session_get_ptr(session),
					MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct httpd *h;

	(void)authorities;
	(void)n_authorities;
	(void)algorithms;
	(void)n_algorithms;
	if (!info || !info->socket_context)
		return -1;
	h = http_conn_arg(info->socket_context);
	return httpd_tls_choose(h->tls, chain_out, n_out, key_out);
}

static struct MHD_Daemon *start_library(struct httpd *h, unsigned threads)
{
	const struct httpd_limits *limits = &h->door.limits;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem pool[] = {
		{ MHD_OPTION_THREAD_POOL_SIZE, threads, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD |
			 MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
			 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	gnutls_certificate_retrieve_function2 *choose = choose_certificate;
	const char *priorities = httpd_tls_priorities;

	/* Neither a function nor a constant converts to void *. */
	memcpy(&tls[0].ptr_value, &choose, sizeof choose);
	memcpy(&tls[1].ptr_value, &priorities, sizeof priorities);
	if (h->tls)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(
		flags, 0, NULL, NULL, exchange_handle, &h->door,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, h,
		MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, &h->door,
		MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, &h->door,
		MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, &h->door,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
		MHD_OPTION_CONNECTION_LIMIT,
		(limits->connections + SPARE_CONNECTIONS) * threads,
		/* half of it holds the head */
		MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)limits->head_bytes * 2, MHD_OPTION_THREAD_STACK_SIZE,
		SERVE_STACK, MHD_OPTION_ARRAY, threads > 1 ? pool : none,
		MHD_OPTION_ARRAY, h->tls ? tls : none, MHD_OPTION_END);
}

/* -- opening and closing -------------------------------------------------- */

static void set_limits(struct httpd_limits *l)
{
	const struct httpd_limits *d = &defaults;

#define DEFAULT(field) (l->field = l->field ? l->field : d->field)
	DEFAULT(connections);
	DEFAULT(head_ms);
	DEFAULT(request_ms);
	DEFAULT(stall_ms);
	DEFAULT(bytes_per_s);
	DEFAULT(produce_ms);
	DEFAULT(body_bytes);
	DEFAULT(bodies_bytes);
	DEFAULT(head_bytes);
#undef DEFAULT
}

static int bind_door(struct httpd *h, const struct httpd_options *o,
		     struct err *e)
{
	if (!o->unix_path) {
		h->listen_fd =
			address_listen(&o->listen, BACKLOG, &h->bound, e);
		return h->listen_fd < 0 ? -1 : 0;
	}
	h->listen_fd = unix_socket_listen(o->unix_path, BACKLOG, e);
	if (h->listen_fd < 0)
		return -1;
	h->bound.ss_family = AF_UNIX;
	h->unix_path = strdup(o->unix_path);
	return h->unix_path ? 0 : err_nomem(e);
}

/* The library's threads inherit the mask: signals are the main thread's. */
static int start_threads(struct httpd *h, unsigned threads, struct err *e)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	h->daemon = start_library(h, threads ? threads : 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!h->daemon)
		return err_set(e, ERR_IO, "the %s door's threads do not start",
			       h->door.name);
	if (thread_start("http-accept", ACCEPT_STACK, false, keep_door, h,
			 &h->thread, e) < 0)
		return -1;
	h->has_thread = true;
	return 0;
}

static int open_door(struct httpd *h, const struct httpd_options *o,
		     struct err *e)
{
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->wake_fd < 0)
		return err_errno(e, "making an eventfd");
	h->door.watch = http_watch_new(o->name, &h->door.limits, wake, h);
	if (!h->door.watch)
		return err_nomem(e);
	if (o->tls_cert) {
		h->tls = httpd_tls_open(o->tls_cert, o->tls_key, e);
		if (!h->tls)
			return -1;
		h->door.is_tls = true;
	}
	if (bind_door(h, o, e) < 0)
		return -1;
	return start_threads(h, o->threads, e);
}

struct httpd *httpd_open(const struct httpd_options *options, struct err *e)
{
	struct httpd *h = calloc(1, sizeof *h);

	if (!h) {
		err_nomem(e);
		return NULL;
	}
	h->listen_fd = -1;
	h->wake_fd = -1;
	h->door.name = options->name;
	h->door.workers = options->workers;
	h->door.limits = options->limits;
	h->door.handler = options->handler;
	set_limits(&h->door.limits);
	atomic_init(&h->door.bodies.left, h->door.limits.bodies_bytes);
	pthread_mutex_init(&h->door.lock, NULL);
	pthread_cond_init(&h->door.is_empty, NULL);
	if (open_door(h, options, e) < 0)
		return httpd_free(h);
	return h;
}

void httpd_bound(const struct httpd *h, struct sockaddr_storage *out)
{
	*out = h->bound;
}

void httpd_count(struct httpd *h, size_t *connections_out, size_t *running_out)
{
	http_watch_count(h->door.watch, connections_out, running_out);
}

void httpd_stop(struct httpd *h)
{
	atomic_store(&h->is_stopping, true);
	wake(h);
	http_watch_drain(h->door.watch);
}

size_t httpd_wait(struct httpd *h, int64_t deadline_ms)
{
	return http_watch_wait(h->door.watch, deadline_ms);
}

static void end_threads(struct httpd *h)
{
	httpd_stop(h);
	http_watch_cut_all(h->door.watch);
	http_watch_wait(h->door.watch, -1);
	atomic_store(&h->is_ending, true);
	wake(h);
	pthread_join(h->thread, NULL);
}

struct httpd *httpd_free(struct httpd *h)
{
	if (!h)
		return NULL;
	if (h->has_thread)
		end_threads(h);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	pthread_mutex_lock(&h->door.lock);
	while (h->door.n_exchanges)
		pthread_cond_wait(&h->door.is_empty, &h->door.lock);
	pthread_mutex_unlock(&h->door.lock);
	close_listener(h);
	if (h->wake_fd >= 0)
		close(h->wake_fd);
	http_watch_free(h->door.watch);
	httpd_tls_free(h->tls);
	pthread_cond_destroy(&h->door.is_empty);
	pthread_mutex_destroy(&h->door.lock);
	free(h->unix_path);
	free(h);
	return NULL;
}
