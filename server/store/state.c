/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking things up in a compiled state: arrays sorted once, searched by
 * halves. They are small, contiguous, and need no second structure.
 */
#include "store/state.h"

#include "base/err.h"
#include "store/names.h"
#include "store/state_build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- tables --------------------------------------------------------------- */

void table_add(struct table *t, const void *item)
{
	const void **grown;

	if (t->n == t->cap && !t->failed) {
		size_t cap = t->cap ? t->cap * 2 : 16;

		grown = reallocarray(t->items, cap, sizeof *grown);
		if (grown) {
			t->items = grown;
			t->cap = cap;
		} else {
			t->failed = true;
		}
	}
	if (!t->failed)
		t->items[t->n++] = item;
}

void table_fini(struct table *t)
{
	free(t->items);
	*t = (struct table){ 0 };
}

/* -- references ----------------------------------------------------------- */

struct state *state_get(struct state *s)
{
	atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return s;
}

static void free_key(const void *key)
{
	union {
		const void *in;
		struct key_settings *out;
	} k = { key };

	public_key_fini(&k.out->key);
}

struct state *state_put(struct state *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->references, 1,
					    memory_order_acq_rel) != 1)
		return NULL;
	for (size_t i = 0; i < s->made_keys.n; i++)
		free_key(s->made_keys.items[i]);
	for (size_t i = 0; i < STATE_KINDS; i++)
		table_fini(&s->objects[i]);
	table_fini(&s->keys);
	table_fini(&s->keys_by_hash);
	table_fini(&s->made_keys);
	arena_fini(&s->arena);
	free(s);
	return NULL;
}

/* -- looking up ----------------------------------------------------------- */

static int name_order(const void *name, const void *item)
{
	const struct state_object *o = *(const void *const *)item;

	return strcmp(name, o->name);
}

static int key_name_order(const void *name, const void *item)
{
	const struct key_settings *k = *(const void *const *)item;

	return strcmp(name, k->name);
}

static int key_hash_order(const void *hash, const void *item)
{
	const struct key_settings *k = *(const void *const *)item;

	return memcmp(hash, k->key.sha256, SHA256_SIZE);
}

static const void *find(const struct table *t, const void *wanted,
			int (*order)(const void *, const void *))
{
	const void *const *found =
		t->n ? bsearch(wanted, t->items, t->n, sizeof *t->items, order)
		     : NULL;

	return found ? *found : NULL;
}

const struct state_object *state_object(const struct state *s,
					enum state_kind kind, const char *name)
{
	return find(&s->objects[kind], name, name_order);
}

const struct repo_settings *state_repo(const struct state *s, const char *name)
{
	return find(&s->objects[STATE_REPO], name, name_order);
}

const struct token_settings *state_token(const struct state *s,
					 const char *name)
{
	return find(&s->objects[STATE_TOKEN], name, name_order);
}

const struct hook_settings *state_hook(const struct state *s, const char *name)
{
	return find(&s->objects[STATE_HOOK], name, name_order);
}

const struct key_settings *state_key(const struct state *s, const char *name)
{
	return find(&s->keys, name, key_name_order);
}

const struct key_settings *state_key_by_blob(const struct state *s,
					     struct span blob)
{
	unsigned char hash[SHA256_SIZE];
	const struct key_settings *k;

	if (blob.len > PUBLIC_KEY_BLOB_MAX)
		return NULL;
	sha256(blob.data, blob.len, hash);
	k = find(&s->keys_by_hash, hash, key_hash_order);
	if (!k || k->key.blob_len != blob.len ||
	    !bytes_equal(k->key.blob, blob.data, blob.len))
		return NULL;
	return k;
}

/* -- all of a kind -------------------------------------------------------- */

static const void *at(const struct table *t, size_t i)
{
	assert(i < t->n);
	return t->items[i];
}

size_t state_count(const struct state *s, enum state_kind kind)
{
	return s->objects[kind].n;
}

const struct state_object *state_object_at(const struct state *s,
					   enum state_kind kind, size_t i)
{
	return at(&s->objects[kind], i);
}

const struct repo_settings *state_repo_at(const struct state *s, size_t i)
{
	return at(&s->objects[STATE_REPO], i);
}

const struct token_settings *state_token_at(const struct state *s, size_t i)
{
	return at(&s->objects[STATE_TOKEN], i);
}

const struct hook_settings *state_hook_at(const struct state *s, size_t i)
{
	return at(&s->objects[STATE_HOOK], i);
}

size_t state_key_count(const struct state *s)
{
	return s->keys.n;
}

const struct key_settings *state_key_at(const struct state *s, size_t i)
{
	return at(&s->keys, i);
}

bool state_list_matches(const struct state_list *patterns, const char *repo)
{
	for (size_t i = 0; i < patterns->n; i++) {
		if (pattern_matches(patterns->items[i], repo))
			return true;
	}
	return false;
}
