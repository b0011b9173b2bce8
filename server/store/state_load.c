/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From sections to objects: what belongs together, what is declared twice,
 * what hides what.
 */
#include "store/state_build.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "store/state_schema.h"
#include "store/values.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1 /* of state.conf and the data directory */

/* -- sections that are no objects ----------------------------------------- */

static void judge_format(struct load *l, const struct conf_file *f,
			 const struct conf_section *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_entry *entry = &f->entries[s->first + i];
		uint64_t format;
		struct err e;

		if (strcmp(entry->key, "format") != 0)
			mistake_add(l->mistakes, f->path, entry->line,
				    "unknown key \"%s\" in [headwater]: there "
				    "is format",
				    entry->key);
		else if (value_number(entry->value, &format, &e) < 0)
			mistake_add(l->mistakes, f->path, entry->line, "%s",
				    e.message);
		else if (format != FORMAT)
			mistake_add(l->mistakes, f->path, entry->line,
				    "format %s is another version's: this one "
				    "knows %d",
				    entry->value, FORMAT);
	}
}

static bool is_foreign(const char *section)
{
	return !strcmp(section, "server") || !strcmp(section, "limits");
}

static void give_away(struct load *l, const struct conf_file *f,
		      const struct conf_section *s, bool is_declared)
{
	const struct state_hooks *hooks = &l->options->hooks;
	struct state_foreign entry = {
		.section = s->name,
		.subsection = s->subsection,
		.file = f->path,
		.line = s->line,
		.is_declared = is_declared,
	};
	bool is_known =
		hooks->foreign ? hooks->foreign(hooks->arg, &entry, l->mistakes)
			       : is_foreign(s->name);

	if (!is_known)
		mistake_add(l->mistakes, f->path, s->line,
			    "unknown section [%s]: there are server, limits, "
			    "repo, key, keys, token and hook",
			    s->name);
	if (!is_known || !hooks->foreign)
		return;
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_entry *from = &f->entries[s->first + i];

		entry.key = from->key;
		entry.value = from->value;
		entry.line = from->line;
		(void)hooks->foreign(hooks->arg, &entry, l->mistakes);
	}
}

/* -- sections that are ---------------------------------------------------- */

static void add_draft(struct load *l, enum state_kind kind,
		      const struct conf_file *f, const struct conf_section *s,
		      bool is_declared)
{
	struct draft *d;
	struct err e;

	if (!s->subsection) {
		mistake_add(l->mistakes, f->path, s->line,
			    "[%s] needs a name: [%s \"NAME\"]", s->name,
			    s->name);
		return;
	}
	if (state_name_check(kind, s->subsection, &e) < 0) {
		mistake_add(l->mistakes, f->path, s->line, "[%s \"%s\"]: %s",
			    s->name, s->subsection, e.message);
		return;
	}
	d = arena_alloc(&l->state->arena, sizeof *d);
	if (d)
		*d = (struct draft){
			.kind = kind,
			.name = s->subsection,
			.file = f,
			.section = s,
			.is_declared = is_declared,
			.order = is_declared ? l->sections.n : SIZE_MAX / 2,
		};
	if (d)
		table_add(&l->sections, d);
	if (!d || l->sections.failed)
		mistake_add(l->mistakes, f->path, s->line, "out of memory");
}

static void sort_section(struct load *l, const struct conf_file *f,
			 const struct conf_section *s, bool is_declared)
{
	enum state_kind kind;

	if (state_kind_of(s->name, &kind))
		add_draft(l, kind, f, s, is_declared);
	else if (!strcmp(s->name, "headwater"))
		judge_format(l, f, s);
	else
		give_away(l, f, s, is_declared);
}

/* By kind and name; then what is declared first, in the order it was read. */
static int draft_order(const void *a, const void *b)
{
	const struct draft *x = *(const void *const *)a;
	const struct draft *y = *(const void *const *)b;
	int order = (int)x->kind - (int)y->kind;

	if (!order)
		order = strcmp(x->name, y->name);
	if (!order)
		order = (x->order > y->order) - (x->order < y->order);
	if (!order) /* both of state.conf */
		order = (x->section->line > y->section->line) -
			(x->section->line < y->section->line);
	return order;
}

/* Compile the first of `n` drafts of one object with all of the same file; a
 * second declared file is a mistake, and state.conf's are hidden. */
static void build_object(struct load *l, struct draft *const *drafts, size_t n)
{
	const struct draft *first = drafts[0];
	size_t n_same = 1;

	while (n_same < n && drafts[n_same]->file == first->file)
		n_same++;
	for (size_t i = n_same; i < n; i++) {
		if (drafts[i]->is_declared)
			mistake_add(l->mistakes, drafts[i]->file->path,
				    drafts[i]->section->line,
				    "[%s \"%s\"] is declared in %s:%u already",
				    state_kind_name(first->kind), first->name,
				    first->file->path, first->section->line);
	}
	compile_object(l, drafts, n_same);
}

static void build_objects(struct load *l)
{
	struct table *t = &l->sections;
	struct draft **drafts =
		arena_array(&l->state->arena, t->n + 1, sizeof(struct draft *));
	size_t end;

	if (!drafts) {
		mistake_add(l->mistakes, NULL, 0, "out of memory");
		return;
	}
	if (t->n) {
		qsort(t->items, t->n, sizeof *t->items, draft_order);
		memcpy(drafts, t->items, t->n * sizeof *t->items);
	}
	for (size_t at = 0; at < t->n; at = end) {
		end = at + 1;
		while (end < t->n && drafts[end]->kind == drafts[at]->kind &&
		       !strcmp(drafts[end]->name, drafts[at]->name))
			end++;
		build_object(l, drafts + at, end - at);
	}
}

/* -- one load ------------------------------------------------------------- */

static struct state *state_new(void)
{
	struct state *s = calloc(1, sizeof *s);

	if (s) {
		atomic_init(&s->references, 1);
		arena_init(&s->arena, STATE_MEMORY_MAX);
	}
	return s;
}

static void build(struct load *l)
{
	const struct state_hooks *hooks = &l->options->hooks;

	if (hooks->load_begin)
		hooks->load_begin(hooks->arg);
	load_files(l);
	for (size_t i = 0; i < l->files.n; i++) {
		const struct conf_file *f = l->files.items[i];

		for (size_t j = 0; j < f->n_sections; j++)
			sort_section(l, f, &f->sections[j], i > 0);
	}
	build_objects(l);
	compile_tokens(l);
	compile_keys(l);
	for (size_t i = 0; i < STATE_KINDS; i++) {
		if (l->state->objects[i].failed)
			mistake_add(l->mistakes, NULL, 0, "out of memory");
	}
}

struct state *load_run(struct load *l)
{
	const struct state_hooks *hooks = &l->options->hooks;
	size_t n_before = mistakes_count(l->mistakes);

	l->state = state_new();
	l->digest = digest_new(DIGEST_SHA256);
	if (!l->state || !l->digest) {
		mistake_add(l->mistakes, NULL, 0, "out of memory");
		return NULL;
	}
	build(l);
	digest_final(l->digest, l->content);
	if (hooks->load_end)
		hooks->load_end(hooks->arg,
				mistakes_count(l->mistakes) == n_before);
	if (mistakes_count(l->mistakes) != n_before)
		return NULL;
	return TAKE(l->state);
}

static void free_items(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		union {
			const void *in;
			void *out;
		} item = { t->items[i] };

		free(item.out);
	}
	table_fini(t);
}

void load_fini(struct load *l)
{
	for (size_t i = 0; i < l->n_watches; i++)
		free(l->watches[i].path);
	free(l->watches);
	for (size_t i = 0; i < l->files.n; i++) {
		union {
			const void *in;
			struct conf_file *out;
		} file = { l->files.items[i] };

		conf_file_free(file.out);
	}
	table_fini(&l->files);
	table_fini(&l->sections);
	free_items(&l->missing_secrets);
	digest_free(l->digest);
	state_put(l->state);
	*l = (struct load){ 0 };
}
