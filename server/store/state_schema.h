/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys an object may have: the table that configuration, state.conf, the
 * admin API and the manual share.
 * Threads: constant.
 */
#pragma once

#include "base/attr.h"
#include "store/state.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

enum option_type {
	OPTION_TEXT, /* one line */
	OPTION_BOOL,
	OPTION_SIZE,
	OPTION_PATH,
	OPTION_BRANCH,	     /* a short branch name */
	OPTION_REPO_PATTERN, /* store/names.h */
	OPTION_REF_PATTERN,
	OPTION_PATH_PATTERN,
	OPTION_PUBLIC_KEY,
	OPTION_URL,
	OPTION_RECEIVER, /* NAMESPACE/NAME */
	OPTION_SERVICE,	 /* HOST[:PORT] */
	OPTION_HOOK_TYPE,
};

struct state_option {
	const char *key;
	enum option_type type;
	bool is_list;
	const char *fallback; /* what holds where it is unset; NULL: nothing */
	const char *help;     /* one sentence, without a full stop */
};

/* "repo", "key", "keys", "token", "hook": the section's name. */
const char *state_kind_name(enum state_kind kind);
/* False where it is none of them. */
bool state_kind_of(const char *section, enum state_kind *out);

/* The keys of a kind. */
const struct state_option *state_schema(enum state_kind kind, size_t *n_out);
/* NULL where the kind has no such key. */
const struct state_option *state_option(enum state_kind kind, const char *key);

/* May an object be called so? ERR_MALFORMED. */
int state_name_check(enum state_kind kind, const char *name,
		     struct err *e) MUST_CHECK;
/* Is that a value for the key? `value` NULL is a key without one. */
int state_value_check(const struct state_option *option, const char *value,
		      struct err *e) MUST_CHECK;
/* Do two good values mean the same ("yes" and "true", "1g" and "1024m", one
 * public key with two comments)? */
bool state_value_eq(const struct state_option *option, const char *a,
		    const char *b);

/* Types of hook that may do without a secret. */
bool hook_type_signs_always(const char *type);
