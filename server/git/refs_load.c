/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the refs of a repository.
 *
 * Order: HEAD, the loose directories, packed-refs last, because git moves refs
 * from loose files into packed-refs and removes the file afterwards. A
 * transaction that commits through packed-refs first moves loose values into
 * it, so a directory that changed while packed-refs was read could show half of
 * it: then everything is looked at again.
 */
#include "git/refs_view.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <stdatomic.h>

DEFINE_PUTP(refs)

/* A repository that never stands still is served as it is then. */
#define LOAD_TRIES 4
/* Deeper or longer paths cannot be names of refs. */
#define DIR_PATH_MAX 2048

struct load {
	struct refs *r;
	struct object_reader *reader;
	const struct refs *previous;
	size_t dirs_room;
	const struct loose_file **loose; /* of all directories, sorted */
	size_t n_loose;
};

static int compare_dirs(const void *a, const void *b)
{
	struct loose_dir *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static struct loose_dir *dir_before(const struct refs *previous,
				    const char *path)
{
	size_t low = 0, high = previous ? previous->n_dirs : 0;

	while (low < high) {
		size_t at = low + (high - low) / 2;
		int order = strcmp(previous->dirs[at]->path, path);

		if (!order)
			return previous->dirs[at];
		if (order < 0)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

static int dir_add(struct load *l, const char *path, struct err *e)
{
	struct refs *r = l->r;
	struct loose_dir *d, **grown;
	int n;

	if (strlen(path) > DIR_PATH_MAX)
		return 0;
	if (r->n_dirs == l->dirs_room) {
		l->dirs_room = l->dirs_room ? 2 * l->dirs_room : 8;
		grown = reallocarray(r->dirs, l->dirs_room, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		r->dirs = grown;
	}
	n = loose_dir_load(r->git_dir, path, r->kind, l->reader,
			   dir_before(l->previous, path), &d, e);
	if (n > 0)
		r->dirs[r->n_dirs++] = d;
	return n;
}

/* All directories, breadth first: the list is its own queue. */
static int dirs_load(struct load *l, struct err *e)
{
	struct refs *r = l->r;
	int n = dir_add(l, "refs", e);

	if (!n)
		return err_set(e, ERR_CORRUPT, "the directory refs is missing");
	for (size_t i = 0; n >= 0 && i < r->n_dirs; i++)
		for (size_t k = 0; n >= 0 && k < r->dirs[i]->n_subdirs; k++)
			n = dir_add(l, r->dirs[i]->subdirs[k], e);
	if (n < 0)
		return -1;
	qsort(r->dirs, r->n_dirs, sizeof *r->dirs, compare_dirs);
	return 0;
}

static int compare_loose(const void *a, const void *b)
{
	const struct loose_file *const *x = a, *const *y = b;

	return strcmp((*x)->ref.name, (*y)->ref.name);
}

static int loose_list(struct load *l, struct err *e)
{
	size_t total = 0;

	for (size_t i = 0; i < l->r->n_dirs; i++)
		total += l->r->dirs[i]->n_files;
	l->loose = calloc(total + 1, sizeof(void *));
	if (!l->loose)
		return err_nomem(e);
	for (size_t i = 0; i < l->r->n_dirs; i++) {
		const struct loose_dir *d = l->r->dirs[i];

		l->r->n_broken += d->n_broken;
		for (size_t k = 0; k < d->n_files; k++)
			l->loose[l->n_loose++] = &d->files[k];
	}
	qsort(l->loose, l->n_loose, sizeof(void *), compare_loose);
	return 0;
}

/* Loose files, broken ones and links too, hide what packed-refs says. */
static int merge(struct load *l, struct err *e)
{
	struct refs *r = l->r;
	const struct packed_refs *p = r->packed;
	size_t at = 0;

	r->all = calloc(p->n + l->n_loose + 1, sizeof(void *));
	if (!r->all)
		return err_nomem(e);
	for (size_t i = 0; i < l->n_loose; i++) {
		const struct loose_file *f = l->loose[i];
		struct span name = span_str(f->ref.name);
		size_t until = packed_refs_bound(p, name);

		while (at < until)
			r->all[r->n++] = &p->refs[at++];
		if (at < p->n && !strcmp(p->refs[at].name, f->ref.name))
			at++;
		if (!f->is_broken && !f->symref)
			r->all[r->n++] = &f->ref;
	}
	while (at < p->n)
		r->all[r->n++] = &p->refs[at++];
	r->n_broken += p->n_broken;
	return 0;
}

static const struct loose_file *loose_find(const struct load *l,
					   const char *name)
{
	const struct loose_file key = { .ref = { .name = name } };
	const struct loose_file *const at = &key;
	const struct loose_file **found;

	found = bsearch(&at, l->loose, l->n_loose, sizeof(void *),
			compare_loose);
	return found ? *found : NULL;
}

/* Where a chain of symbolic refs ends; NULL where it is too long. */
static const char *chain_end(const struct load *l, const char *name)
{
	const struct loose_file *next;

	for (int i = 0; i < LOOSE_SYMREF_DEPTH; i++) {
		next = loose_find(l, name);
		if (!next || !next->symref)
			return name;
		name = next->symref;
	}
	return NULL;
}

static int compare_refs(const void *a, const void *b)
{
	const struct ref *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Symbolic refs that lead to a value join the others. */
static int symrefs_resolve(struct load *l, struct err *e)
{
	struct refs *r = l->r;
	size_t n_links = 0;

	for (size_t i = 0; i < l->n_loose; i++)
		n_links += !!l->loose[i]->symref;
	if (!n_links)
		return 0;
	r->symrefs = calloc(n_links, sizeof *r->symrefs);
	if (!r->symrefs)
		return err_nomem(e);
	for (size_t i = 0; i < l->n_loose; i++) {
		const struct loose_file *f = l->loose[i];
		const char *end = f->symref ? chain_end(l, f->symref) : NULL;
		const struct ref *target = end ? refs_find(r, end) : NULL;

		if (!target || f->is_broken)
			continue;
		r->symrefs[r->n_symrefs] = *target;
		r->symrefs[r->n_symrefs].name = f->ref.name;
		r->symrefs[r->n_symrefs++].symref_target = target->name;
	}
	for (size_t i = 0; i < r->n_symrefs; i++)
		r->all[r->n + i] = &r->symrefs[i];
	r->n += r->n_symrefs;
	qsort(r->all, r->n, sizeof(void *), compare_refs);
	return 0;
}

static int head_bad(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "HEAD %s", what);
}

static int head_detached(struct load *l, const struct oid *id, struct err *e)
{
	struct head *head = &l->r->head;

	head->id = *id;
	return ref_object_look(l->reader, id, &head->peeled, e) < 0 ? -1 : 0;
}

/* What a ref holds that was left out: its object is not there. Then HEAD is not
 * unborn, and a clone must fail and not be empty. */
static int head_left_out(struct load *l, const char *name, struct err *e)
{
	const struct loose_file *loose = loose_find(l, name);
	struct packed_text text;
	struct packed_line line;
	int n;

	if (loose) {
		l->r->head.id = loose->ref.id;
		return 0;
	}
	if (!l->r->packed->n_broken)
		return 0;
	if (packed_text_read(l->r->git_dir, l->r->kind, &text, e) < 0)
		return -1;
	n = packed_text_find(&text, l->r->kind, span_str(name), &line, e);
	if (n > 0 && !oid_is_zero(&line.id))
		l->r->head.id = line.id;
	packed_text_fini(&text);
	return n < 0 ? -1 : 0;
}

static int head_resolve(struct load *l, const struct loose_value *value,
			struct err *e)
{
	struct head *head = &l->r->head;
	const struct ref *ref;
	const char *end;

	if (value->kind == LOOSE_ABSENT)
		return head_bad(e, "is missing");
	if (value->kind == LOOSE_ID)
		return head_detached(l, &value->id, e);
	if (value->kind == LOOSE_BROKEN ||
	    !span_starts(span_str(value->target), "refs/"))
		return head_bad(e, "holds neither 'ref: refs/...' nor an id");
	end = chain_end(l, value->target);
	if (!end)
		return head_bad(e, "leads through too many symbolic refs");
	l->r->head_target = strdup(end);
	if (!l->r->head_target)
		return err_nomem(e);
	head->target = l->r->head_target;
	ref = refs_find(l->r, end);
	if (!ref)
		return head_left_out(l, end, e);
	head->id = ref->id;
	head->peeled = ref->peeled;
	return 0;
}

static int head_read(struct refs *r, struct loose_value *out, struct err *e)
{
	CLEANUP(freep) char *path = path_join(r->git_dir, "HEAD");

	if (!path)
		return err_nomem(e);
	if (file_sig_take(path, true, &r->head_sig, e) < 0)
		return -1;
	return loose_ref_read(r->git_dir, "HEAD", r->kind, out, e);
}

static int load_parts(struct load *l, struct err *e)
{
	struct packed_refs *before = l->previous ? l->previous->packed : NULL;
	struct loose_value head;

	if (head_read(l->r, &head, e) < 0 || dirs_load(l, e) < 0)
		return -1;
	l->r->packed = packed_refs_load(l->r->git_dir, l->r->kind, l->reader,
					before, e);
	if (!l->r->packed)
		return -1;
	if (loose_list(l, e) < 0 || merge(l, e) < 0 ||
	    symrefs_resolve(l, e) < 0)
		return -1;
	return head_resolve(l, &head, e);
}

static struct refs *load_once(const char *git_dir, enum oid_kind kind,
			      struct object_reader *reader,
			      const struct refs *previous, struct err *e)
{
	CLEANUP(refs_putp) struct refs *r = calloc(1, sizeof *r);
	struct load l = { .r = r, .reader = reader, .previous = previous };
	int result;

	if (!r)
		return err_nomem(e), NULL;
	r->n_owners = 1;
	r->kind = kind;
	pthread_mutex_init(&r->tips_lock, NULL);
	r->git_dir = strdup(git_dir);
	if (!r->git_dir)
		return err_nomem(e), NULL;
	result = load_parts(&l, e);
	free(l.loose);
	return result < 0 ? NULL : TAKE(r);
}

static bool dirs_same(const struct refs *r)
{
	for (size_t i = 0; i < r->n_dirs; i++)
		if (!loose_dir_same(r->git_dir, r->dirs[i], false))
			return false;
	return true;
}

struct refs *refs_load(const char *git_dir, enum oid_kind kind,
		       struct object_reader *reader, struct refs *previous,
		       struct err *e)
{
	CLEANUP(refs_putp) struct refs *r = NULL;
	struct refs *next;

	r = load_once(git_dir, kind, reader, previous, e);
	for (int i = 1; r && i < LOAD_TRIES && !dirs_same(r); i++) {
		next = load_once(git_dir, kind, reader, r, e);
		refs_put(r);
		r = next;
	}
	return TAKE(r);
}
