/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: their secrets, where they go, and calling them now. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "hooks/hook_set.h"
#include "hooks/hook_state.h"
#include "hooks/outbox.h"
#include "net/admin_fire.h"
#include "net/admin_handlers.h"
#include "store/state_store.h"

#include <string.h>

/* What is uploaded and kept in DATA/secrets/, each also as FIELD_base64. */
static const struct upload {
	const char *field;
	const char *encoded;
	const char *key; /* of the configuration */
} uploads[] = {
	{ "secret", "secret_base64", "secret-file" },
	{ "bearer", "bearer_base64", "bearer-file" },
	{ "ca", "ca_base64", "ca-file" },
};

static const char *const hook_fields[] = {
	"secret", "secret_base64", "bearer", "bearer_base64",
	"ca",	  "ca_base64",	   NULL,
};

/* The bytes of one upload; `*out` is empty where it was not sent. */
static int upload_bytes(json_t *body, const struct upload *u, struct arena *a,
			struct span *out)
{
	json_t *text = json_object_get(body, u->field);
	json_t *encoded = json_object_get(body, u->encoded);
	CLEANUP(freep) void *bytes = NULL;
	const char *copy;
	size_t n;

	*out = span_of(NULL, 0);
	if (!text && !encoded)
		return 0;
	if (encoded) {
		if (!json_is_string(encoded))
			return -1;
		bytes = base64_decode(json_string_value(encoded),
				      json_string_length(encoded), &n);
		copy = bytes ? arena_strdup(a, span_of(bytes, n)) : NULL;
	} else {
		n = json_string_length(text);
		copy = json_is_string(text)
			       ? arena_strdup(
					 a, span_of(json_string_value(text), n))
			       : NULL;
	}
	*out = span_of(copy, n);
	return copy && n ? 1 : -1;
}

static int hook_secrets(const struct admin_call *c, json_t *body,
			struct arena *a, struct state_change *change,
			struct http_response *out)
{
	struct change_secret *list =
		arena_array(a, ARRAY_SIZE(uploads), sizeof *list);
	size_t n = 0;

	(void)c;
	for (size_t i = 0; list && i < ARRAY_SIZE(uploads); i++) {
		int found = upload_bytes(body, &uploads[i], a, &list[n].bytes);
		char sentence[120];

		if (found < 0) {
			snprintf(sentence, sizeof sentence,
				 "field \"%s\": it is empty or no text",
				 uploads[i].field);
			http_response_json_error(out, 400, "bad-field",
						 sentence, NULL);
			return -1;
		}
		if (found)
			list[n++].key = uploads[i].key;
	}
	change->secrets = list;
	change->n_secrets = n;
	return 0;
}

/* "Receiver flux-system/cluster", the URL in full, and how it is doing. */
static void hook_describe(const struct admin_call *c, const struct state *s,
			  const char *name, json_t *object)
{
	const struct hook_settings *h = state_hook(s, name);
	CLEANUP(buf_fini) struct buf state = BUF_INIT;
	const char *target;
	struct err ignored;

	if (!h)
		return;
	target = h->receiver ? h->receiver : h->url;
	json_object_set_new(object, "has_secret", json_boolean(h->has_secret));
	json_object_set_new(object, "target",
			    json_sprintf("%s%s", h->receiver ? "Receiver " : "",
					 target ? target : ""));
	if (c->context->outbox &&
	    outbox_hook_state(c->context->outbox, name, &state, &ignored) == 0)
		json_object_set_new(object, "delivery",
				    json_loads(buf_str(&state), 0, NULL));
}

void admin_hook_test(const struct admin_call *c, struct http_response *out)
{
	admin_fire(c, &(struct admin_fire){ EVENT_TEST, NULL, c->name, NULL },
		   out);
}

void admin_hook_redeliver(const struct admin_call *c, struct http_response *out)
{
	const char *id = strcmp(c->id, "newest") ? c->id : NULL;

	admin_fire(c, &(struct admin_fire){ EVENT_PUSH, NULL, c->name, id },
		   out);
}

static const struct hook_settings *hook_or_refuse(const struct admin_call *c,
						  const struct state *s,
						  struct http_response *out)
{
	const struct hook_settings *h = state_hook(s, c->name);
	char sentence[128];

	if (h)
		return h;
	snprintf(sentence, sizeof sentence, "there is no hook '%.70s'",
		 c->name);
	http_response_json_error(out, 404, "hook-not-found", sentence,
				 "headwater hook list shows what there is");
	return NULL;
}

void admin_hook_deliveries(const struct admin_call *c,
			   struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct err e;

	if (!hook_or_refuse(c, s, out))
		return;
	if (outbox_log(c->context->data_dir, c->name, &text, &e) < 0) {
		admin_refuse(out, &e, "hook", NULL);
		return;
	}
	admin_answer(out, 200,
		     json_pack("{s:o}", "deliveries",
			       json_loads(buf_str(&text), 0, NULL)));
}

/* The one secret that is ever answered: `headwater flux` needs it, and the
 * peer could read the file anyway. */
void admin_hook_secret(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	const struct hook_settings *h = hook_or_refuse(c, s, out);
	CLEANUP(freep) char *encoded = NULL;
	json_t *answer;

	if (!h)
		return;
	if (!h->has_secret) {
		http_response_json_error(out, 404, "hook-no-secret",
					 "the hook has no secret", NULL);
		return;
	}
	encoded = base64_encode(h->secret.data, h->secret.len);
	answer = json_pack("{s:s?}", "secret_base64", encoded);
	if (!memchr(h->secret.data, '\0', h->secret.len))
		json_object_set_new(answer, "secret",
				    json_stringn((const char *)h->secret.data,
						 h->secret.len));
	admin_answer(out, 200, answer);
}

const struct admin_kind admin_hook_kind = {
	.also = hook_fields,
	.secrets = hook_secrets,
	.describe = hook_describe,
};
