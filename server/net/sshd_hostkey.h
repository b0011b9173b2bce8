/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door's own key: one ed25519 key, made at the first start and kept, since
 * every client remembers it (and more than one confuses Flux).
 *
 * Format: OpenSSH private key file without passphrase, 0600. A file that was
 * supplied may be ECDSA or RSA. Two daemons that start at once on one
 * directory end with the same key.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "store/keys.h"

struct err;
struct ssh_key_struct; /* libssh's */

struct sshd_hostkey {
	char *line; /* "ssh-ed25519 AAAA...", no comment: for known_hosts */
	char fingerprint[FINGERPRINT_SIZE];
	struct ssh_key_struct *key; /* the private key */
};

/*
 * Read the key of `path`; make it, durably, where there is none (its directory
 * too). ERR_DENIED where others than owner and group may read it, ERR_MALFORMED
 * where it is not a private key we can use.
 */
int sshd_hostkey_load(const char *path, struct sshd_hostkey *out,
		      struct err *e) MUST_CHECK;
/* Accepts one that is all zero. */
void sshd_hostkey_fini(struct sshd_hostkey *k);
