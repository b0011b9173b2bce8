/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognising and allowing. Every answer of access_allows() takes the same
 * steps whether the repository is there or not: the look-up, then all patterns
 * that could have spoken for it.
 */
#include "store/access.h"

#include "base/digest.h"

#include <string.h>

#define TOKEN_MAX 4096 /* bytes; longer ones are nobody's and not hashed */

bool principal_by_key(struct state *s, struct span blob, struct principal *out)
{
	const struct key_settings *k = state_key_by_blob(s, blob);

	if (!k)
		return false;
	*out = (struct principal){
		.kind = PRINCIPAL_KEY,
		.state = state_get(s),
		.key = k,
	};
	return true;
}

bool principal_by_token(struct state *s, struct span token,
			struct principal *out)
{
	const struct token_settings *found = NULL;
	unsigned char hash[SHA256_SIZE];
	size_t n = state_count(s, STATE_TOKEN);

	if (!token.len || token.len > TOKEN_MAX)
		return false;
	sha256(token.data, token.len, hash);
	for (size_t i = 0; i < n; i++) { /* all of them, whichever it is */
		const struct token_settings *t = state_token_at(s, i);

		if (t->has_hash & bytes_equal(hash, t->hash, sizeof hash))
			found = t;
	}
	if (!found)
		return false;
	*out = (struct principal){
		.kind = PRINCIPAL_TOKEN,
		.state = state_get(s),
		.token = found,
	};
	return true;
}

void principal_anonymous(struct state *s, struct principal *out)
{
	*out = (struct principal){
		.kind = PRINCIPAL_ANONYMOUS,
		.state = state_get(s),
	};
}

void principal_fini(struct principal *p)
{
	state_put(p->state);
	*p = (struct principal){ 0 };
}

static bool refresh_key(struct principal *p, struct state *now)
{
	const struct key_settings *k = state_key(now, p->key->name);

	if (!k || !public_key_eq(&k->key, &p->key->key))
		return false;
	p->key = k;
	return true;
}

static bool refresh_token(struct principal *p, struct state *now)
{
	const struct token_settings *t =
		state_token(now, p->token->object.name);

	if (!t || !t->has_hash ||
	    !bytes_equal(t->hash, p->token->hash, sizeof t->hash))
		return false;
	p->token = t;
	return true;
}

bool principal_refresh(struct principal *p, struct state *now)
{
	if (p->state == now)
		return true;
	if (p->kind == PRINCIPAL_KEY && !refresh_key(p, now))
		return false;
	if (p->kind == PRINCIPAL_TOKEN && !refresh_token(p, now))
		return false;
	state_get(now);
	state_put(p->state);
	p->state = now;
	return true;
}

const char *principal_name(const struct principal *p)
{
	switch (p->kind) {
	case PRINCIPAL_KEY:
		return p->key->name;
	case PRINCIPAL_TOKEN:
		return p->token->object.name;
	default:
		return "anonymous";
	}
}

bool access_allows(const struct principal *p, const char *repo,
		   enum access what)
{
	const struct repo_settings *r = state_repo(p->state, repo);
	bool may_read = false, may_write = false;

	if (p->kind == PRINCIPAL_KEY) {
		may_write = state_list_matches(&p->key->write, repo);
		may_read = state_list_matches(&p->key->read, repo);
	}
	if (p->kind == PRINCIPAL_TOKEN)
		may_read = state_list_matches(&p->token->read, repo);
	if (!r)
		return false;
	return may_write || (what == ACCESS_READ && (may_read || r->is_public));
}

bool access_bypasses(const struct principal *p)
{
	return p->kind == PRINCIPAL_KEY && p->key->bypass;
}
