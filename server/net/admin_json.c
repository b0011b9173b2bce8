/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading (no NUL, no bad UTF-8, no duplicate key), typed writing. */
#include "net/admin_json.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "net/http_request.h"
#include "store/values.h"

#include <stdlib.h>
#include <string.h>

json_t *admin_body(const struct http_request *r, struct http_response *out)
{
	json_error_t why;
	json_t *body;
	char sentence[256];

	if (!r->body.len)
		return json_object();
	if (r->content_type &&
	    !http_type_is(r->content_type, "application/json") &&
	    !http_type_is(r->content_type,
			  "application/x-www-form-urlencoded")) {
		http_response_json_error(out, 415, "not-json",
					 "the body must be JSON",
					 "send Content-Type: application/json");
		return NULL;
	}
	body = json_loadb((const char *)r->body.data, r->body.len,
			  JSON_REJECT_DUPLICATES, &why);
	if (!body || !json_is_object(body)) {
		snprintf(sentence, sizeof sentence,
			 "the body is not a JSON object%s%.150s",
			 body ? "" : ": ", body ? "" : why.text);
		json_decref(body);
		http_response_json_error(out, 400, "malformed-json", sentence,
					 NULL);
		return NULL;
	}
	return body;
}

void admin_body_fields(const struct http_request *r, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	const char *name;
	json_t *value;

	if (r->body.len)
		body = json_loadb((const char *)r->body.data, r->body.len, 0,
				  NULL);
	json_object_foreach(body, name, value)
		buf_addf(out, "%s%s", out->len ? "," : "", name);
}

void admin_answer(struct http_response *out, unsigned status, json_t *object)
{
	CLEANUP(freep) char *text = NULL;
	struct buf b = BUF_INIT;

	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text) {
		http_response_json_error(out, 500, "out-of-memory",
					 "out of memory", NULL);
		return;
	}
	buf_adds(&b, text);
	buf_addc(&b, '\n');
	http_response_buf(out, status, "application/json", &b);
	buf_fini(&b);
}

void admin_refuse(struct http_response *out, const struct err *e,
		  const char *kind, const char *hint)
{
	char code[64];

	snprintf(code, sizeof code, "%s-%s", kind, err_code_name(e->code));
	http_response_json_error(out, http_status_of((int)e->code), code,
				 e->message, hint);
}

static int refuse_field(struct http_response *out, const char *field,
			const char *why)
{
	char sentence[200];

	snprintf(sentence, sizeof sentence, "field \"%.80s\": %s", field, why);
	http_response_json_error(out, 400, "bad-field", sentence, NULL);
	return -1;
}

static bool is_listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* Strings, numbers and booleans, as the configuration would write them. */
static const char *scalar(const json_t *value, struct arena *a)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return arena_strdup(a, span_of(json_string_value(value),
					       json_string_length(value)));
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_INTEGER:
		return arena_printf(a, "%" JSON_INTEGER_FORMAT,
				    json_integer_value(value));
	default:
		return NULL;
	}
}

static int value_of(const json_t *value, struct arena *a,
		    struct state_list *out)
{
	size_t n = json_is_array(value) ? json_array_size(value)
					: !json_is_null(value);
	const char **items = arena_array(a, n ? n : 1, sizeof *items);

	if (!items)
		return -1;
	for (size_t i = 0; i < n; i++) {
		items[i] = scalar(
			json_is_array(value) ? json_array_get(value, i) : value,
			a);
		if (!items[i])
			return -1;
	}
	*out = (struct state_list){ items, n };
	return 0;
}

/* "protect_branch" is the key "protect-branch". */
static char *key_of(const char *field, struct arena *a)
{
	char *key = arena_strdup(a, span_str(field));

	for (char *p = key; p && *p; p++)
		if (*p == '_')
			*p = '-';
	return key;
}

int admin_values(enum state_kind kind, json_t *body, const char *const *also,
		 struct arena *a, struct state_value **values_out,
		 size_t *n_out, struct http_response *out)
{
	struct state_value *values;
	const char *field;
	json_t *value;
	size_t n = 0;

	values = arena_array(a, json_object_size(body) + 1, sizeof *values);
	if (!values)
		return refuse_field(out, "", "too many of them");
	json_object_foreach(body, field, value)
	{
		const char *key = key_of(field, a);

		if (is_listed(also, field))
			continue;
		if (!key || strchr(field, '-') || !state_option(kind, key))
			return refuse_field(out, field,
					    "there is no such field");
		values[n].key = key;
		if (value_of(value, a, &values[n].values) < 0)
			return refuse_field(out, field,
					    "it is a text, a number, true, "
					    "false, null, or a list of texts");
		n++;
	}
	*values_out = values;
	*n_out = n;
	return 0;
}

static json_t *json_list(const struct state_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(list, json_string(l->items[i]));
	return list;
}

static const struct state_list *value_find(const struct state_object *o,
					   const char *key)
{
	for (size_t i = 0; i < o->n_values; i++)
		if (!strcmp(o->values[i].key, key))
			return &o->values[i].values;
	return NULL;
}

static json_t *json_value(const struct state_option *option,
			  const struct state_list *values)
{
	const char *text = option->fallback;
	bool is_true = false;
	struct err ignored;

	if (option->is_list)
		return values ? json_list(values) : json_array();
	if (values && values->n)
		text = values->items[0];
	if (!text)
		return json_null();
	if (option->type == OPTION_BOOL &&
	    value_bool(text, &is_true, &ignored) == 0)
		return json_boolean(is_true);
	return json_string(text);
}

json_t *admin_object(const struct state_object *o)
{
	json_t *object = json_object();
	size_t n;
	const struct state_option *options = state_schema(o->kind, &n);
	char where[512];

	json_object_set_new(object, "name", json_string(o->name));
	json_object_set_new(object, "declared", json_boolean(o->is_declared));
	if (o->is_declared) {
		snprintf(where, sizeof where, "%s:%u", o->file, o->line);
		json_object_set_new(object, "declared_in", json_string(where));
	}
	if (o->problem)
		json_object_set_new(object, "problem", json_string(o->problem));
	for (size_t i = 0; i < n; i++) {
		char field[64];

		snprintf(field, sizeof field, "%s", options[i].key);
		for (char *p = field; *p; p++)
			if (*p == '-')
				*p = '_';
		json_object_set_new(
			object, field,
			json_value(&options[i], value_find(o, options[i].key)));
	}
	return object;
}
