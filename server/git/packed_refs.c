/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed-refs as the array that snapshots share.
 *
 * What a previous array knew of a ref with the same name and id (that its
 * object is there, what it peels to) is taken over in one merge, so that a
 * rewritten file costs its reading and not the objects of a hundred thousand
 * refs.
 */
#include "git/packed_refs.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/objects.h"

#include <stdatomic.h>

DEFINE_PUTP(packed_refs)

struct packed_refs *packed_refs_get(struct packed_refs *p)
{
	atomic_fetch_add_explicit(&p->n_owners, 1, memory_order_relaxed);
	return p;
}

struct packed_refs *packed_refs_put(struct packed_refs *p)
{
	if (!p || atomic_fetch_sub(&p->n_owners, 1) != 1)
		return NULL;
	buf_fini(&p->names);
	free(p->refs);
	free(p);
	return NULL;
}

int ref_object_look(struct object_reader *reader, const struct oid *id,
		    struct oid *peeled_out, struct err *e)
{
	enum object_type type;
	uint64_t size;

	*peeled_out = (struct oid){ 0 };
	if (!reader)
		return 1;
	if (object_info(reader, id, &type, &size, e) < 0) {
		if (e->code == ERR_NOT_FOUND)
			return 0;
		/* It is there and damaged: whoever asks for it is told. */
		return e->code == ERR_NOMEM ? -1 : 1;
	}
	if (type != OBJECT_TAG)
		return 1;
	if (object_peel(reader, id, peeled_out, &type, e) < 0) {
		*peeled_out = (struct oid){ 0 };
		return e->code == ERR_NOMEM ? -1 : 1;
	}
	return 1;
}

/* Where the merge with the previous array stands. */
struct takeover {
	const struct packed_refs *previous; /* may be NULL */
	size_t at;
};

static const struct ref *takeover_find(struct takeover *t, struct span name,
				       const struct oid *id)
{
	const struct packed_refs *p = t->previous;
	int order = -1;

	while (p && t->at < p->n) {
		order = ref_name_cmp(span_str(p->refs[t->at].name), name);
		if (order >= 0)
			break;
		t->at++;
	}
	if (order || !p || t->at == p->n)
		return NULL;
	return oid_eq(&p->refs[t->at].id, id) ? &p->refs[t->at] : NULL;
}

/* Fill in what `ref` peels to; 1, or 0 where it is broken. */
static int ref_look(const struct packed_line *line, unsigned traits,
		    struct object_reader *reader, struct ref *ref,
		    struct err *e)
{
	struct oid peeled;
	int n;

	if (ref_name_check(line->name, e) < 0 || oid_is_zero(&line->id))
		return 0;
	n = ref_object_look(reader, &line->id, &peeled, e);
	if (n <= 0)
		return n;
	ref->peeled = line->peeled;
	if (!ref->peeled.len && !packed_is_known_unpeeled(traits, line->name))
		ref->peeled = peeled;
	return 1;
}

/* Names become C strings where they lie: the LF behind each becomes a NUL. */
static const char *name_close(struct buf *file, struct span name)
{
	char *at = file->data + ((const char *)name.data - file->data);

	at[name.len] = '\0';
	return at;
}

static int refs_fill(struct packed_refs *p, struct packed_text *t,
		     enum oid_kind kind, struct object_reader *reader,
		     struct takeover *known, struct err *e)
{
	struct span lines = t->lines, last = { 0 };
	struct packed_line line;
	const struct ref *old;
	struct ref *ref;
	int n;

	while ((n = packed_line_take(&lines, kind, &line, e)) > 0) {
		if (last.len && ref_name_cmp(last, line.name) >= 0)
			return err_set(e, ERR_CORRUPT,
				       "packed-refs: '%.*s' is out of order",
				       (int)line.name.len,
				       (const char *)line.name.data);
		last = line.name;
		ref = &p->refs[p->n];
		*ref = (struct ref){ .id = line.id };
		old = takeover_find(known, line.name, &line.id);
		n = 1;
		if (old)
			ref->peeled = old->peeled;
		else
			n = ref_look(&line, t->traits, reader, ref, e);
		if (n < 0)
			return -1;
		ref->name = name_close(&t->file, line.name);
		p->n += n > 0;
		p->n_broken += !n;
	}
	return n;
}

/* No line is shorter than an id, a space, a name of one byte and an LF. */
static size_t lines_max(struct span lines, enum oid_kind kind)
{
	return lines.len / (2 * oid_size(kind) + 3) + 1;
}

struct packed_refs *packed_refs_load(const char *git_dir, enum oid_kind kind,
				     struct object_reader *reader,
				     struct packed_refs *previous,
				     struct err *e)
{
	CLEANUP(packed_refs_putp) struct packed_refs *p = NULL;
	CLEANUP(freep) char *path = path_join(git_dir, "packed-refs");
	struct takeover known = { .previous = previous };
	struct packed_text text;
	struct file_sig sig;
	int n;

	if (!path)
		return err_nomem(e), NULL;
	if (file_sig_take(path, false, &sig, e) < 0)
		return NULL;
	if (previous && !previous->n_broken && !file_sig_racy(&previous->sig) &&
	    file_sig_eq(&sig, &previous->sig))
		return packed_refs_get(previous);
	if (packed_text_read(git_dir, kind, &text, e) < 0)
		return NULL;
	p = calloc(1, sizeof *p);
	if (p)
		p->refs = calloc(lines_max(text.lines, kind), sizeof *p->refs);
	if (!p || !p->refs) {
		packed_text_fini(&text);
		return err_nomem(e), NULL;
	}
	p->n_owners = 1;
	p->sig = sig;
	n = refs_fill(p, &text, kind, reader, &known, e);
	p->names = text.file; /* p owns it from here on, also when it failed */
	return n < 0 ? NULL : TAKE(p);
}

size_t packed_refs_bound(const struct packed_refs *p, struct span name)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (ref_name_cmp(span_str(p->refs[at].name), name) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}
