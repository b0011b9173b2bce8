/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public keys of a state: those that are written down, those in files, and
 * those that a directory holds; and that each has one name.
 */
#include "store/state_build.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "store/names.h"
#include "store/state_schema.h"
#include "store/values.h"

#include <stdlib.h>
#include <string.h>

/* -- one key -------------------------------------------------------------- */

static void fill_rights(struct key_settings *k, const struct state_object *o)
{
	const char *bypass = object_value(o, "bypass");
	struct err e;

	k->read = object_list(o, "read");
	k->write = object_list(o, "write");
	if (bypass && value_bool(bypass, &k->bypass, &e) < 0)
		k->bypass = false; /* the schema has seen it: cannot be */
}

static void add_key(struct load *l, const struct key_settings *k)
{
	table_add(&l->state->made_keys, k);
	table_add(&l->state->keys, k);
}

/* Take the next line that may hold a key; `line` counts. */
static bool next_key_line(struct span *text, unsigned *line, struct span *out)
{
	while (span_word(text, '\n', out)) {
		struct span s = *out;

		(*line)++;
		while (s.len && (s.data[0] == ' ' || s.data[0] == '\t' ||
				 s.data[0] == '\r'))
			s = span_of(s.data + 1, s.len - 1);
		if (s.len && s.data[0] != '#')
			return true;
	}
	return false;
}

/* The only key of the file at `path`. */
static void read_key_file(struct load *l, struct key_settings *k,
			  const char *path)
{
	struct buf b = BUF_INIT;
	struct span text, line;
	unsigned number = 0;
	struct err e;

	if (load_read(l, path, KEY_FILE_MAX, &b, &e) < 0) {
		compile_mistake(l, &k->object, "%s", e.message);
		goto done;
	}
	text = buf_span(&b);
	if (!next_key_line(&text, &number, &line))
		compile_mistake(l, &k->object, "%s holds no public key", path);
	else if (public_key_parse(line, &k->key, &e) < 0)
		mistake_add(l->mistakes, path, number, "%s", e.message);
	else if (next_key_line(&text, &number, &line))
		mistake_add(l->mistakes, path, number,
			    "a second key: [key \"%s\"] is one; many are "
			    "[keys \"NAME\"] with a directory",
			    k->object.name);
done:
	buf_fini(&b);
}

/* The key that this one replaces, with the same rights. */
static void add_previous(struct load *l, struct key_settings *k)
{
	const char *text = object_value(&k->object, "previous-key");
	struct arena *arena = &l->state->arena;
	struct key_settings *previous;
	struct err e;

	if (!text)
		return;
	previous = arena_alloc(arena, sizeof *previous);
	if (!previous) {
		compile_mistake(l, &k->object, "out of memory");
		return;
	}
	*previous = *k;
	previous->key = (struct public_key){ 0 };
	previous->name = arena_printf(arena, "%s/previous", k->name);
	if (!previous->name ||
	    public_key_parse(span_str(text), &previous->key, &e) < 0)
		compile_mistake(l, &k->object, "previous-key: %s",
				previous->name ? e.message : "out of memory");
	k->has_previous = true;
	add_key(l, previous);
}

void compile_key(struct load *l, struct key_settings *k)
{
	const struct state_object *o = &k->object;
	const char *text = object_value(o, "public-key");
	const char *path = object_value(o, "file");
	struct err e;

	k->name = o->name;
	fill_rights(k, o);
	if (!text == !path)
		compile_mistake(l, o,
				"it needs public-key = LINE or file = "
				"PATH, one of them");
	else if (path && !(path = compile_path(l, o->file, path)))
		compile_mistake(l, o, "out of memory");
	else if (path)
		read_key_file(l, k, path);
	else if (public_key_parse(span_str(text), &k->key, &e) < 0)
		compile_mistake(l, o, "%s", e.message);
	add_previous(l, k);
	add_key(l, k);
}

/* -- a directory of keys -------------------------------------------------- */

static bool is_pub(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".pub");
}

static bool is_key_file(const char *name)
{
	return is_pub(name) || !strcmp(name, "authorized_keys");
}

/* One line of one file, on its way to being a key. */
struct place {
	const struct state_object *group;
	const char *dir;
	const char *file; /* its name in `dir` */
	const char *path;
	unsigned line;
	unsigned n_before; /* keys in that file so far */
};

/*
 * "owners/alice" of alice.pub. Of authorized_keys the comment, where it could
 * be the name of a key, else the line.
 */
static const char *name_key(struct load *l, const struct place *p,
			    const struct public_key *key)
{
	struct arena *arena = &l->state->arena;
	struct err e;

	if (is_pub(p->file) && !p->n_before)
		return arena_printf(arena, "%s/%.*s", p->group->name,
				    (int)strlen(p->file) - 4, p->file);
	if (!is_pub(p->file) && !object_name_check(span_str(key->comment), &e))
		return arena_printf(arena, "%s/%s", p->group->name,
				    key->comment);
	return arena_printf(arena, "%s/%s:%u", p->group->name, p->file,
			    p->line);
}

static void add_line(struct load *l, const struct place *p, struct span line)
{
	struct arena *arena = &l->state->arena;
	struct key_settings *k = arena_alloc(arena, sizeof *k);
	struct err e;

	if (!k || public_key_parse(line, &k->key, &e) < 0) {
		mistake_add(l->mistakes, p->path, p->line, "%s",
			    k ? e.message : "out of memory");
		return;
	}
	k->object = *p->group;
	k->object.file = arena_strdup(arena, span_str(p->path));
	k->object.line = p->line;
	k->name = name_key(l, p, &k->key);
	if (!k->name || !k->object.file) {
		mistake_add(l->mistakes, p->path, p->line, "out of memory");
		public_key_fini(&k->key);
		return;
	}
	fill_rights(k, p->group);
	add_key(l, k);
}

static void add_file(struct load *l, struct place p)
{
	CLEANUP(freep) char *path = path_join(p.dir, p.file);
	size_t stem = strlen(p.file) - strlen(".pub");
	struct buf b = BUF_INIT;
	struct span text, line;
	struct err e;

	p.path = path ? path : p.dir;
	if (is_pub(p.file) && object_name_check(span_of(p.file, stem), &e) < 0)
		mistake_add(l->mistakes, p.path, 0,
			    "the file's name is the key's: %s", e.message);
	else if (!path)
		mistake_add(l->mistakes, p.path, 0, "out of memory");
	else if (load_read(l, path, KEY_FILE_MAX, &b, &e) < 0)
		mistake_add(l->mistakes, p.path, 0, "%s", e.message);
	text = buf_span(&b);
	while (next_key_line(&text, &p.line, &line)) {
		add_line(l, &p, line);
		p.n_before++;
	}
	buf_fini(&b);
}

void compile_key_dir(struct load *l, const struct state_object *o)
{
	struct place p = { .group = o };
	struct table names = { 0 };
	struct err e;

	p.dir = object_value(o, "directory");
	if (!p.dir) {
		compile_mistake(l, o, "it needs directory = PATH");
		return;
	}
	p.dir = compile_path(l, o->file, p.dir);
	if (!p.dir)
		compile_mistake(l, o, "out of memory");
	else if (load_list(l, p.dir, is_key_file, KEY_DIR_MAX, &names, &e) < 0)
		compile_mistake(l, o, "%s: %s", p.dir, e.message);
	for (size_t i = 0; i < names.n; i++) {
		union {
			const void *in;
			void *out;
		} name = { names.items[i] };

		p.file = name.in;
		add_file(l, p);
		free(name.out);
	}
	table_fini(&names);
}

/* -- one name each -------------------------------------------------------- */

static int name_order(const void *a, const void *b)
{
	const struct key_settings *x = *(const void *const *)a;
	const struct key_settings *y = *(const void *const *)b;

	return strcmp(x->name, y->name);
}

/* Of the same key, what is declared first, then by where it stands. */
static int hash_order(const void *a, const void *b)
{
	const struct key_settings *x = *(const void *const *)a;
	const struct key_settings *y = *(const void *const *)b;
	int order = memcmp(x->key.sha256, y->key.sha256, SHA256_SIZE);

	if (!order)
		order = (int)y->object.is_declared - (int)x->object.is_declared;
	if (!order)
		order = strcmp(x->object.file, y->object.file);
	if (!order)
		order = (x->object.line > y->object.line) -
			(x->object.line < y->object.line);
	return order;
}

/* The settings of this load, which are still being made. */
static struct key_settings *unfinished(const void *key)
{
	union {
		const void *in;
		struct key_settings *out;
	} k = { key };

	return k.out;
}

/* False where `k` must go, since its public key is that of `first`. */
static bool may_stay(struct load *l, const struct key_settings *first,
		     const struct key_settings *k)
{
	if (!public_key_eq(&first->key, &k->key))
		return true;
	if (k->object.kind == STATE_KEYS && first->object.kind == STATE_KEYS &&
	    !strcmp(k->object.name, first->object.name))
		return false; /* twice in one directory, with the same rights */
	if (first->object.is_declared && !k->object.is_declared) {
		unfinished(k)->object.problem = arena_printf(
			&l->state->arena,
			"its public key is declared as key "
			"\"%s\" (%s:%u)",
			first->name, first->object.file, first->object.line);
		return false;
	}
	l->has_conflict = true;
	mistake_add(l->mistakes, k->object.file, k->object.line,
		    "the public key of \"%s\" is registered as \"%s\" already "
		    "(%s:%u): one public key has one name",
		    k->name, first->name, first->object.file,
		    first->object.line);
	return false;
}

/* Keys that a line of authorized_keys named alike get its number, too. */
static void part_names(struct load *l, struct table *t)
{
	const char *name = NULL;

	for (size_t i = 0; i < t->n; i++) {
		struct key_settings *two = unfinished(t->items[i]);

		if (!name || strcmp(name, two->name) != 0) {
			name = two->name;
			continue;
		}
		two->name = arena_printf(&l->state->arena, "%s:%s", two->name,
					 two->key.fingerprint);
		if (!two->name) {
			two->name = "";
			mistake_add(l->mistakes, NULL, 0, "out of memory");
		}
	}
}

void compile_keys(struct load *l)
{
	struct state *s = l->state;
	struct table *all = &s->keys, *by_hash = &s->keys_by_hash;
	struct table found = s->keys;
	const struct key_settings *last = NULL;

	*all = (struct table){ 0 };
	if (found.n)
		qsort(found.items, found.n, sizeof *found.items, hash_order);
	for (size_t i = 0; i < found.n; i++) {
		const struct key_settings *k = found.items[i];

		if (!k->key.blob || (last && !may_stay(l, last, k)))
			continue;
		table_add(all, k);
		table_add(by_hash, k);
		last = k;
	}
	table_fini(&found);
	if (all->failed || by_hash->failed || s->made_keys.failed)
		mistake_add(l->mistakes, NULL, 0, "out of memory");
	if (all->n)
		qsort(all->items, all->n, sizeof *all->items, name_order);
	part_names(l, all);
	if (all->n)
		qsort(all->items, all->n, sizeof *all->items, name_order);
}
