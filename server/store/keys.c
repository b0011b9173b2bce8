/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key is judged by its blob alone: the type inside decides, and the name in
 * front of it must agree. A blob has one reading only, all of it: a length
 * that does not fit, a padded number or a byte too many is no key, so that one
 * key cannot be registered in two spellings. Points are checked to lie on
 * their curve, by OpenSSL.
 */
#include "store/keys.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define ED25519_BYTES	 32
#define APPLICATION_MAX	 256  /* bytes of a security key's "ssh:..." */
#define POINT_IS_PLAIN	 0x04 /* SEC 1, 2.3.3: uncompressed */
#define RSA_EXPONENT_MAX 64   /* bits, far beyond any in use */

struct key_type {
	const char *name;
	/* Judge the fields behind the name; stores the bits. */
	int (*check)(const struct key_type *t, struct span fields,
		     unsigned *bits_out, struct err *e);
	const char *curve;	   /* as in the blob */
	const char *openssl_group; /* the same, to OpenSSL */
	unsigned bits;
	bool has_application; /* a security key */
};

/* -- fields --------------------------------------------------------------- */

static int malformed(const struct key_type *t, struct err *e)
{
	return err_set(e, ERR_MALFORMED, "the %s key is damaged or cut short",
		       t->name);
}

static bool take_string(struct span *s, struct span *out)
{
	struct span rest = *s;
	uint32_t n;

	if (!span_u32be(&rest, &n) || !span_take(&rest, n, out))
		return false;
	*s = rest;
	return true;
}

/* A positive number in its shortest form, and how many bits it has. */
static bool take_number(struct span *s, struct span *out, unsigned *bits_out)
{
	struct span n;
	unsigned top = 0;

	if (!take_string(s, &n) || !n.len || n.len > PUBLIC_KEY_BLOB_MAX ||
	    n.data[0] >= 0x80)
		return false;
	if (!n.data[0]) { /* only where the next bit would be a sign */
		if (n.len < 2 || n.data[1] < 0x80)
			return false;
		n = span_of(n.data + 1, n.len - 1);
	}
	for (unsigned c = n.data[0]; c; c >>= 1)
		top++;
	*bits_out = (unsigned)(n.len - 1) * 8 + top;
	*out = n;
	return true;
}

static bool is_odd(struct span number)
{
	return number.data[number.len - 1] & 1;
}

/* What security keys add, and the end. */
static bool at_end(const struct key_type *t, struct span *fields)
{
	struct span application;

	if (t->has_application) {
		if (!take_string(fields, &application) || !application.len ||
		    application.len > APPLICATION_MAX)
			return false;
	}
	return !fields->len;
}

/* -- kinds of key --------------------------------------------------------- */

static int check_ed25519(const struct key_type *t, struct span fields,
			 unsigned *bits_out, struct err *e)
{
	struct span point;

	if (!take_string(&fields, &point) || point.len != ED25519_BYTES ||
	    !at_end(t, &fields))
		return malformed(t, e);
	*bits_out = t->bits;
	return 0;
}

static bool is_on_curve(const struct key_type *t, struct span point)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	bool is_good;

	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
					    t->openssl_group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
					     point.data, point.len))
		params = OSSL_PARAM_BLD_to_param(build);
	is_good = context && params && EVP_PKEY_fromdata_init(context) == 1 &&
		  EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY,
				    params) == 1;
	EVP_PKEY_free(key);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return is_good;
}

static int check_ecdsa(const struct key_type *t, struct span fields,
		       unsigned *bits_out, struct err *e)
{
	struct span curve, point;

	if (!take_string(&fields, &curve) || !span_is(curve, t->curve) ||
	    !take_string(&fields, &point) ||
	    point.len != 1 + 2 * ((t->bits + 7) / 8) ||
	    point.data[0] != POINT_IS_PLAIN || !at_end(t, &fields))
		return malformed(t, e);
	if (!is_on_curve(t, point))
		return err_set(e, ERR_MALFORMED,
			       "the %s key is not on its curve", t->name);
	*bits_out = t->bits;
	return 0;
}

static int check_rsa(const struct key_type *t, struct span fields,
		     unsigned *bits_out, struct err *e)
{
	struct span exponent, modulus;
	unsigned exponent_bits, bits;

	if (!take_number(&fields, &exponent, &exponent_bits) ||
	    !take_number(&fields, &modulus, &bits) || !at_end(t, &fields))
		return malformed(t, e);
	if (exponent_bits < 2 || exponent_bits > RSA_EXPONENT_MAX ||
	    !is_odd(exponent) || !is_odd(modulus))
		return malformed(t, e);
	if (bits < PUBLIC_KEY_RSA_MIN || bits > PUBLIC_KEY_RSA_MAX)
		return err_set(e, ERR_DENIED,
			       "an RSA key of %u bits: at least %d and at most "
			       "%d are accepted; better use ssh-ed25519",
			       bits, PUBLIC_KEY_RSA_MIN, PUBLIC_KEY_RSA_MAX);
	*bits_out = bits;
	return 0;
}

static const struct key_type key_types[] = {
	{ "ssh-ed25519", check_ed25519, NULL, NULL, 256, false },
	{ "ecdsa-sha2-nistp256", check_ecdsa, "nistp256", "prime256v1", 256,
	  false },
	{ "ecdsa-sha2-nistp384", check_ecdsa, "nistp384", "secp384r1", 384,
	  false },
	{ "ecdsa-sha2-nistp521", check_ecdsa, "nistp521", "secp521r1", 521,
	  false },
	{ "ssh-rsa", check_rsa, NULL, NULL, 0, false },
	{ "sk-ssh-ed25519@openssh.com", check_ed25519, NULL, NULL, 256, true },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", check_ecdsa, "nistp256",
	  "prime256v1", 256, true },
};

static const struct key_type *type_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_types); i++) {
		if (span_is(name, key_types[i].name))
			return &key_types[i];
	}
	return NULL;
}

/* Why a word is none of the types. */
static int refuse_type(struct span name, struct err *e)
{
	static const char cert[] = "-cert-v01@openssh.com";
	size_t n = strlen(cert);

	if (name.len > n && !memcmp(name.data + (name.len - n), cert, n))
		return err_set(e, ERR_DENIED,
			       "certificates are not accepted: register the "
			       "key itself");
	if (span_is(name, "ssh-dss"))
		return err_set(e, ERR_DENIED,
			       "ssh-dss keys are too weak: make one with "
			       "ssh-keygen -t ed25519");
	return err_set(e, ERR_DENIED,
		       "keys of type \"%.*s\" are not accepted: make one with "
		       "ssh-keygen -t ed25519",
		       (int)(name.len < 60 ? name.len : 60), name.data);
}

/* -- keys ----------------------------------------------------------------- */

void public_key_fini(struct public_key *k)
{
	free(k->blob);
	free(k->comment);
	*k = (struct public_key){ 0 };
}

char *fingerprint_of(struct span blob, char out[FINGERPRINT_SIZE])
{
	unsigned char hash[SHA256_SIZE];
	unsigned char text[4 * ((SHA256_SIZE + 2) / 3) + 1];

	sha256(blob.data, blob.len, hash);
	EVP_EncodeBlock(text, hash, sizeof hash);
	memcpy(out, "SHA256:", 7);
	memcpy(out + 7, text, 43); /* without the padding */
	out[50] = '\0';
	return out;
}

/* Judge the blob and fill all but the comment and the blob. */
static int judge_blob(struct span blob, struct public_key *out, struct err *e)
{
	struct span fields = blob, name;
	const struct key_type *type;

	if (blob.len > PUBLIC_KEY_BLOB_MAX)
		return err_set(e, ERR_LIMIT,
			       "a public key has at most %d bytes",
			       PUBLIC_KEY_BLOB_MAX);
	if (!take_string(&fields, &name))
		return err_set(e, ERR_MALFORMED,
			       "the public key is damaged or cut short");
	type = type_of(name);
	if (!type)
		return refuse_type(name, e);
	out->type = type->name;
	if (type->check(type, fields, &out->bits, e) < 0)
		return -1;
	sha256(blob.data, blob.len, out->sha256);
	fingerprint_of(blob, out->fingerprint);
	return 0;
}

static int make_key(struct span blob, struct span comment,
		    struct public_key *out, struct err *e)
{
	struct public_key k = { 0 };

	if (judge_blob(blob, &k, e) < 0)
		return -1;
	k.blob = malloc(blob.len);
	k.blob_len = blob.len;
	k.comment = strndup((const char *)comment.data, comment.len);
	if (!k.blob || !k.comment) {
		public_key_fini(&k);
		return err_nomem(e);
	}
	memcpy(k.blob, blob.data, blob.len);
	*out = k;
	return 0;
}

int public_key_from_blob(struct span blob, struct public_key *out,
			 struct err *e)
{
	return make_key(blob, span_str(""), out, e);
}

bool public_key_eq(const struct public_key *a, const struct public_key *b)
{
	return a->blob_len == b->blob_len &&
	       bytes_equal(a->blob, b->blob, a->blob_len);
}

char *public_key_text(const struct public_key *k)
{
	char *base64 = base64_encode(k->blob, k->blob_len);
	struct buf b = BUF_INIT;

	if (!base64)
		return NULL;
	buf_addf(&b, "%s %s", k->type, base64);
	if (*k->comment)
		buf_addf(&b, " %s", k->comment);
	free(base64);
	return buf_take(&b);
}

/* -- lines ---------------------------------------------------------------- */

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(struct span s)
{
	while (s.len && is_blank(s.data[0]))
		s = span_of(s.data + 1, s.len - 1);
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Take the first word and the blanks behind it. */
static struct span take_word(struct span *s)
{
	struct span word = { s->data, 0 };

	while (word.len < s->len && !is_blank(s->data[word.len]))
		word.len++;
	*s = trimmed(span_of(word.data + word.len, s->len - word.len));
	return word;
}

/* What stands there instead of a type. */
static int refuse_line(struct span first, struct span rest, struct err *e)
{
	struct span word;

	if (span_starts(first, "-----BEGIN"))
		return err_set(e, ERR_MALFORMED,
			       "this is no public key line; if it is a private "
			       "key, keep it secret and give the .pub beside "
			       "it");
	while (rest.len) {
		word = take_word(&rest);
		if (type_of(word))
			return err_set(e, ERR_MALFORMED,
				       "options before the key are not "
				       "supported: the line begins with %.*s",
				       (int)(first.len < 60 ? first.len : 60),
				       first.data);
	}
	return refuse_type(first, e);
}

static int judge_comment(struct span comment, struct err *e)
{
	if (comment.len > PUBLIC_KEY_COMMENT_MAX)
		return err_set(e, ERR_LIMIT,
			       "the comment of a key has at most %d bytes",
			       PUBLIC_KEY_COMMENT_MAX);
	for (size_t i = 0; i < comment.len; i++) {
		if (comment.data[i] < ' ' || comment.data[i] == 0x7f)
			return err_set(e, ERR_MALFORMED,
				       "a control character in the comment of "
				       "the key: one line holds one key");
	}
	return 0;
}

int public_key_parse(struct span line, struct public_key *out, struct err *e)
{
	struct span rest = trimmed(line), type, base64;
	unsigned char *blob;
	size_t blob_len = 0;
	int result;

	if (!rest.len)
		return err_set(e, ERR_MALFORMED, "there is no public key");
	type = take_word(&rest);
	if (!type_of(type))
		return refuse_line(type, rest, e);
	base64 = take_word(&rest);
	if (judge_comment(rest, e) < 0)
		return -1;
	blob = base64_decode((const char *)base64.data, base64.len, &blob_len);
	if (!blob || !blob_len) {
		free(blob);
		return err_set(e, ERR_MALFORMED,
			       "what follows %.*s is not base64", (int)type.len,
			       type.data);
	}
	result = make_key(span_of(blob, blob_len), rest, out, e);
	free(blob);
	if (!result && !span_is(type, out->type)) {
		err_set(e, ERR_MALFORMED, "the line says %.*s and the key %s",
			(int)type.len, type.data, out->type);
		public_key_fini(out);
		return -1;
	}
	return result;
}
