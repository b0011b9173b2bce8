/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole data directory as one archive, taken while it serves, and back.
 *
 * Format: tar(5), in this order:
 *	headwater-backup	format and version
 *	repos/NAME.git/FILE	config, shallow if any, HEAD: as they lie there
 *	repos/NAME.bundle	every ref and all they reach, if any
 *	secrets/FILE, ssh/FILE	hook secrets, token hashes, host keys
 *	logins/FILE		when keys last logged in
 *	state.conf		what the admin API made
 *	checksums		of all before, as sha256sum(1) checks them
 * so that everything in it can also be used by hand. Each repository is of one
 * moment, and so is all behind them: no verb changes a secret between it and
 * state.conf. Not in it: events not yet delivered (every hook fires at a
 * start), keys that wait for approval, objects that no ref reaches, declared
 * files.
 * It holds private keys and secrets in the clear.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct repo_store;
struct state_store;
struct stream;

struct backup_place {
	const char *data_dir;
	struct repo_store *repos;
	struct state_store *states;
	const char *quarantine_id; /* for restoring, as receive_pack() has it */
};

/* That everything can be read that backup_write() begins with: what is wrong
 * is better said before the first byte. */
int backup_check(const struct backup_place *p, struct err *e) MUST_CHECK;
int backup_write(const struct backup_place *p, struct stream *out,
		 struct err *e) MUST_CHECK;

struct backup_counts {
	uint32_t n_repos;
	uint64_t n_refs;
	uint64_t n_objects;
	bool has_host_key;
};

/*
 * Fill an empty data directory: one without a repository that has refs and
 * with nothing in the state but what is declared; ERR_CONFLICT otherwise, and
 * where another restore goes on. Packs are indexed anew, objects and
 * connectivity and checksums checked, the state judged as a start would;
 * state.conf comes last and is in force on return. After any failure the
 * repositories that were made are gone or empty as they were, and nothing else
 * was written; but where the disk fails at the very end, files of secrets/,
 * ssh/ and logins/ may be there, which the next try replaces. A running daemon
 * shows the host key from its next start on.
 */
int backup_restore(const struct backup_place *p, struct stream *in,
		   struct backup_counts *out, struct err *e) MUST_CHECK;
