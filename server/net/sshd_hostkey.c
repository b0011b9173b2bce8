/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and reading the host key.
 *
 * A new key is written whole beside its place and then linked there, which
 * fails where another daemon was faster: then that one's key is ours, too.
 */
#include "net/sshd_hostkey.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTKEY_FILE_MAX ((size_t)64 << 10) /* bytes; RSA-16384 takes 13 K */

static inline void ssh_string_freep(char **text)
{
	ssh_string_free_char(*text);
}

static inline void ssh_keyp(ssh_key *key)
{
	ssh_key_free(*key);
}

/* Write `text` to a temporary file and link it to `path` unless something is
 * there: of two daemons that start at once the first one's key is taken. */
static int publish(const char *path, mode_t mode, const char *text,
		   struct err *e)
{
	CLEANUP(freep) char *temporary = NULL;
	CLEANUP(closep) int fd = file_temp_open(path, &temporary, e);
	int rc = 0;

	if (fd < 0)
		return -1;
	if (fchmod(fd, mode))
		rc = err_errno(e, "%s", temporary);
	else if (fd_write_full(fd, text, strlen(text), e))
		rc = err_wrap(e, "%s", temporary);
	else if (fsync(fd))
		rc = err_errno(e, "%s", temporary);
	else if (link(temporary, path) && errno != EEXIST)
		rc = err_errno(e, "%s", path);
	unlink(temporary);
	return rc;
}

static int make_key(const char *path, struct err *e)
{
	CLEANUP(ssh_keyp) ssh_key key = NULL;
	CLEANUP(ssh_string_freep) char *text = NULL;
	CLEANUP(freep) char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int rc;

	if (!dir)
		return err_nomem(e);
	if (slash && slash != dir) {
		*slash = 0;
		if (dir_make(dir, 0700, e))
			return -1;
	}
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) !=
		    SSH_OK)
		return err_set(e, ERR_IO, "%s: a host key cannot be made",
			       path);
	/* Reading is enough for whoever serves next. */
	rc = publish(path, file_mode_in(slash ? dir : ".") & 0640, text, e);
	explicit_bzero(text, strlen(text));
	return rc ? rc : parent_sync(path, e);
}

/* Others must not read it. Group bits are how Kubernetes mounts a Secret. */
static int check_mode(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st))
		return err_errno(e, "%s", path);
	if (st.st_mode & S_IRWXO)
		return err_set(e, ERR_DENIED,
			       "%s: the host key is accessible to others: "
			       "chmod o= it",
			       path);
	return 0;
}

static int fill_public(struct sshd_hostkey *k, const char *path, struct err *e)
{
	CLEANUP(ssh_keyp) ssh_key public = NULL;
	CLEANUP(ssh_string_freep) char *base64 = NULL;
	CLEANUP(freep) unsigned char *blob = NULL;
	struct buf line = BUF_INIT;
	size_t n;

	if (ssh_pki_export_privkey_to_pubkey(k->key, &public) != SSH_OK ||
	    ssh_pki_export_pubkey_base64(public, &base64) != SSH_OK)
		return err_nomem(e);
	blob = base64_decode(base64, strlen(base64), &n);
	if (!blob)
		return err_set(e, ERR_MALFORMED, "%s: no public key in it",
			       path);
	fingerprint_of(span_of(blob, n), k->fingerprint);
	if (ssh_key_type(public) == SSH_KEYTYPE_RSA)
		buf_addf(&line, "ssh-rsa %s", base64);
	else
		buf_addf(&line, "%s %s",
			 ssh_key_type_to_char(ssh_key_type(public)), base64);
	k->line = buf_take(&line);
	return k->line ? 0 : err_nomem(e);
}

static bool is_usable(ssh_key key)
{
	switch (ssh_key_type(key)) {
	case SSH_KEYTYPE_ED25519:
	case SSH_KEYTYPE_ECDSA_P256:
	case SSH_KEYTYPE_ECDSA_P384:
	case SSH_KEYTYPE_ECDSA_P521:
	case SSH_KEYTYPE_RSA:
		return true;
	default:
		return false;
	}
}

static int read_key(const char *path, struct sshd_hostkey *out, struct err *e)
{
	struct buf text;
	int rc;

	buf_init_max(&text, HOSTKEY_FILE_MAX);
	rc = file_read(path, HOSTKEY_FILE_MAX, &text, e);
	/* A passphrase given, so that libssh never asks a terminal for one. */
	if (!rc && (ssh_pki_import_privkey_base64(buf_str(&text), "", NULL,
						  NULL, &out->key) != SSH_OK ||
		    !is_usable(out->key)))
		rc = err_set(e, ERR_MALFORMED,
			     "%s: not a private key that can be used (ed25519, "
			     "ecdsa or rsa, without passphrase)",
			     path);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_fini(&text);
	return rc;
}

int sshd_hostkey_load(const char *path, struct sshd_hostkey *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (access(path, F_OK) && errno == ENOENT && make_key(path, e))
		return -1;
	if (check_mode(path, e) || read_key(path, out, e) ||
	    fill_public(out, path, e)) {
		sshd_hostkey_fini(out);
		return -1;
	}
	return 0;
}

void sshd_hostkey_fini(struct sshd_hostkey *k)
{
	free(k->line);
	ssh_key_free(k->key);
	memset(k, 0, sizeof(*k));
}
