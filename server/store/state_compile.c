/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object: its entries held against the schema, then read into the struct
 * that the rest of the program sees.
 */
#include "store/state_build.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "store/state_schema.h"
#include "store/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void compile_mistake(struct load *l, const struct state_object *o,
		     const char *format, ...)
{
	char text[MISTAKE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	mistake_add(l->mistakes, o->file, o->line, "[%s \"%s\"]: %s",
		    state_kind_name(o->kind), o->name, text);
}

/* -- entries to values ---------------------------------------------------- */

/* Walks the entries of all sections of one object. */
struct walk {
	struct draft *const *drafts;
	size_t n;
	size_t section, entry;
};

static const struct conf_entry *walk_next(struct walk *w)
{
	while (w->section < w->n) {
		const struct draft *d = w->drafts[w->section];

		if (w->entry < d->section->n)
			return &d->file->entries[d->section->first +
						 w->entry++];
		w->section++;
		w->entry = 0;
	}
	return NULL;
}

static void judge_keys(struct load *l, const struct state_object *o,
		       struct walk w)
{
	const struct conf_entry *entry;
	const struct state_option *known;
	struct buf b = BUF_INIT;
	size_t n;

	known = state_schema(o->kind, &n);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", known[i].key);
	while ((entry = walk_next(&w))) {
		if (!state_option(o->kind, entry->key))
			mistake_add(l->mistakes, o->file, entry->line,
				    "unknown key \"%s\" in [%s \"%s\"]: there "
				    "are %s",
				    entry->key, state_kind_name(o->kind),
				    o->name, buf_str(&b));
	}
	buf_fini(&b);
}

static const char *keep_value(struct load *l, const struct state_object *o,
			      const struct state_option *option,
			      const struct conf_entry *entry)
{
	const char *text = entry->value ? entry->value : "true";
	struct err e;

	if (state_value_check(option, entry->value, &e) < 0) {
		mistake_add(l->mistakes, o->file, entry->line,
			    "%s in [%s \"%s\"]: %s", option->key,
			    state_kind_name(o->kind), o->name, e.message);
		return "";
	}
	return arena_strdup(&l->state->arena, span_str(text));
}

/* All values of one key into `out`; false where it does not occur. */
static bool collect(struct load *l, const struct state_object *o, struct walk w,
		    const struct state_option *option, struct state_value *out)
{
	const struct conf_entry *entry;
	struct walk count = w;
	const char **items;
	size_t n = 0;

	while ((entry = walk_next(&count))) {
		if (strcmp(entry->key, option->key) != 0)
			continue;
		if (n++ && !option->is_list)
			mistake_add(l->mistakes, o->file, entry->line,
				    "%s stands twice in [%s \"%s\"]",
				    option->key, state_kind_name(o->kind),
				    o->name);
	}
	if (n > STATE_LIST_MAX)
		mistake_add(l->mistakes, o->file, o->line,
			    "more than %d times %s", STATE_LIST_MAX,
			    option->key);
	if (!n || n > STATE_LIST_MAX)
		return false;
	items = arena_array(&l->state->arena, n, sizeof *items);
	out->key = option->key;
	out->values = (struct state_list){ items, 0 };
	while (items && (entry = walk_next(&w))) {
		if (!strcmp(entry->key, option->key))
			items[out->values.n++] =
				keep_value(l, o, option, entry);
	}
	return true;
}

static void collect_all(struct load *l, struct state_object *o, struct walk w)
{
	size_t n;
	const struct state_option *options = state_schema(o->kind, &n);
	struct state_value *values =
		arena_array(&l->state->arena, n, sizeof *values);

	judge_keys(l, o, w);
	for (size_t i = 0; values && i < n; i++)
		o->n_values +=
			collect(l, o, w, &options[i], &values[o->n_values]);
	o->values = values;
	for (size_t i = 0; values && i < o->n_values; i++) {
		for (size_t j = 0; j < values[i].values.n; j++)
			values = values[i].values.items[j] ? values : NULL;
	}
	if (!values)
		compile_mistake(l, o, "out of memory");
}

/* -- reading them --------------------------------------------------------- */

struct state_list object_list(const struct state_object *o, const char *key)
{
	for (size_t i = 0; i < o->n_values; i++) {
		if (!strcmp(o->values[i].key, key))
			return o->values[i].values;
	}
	return (struct state_list){ NULL, 0 };
}

const char *object_value(const struct state_object *o, const char *key)
{
	struct state_list list = object_list(o, key);

	return list.n ? list.items[0] : NULL;
}

bool object_bool(const struct state_object *o, const char *key)
{
	const char *text = object_value(o, key);
	bool is_true = false;
	struct err e;

	return text && !value_bool(text, &is_true, &e) && is_true;
}

const char *compile_path(struct load *l, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (!path || path[0] == '/' || !slash)
		return path;
	return arena_printf(&l->state->arena, "%.*s/%s", (int)(slash - file),
			    file, path);
}

void compile_rights(struct load *l, const struct state_object *o,
		    bool may_write)
{
	if (object_list(o, "read").n || object_list(o, "write").n)
		return;
	compile_mistake(l, o,
			"it may touch nothing: add read = PATTERN%s, "
			"\"**\" for every repository",
			may_write ? " or write = PATTERN" : "");
}

/* -- kinds ---------------------------------------------------------------- */

static void compile_repo(struct load *l, struct repo_settings *r)
{
	const struct state_object *o = &r->object;
	const char *quota = object_value(o, "quota");
	const char *branch = object_value(o, "branch");
	const char *description = object_value(o, "description");
	struct err e;

	r->is_public = object_bool(o, "public");
	r->branch = branch ? branch : "main";
	r->description = description ? description : "";
	r->seed = compile_path(l, o->file, object_value(o, "seed"));
	if (quota && value_size(quota, &r->quota, &e) < 0)
		compile_mistake(l, o, "%s", e.message);
	r->protect_branches = object_list(o, "protect-branch");
	r->protect_paths = object_list(o, "protect-path");
}

/* Where the hook is sent: exactly one place. */
static void compile_target(struct load *l, struct hook_settings *h)
{
	const struct state_object *o = &h->object;
	const struct state_hooks *hooks = &l->options->hooks;
	struct err e;

	h->url = object_value(o, "url");
	h->receiver = object_value(o, "receiver");
	h->service = object_value(o, "service");
	if (!h->url == !h->receiver)
		compile_mistake(l, o,
				"it needs url = URL or receiver = "
				"NAMESPACE/NAME, one of them");
	if (h->service && !h->receiver)
		compile_mistake(l, o, "service goes with receiver");
	if (h->url && hooks->url_check &&
	    hooks->url_check(hooks->arg, h->url, &e) < 0)
		compile_mistake(l, o, "%s", e.message);
}

static void compile_hook(struct load *l, struct hook_settings *h)
{
	const struct state_object *o = &h->object;
	const char *type = object_value(o, "type");
	struct span ca;

	h->repos = object_list(o, "repo");
	if (!h->repos.n)
		compile_mistake(l, o, "it needs repo = PATTERN");
	h->type = type ? type : "generic-hmac";
	h->branches = object_list(o, "branch");
	h->tags = object_list(o, "tag");
	compile_target(l, h);
	compile_hook_secret(l, h);
	compile_bearer(l, h);
	h->ca_file = compile_path(l, o->file, object_value(o, "ca-file"));
	compile_named_secret(l, o, "ca-file", &ca);
}

/* -- objects -------------------------------------------------------------- */

static void compile_kind(struct load *l, struct state_object *o)
{
	switch (o->kind) {
	case STATE_REPO:
		compile_repo(l, (struct repo_settings *)o);
		break;
	case STATE_KEY:
		compile_rights(l, o, true);
		compile_key(l, (struct key_settings *)o);
		break;
	case STATE_KEYS:
		compile_rights(l, o, true);
		compile_key_dir(l, o);
		break;
	case STATE_TOKEN:
		compile_token(l, (struct token_settings *)o);
		break;
	case STATE_HOOK:
		compile_hook(l, (struct hook_settings *)o);
		break;
	}
}

void compile_object(struct load *l, struct draft *const *drafts, size_t n)
{
	static const size_t sizes[STATE_KINDS] = {
		[STATE_REPO] = sizeof(struct repo_settings),
		[STATE_KEY] = sizeof(struct key_settings),
		[STATE_KEYS] = sizeof(struct state_object),
		[STATE_TOKEN] = sizeof(struct token_settings),
		[STATE_HOOK] = sizeof(struct hook_settings),
	};
	const struct draft *first = drafts[0];
	struct arena *arena = &l->state->arena;
	struct state_object *o = arena_alloc(arena, sizes[first->kind]);
	const char *name = arena_strdup(arena, span_str(first->name));
	const char *file = arena_strdup(arena, span_str(first->file->path));
	size_t n_before = mistakes_count(l->mistakes);

	if (!o || !name || !file) {
		mistake_add(l->mistakes, first->file->path,
			    first->section->line, "out of memory");
		return;
	}
	o->kind = first->kind;
	o->is_declared = first->is_declared;
	o->name = name;
	o->file = file;
	o->line = first->section->line;
	collect_all(l, o, (struct walk){ .drafts = drafts, .n = n });
	if (mistakes_count(l->mistakes) == n_before)
		compile_kind(l, o);
	table_add(&l->state->objects[o->kind], o);
}
