/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files will be after a verb: the object's section written anew in
 * the order of the schema, all else in state.conf left as it is.
 */
#include "store/state_verb.h"

#include "base/err.h"
#include "store/values.h"

#include <string.h>

static const char first_lines[] = "[headwater]\n\tformat = 1\n";

/* Two ways to say one thing: naming one drops the other. */
static const struct exclusive {
	enum state_kind kind;
	const char *named;
	const char *dropped;
} exclusives[] = {
	{ STATE_KEY, "public-key", "file" },
	{ STATE_KEY, "file", "public-key" },
	{ STATE_HOOK, "url", "receiver" },
	{ STATE_HOOK, "url", "service" },
	{ STATE_HOOK, "receiver", "url" },
	{ STATE_HOOK, "secret-file", "no-secret" },
	{ STATE_HOOK, "no-secret", "secret-file" },
};

/* -- values --------------------------------------------------------------- */

static bool is_false(struct state_list list)
{
	bool value = true;
	struct err e;

	return list.n && !value_bool(list.items[0], &value, &e) && !value;
}

/* Does the request say something with that key, so that others go? */
static bool is_said(const struct verb *v, const char *key)
{
	size_t place = place_of(v->kind, key);
	const struct state_option *option = state_option(v->kind, key);

	if (!v->is_named[place])
		return false;
	if (v->is_secret[place])
		return true;
	return v->named[place].n &&
	       !(option->type == OPTION_BOOL && is_false(v->named[place]));
}

static bool is_dropped(const struct verb *v, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(exclusives); i++) {
		if (exclusives[i].kind == v->kind &&
		    !strcmp(exclusives[i].dropped, key) &&
		    is_said(v, exclusives[i].named))
			return true;
	}
	return false;
}

/* The values of an option as they will be. */
static struct state_list final_list(const struct verb *v, const char *key)
{
	size_t place = place_of(v->kind, key);

	if (v->is_named[place])
		return v->named[place];
	if (!v->object || is_dropped(v, key))
		return (struct state_list){ NULL, 0 };
	return object_list(v->object, key);
}

static int compose_section(const struct verb *v, struct buf *b, struct err *e)
{
	size_t n;
	const struct state_option *options = state_schema(v->kind, &n);

	if (conf_write_section(b, state_kind_name(v->kind), v->name, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct state_list list = final_list(v, options[i].key);

		for (size_t j = 0; j < list.n; j++) {
			const char *value = list.items[j];

			if (conf_write_entry(b, options[i].key,
					     value ? value : "true", e) < 0)
				return -1;
		}
	}
	return 0;
}

/* -- state.conf ----------------------------------------------------------- */

/* state.conf with the object's section being `section`, empty for none. */
static int compose_text(struct verb *v, struct span section, struct err *e)
{
	const char *path = v->store->conf_path;
	struct mistakes m = MISTAKES_INIT;
	struct buf b = BUF_INIT;
	struct conf_file *f;
	int result = file_read(path, CONF_FILE_MAX, &b, e);

	if (result < 0 && e->code == ERR_NOT_FOUND) {
		buf_adds(&b, first_lines);
		result = buf_check(&b, e);
	}
	f = result < 0 ? NULL : conf_file_parse(path, buf_span(&b), &m);
	if (f) {
		conf_rewrite(&v->text, buf_span(&b), f,
			     state_kind_name(v->kind), v->name, section);
		result = buf_check(&v->text, e);
		if (result < 0)
			err_wrap(e, "state.conf would grow too large");
	} else if (!result) {
		result = mistakes_err(&m, e);
	}
	conf_file_free(f);
	mistakes_fini(&m);
	buf_fini(&b);
	return result;
}

/* -- secrets -------------------------------------------------------------- */

/* One more secret that changes; what is there is kept, to be put back. */
static int add_secret(struct verb *v, const char *what, struct span bytes,
		      bool is_removed, struct err *e)
{
	struct verb_secret *s = &v->secrets[v->n_secrets];

	s->path = arena_printf(&v->arena, "%s/secrets/%s-%s",
			       v->store->options.data_dir, what, v->name);
	if (!s->path)
		return err_nomem(e);
	buf_init_max(&s->before, SECRET_MAX);
	s->bytes = bytes;
	s->is_removed = is_removed;
	s->was_there = true;
	v->n_secrets++;
	if (file_read(s->path, SECRET_MAX, &s->before, e) < 0) {
		s->was_there = false;
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	}
	return 0;
}

/* A token is kept as its hash. */
static int hash_token(struct verb *v, struct span *bytes, struct err *e)
{
	unsigned char hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	char *line;

	sha256(bytes->data, bytes->len, hash);
	hex_encode(hash, sizeof hash, hex);
	line = arena_printf(&v->arena, "%s\n", hex);
	if (!line)
		return err_nomem(e);
	*bytes = span_str(line);
	return 0;
}

static int compose_secret(struct verb *v, const struct state_change *change,
			  const struct change_secret *s, struct err *e)
{
	const struct kept_secret *kept = kept_secret(v->kind, s->key);
	struct span bytes = s->bytes;

	if (s->is_generated && v->object && change->mode != CHANGE_REPLACE) {
		v->is_named[place_of(v->kind, s->key)] = false;
		return 0;
	}
	if (v->kind == STATE_TOKEN && hash_token(v, &bytes, e) < 0)
		return -1;
	return add_secret(v, kept->what, bytes, !bytes.len, e);
}

/* A hook that will be signed and has no secret yet gets one. */
static int compose_missing(struct verb *v, struct err *e)
{
	struct state_list none = final_list(v, "no-secret");
	size_t place = place_of(v->kind, "secret-file");

	if (final_list(v, "secret-file").n || (none.n && !is_false(none)) ||
	    (v->is_named[place] && v->is_secret[place]))
		return 0;
	if (add_secret(v, "hook", span_str(""), false, e) < 0)
		return -1;
	if (v->secrets[v->n_secrets - 1].before.len) {
		buf_fini(&v->secrets[--v->n_secrets].before);
		return 0;
	}
	secret_random(v->made);
	v->secrets[v->n_secrets - 1].bytes = span_str(v->made);
	return 0;
}

int verb_compose(struct verb *v, const struct state_change *change,
		 struct err *e)
{
	struct buf section = BUF_INIT;
	int result = 0;

	for (size_t i = 0; !result && i < change->n_secrets; i++)
		result = compose_secret(v, change, &change->secrets[i], e);
	if (!result && v->kind == STATE_HOOK)
		result = compose_missing(v, e);
	if (!result)
		result = compose_section(v, &section, e);
	if (!result)
		result = compose_text(v, buf_span(&section), e);
	buf_fini(&section);
	return result;
}

int verb_compose_delete(struct verb *v, struct err *e)
{
	for (size_t i = 0; i < KEPT_SECRETS; i++) {
		if (kept_secrets[i].kind == v->kind &&
		    add_secret(v, kept_secrets[i].what, span_str(""), true, e) <
			    0)
			return -1;
	}
	return compose_text(v, span_str(""), e);
}

size_t verb_overlays(const struct verb *v, struct overlay *out)
{
	size_t n = 0;

	out[n++] = (struct overlay){
		.path = v->store->conf_path,
		.bytes = buf_span(&v->text),
	};
	for (size_t i = 0; i < v->n_secrets; i++)
		out[n++] = (struct overlay){
			.path = v->secrets[i].path,
			.bytes = v->secrets[i].bytes,
			.is_removed = v->secrets[i].is_removed,
		};
	return n;
}
