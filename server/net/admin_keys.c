/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: what they are, and those that nobody knows yet. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "net/admin_handlers.h"
#include "store/key_logins.h"
#include "store/names.h"
#include "store/pending_keys.h"
#include "store/state_store.h"

#include <stdio.h>
#include <string.h>

/* GET /v1/keys/pending is the list, so no key can be called so. */
static int key_check(const struct admin_call *c, json_t *body, struct arena *a,
		     struct state_change *change, struct http_response *out)
{
	(void)body;
	(void)a;
	(void)change;
	if (strcmp(c->name, "pending") != 0)
		return 0;
	http_response_json_error(out, 400, "key-name",
				 "no key is called 'pending'",
				 "`headwater key pending` is the list of keys "
				 "that nobody knows");
	return -1;
}

static void add_last_login(const struct admin_call *c, json_t *object,
			   const char *field, const struct public_key *k)
{
	int64_t at = key_login_last(c->context->data_dir, k);
	char text[CLOCK_ISO_SIZE];

	json_object_set_new(object, field,
			    at ? json_string(clock_iso_of(at, text))
			       : json_null());
}

static void key_describe(const struct admin_call *c, const struct state *s,
			 const char *name, json_t *object)
{
	const struct key_settings *k = state_key(s, name);
	const struct key_settings *previous = NULL;
	char old[OBJECT_NAME_MAX + sizeof "/previous"];

	if (!k)
		return;
	json_object_set_new(object, "fingerprint",
			    json_string(k->key.fingerprint));
	json_object_set_new(object, "type", json_string(k->key.type));
	add_last_login(c, object, "last_login", &k->key);
	if (k->has_previous) {
		snprintf(old, sizeof old, "%s/previous", name);
		previous = state_key(s, old);
	}
	if (previous)
		add_last_login(c, object, "previous_last_login",
			       &previous->key);
}

static void add_pending(void *arg, const struct pending_key *k)
{
	CLEANUP(freep) char *text = public_key_text(&k->key);
	char first[CLOCK_ISO_SIZE], last[CLOCK_ISO_SIZE];
	json_t *list = arg;

	json_array_append_new(
		list, json_pack("{s:s, s:s, s:i, s:s?, s:s, s:s, s:s, s:I}",
				"fingerprint", k->key.fingerprint, "type",
				k->key.type, "bits", (int)k->key.bits,
				"public_key", text, "address", k->address,
				"first_time", clock_iso_of(k->first, first),
				"last_time", clock_iso_of(k->last, last),
				"connections", (json_int_t)k->count));
}

void admin_keys_pending(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	json_t *list = json_array();

	pending_keys_list(c->context->pending, s, add_pending, list);
	admin_answer(out, 200, json_pack("{s:o}", "pending", list));
}

const struct admin_kind admin_key_kind = {
	.secrets = key_check,
	.describe = key_describe,
};
