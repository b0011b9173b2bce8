/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests, by OpenSSL 3. The algorithms are looked up once, at first use:
 * fetching takes a lock and a search, computing on what was fetched does not.
 * A library that cannot hash after that is broken beyond what a caller could
 * handle, so those failures abort.
 */
#include "base/digest.h"

#include "base/span.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct digest {
	EVP_MD_CTX *context;
	enum digest_kind kind;
};

static const char *const md_names[] = {
	[DIGEST_SHA1] = "SHA1",
	[DIGEST_SHA256] = "SHA256",
};

static EVP_MD *mds[ARRAY_SIZE(md_names)];
static pthread_once_t mds_once = PTHREAD_ONCE_INIT;

static void broken(const char *what) NORETURN;

static void broken(const char *what)
{
	fprintf(stderr, "headwater: %s failed, giving up\n", what);
	abort();
}

static void fetch_mds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mds); i++) {
		mds[i] = EVP_MD_fetch(NULL, md_names[i], NULL);
		if (!mds[i])
			broken(md_names[i]);
	}
}

static const EVP_MD *md_of(enum digest_kind kind)
{
	pthread_once(&mds_once, fetch_mds);
	return mds[kind];
}

/* -- running digests ------------------------------------------------------ */

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->kind = kind;
	d->context = EVP_MD_CTX_new();
	if (!d->context ||
	    EVP_DigestInit_ex2(d->context, md_of(kind), NULL) != 1)
		return digest_free(d);
	return d;
}

void digest_update(struct digest *d, const void *data, size_t n)
{
	if (n && EVP_DigestUpdate(d->context, data, n) != 1)
		broken(md_names[d->kind]);
}

void digest_final(struct digest *d, unsigned char *out)
{
	if (EVP_DigestFinal_ex(d->context, out, NULL) != 1)
		broken(md_names[d->kind]);
}

void digest_reset(struct digest *d)
{
	if (EVP_DigestInit_ex2(d->context, NULL, NULL) != 1)
		broken(md_names[d->kind]);
}

struct digest *digest_free(struct digest *d)
{
	if (d)
		EVP_MD_CTX_free(d->context);
	free(d);
	return NULL;
}

/* -- in one go ------------------------------------------------------------ */

void sha256(const void *data, size_t n, unsigned char out[SHA256_SIZE])
{
	if (EVP_Digest(n ? data : "", n, out, NULL, md_of(DIGEST_SHA256),
		       NULL) != 1)
		broken("SHA256");
}

static void hmac(enum digest_kind kind, struct span key, struct span data,
		 unsigned char *out)
{
	static const unsigned char nothing[1];

	assert(key.len <= INT_MAX); /* the type OpenSSL takes it in */
	if (!HMAC(md_of(kind), key.len ? key.data : nothing, (int)key.len,
		  data.len ? data.data : nothing, data.len, out, NULL))
		broken("HMAC");
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
		 unsigned char out[SHA256_SIZE])
{
	hmac(DIGEST_SHA256, span_of(key, key_len), span_of(data, n), out);
}

void hmac_sha1(const void *key, size_t key_len, const void *data, size_t n,
	       unsigned char out[SHA1_SIZE])
{
	hmac(DIGEST_SHA1, span_of(key, key_len), span_of(data, n), out);
}

void random_bytes(void *out, size_t n)
{
	unsigned char *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno != EINTR)
			broken("getrandom");
		if (got <= 0)
			continue;
		p += got;
		n -= (size_t)got;
	}
}

int bytes_equal(const void *a, const void *b, size_t n)
{
	return !n || CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_thread_end(void)
{
	OPENSSL_thread_stop();
}
