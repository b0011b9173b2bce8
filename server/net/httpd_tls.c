/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates. The files are looked at when a client connects: no thread and
 * no timer watches them.
 */
#include "net/httpd_tls.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PEM_MAX	  ((size_t)1 << 20) /* bytes of a file */
#define CHAIN_MAX 16		    /* certificates of a chain */

/* A handshake that began with the old certificate is over by then: the door
 * gives it far less. */
#define KEEP_MS 600000

const char httpd_tls_priorities[] =
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+AES-256-GCM:"
	"+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:"
	"+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ECDSA-SHA256:"
	"+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512:+SIGN-ECDSA-SECP256R1-SHA256:"
	"+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512:"
	"+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:"
	"+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:"
	"+SIGN-RSA-SHA512:+SIGN-EDDSA-ED25519:+COMP-NULL:+CTYPE-X509:"
	"%SERVER_PRECEDENCE";

struct certificate {
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
	int64_t replaced_ms;
	struct certificate *older;
};

struct httpd_tls {
	char *cert_path, *key_path;
	pthread_mutex_t lock;
	/* under lock */
	struct certificate *newest;
	struct file_sig cert_sig, key_sig; /* of what was tried last */
};

static struct certificate *certificate_free(struct certificate *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->n; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	if (c->key)
		gnutls_privkey_deinit(c->key);
	free(c);
	return NULL;
}

DEFINE_FREEP(certificate)

static int err_tls(struct err *e, const char *path, int rc)
{
	return err_set(e, ERR_MALFORMED, "%.150s: %s", path,
		       gnutls_strerror(rc));
}

static int read_pem(const char *path, struct buf *b, gnutls_datum_t *out,
		    struct err *e)
{
	if (file_read(path, PEM_MAX, b, e) < 0 || buf_check(b, e) < 0)
		return -1;
	*out = (gnutls_datum_t){ (unsigned char *)b->data, (unsigned)b->len };
	return 0;
}

static int load_chain(struct certificate *c, const char *path, struct err *e)
{
	struct buf b = BUF_INIT;
	unsigned n = CHAIN_MAX;
	gnutls_datum_t pem;
	int rc = -1;

	if (!read_pem(path, &b, &pem, e)) {
		rc = gnutls_pcert_list_import_x509_raw(c->chain, &n, &pem,
						       GNUTLS_X509_FMT_PEM, 0);
		if (rc < 0)
			err_tls(e, path, rc);
		else
			c->n = n;
	}
	buf_fini(&b);
	return rc < 0 ? -1 : 0;
}

static int load_key(struct certificate *c, const char *path, struct err *e)
{
	struct buf b = BUF_INIT;
	gnutls_datum_t pem;
	int rc = -1;

	if (!read_pem(path, &b, &pem, e)) {
		rc = gnutls_privkey_init(&c->key);
		if (rc >= 0)
			rc = gnutls_privkey_import_x509_raw(
				c->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
		if (rc < 0)
			err_tls(e, path, rc);
		explicit_bzero(b.data, b.len);
	}
	buf_fini(&b);
	return rc < 0 ? -1 : 0;
}

/* Do the key and the first certificate belong together? */
static bool is_pair(const struct certificate *c)
{
	unsigned char of_key[64], of_cert[64];
	size_t n_key = sizeof of_key;
	size_t n_cert = sizeof of_cert;
	gnutls_pubkey_t public_key;
	bool is_same = false;

	if (gnutls_pubkey_init(&public_key) < 0)
		return false;
	if (gnutls_pubkey_import_privkey(public_key, c->key, 0, 0) >= 0 &&
	    gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256,
				     of_key, &n_key) >= 0 &&
	    gnutls_pubkey_get_key_id(c->chain[0].pubkey,
				     GNUTLS_KEYID_USE_SHA256, of_cert,
				     &n_cert) >= 0)
		is_same = n_key == n_cert && !memcmp(of_key, of_cert, n_key);
	gnutls_pubkey_deinit(public_key);
	return is_same;
}

static struct certificate *certificate_load(const struct httpd_tls *t,
					    struct err *e)
{
	CLEANUP(certificate_freep) struct certificate *c = calloc(1, sizeof *c);

	if (!c) {
		err_nomem(e);
		return NULL;
	}
	if (load_chain(c, t->cert_path, e) < 0 ||
	    load_key(c, t->key_path, e) < 0)
		return NULL;
	if (!c->n || !is_pair(c)) {
		err_set(e, ERR_MALFORMED,
			"%.100s is not the key of the certificate in %.100s",
			t->key_path, t->cert_path);
		return NULL;
	}
	return TAKE(c);
}

static void drop_old_locked(struct httpd_tls *t, int64_t now)
{
	struct certificate **at = &t->newest->older;

	while (*at) {
		struct certificate *c = *at;

		if (now - c->replaced_ms < KEEP_MS) {
			at = &c->older;
			continue;
		}
		*at = c->older;
		certificate_free(c);
	}
}

static bool has_changed_locked(struct httpd_tls *t, struct err *e)
{
	struct file_sig cert, key;

	/* Mounted secrets are symbolic links that move: follow them. */
	if (file_sig_take(t->cert_path, false, &cert, e) < 0 ||
	    file_sig_take(t->key_path, false, &key, e) < 0)
		return false;
	if (file_sig_eq(&cert, &t->cert_sig) &&
	    file_sig_eq(&key, &t->key_sig) && !file_sig_racy(&t->cert_sig) &&
	    !file_sig_racy(&t->key_sig))
		return false;
	t->cert_sig = cert;
	t->key_sig = key;
	return true;
}

static int refresh_locked(struct httpd_tls *t, struct err *e)
{
	struct certificate *c;

	if (!has_changed_locked(t, e))
		return t->newest ? 0 : -1;
	c = certificate_load(t, e);
	if (!c)
		return -1;
	if (t->newest)
		t->newest->replaced_ms = clock_ms();
	c->older = t->newest;
	t->newest = c;
	drop_old_locked(t, clock_ms());
	return 0;
}

struct httpd_tls *httpd_tls_open(const char *cert, const char *key,
				 struct err *e)
{
	struct httpd_tls *t = calloc(1, sizeof *t);

	if (!t) {
		err_nomem(e);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	t->cert_path = strdup(cert);
	t->key_path = strdup(key);
	if (!t->cert_path || !t->key_path) {
		err_nomem(e);
		return httpd_tls_free(t);
	}
	if (refresh_locked(t, e) < 0)
		return httpd_tls_free(t);
	return t;
}

struct httpd_tls *httpd_tls_free(struct httpd_tls *t)
{
	if (!t)
		return NULL;
	while (t->newest) {
		struct certificate *c = t->newest;

		t->newest = c->older;
		certificate_free(c);
	}
	pthread_mutex_destroy(&t->lock);
	free(t->cert_path);
	free(t->key_path);
	free(t);
	return NULL;
}

int httpd_tls_choose(struct httpd_tls *t, gnutls_pcert_st **chain_out,
		     unsigned *n_out, gnutls_privkey_t *key_out)
{
	struct err e = { 0 };

	pthread_mutex_lock(&t->lock);
	if (refresh_locked(t, &e) < 0)
		log_warn("http.certificate", "error", e.message, NULL);
	*chain_out = t->newest->chain;
	*n_out = t->newest->n;
	*key_out = t->newest->key;
	pthread_mutex_unlock(&t->lock);
	return 0;
}
