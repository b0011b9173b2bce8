/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a state knows and never shows: tokens, secrets of hooks, bearer tokens.
 * Each is read from a file that the configuration names or the data directory
 * keeps.
 */
#include "store/state_build.h"

#include "base/err.h"
#include "store/state_schema.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES_MAX 4096 /* of a clear token, as access.c hashes */

static const char *secret_path(struct load *l, const char *what,
			       const char *name)
{
	return arena_printf(&l->state->arena, "%s/secrets/%s-%s",
			    l->options->data_dir, what, name);
}

/* The bytes of a secret file into the arena. ERR_NOT_FOUND and so on. */
static int read_secret(struct load *l, const char *path, struct span *out,
		       struct err *e)
{
	struct buf b = BUF_INIT;
	int result = load_read(l, path, SECRET_MAX, &b, e);
	char *copy = NULL;

	if (!result) {
		copy = arena_strdup(&l->state->arena, buf_span(&b));
		result = copy ? 0 : err_nomem(e);
		*out = span_of(copy, b.len);
	}
	if (b.data)
		explicit_bzero(b.data, b.len);
	buf_fini(&b);
	return result;
}

static struct span without_newline(struct span s)
{
	if (s.len && s.data[s.len - 1] == '\n')
		s.len--;
	if (s.len && s.data[s.len - 1] == '\r')
		s.len--;
	return s;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	}
	return true;
}

static void compile_clear_token(struct load *l, struct token_settings *t,
				const char *path)
{
	struct span token;
	struct err e;

	if (read_secret(l, path, &token, &e) < 0) {
		compile_mistake(l, &t->object, "%s", e.message);
		return;
	}
	token = without_newline(token);
	if (!token.len || token.len > TOKEN_BYTES_MAX || !is_printable(token)) {
		compile_mistake(l, &t->object,
				"%s holds no token: one line of 1 to %d bytes",
				path, TOKEN_BYTES_MAX);
		return;
	}
	sha256(token.data, token.len, t->hash);
	t->has_hash = true;
}

static void compile_hashed_token(struct load *l, struct token_settings *t)
{
	const char *path = secret_path(l, "token", t->object.name);
	struct span hex = { 0 };
	struct err e;

	if (!path || read_secret(l, path, &hex, &e) < 0 ||
	    (hex = without_newline(hex)).len != 2 * SHA256_SIZE ||
	    hex_decode((const char *)hex.data, SHA256_SIZE, t->hash) < 0)
		t->object.problem = "its hash in the secrets directory is "
				    "missing or damaged: make it again with "
				    "token create --replace";
	else
		t->has_hash = true;
}

void compile_token(struct load *l, struct token_settings *t)
{
	const char *path = object_value(&t->object, "file");

	compile_rights(l, &t->object, false);
	t->read = object_list(&t->object, "read");
	path = compile_path(l, t->object.file, path);
	if (path)
		compile_clear_token(l, t, path);
	else if (t->object.is_declared)
		compile_mistake(l, &t->object,
				"it needs file = PATH of the clear token");
	else if (l->options->data_dir)
		compile_hashed_token(l, t);
}

/* A file that somebody named must be there, and hold something. */
void compile_named_secret(struct load *l, const struct state_object *o,
			  const char *key, struct span *out)
{
	const char *path = compile_path(l, o->file, object_value(o, key));
	struct err e;

	if (!path)
		return;
	if (read_secret(l, path, out, &e) < 0)
		compile_mistake(l, o, "%s: %s", key, e.message);
	else if (!out->len)
		compile_mistake(l, o, "%s: %s is empty", key, path);
}

/* The secret that is kept, or will be made, in the data directory. */
static void compile_kept_secret(struct load *l, struct hook_settings *h)
{
	const char *path = secret_path(l, "hook", h->object.name);
	char *copy;
	struct err e;

	if (path && !read_secret(l, path, &h->secret, &e) && h->secret.len) {
		h->has_secret = true;
		return;
	}
	h->object.problem = "its secret is missing and could not be made";
	copy = path ? strdup(path) : NULL;
	if (copy)
		table_add(&l->missing_secrets, copy);
	if (copy && l->missing_secrets.failed)
		free(copy);
}

void compile_hook_secret(struct load *l, struct hook_settings *h)
{
	const struct state_object *o = &h->object;
	bool has_file = object_value(o, "secret-file");

	if (!object_bool(o, "no-secret")) {
		compile_named_secret(l, o, "secret-file", &h->secret);
		h->has_secret = h->secret.len > 0;
		if (!has_file && l->options->data_dir)
			compile_kept_secret(l, h);
		return;
	}
	if (has_file)
		compile_mistake(l, o,
				"secret-file and no-secret exclude each "
				"other");
	if (hook_type_signs_always(h->type) || h->receiver)
		compile_mistake(l, o, "%s needs a secret",
				h->receiver ? "a receiver" : h->type);
}

void compile_bearer(struct load *l, struct hook_settings *h)
{
	compile_named_secret(l, &h->object, "bearer-file", &h->bearer);
	h->bearer = without_newline(h->bearer);
	if (!is_printable(h->bearer))
		compile_mistake(l, &h->object,
				"bearer-file holds no token: one line");
}

static int token_order(const void *a, const void *b)
{
	const struct token_settings *x = *(const void *const *)a;
	const struct token_settings *y = *(const void *const *)b;

	return memcmp(x->hash, y->hash, sizeof x->hash);
}

void compile_tokens(struct load *l)
{
	const struct table *all = &l->state->objects[STATE_TOKEN];
	struct table t = { 0 };

	for (size_t i = 0; i < all->n; i++) {
		const struct token_settings *token = all->items[i];

		if (token->has_hash)
			table_add(&t, token);
	}
	if (t.n)
		qsort(t.items, t.n, sizeof *t.items, token_order);
	for (size_t i = 1; i < t.n; i++) {
		const struct token_settings *one = t.items[i - 1];
		const struct token_settings *two = t.items[i];

		if (token_order(&t.items[i - 1], &t.items[i]) != 0)
			continue;
		l->has_conflict = true;
		compile_mistake(l, &two->object,
				"it is the same token as \"%s\" (%s:%u)",
				one->object.name, one->object.file,
				one->object.line);
	}
	if (t.failed)
		mistake_add(l->mistakes, NULL, 0, "out of memory");
	table_fini(&t);
}
