/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who it is: the public key that signed, and nothing else.
 *
 * libssh hands over a parsed key twice: at the probe, where nothing is proven,
 * and at the signature. It would also take DSA keys and certificates whose
 * authority it never checks, so that what a key may be is judged here, by
 * public_key_from_blob(), both times. Only SSH_PUBLICKEY_STATE_VALID, which
 * libssh sets after it has verified the signature by this very key, gives the
 * session its identity.
 *
 * Not seen from here: the algorithm's name in the request, and the presence
 * and verification flags of a security key. Neither changes who has signed.
 */
#include "net/sshd_session.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#include <libssh/server.h>
#include <stdlib.h>

/* A packet without an answer: libssh drops bad signatures and blobs it cannot
 * read, and the client would wait for the login deadline. */
#define IGNORED_MS 1500

/* The blob as libssh encodes it, which is what the signature covers. */
static void *key_blob(ssh_key key, size_t *len_out)
{
	char *base64 = NULL;
	void *blob;

	if (ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK)
		return NULL;
	blob = base64_decode(base64, strlen(base64), len_out);
	ssh_string_free_char(base64);
	return blob;
}

static void note_user(struct sshd_session *s, const char *user)
{
	size_t n = strnlen(user, SSHD_USER_MAX);

	memcpy(s->user, user, n);
	s->user[n] = 0;
}

void auth_count_refusal(struct sshd_session *s)
{
	s->n_refused++;
}

/* Remember a key that nobody knows, once. Takes over `key`. */
static void note_unknown(struct sshd_session *s, struct public_key *key)
{
	size_t i;

	for (i = 0; i < s->n_unknown; i++) {
		if (public_key_eq(&s->unknown[i], key))
			break;
	}
	if (i < s->n_unknown || s->n_unknown == SSHD_UNKNOWN_MAX) {
		public_key_fini(key);
		return;
	}
	s->unknown[s->n_unknown++] = *key;
}

static int deny(struct sshd_session *s)
{
	auth_count_refusal(s);
	return SSH_AUTH_DENIED;
}

/* `key` has signed (or is only probed). Takes over `key`. */
static int judge(struct sshd_session *s, struct public_key *key, char state)
{
	const struct sshd_handler *h = s->handler;
	void *principal;

	principal = h->authenticate(h->arg, span_of(key->blob, key->blob_len));
	if (!principal) {
		note_unknown(s, key);
		return deny(s);
	}
	if (state == SSH_PUBLICKEY_STATE_NONE) {
		/* "Sign with it": nothing is gained, nothing is kept. */
		h->release(h->arg, principal);
		public_key_fini(key);
		return SSH_AUTH_SUCCESS;
	}
	s->principal = principal;
	s->key = *key;
	return SSH_AUTH_SUCCESS;
}

int auth_publickey(struct ssh_session_struct *ssh, const char *user,
		   struct ssh_key_struct *offered, char state, void *session)
{
	CLEANUP(freep) void *blob = NULL;
	struct sshd_session *s = session;
	struct public_key key;
	struct err e;
	size_t len;

	(void)ssh;
	if (s->principal || s->n_refused >= s->limits.refused_keys)
		return SSH_AUTH_DENIED;
	note_user(s, user);
	s->n_keys_tried++;
	if (state != SSH_PUBLICKEY_STATE_NONE &&
	    state != SSH_PUBLICKEY_STATE_VALID)
		return deny(s);
	blob = key_blob(offered, &len);
	if (!blob || public_key_from_blob(span_of(blob, len), &key, &e))
		return deny(s);
	return judge(s, &key, state);
}

bool auth_is_ignored(struct sshd_session *s)
{
	struct sshd_traffic_now t = session_traffic(s);

	if (!s->auth_began)
		return false;
	if (t.packets_out != s->auth_out) {
		s->auth_out = t.packets_out;
		s->auth_in = t.packets_in;
		s->auth_silent_ms = 0;
	} else if (t.packets_in != s->auth_in) {
		s->auth_in = t.packets_in;
		s->auth_silent_ms = clock_ms();
	}
	return s->auth_silent_ms && clock_ms() - s->auth_silent_ms > IGNORED_MS;
}

void auth_fini(struct sshd_session *s)
{
	size_t i;

	if (s->principal)
		s->handler->release(s->handler->arg, s->principal);
	public_key_fini(&s->key);
	for (i = 0; i < s->n_unknown; i++)
		public_key_fini(&s->unknown[i]);
}
