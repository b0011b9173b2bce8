/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: packs of the own directory, loose objects, loose refs. */
#include "git/maintain_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/loose.h"
#include "git/objects.h"
#include "git/pack_file.h"
#include "git/refs_view.h"
#include "git/repository.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACK_SUFFIX ".pack"

DEFINE_PUTP(snapshot)

bool old_pack_has(const char *stem, const char *suffix)
{
	CLEANUP(freep) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s.%s", stem, suffix) < 0)
		path = NULL;
	return !path || !lstat(path, &st) || errno != ENOENT;
}

/* The stem of a pack of ours that is not held; NULL. malloc'ed. */
static char *own_stem(const struct maintain *m, const struct pack *pack)
{
	const char *path = pack_path(pack);
	size_t n = strlen(m->pack_dir), len = strlen(path);
	CLEANUP(freep) char *stem = NULL;

	if (strncmp(path, m->pack_dir, n) || path[n] != '/' ||
	    len <= n + strlen(PACK_SUFFIX))
		return NULL;
	stem = strndup(path, len - strlen(PACK_SUFFIX));
	if (!stem || old_pack_has(stem, "keep") ||
	    old_pack_has(stem, "promisor"))
		return NULL;
	return TAKE(stem);
}

static int by_count(const void *a_, const void *b_)
{
	const struct old_pack *a = a_, *b = b_;

	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return strcmp(a->stem, b->stem);
}

int maintain_list_packs(struct maintain *m, struct err *e)
{
	uint32_t n = objects_pack_count(m->objects);

	m->packs = calloc(n ? n : 1, sizeof *m->packs);
	if (!m->packs)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		const struct pack *pack = objects_pack(m->objects, i);
		struct file_sig sig;
		char *stem;

		if (file_sig_take(pack_path(pack), false, &sig, e) < 0)
			return -1;
		stem = own_stem(m, pack);
		if (!stem)
			continue;
		m->packs[m->n_packs++] = (struct old_pack){
			.number = i,
			.stem = stem,
			.count = pack_count(pack),
			.mtime_ns = sig.mtime_ns,
			.is_cruft = old_pack_has(stem, "mtimes"),
		};
	}
	if (m->n_packs)
		qsort(m->packs, m->n_packs, sizeof *m->packs, by_count);
	return 0;
}

/* -- loose objects --------------------------------------------------------- */

static int add_loose(void *arg, const struct oid *id, struct err *e)
{
	struct maintain *m = arg;

	if (m->n_loose == m->cap_loose) {
		size_t cap = m->cap_loose ? 2 * m->cap_loose : 256;
		struct oid *grown = reallocarray(m->loose, cap, sizeof *grown);

		if (!grown)
			return err_nomem(e);
		m->loose = grown;
		m->cap_loose = cap;
	}
	m->loose[m->n_loose++] = *id;
	return 0;
}

int maintain_list_loose(struct maintain *m, struct err *e)
{
	return loose_each(m->objects_dir, add_loose, m, e);
}

/* -- a look ---------------------------------------------------------------- */

static int count_one(void *arg, const struct oid *id, struct err *e)
{
	uint32_t *n = arg;

	(void)id;
	(void)e;
	(*n)++;
	return 0;
}

static uint32_t count_loose_refs(const struct refs *refs)
{
	uint32_t n = 0;

	for (size_t i = 0; i < refs->n_dirs; i++)
		n += (uint32_t)refs->dirs[i]->n_files;
	return n;
}

int repository_look(struct repository *r, struct maintain_look *out,
		    struct err *e)
{
	CLEANUP(snapshot_putp)
	struct snapshot *s = repository_snapshot(r, e);
	const struct objects *objects;

	*out = (struct maintain_look){ 0 };
	if (!s)
		return -1;
	objects = snapshot_objects(s);
	out->n_packs = objects_pack_count(objects);
	out->n_loose_refs = count_loose_refs(snapshot_refs(s));
	return loose_each(objects_dir(objects), count_one, &out->n_loose, e);
}

bool maintain_is_due(const struct maintain_look *l,
		     const struct maintain_options *o)
{
	return l->n_packs > o->packs_max || l->n_loose > o->loose_max ||
	       l->n_loose_refs > o->refs_max;
}
