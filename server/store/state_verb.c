/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request is brought into the order of the schema first; comparing and
 * composing then walk that order.
 */
#include "store/state_verb.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERB_MEMORY_MAX ((size_t)4 << 20)

/* Secrets that the admin API hands over, and where they are kept. */
const struct kept_secret kept_secrets[KEPT_SECRETS] = {
	{ STATE_HOOK, "secret-file", "hook", false },
	{ STATE_HOOK, "bearer-file", "bearer", true },
	{ STATE_HOOK, "ca-file", "ca", true },
	{ STATE_TOKEN, "file", "token", false },
};

void verb_init(struct verb *v)
{
	arena_init(&v->arena, VERB_MEMORY_MAX);
	buf_init_max(&v->text, CONF_FILE_MAX);
}

void verb_fini(struct verb *v)
{
	for (size_t i = 0; i < v->n_secrets; i++) {
		struct buf *b = &v->secrets[i].before;

		if (b->data)
			explicit_bzero(b->data, b->len);
		buf_fini(b);
	}
	explicit_bzero(v->made, sizeof v->made);
	buf_fini(&v->text);
	arena_fini(&v->arena);
}

/* -- the request ---------------------------------------------------------- */

const struct kept_secret *kept_secret(enum state_kind kind, const char *key)
{
	for (size_t i = 0; i < KEPT_SECRETS; i++) {
		if (kept_secrets[i].kind == kind &&
		    !strcmp(kept_secrets[i].key, key))
			return &kept_secrets[i];
	}
	return NULL;
}

size_t place_of(enum state_kind kind, const char *key)
{
	size_t n;
	const struct state_option *options = state_schema(kind, &n);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(options[i].key, key))
			return i;
	}
	abort();
}

static int judge_value(struct verb *v, const struct state_value *value,
		       struct err *e)
{
	const struct state_option *option = state_option(v->kind, value->key);
	size_t place;

	if (!option)
		return err_set(e, ERR_MALFORMED, "a %s has no \"%.60s\"",
			       state_kind_name(v->kind), value->key);
	if (value->values.n > (option->is_list ? STATE_LIST_MAX : 1))
		return err_set(e, ERR_MALFORMED, "too many values for %s",
			       option->key);
	for (size_t i = 0; i < value->values.n; i++) {
		if (state_value_check(option, value->values.items[i], e) < 0)
			return err_wrap(e, "%s", option->key);
	}
	place = place_of(v->kind, value->key);
	if (v->is_named[place])
		return err_set(e, ERR_MALFORMED, "%s is named twice",
			       option->key);
	v->is_named[place] = true;
	v->named[place] = value->values;
	return 0;
}

/* What state.conf will say about a secret that is handed over. */
static int name_secret(struct verb *v, const struct kept_secret *kept,
		       const struct change_secret *s, struct err *e)
{
	size_t place = place_of(v->kind, kept->key);
	const char **items = arena_array(&v->arena, 1, sizeof *items);
	char *path =
		arena_printf(&v->arena, "secrets/%s-%s", kept->what, v->name);

	if (!items || !path)
		return err_nomem(e);
	if (v->is_named[place])
		return err_set(e, ERR_MALFORMED, "%s is named twice",
			       kept->key);
	items[0] = path;
	v->is_named[place] = true;
	v->is_secret[place] = true;
	v->named[place] =
		(struct state_list){ items,
				     kept->is_written && s->bytes.len ? 1 : 0 };
	return 0;
}

static int judge_secret(struct verb *v, const struct change_secret *s,
			struct err *e)
{
	const struct kept_secret *kept = kept_secret(v->kind, s->key);

	if (!kept)
		return err_set(e, ERR_MALFORMED, "a %s has no secret \"%.60s\"",
			       state_kind_name(v->kind), s->key);
	if (!s->bytes.len && !kept->is_written)
		return err_set(e, ERR_MALFORMED, "the secret is empty");
	if (s->bytes.len > SECRET_MAX)
		return err_set(e, ERR_LIMIT, "a secret has at most %zu bytes",
			       SECRET_MAX);
	return name_secret(v, kept, s, e);
}

int verb_judge(struct verb *v, const struct state_change *change, struct err *e)
{
	for (size_t i = 0; i < change->n_values; i++) {
		if (judge_value(v, &change->values[i], e) < 0)
			return -1;
	}
	if (change->n_secrets >= VERB_SECRETS_MAX)
		return err_set(e, ERR_LIMIT, "too many secrets");
	for (size_t i = 0; i < change->n_secrets; i++) {
		if (judge_secret(v, &change->secrets[i], e) < 0)
			return -1;
	}
	return 0;
}

/* -- comparing ------------------------------------------------------------ */

static struct state_list present(const struct state_object *o,
				 const struct state_option *option)
{
	return o ? object_list(o, option->key) : (struct state_list){ NULL, 0 };
}

static bool has_value(const struct state_option *option, struct state_list list,
		      const char *value)
{
	for (size_t i = 0; i < list.n; i++) {
		if (state_value_eq(option, list.items[i], value))
			return true;
	}
	return false;
}

/* As sets; an empty list is the fallback. */
static bool lists_eq(const struct state_option *option, struct state_list a,
		     struct state_list b)
{
	const struct state_list fallback = { &option->fallback, 1 };

	if (!a.n && option->fallback)
		a = fallback;
	if (!b.n && option->fallback)
		b = fallback;
	for (size_t i = 0; i < a.n; i++) {
		if (!has_value(option, b, a.items[i]))
			return false;
	}
	for (size_t i = 0; i < b.n; i++) {
		if (!has_value(option, a, b.items[i]))
			return false;
	}
	return true;
}

static void add_list(struct buf *text, struct state_list list)
{
	for (size_t i = 0; i < list.n; i++)
		buf_addf(text, "%s\"%s\"", i ? ", " : "", list.items[i]);
	if (!list.n)
		buf_adds(text, "unset");
}

static void add_difference(struct buf *text, const char *key,
			   struct state_list is, struct state_list asked)
{
	buf_addf(text, "%s%s is ", text->len ? "; " : "", key);
	add_list(text, is);
	buf_adds(text, ", not ");
	add_list(text, asked);
}

/* Is the secret in force the one that is handed over? */
static bool secret_is(const struct state_object *o, const char *key,
		      struct span bytes)
{
	const struct hook_settings *h = (const struct hook_settings *)o;
	const struct token_settings *t = (const struct token_settings *)o;
	unsigned char hash[SHA256_SIZE];
	struct buf b = BUF_INIT;
	bool is_same;
	struct err e;

	if (o->kind == STATE_TOKEN) {
		sha256(bytes.data, bytes.len, hash);
		return t->has_hash && bytes_equal(hash, t->hash, sizeof hash);
	}
	if (!strcmp(key, "secret-file"))
		return span_eq(h->secret, bytes);
	if (!strcmp(key, "bearer-file"))
		return span_eq(h->bearer, bytes);
	if (!h->ca_file)
		return !bytes.len;
	is_same = !file_read(h->ca_file, SECRET_MAX, &b, &e) &&
		  span_eq(buf_span(&b), bytes);
	buf_fini(&b);
	return is_same;
}

static bool compare_secret(const struct verb *v,
			   const struct state_change *change,
			   const struct change_secret *s, struct buf *text)
{
	if (s->is_generated && change->mode != CHANGE_REPLACE)
		return false;
	if (!s->is_generated && secret_is(v->object, s->key, s->bytes))
		return false;
	buf_addf(text, "%sits %s is another one", text->len ? "; " : "",
		 v->kind == STATE_TOKEN ? "token" : s->key);
	return true;
}

bool verb_compare(struct verb *v, const struct state_change *change,
		  struct buf *text)
{
	size_t n;
	const struct state_option *options = state_schema(v->kind, &n);
	bool differs = false;

	assert(n <= VERB_OPTIONS_MAX);
	if (!v->object)
		return true;
	for (size_t i = 0; i < n; i++) {
		struct state_list is = present(v->object, &options[i]);

		if (!v->is_named[i] || v->is_secret[i])
			continue;
		if (lists_eq(&options[i], is, v->named[i]))
			continue;
		add_difference(text, options[i].key, is, v->named[i]);
		differs = true;
	}
	for (size_t i = 0; i < change->n_secrets; i++)
		differs |= compare_secret(v, change, &change->secrets[i], text);
	return differs;
}
