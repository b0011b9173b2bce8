/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refs as files, then what they lead to: all of them in one walk; only where
 * that finds a hole, each alone, to say which.
 */
#include "git/check_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/connectivity_walk.h"
#include "git/refs_view.h"
#include "git/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each is a walk through all of its history. */
#define HOLES_MAX 64

static void textp(struct packed_text *t)
{
	packed_text_fini(t);
}

/* -- as files -------------------------------------------------------------- */

static int check_value(struct check *c, const char *name, const struct oid *id,
		       struct err *e)
{
	enum object_type type;
	uint64_t size;
	struct err why;

	if (object_info(c->reader, id, &type, &size, &why) < 0) {
		if (why.code == ERR_NOMEM) {
			*e = why;
			return -1;
		}
		check_tell(c, id, name, NULL, why.message);
	} else if (span_starts(span_str(name), "refs/heads/") &&
		   type != OBJECT_COMMIT) {
		check_tell(c, id, name, NULL, "a branch leads to no commit");
	}
	return 0;
}

static int check_packed_line(struct check *c, const struct packed_line *line,
			     struct err *e)
{
	CLEANUP(freep)
	char *name = strndup((const char *)line->name.data, line->name.len);
	struct oid peeled;
	struct err why;

	if (!name)
		return err_nomem(e);
	if (ref_name_check(line->name, &why) < 0) {
		check_tell(c, NULL, name, NULL, why.message);
		return 0;
	}
	if (check_value(c, name, &line->id, e) < 0)
		return -1;
	if (line->peeled.len &&
	    ref_object_look(c->reader, &line->id, &peeled, &why) > 0 &&
	    !oid_eq(&peeled, &line->peeled))
		check_tell(c, &line->peeled, name, NULL,
			   "packed-refs says that the tag means this one, "
			   "which it does not");
	return 0;
}

/* A file that claims to be sorted is searched by halves by git; ours sorts it
 * again. */
static int check_order(struct check *c, struct err *e)
{
	CLEANUP(freep) char *path = path_join(c->git_dir, "packed-refs");
	CLEANUP(buf_fini) struct buf text;
	struct span rest, line, last = { 0 };
	struct oid id;

	buf_init_max(&text, PACKED_REFS_MAX);
	if (!path)
		return err_nomem(e);
	if (file_read(path, PACKED_REFS_MAX, &text, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	rest = buf_span(&text);
	if (!span_until(&rest, '\n', &line) || !span_starts(line, "# ") ||
	    !memmem(line.data, line.len, " sorted ", strlen(" sorted ")))
		return 0;
	while (span_until(&rest, '\n', &line)) {
		if (!oid_take(&line, OID_SHA1, &id) || !span_skip(&line, " "))
			continue;
		if (last.len && ref_name_cmp(last, line) >= 0) {
			check_tell(c, NULL, NULL, "packed-refs",
				   "its lines are out of order");
			return 0;
		}
		last = line;
	}
	return 0;
}

static int check_packed(struct check *c, struct err *e)
{
	CLEANUP(textp) struct packed_text text = { 0 };
	struct packed_line line;
	struct span lines;
	int n;

	if (packed_text_read(c->git_dir, OID_SHA1, &text, e) < 0)
		return -1;
	lines = text.lines;
	while ((n = packed_line_take(&lines, OID_SHA1, &line, e)) > 0) {
		c->result->n_refs++;
		if (check_packed_line(c, &line, e) < 0)
			return -1;
	}
	if (n < 0)
		check_tell(c, NULL, NULL, "packed-refs", e->message);
	return check_order(c, e);
}

static int check_loose(struct check *c, const struct loose_file *f,
		       struct err *e)
{
	c->result->n_refs++;
	if (f->ref.id.len && !f->symref)
		return check_value(c, f->ref.name, &f->ref.id, e);
	if (f->is_broken)
		check_tell(c, NULL, f->ref.name, NULL,
			   "its file holds no id of an object that is there");
	return 0;
}

static int check_files(struct check *c, struct err *e)
{
	const struct refs *refs = snapshot_refs(c->snapshot);

	for (size_t i = 0; i < refs->n_dirs; i++) {
		const struct loose_dir *d = refs->dirs[i];

		for (size_t j = 0; j < d->n_files; j++)
			if (check_loose(c, &d->files[j], e) < 0)
				return -1;
	}
	return check_packed(c, e);
}

/* -- what they lead to ----------------------------------------------------- */

static int trust_nothing(void *arg, const struct oid *commit, struct err *e)
{
	(void)commit;
	return check_tick(arg, e);
}

static int walk(struct check *c, const struct oid *tips, size_t n,
		struct oid *missing_out, struct err *e)
{
	const struct connectivity_question question = {
		.snapshot = c->snapshot,
		.objects = c->objects,
	};
	const struct connectivity_request request = {
		.question = &question,
		.reader = c->reader,
		.graph = snapshot_graph(c->snapshot),
		.n_old_packs = objects_pack_count(c->objects),
		.trust = trust_nothing,
		.arg = c,
	};
	struct connectivity_walk w;
	int result = connectivity_walk_init(&w, &request, e);

	if (result == 0)
		result = connectivity_walk_tips(&w, tips, n, missing_out, e);
	connectivity_walk_fini(&w);
	return result;
}

static int check_one(struct check *c, const struct ref *ref, struct err *e)
{
	struct oid missing = { 0 };
	int whole = walk(c, &ref->id, 1, &missing, e);

	if (whole < 0 && e->code != ERR_CORRUPT && e->code != ERR_NOT_FOUND)
		return -1;
	if (whole < 0)
		check_tell(c, NULL, ref->name, NULL, e->message);
	else if (!whole)
		check_tell(c, &missing, ref->name, NULL,
			   "it is missing or not what another object says, and "
			   "the ref leads there");
	return whole > 0;
}

static int check_each(struct check *c, const struct refs *refs, struct err *e)
{
	size_t n_holes = 0;

	for (size_t i = 0; i < refs_count(refs) && n_holes < HOLES_MAX; i++) {
		int whole = check_one(c, refs_at(refs, i), e);

		if (whole < 0)
			return -1;
		n_holes += !whole;
	}
	return 0;
}

int check_refs(struct check *c, struct err *e)
{
	const struct refs *refs = snapshot_refs(c->snapshot);
	size_t n = refs_count(refs);
	CLEANUP(freep) struct oid *tips = calloc(n + 1, sizeof *tips);
	struct oid missing;
	int whole;

	if (!tips)
		return err_nomem(e);
	if (check_files(c, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		tips[i] = refs_at(refs, i)->id;
	whole = walk(c, tips, n, &missing, e);
	if (whole > 0)
		return 0;
	if (whole < 0 && e->code != ERR_CORRUPT && e->code != ERR_NOT_FOUND)
		return -1;
	return check_each(c, refs, e);
}
