/* SPDX-License-Identifier: Apache-2.0 */
/* List, get, put, patch, delete: the same for every kind of object. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "net/admin_handlers.h"
#include "store/state_store.h"

#include <string.h>

/* A request of a few megabytes of JSON at most, taken apart. */
#define ARENA_MAX ((size_t)32 << 20)

static const struct admin_kind *const kinds[STATE_KINDS] = {
	[STATE_REPO] = &admin_repo_kind,
	[STATE_KEY] = &admin_key_kind,
	[STATE_TOKEN] = &admin_token_kind,
	[STATE_HOOK] = &admin_hook_kind,
};

static json_t *describe(const struct admin_call *c, const struct state *s,
			const struct state_object *o)
{
	json_t *object = admin_object(o);

	if (kinds[c->kind]->describe)
		kinds[c->kind]->describe(c, s, o->name, object);
	return object;
}

void admin_list(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	json_t *list = json_array();
	char plural[16];

	for (size_t i = 0; i < state_count(s, c->kind); i++)
		json_array_append_new(
			list, describe(c, s, state_object_at(s, c->kind, i)));
	snprintf(plural, sizeof plural, "%ss", state_kind_name(c->kind));
	admin_answer(out, 200, json_pack("{s:o}", plural, list));
}

static void refuse_absent(const struct admin_call *c, struct http_response *out)
{
	const char *kind = state_kind_name(c->kind);
	char code[40], sentence[256], advice[128];

	snprintf(code, sizeof code, "%s-not-found", kind);
	snprintf(sentence, sizeof sentence, "there is no %s '%.200s'", kind,
		 c->name);
	snprintf(advice, sizeof advice, "headwater %s list shows what there is",
		 kind);
	http_response_json_error(out, 404, code, sentence, advice);
}

static void answer_object(const struct admin_call *c, unsigned status,
			  struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	const struct state_object *o = state_object(s, c->kind, c->name);

	if (o)
		admin_answer(out, status, describe(c, s, o));
	else
		refuse_absent(c, out);
}

void admin_get(const struct admin_call *c, struct http_response *out)
{
	answer_object(c, 200, out);
}

static void refuse_outcome(const struct admin_call *c,
			   const struct change_result *r,
			   struct http_response *out)
{
	const char *kind = state_kind_name(c->kind);
	char code[40], sentence[600];

	if (r->outcome == CHANGE_ABSENT) {
		refuse_absent(c, out);
		return;
	}
	snprintf(sentence, sizeof sentence, "%s '%.200s' %s", kind, c->name,
		 buf_str(&r->text));
	if (r->outcome == CHANGE_DECLARED) {
		snprintf(code, sizeof code, "%s-declared", kind);
		http_response_json_error(out, 409, code, sentence,
					 "change it where it is declared");
		return;
	}
	snprintf(sentence, sizeof sentence,
		 "%s '%.200s' exists and differs: %s", kind, c->name,
		 buf_str(&r->text));
	snprintf(code, sizeof code, "%s-exists", kind);
	http_response_json_error(out, 409, code, sentence,
				 "--replace (?replace=true) changes it");
}

static unsigned status_of(const struct change_result *r)
{
	switch (r->outcome) {
	case CHANGE_CREATED:
		return 201;
	case CHANGE_SAME:
	case CHANGE_DONE:
		return 200;
	default:
		return 409;
	}
}

/* What a public key needs to be judged by people: where the fault is. */
static const char *hint_of(const struct admin_call *c, const struct err *e)
{
	if (c->kind == STATE_KEY && e->code == ERR_CONFLICT)
		return "one public key has one name; `headwater key list` "
		       "shows it";
	if (strstr(e->message, "read") && e->code == ERR_MALFORMED)
		return "--read PATTERN or --write PATTERN says which "
		       "repositories; '**' is all of them";
	return NULL;
}

/* A creation that was refused half-way leaves nothing behind. */
static void take_back(const struct admin_call *c)
{
	CLEANUP(change_result_fini) struct change_result r = CHANGE_RESULT_INIT;
	struct err e;

	if (state_delete(c->context->states, c->kind, c->name, &r, &e) < 0)
		log_error("admin.take-back", "kind", state_kind_name(c->kind),
			  "name", c->name, "error", e.message, NULL);
	else if (c->context->changed)
		c->context->changed(c->context->arg);
}

/* The change of a PUT or PATCH, from body to answer. */
static void apply(const struct admin_call *c, enum change_mode mode,
		  struct http_response *out)
{
	CLEANUP(json_decrefp) json_t *body = admin_body(c->request, out);
	CLEANUP(change_result_fini) struct change_result r = CHANGE_RESULT_INIT;
	CLEANUP(arena_fini) struct arena a;
	const struct admin_kind *k = kinds[c->kind];
	struct state_change change = { .kind = c->kind,
				       .name = c->name,
				       .mode = mode };
	struct state_value *values;
	struct err e;

	arena_init(&a, ARENA_MAX);
	if (!body || admin_values(c->kind, body, k->also, &a, &values,
				  &change.n_values, out) < 0)
		return;
	change.values = values;
	if (k->secrets && k->secrets(c, body, &a, &change, out) < 0)
		return;
	if (state_change(c->context->states, &change, &r, &e) < 0) {
		admin_refuse(out, &e, state_kind_name(c->kind), hint_of(c, &e));
		return;
	}
	if (status_of(&r) >= 300) {
		refuse_outcome(c, &r, out);
		return;
	}
	if (c->context->changed && r.outcome != CHANGE_SAME)
		c->context->changed(c->context->arg);
	if (k->settle && k->settle(c, body, out) < 0) {
		if (r.outcome == CHANGE_CREATED)
			take_back(c);
		return;
	}
	answer_object(c, status_of(&r), out);
	admin_answer_secret(c, &change, &r, out);
}

static bool is_true(const struct http_request *r, const char *name)
{
	const char *value = http_request_param(r, name);

	return value && !strcmp(value, "true");
}

void admin_put(const struct admin_call *c, struct http_response *out)
{
	apply(c,
	      is_true(c->request, "replace") ? CHANGE_REPLACE : CHANGE_CREATE,
	      out);
}

void admin_patch(const struct admin_call *c, struct http_response *out)
{
	apply(c, CHANGE_SET, out);
}

void admin_delete(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(change_result_fini) struct change_result r = CHANGE_RESULT_INIT;
	const struct admin_kind *k = kinds[c->kind];
	struct err e;

	if (state_delete(c->context->states, c->kind, c->name, &r, &e) < 0) {
		admin_refuse(out, &e, state_kind_name(c->kind), NULL);
		return;
	}
	if (r.outcome == CHANGE_DECLARED) {
		refuse_outcome(c, &r, out);
		return;
	}
	if (c->context->changed && r.outcome == CHANGE_DONE)
		c->context->changed(c->context->arg);
	/* Also where the state had none: a removal that was cut short. */
	if (k->remove && k->remove(c, out) < 0)
		return;
	if (r.outcome == CHANGE_ABSENT && is_true(c->request, "if-exists"))
		admin_answer(out, 200, json_pack("{s:b}", "existed", 0));
	else
		out->status = 204;
}
