/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenSSH key file, written and read field by field. */
#include "store/keygen.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define MAGIC	     "openssh-key-v1"
#define ED25519	     "ssh-ed25519"
#define ED25519_SIZE 32
#define BLOCK	     8 /* padding of an unencrypted key */
#define LINE	     70
#define BEGIN_LINE   "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END_LINE     "-----END OPENSSH PRIVATE KEY-----\n"

static void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void add_u32(struct buf *b, uint32_t v)
{
	unsigned char bytes[4];

	store_u32be(bytes, v);
	buf_add(b, bytes, sizeof bytes);
}

static void add_string(struct buf *b, const void *data, size_t n)
{
	add_u32(b, (uint32_t)n);
	buf_add(b, data, n);
}

static void add_public(struct buf *b, const unsigned char *public)
{
	add_string(b, ED25519, strlen(ED25519));
	add_string(b, public, ED25519_SIZE);
}

/* Both halves twice over, as the format wants, then 1, 2, 3 to a block. */
static void add_private(struct buf *b, const unsigned char *public,
			const unsigned char *seed, const char *comment)
{
	unsigned char both[2 * ED25519_SIZE];
	uint32_t check;

	random_bytes(&check, sizeof check);
	add_u32(b, check);
	add_u32(b, check);
	add_public(b, public);
	memcpy(both, seed, ED25519_SIZE);
	memcpy(both + ED25519_SIZE, public, ED25519_SIZE);
	add_string(b, both, sizeof both);
	add_string(b, comment, strlen(comment));
	for (char pad = 1; b->len % BLOCK; pad++)
		buf_addc(b, pad);
	OPENSSL_cleanse(both, sizeof both);
}

static int armour(const struct buf *body, struct buf *out, struct err *e)
{
	CLEANUP(freep) char *text = base64_encode(body->data, body->len);
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return err_nomem(e);
	buf_adds(out, BEGIN_LINE);
	for (size_t at = 0; at < n; at += LINE) {
		buf_add(out, text + at, n - at < LINE ? n - at : LINE);
		buf_addc(out, '\n');
	}
	buf_adds(out, END_LINE);
	OPENSSL_cleanse(text, n);
	return buf_check(out, e);
}

static int public_line(const void *blob, size_t n, const char *type,
		       const char *comment, struct buf *out, struct err *e)
{
	CLEANUP(freep) char *text = base64_encode(blob, n);

	if (!text)
		return err_nomem(e);
	buf_addf(out, "%s %s%s%s", type, text, *comment ? " " : "", comment);
	return buf_check(out, e);
}

int keygen_ed25519(const char *comment, struct buf *private_out,
		   struct buf *public_out, struct err *e)
{
	CLEANUP(pkey_freep)
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	CLEANUP(buf_fini) struct buf blob = BUF_INIT;
	CLEANUP(buf_fini) struct buf secret = BUF_INIT;
	CLEANUP(buf_fini) struct buf body = BUF_INIT;
	unsigned char public[ED25519_SIZE], seed[ED25519_SIZE];
	size_t n_public = sizeof public, n_seed = sizeof seed;
	int result;

	if (!key || EVP_PKEY_get_raw_public_key(key, public, &n_public) != 1 ||
	    EVP_PKEY_get_raw_private_key(key, seed, &n_seed) != 1)
		return err_set(e, ERR_IO, "libcrypto made no key");
	add_public(&blob, public);
	add_private(&secret, public, seed, comment);
	OPENSSL_cleanse(seed, sizeof seed);
	buf_add(&body, MAGIC, sizeof MAGIC); /* with its NUL */
	add_string(&body, "none", 4);	     /* cipher */
	add_string(&body, "none", 4);	     /* key derivation */
	add_string(&body, "", 0);
	add_u32(&body, 1);
	add_string(&body, blob.data, blob.len);
	add_string(&body, secret.data, secret.len);
	if (body.failed)
		return err_nomem(e);
	result = armour(&body, private_out, e);
	OPENSSL_cleanse(body.data, body.len);
	OPENSSL_cleanse(secret.data, secret.len);
	return result < 0 ? -1
			  : public_line(blob.data, blob.len, ED25519, comment,
					public_out, e);
}

static bool take_string(struct span *s, struct span *out)
{
	uint32_t n;

	return span_u32be(s, &n) && span_take(s, n, out);
}

/* The base64 between the two lines, white space left out. */
static void *unarmour(struct span file, size_t *n_out)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct span line;

	if (!span_until(&file, '\n', &line) ||
	    !span_starts(line, "-----BEGIN OPENSSH PRIVATE KEY-----"))
		return NULL;
	while (span_word(&file, '\n', &line)) {
		if (span_starts(line, "-----END"))
			break;
		for (size_t i = 0; i < line.len; i++)
			if (line.data[i] > ' ')
				buf_addc(&text, (char)line.data[i]);
	}
	return base64_decode(buf_str(&text), text.len, n_out);
}

int keygen_public_of(struct span private_file, struct buf *public_out,
		     struct err *e)
{
	size_t n = 0;
	CLEANUP(freep) void *body = unarmour(private_file, &n);
	struct span rest = span_of(body, n), skipped, blob, type_text, copy;
	CLEANUP(buf_fini) struct buf type = BUF_INIT;
	uint32_t n_keys;

	if (!body || !span_take(&rest, sizeof MAGIC, &skipped) ||
	    !span_eq(skipped, span_of(MAGIC, sizeof MAGIC)) ||
	    !take_string(&rest, &skipped) || !take_string(&rest, &skipped) ||
	    !take_string(&rest, &skipped) || !span_u32be(&rest, &n_keys) ||
	    n_keys != 1 || !take_string(&rest, &blob))
		return err_set(e, ERR_MALFORMED,
			       "it is no private key in OpenSSH's format");
	copy = blob;
	if (!take_string(&copy, &type_text))
		return err_set(e, ERR_MALFORMED, "its public key is damaged");
	buf_addspan(&type, type_text);
	return public_line(blob.data, blob.len, buf_str(&type), "", public_out,
			   e);
}
