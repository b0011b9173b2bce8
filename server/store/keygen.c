/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenSSH key file, written and read field by field. */
#include "store/keygen.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "store/keys.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
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

/* -- PEM ------------------------------------------------------------------ */

static void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}

/* No passphrase is asked for: nobody sits here. */
static int no_passphrase(char *out, int size, int is_writing, void *arg)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

/* RFC 5656: the curve's name twice over, then the point. */
static bool add_ec(struct buf *b, const EVP_PKEY *key)
{
	static const char *const curves[][2] = {
		{ "prime256v1", "nistp256" },
		{ "secp384r1", "nistp384" },
		{ "secp521r1", "nistp521" },
	};
	unsigned char point[256];
	char group[32], type[48];
	size_t n = 0;

	if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
					    sizeof point, &n) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		if (strcmp(group, curves[i][0]) != 0)
			continue;
		snprintf(type, sizeof type, "ecdsa-sha2-%s", curves[i][1]);
		add_string(b, type, strlen(type));
		add_string(b, curves[i][1], strlen(curves[i][1]));
		add_string(b, point, n);
		return true;
	}
	return false;
}

/* RFC 4251: big-endian, a zero byte in front where it would look negative. */
static bool add_number(struct buf *b, const EVP_PKEY *key, const char *name)
{
	unsigned char bytes[1 + PUBLIC_KEY_RSA_MAX / 8] = { 0 };
	BIGNUM *number = NULL;
	bool fits;
	int n;

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
		return false;
	n = BN_num_bytes(number);
	fits = n > 0 && (size_t)n < sizeof bytes;
	if (fits) {
		BN_bn2bin(number, bytes + 1);
		if (bytes[1] & 0x80)
			add_string(b, bytes, (size_t)n + 1);
		else
			add_string(b, bytes + 1, (size_t)n);
	}
	BN_free(number);
	return fits;
}

static bool add_key(struct buf *b, const EVP_PKEY *key)
{
	unsigned char public[ED25519_SIZE];
	size_t n = sizeof public;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
		if (EVP_PKEY_get_raw_public_key(key, public, &n) != 1)
			return false;
		add_public(b, public);
		return true;
	case EVP_PKEY_EC:
		return add_ec(b, key);
	case EVP_PKEY_RSA:
		add_string(b, "ssh-rsa", 7);
		return add_number(b, key, OSSL_PKEY_PARAM_RSA_E) &&
		       add_number(b, key, OSSL_PKEY_PARAM_RSA_N);
	default:
		return false;
	}
}

static int public_of_pem(struct span file, struct buf *public_out,
			 struct err *e)
{
	CLEANUP(bio_freep)
	BIO *bio = file.len <= INT_MAX
			   ? BIO_new_mem_buf(file.data, (int)file.len)
			   : NULL;
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(buf_fini) struct buf blob = BUF_INIT;
	struct public_key judged;
	int result;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	ERR_clear_error();
	if (!key || !add_key(&blob, key))
		return err_set(e, ERR_MALFORMED,
			       "it is no private key in OpenSSH's format or "
			       "PEM, or it has a passphrase");
	if (public_key_from_blob(buf_span(&blob), &judged, e) < 0)
		return -1;
	result = public_line(blob.data, blob.len, judged.type, "", public_out,
			     e);
	public_key_fini(&judged);
	return result;
}

int keygen_public_of(struct span private_file, struct buf *public_out,
		     struct err *e)
{
	size_t n = 0;
	CLEANUP(freep) void *body = unarmour(private_file, &n);
	struct span rest = span_of(body, n), skipped, blob, type_text, copy;
	CLEANUP(buf_fini) struct buf type = BUF_INIT;
	uint32_t n_keys;

	if (!body)
		return public_of_pem(private_file, public_out, e);
	if (!span_take(&rest, sizeof MAGIC, &skipped) ||
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
