/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate of a TLS door, read again when its files change.
 *
 * Files that cannot be used when they are read again leave the certificate
 * that was there in force; that is logged once per change (http.certificate).
 * A certificate that was replaced lives on until no handshake can use it.
 * Private to net/httpd*.c. Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

struct err;
struct httpd_tls;

/* TLS 1.2 and 1.3 with AEAD ciphers and forward secrecy. */
extern const char httpd_tls_priorities[];

/* PEM: a chain that begins with the server's own, and its private key. */
struct httpd_tls *httpd_tls_open(const char *cert, const char *key,
				 struct err *e) MUST_CHECK;
/* Accepts NULL. */
struct httpd_tls *httpd_tls_free(struct httpd_tls *t);

/* As a gnutls_certificate_retrieve_function2 gives it: valid until the
 * handshake is over. 0. */
int httpd_tls_choose(struct httpd_tls *t, gnutls_pcert_st **chain_out,
		     unsigned *n_out, gnutls_privkey_t *key_out);
