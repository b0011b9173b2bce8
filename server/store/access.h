/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who somebody is, and what that allows.
 *
 * A principal keeps a reference to the state it was recognised in. Rights are
 * those of that state, so ask principal_refresh() with the newest one before
 * each command: a key that was removed while connected starts none.
 * A repository that is absent and one that may not be touched give the same
 * answer after the same work.
 * Threads: a principal belongs to one.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"
#include "store/keys.h"
#include "store/state.h"

#include <stdbool.h>

enum principal_kind { PRINCIPAL_ANONYMOUS, PRINCIPAL_KEY, PRINCIPAL_TOKEN };
enum access { ACCESS_READ, ACCESS_WRITE };

struct principal {
	enum principal_kind kind;
	struct state *state;		    /* a reference */
	const struct key_settings *key;	    /* PRINCIPAL_KEY */
	const struct token_settings *token; /* PRINCIPAL_TOKEN */
};

/* Each takes a reference to `s`; false where nobody is known so. */
bool principal_by_key(struct state *s, struct span blob, struct principal *out);
/* The time depends on the number of tokens, not on what any of them is. */
bool principal_by_token(struct state *s, struct span token,
			struct principal *out);
void principal_anonymous(struct state *s, struct principal *out);

/* Accepts one that is all zero. */
void principal_fini(struct principal *p);

/* Is it still known, by name and key (or token), in `now`? Then it has the
 * rights of `now`; else it is left as it was. */
bool principal_refresh(struct principal *p, struct state *now) MUST_CHECK;

/* "alice"; "anonymous" for nobody. Lives as long as the principal. */
const char *principal_name(const struct principal *p);

/*
 * Write implies read. A token and nobody only ever read; nobody reads what is
 * public, and so does everybody else. `repo` is a canonical name.
 */
bool access_allows(const struct principal *p, const char *repo,
		   enum access what) MUST_CHECK;

/* May it change what protect-path protects? */
bool access_bypasses(const struct principal *p);
