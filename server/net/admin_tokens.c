/* SPDX-License-Identifier: Apache-2.0 */
/* What keys and tokens have besides: fingerprints, and a token shown once. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "net/admin_handlers.h"

#include <string.h>

/* 32 random bytes in hex behind a prefix that secret scanners can look for. */
#define TOKEN_PREFIX "hwt_"
#define TOKEN_BYTES  32

static const char *const token_fields[] = { "token", NULL };

static int one_secret(struct arena *a, struct state_change *change,
		      struct change_secret secret)
{
	struct change_secret *list = arena_alloc(a, sizeof *list);

	if (!list)
		return -1;
	*list = secret;
	change->secrets = list;
	change->n_secrets = 1;
	return 0;
}

/* A new token gets a random one unless the request brings its own. */
static int token_secrets(const struct admin_call *c, json_t *body,
			 struct arena *a, struct state_change *change,
			 struct http_response *out)
{
	const json_t *given = json_object_get(body, "token");
	unsigned char random[TOKEN_BYTES];
	char hex[2 * TOKEN_BYTES + 1];
	const char *text = json_string_value(given);

	(void)c;
	if (given && (!text || strlen(text) < 16)) {
		http_response_json_error(out, 400, "bad-field",
					 "field \"token\": a token has 16 "
					 "characters at least",
					 NULL);
		return -1;
	}
	if (!given && change->mode == CHANGE_SET)
		return 0;
	if (!given) {
		random_bytes(random, sizeof random);
		hex_encode(random, sizeof random, hex);
		text = arena_printf(a, TOKEN_PREFIX "%s", hex);
	}
	if (!text ||
	    one_secret(a, change,
		       (struct change_secret){ .key = "file",
					       .bytes = span_str(text),
					       .is_generated = !given }) < 0) {
		http_response_json_error(out, 500, "out-of-memory",
					 "out of memory", NULL);
		return -1;
	}
	return 0;
}

/* The one time a token is shown: in the answer to the verb that made it. */
void admin_answer_secret(const struct admin_call *c,
			 const struct state_change *change,
			 const struct change_result *r,
			 struct http_response *out)
{
	json_t *answer;
	struct span token;

	if (c->kind != STATE_TOKEN || !change->n_secrets ||
	    !change->secrets[0].is_generated || r->outcome == CHANGE_SAME)
		return;
	answer = json_loadb((const char *)out->bytes.data, out->bytes.len, 0,
			    NULL);
	if (!answer)
		return;
	token = change->secrets[0].bytes;
	json_object_set_new(answer, "token",
			    json_stringn((const char *)token.data, token.len));
	admin_answer(out, out->status, answer);
}

const struct admin_kind admin_token_kind = {
	.also = token_fields,
	.secrets = token_secrets,
};
