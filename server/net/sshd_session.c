/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: handshake, login, commands one after the other, end.
 *
 * libssh is driven without blocking: session_turn() polls once, within every
 * deadline there is, and looks afterwards at what the callbacks noted.
 * libssh 0.10 has no deadlines of its own, no limit of tries, no keepalive
 * that notices a dead peer, and does not re-arm TCP_QUICKACK: all that is here.
 */
#include "net/sshd_session.h"

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/workers.h"
#include "net/sshd_hostkey.h"
#include "net/sshd_registry.h"

#include <fcntl.h>
#include <libssh/callbacks.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * No SHA-1, CBC, MD5, DSA, no group exchange and no group above 14 (one costs
 * us milliseconds for a packet of theirs). GCM first: with AES in hardware it
 * is the cheapest for both sides, and Go picks it. libssh announces strict key
 * exchange by itself. Clients' first choice wins, so the order is our taste.
 */
#define KEX_METHODS                                                 \
	"curve25519-sha256,curve25519-sha256@libssh.org,"           \
	"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521," \
	"diffie-hellman-group14-sha256"
#define CIPHERS                                          \
	"aes128-gcm@openssh.com,aes256-gcm@openssh.com," \
	"chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
#define MACS                                                           \
	"hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com," \
	"hmac-sha2-256,hmac-sha2-512"
#define HOSTKEY_ALGORITHMS                                     \
	"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384," \
	"ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
/* Also what server-sig-algs says. Without a list libssh checks no signature's
 * type; with it RSA by SHA-1 is refused, under whatever name. */
#define USER_ALGORITHMS                                               \
	"ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256," \
	"ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                    \
	"sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"

#define MAX_UNANSWERED 3   /* keepalives; then the peer is gone */
#define LOGIN_PACKETS  500 /* a login takes ten and a probe two */
#define GOODBYE_MS     500 /* to hand the reason of an end to the kernel */
#define PAUSE_MS       200 /* silence that is no round trip: worth resting */

struct sshd_traffic {
	struct ssh_counter_struct socket;
	struct ssh_counter_struct packets;
};

static struct metric_family logins = METRIC_COUNTER(
	"headwater_ssh_logins", "SSH logins by result.", "result");

/* -- all sessions -----------------------------------------------------------
 */

struct ssh_bind_struct *session_bind_new(struct sshd_hostkey *key,
					 struct err *e)
{
	const struct {
		enum ssh_bind_options_e option;
		const char *value;
	} texts[] = {
		{ SSH_BIND_OPTIONS_BANNER, "Headwater" },
		{ SSH_BIND_OPTIONS_KEY_EXCHANGE, KEX_METHODS },
		{ SSH_BIND_OPTIONS_CIPHERS_C_S, CIPHERS },
		{ SSH_BIND_OPTIONS_CIPHERS_S_C, CIPHERS },
		{ SSH_BIND_OPTIONS_HMAC_C_S, MACS },
		{ SSH_BIND_OPTIONS_HMAC_S_C, MACS },
		{ SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, HOSTKEY_ALGORITHMS },
		{ SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, USER_ALGORITHMS },
	};
	/* Else libssh reads a system-wide file of its own at each accept. */
	bool process_config = false;
	int rsa_min = PUBLIC_KEY_RSA_MIN;
	ssh_bind bind = ssh_bind_new();
	size_t i;
	int rc;

	if (!bind) {
		err_nomem(e);
		return NULL;
	}
	metric_register(&logins);
	rc = ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG,
				  &process_config);
	rc |= ssh_bind_options_set(bind, SSH_BIND_OPTIONS_RSA_MIN_SIZE,
				   &rsa_min);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		rc |= ssh_bind_options_set(bind, texts[i].option,
					   texts[i].value);
	if (!rc)
		rc = ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY,
					  key->key);
	if (rc) {
		err_set(e, ERR_IO, "the SSH library refuses our settings: %s",
			ssh_get_error(bind));
		ssh_bind_free(bind);
		return NULL;
	}
	key->key = NULL; /* the bind's now */
	return bind;
}

void session_bind_free(struct ssh_bind_struct *bind)
{
	ssh_bind_free(bind);
}

/* -- waiting ----------------------------------------------------------------
 */

struct sshd_traffic_now session_traffic(const struct sshd_session *s)
{
	const struct sshd_traffic *t = s->traffic;

	return (struct sshd_traffic_now){
		.socket_in = t->socket.in_bytes,
		.socket_out = t->socket.out_bytes,
		.payload_in = t->packets.in_bytes,
		.packets_in = t->packets.in_packets,
		.packets_out = t->packets.out_packets,
	};
}

bool session_end(struct sshd_session *s, const char *reason)
{
	if (!s->ended_for)
		s->ended_for = reason;
	return false;
}

static bool is_connected(struct sshd_session *s)
{
	return ssh_is_connected(s->ssh) &&
	       !(ssh_get_status(s->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

/*
 * Ask the peer whether it is there. ssh_send_keepalive() sends nothing as long
 * as its last question is open, and a call that finds the answer only clears
 * it: hence the second call.
 */
static void ask_peer(struct sshd_session *s)
{
	uint64_t before = session_traffic(s).packets_out;

	s->n_unanswered++;
	ssh_send_keepalive(s->ssh);
	if (session_traffic(s).packets_out == before)
		ssh_send_keepalive(s->ssh);
}

/* Milliseconds until the peer must be asked again. */
static int until_keepalive(struct sshd_session *s, int64_t now)
{
	int64_t asks = s->heard_ms +
		       (int64_t)s->limits.keepalive_ms * (s->n_unanswered + 1);

	return asks > now ? (int)(asks - now) : 0;
}

static bool check_peer(struct sshd_session *s, int64_t now)
{
	uint64_t heard = session_traffic(s).socket_in;

	if (heard != s->heard_bytes) {
		s->heard_bytes = heard;
		s->heard_ms = now;
		s->n_unanswered = 0;
		return true;
	}
	if (!s->principal || until_keepalive(s, now))
		return true;
	if (s->n_unanswered >= MAX_UNANSWERED)
		return session_end(s, "the client does not answer");
	ask_peer(s);
	return true;
}

bool session_turn(struct sshd_session *s, int ms)
{
	int64_t now = clock_ms();
	int rc;

	if (s->ended_for)
		return false;
	if (now >= s->end_ms)
		return session_end(s, s->principal ? "session timeout"
						   : "login timeout");
	if (ms > s->end_ms - now)
		ms = (int)(s->end_ms - now);
	if (s->principal && ms > until_keepalive(s, now))
		ms = until_keepalive(s, now);
	atomic_store(&s->must_return_ms, now + ms + SSHD_STUCK_MS);
	rc = ssh_event_dopoll(s->event, ms);
	atomic_store(&s->must_return_ms, 0);
	if (!s->principal) {
		int on = 1;

		/* The kernel forgets it with each answer it delays. */
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on,
				 sizeof(on));
	}
	if (rc == SSH_ERROR || !is_connected(s))
		return session_end(s, "the client left");
	return check_peer(s, clock_ms());
}

bool session_wait(struct sshd_session *s, int ms)
{
	uint64_t heard = session_traffic(s).socket_in;
	int64_t since = clock_ms();

	if (ms <= PAUSE_MS || s->rested_bytes == heard)
		return session_turn(s, ms);
	if (!session_turn(s, PAUSE_MS))
		return false;
	/* A turn may also end for what it could send. */
	if (session_traffic(s).socket_in == heard &&
	    clock_ms() - since >= PAUSE_MS) {
		s->rested_bytes = heard;
		thread_rest();
	}
	return true;
}

/* -- callbacks --------------------------------------------------------------
 */

static int on_service(ssh_session ssh, const char *service, void *arg)
{
	struct sshd_session *s = arg;

	(void)ssh;
	if (strcmp(service, "ssh-userauth") != 0)
		return -1;
	s->auth_began = true;
	return 0;
}

/*
 * Every request without a callback of its own lands here: other ways to log
 * in, other channels, pty, x11, forwarding. 1 lets libssh refuse it.
 */
static int on_other_message(ssh_session ssh, ssh_message message, void *arg)
{
	(void)ssh;
	if (ssh_message_type(message) == SSH_REQUEST_AUTH)
		auth_count_refusal(arg);
	return 1;
}

/* Without this callback libssh asks the GSSAPI library of the system,
 * whichever methods are set: NULL refuses before that. */
static ssh_string on_gssapi(ssh_session ssh, const char *user, int n_oid,
			    ssh_string *oids, void *arg)
{
	(void)ssh;
	(void)user;
	(void)n_oid;
	(void)oids;
	auth_count_refusal(arg);
	return NULL;
}

/* -- the life of a connection -----------------------------------------------
 */

static int attach(struct sshd_session *s)
{
	int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	s->ssh = ssh_new();
	s->event = ssh_event_new();
	if (!s->ssh || !s->event ||
	    ssh_bind_accept_fd(s->bind, s->ssh, fd) != SSH_OK) {
		/* Whether libssh has taken the descriptor over. */
		if (!s->ssh || ssh_get_fd(s->ssh) != fd)
			close(fd);
		return -1;
	}
	ssh_set_blocking(s->ssh, 0);
	ssh_set_counters(s->ssh, &s->traffic->socket, &s->traffic->packets);
	ssh_set_auth_methods(s->ssh, SSH_AUTH_METHOD_PUBLICKEY);
	ssh_set_message_callback(s->ssh, on_other_message, s);
	/* SSH_OPTIONS_COMPRESSION "no" would still offer it for after login. */
	return ssh_options_set(s->ssh, SSH_OPTIONS_COMPRESSION_C_S, "none") ||
	       ssh_options_set(s->ssh, SSH_OPTIONS_COMPRESSION_S_C, "none");
}

/* The banner goes out at once: a Go client that hears nothing waits for ever.
 * False where the connection is over before it began. */
static bool begin(struct sshd_session *s)
{
	if (ssh_handle_key_exchange(s->ssh) == SSH_ERROR)
		return session_end(s, "the client left");
	/* Only now has the session a poll context to take over. */
	if (ssh_event_add_session(s->event, s->ssh) != SSH_OK)
		return session_end(s, "out of memory");
	return true;
}

static bool log_in(struct sshd_session *s)
{
	s->end_ms = s->accepted_ms + s->limits.login_ms;
	while (!s->principal) {
		/* Short: auth_is_ignored() must be looked at. */
		if (!session_turn(s, s->auth_began ? 500 : s->limits.login_ms))
			return false;
		if (s->n_refused >= s->limits.refused_keys)
			return session_end(s, "too many keys were refused");
		if (session_traffic(s).packets_in > LOGIN_PACKETS)
			return session_end(s, "too many packets before login");
		if (auth_is_ignored(s))
			return session_end(s, "a bad signature or request");
	}
	s->end_ms = s->accepted_ms + s->limits.session_ms;
	registry_note_login(s->registry, s);
	metric_add(&logins, 1, "accepted");
	if (s->handler->logged_in)
		s->handler->logged_in(s->handler->arg, s->principal, s->peer);
	return true;
}

static void serve_commands(struct sshd_session *s)
{
	int64_t idle_since = clock_ms();
	int64_t left;

	thread_rest();
	for (;;) {
		/* While one runs, the next may be asked for: no wait between
		 * them, for nothing would end it. */
		while (channel_run_next(s)) {
			channel_reap(s);
			idle_since = clock_ms();
			thread_rest_stack();
		}
		channel_reap(s);
		left = idle_since + s->limits.idle_ms - clock_ms();
		if (left <= 0) {
			session_end(s, "idle");
			return;
		}
		if (!session_wait(s, (int)left))
			return;
	}
}

/* Tell an orderly client why, as far as that can be done without waiting for
 * it. */
static void say_goodbye(struct sshd_session *s)
{
	if (!is_connected(s))
		return;
	if (s->ended_for)
		ssh_session_set_disconnect_message(s->ssh, s->ended_for);
	atomic_store(&s->must_return_ms, clock_ms() + SSHD_STUCK_MS);
	/* A turn, since libssh sends only after a poll has said that it may. */
	(void)ssh_event_dopoll(s->event, 0);
	ssh_blocking_flush(s->ssh, GOODBYE_MS);
	ssh_disconnect(s->ssh);
	atomic_store(&s->must_return_ms, 0);
}

static void report(struct sshd_session *s)
{
	const char *why = registry_cut_reason(s->registry, s);
	struct sshd_end end = {
		.peer = s->peer,
		.is_logged_in = s->principal != NULL,
		.unknown = s->unknown,
		.n_unknown = s->principal ? 0 : s->n_unknown,
	};
	const char *ms = fmt_u64((uint64_t)(clock_ms() - s->accepted_ms));

	if (!why)
		why = s->ended_for;
	if (s->principal) {
		if (!s->n_commands)
			log_info(
				"ssh.session", "peer", s->peer, "user", s->user,
				"key",
				s->handler->name(s->handler->arg, s->principal),
				"ms", ms, "end", why, NULL);
	} else if (s->n_keys_tried) {
		metric_add(&logins, 1, "refused");
		log_info("ssh.refused", "peer", s->peer, "user", s->user,
			 "keys", fmt_u64(s->n_keys_tried), "fingerprint",
			 s->n_unknown ? s->unknown[0].fingerprint : NULL, "ms",
			 ms, "end", why, NULL);
	} else {
		/* ssh-keyscan, `flux create secret git`, a probe of the port:
		 * nobody failed to log in. */
		metric_add(&logins, 1, "scan");
		log_info("ssh.scan", "peer", s->peer, "ms", ms, "end", why,
			 NULL);
	}
	if (s->handler->ended)
		s->handler->ended(s->handler->arg, &end);
}

void session_serve(struct sshd_session *s)
{
	struct sshd_traffic traffic = { 0 };
	struct ssh_server_callbacks_struct callbacks = {
		.userdata = s,
		.auth_pubkey_function = auth_publickey,
		.service_request_function = on_service,
		.channel_open_request_session_function = channel_open,
		.gssapi_select_oid_function = on_gssapi,
	};

	ssh_callbacks_init(&callbacks);
	s->traffic = &traffic;
	s->heard_ms = clock_ms();
	s->end_ms = s->accepted_ms + s->limits.login_ms;
	if (attach(s) || ssh_set_server_callbacks(s->ssh, &callbacks) != SSH_OK)
		session_end(s, "out of memory");
	else if (begin(s) && log_in(s))
		serve_commands(s);
	if (s->ssh)
		say_goodbye(s);
	report(s);
	/* Gives the poll handle back to the session, which frees it; the
	 * channels' callbacks live longer than both. */
	ssh_event_free(s->event);
	ssh_free(s->ssh);
	channel_free_all(s);
	auth_fini(s);
}
