/* SPDX-License-Identifier: Apache-2.0 */
/* The order of one maintenance. */
#include "git/maintain_state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"
#include "git/pack_emit.h"
#include "git/pack_ingest.h"
#include "git/ref_pack.h"
#include "git/ref_transaction.h"
#include "git/refs.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <stdio.h>
#include <stdlib.h>

/* Peeling reads tags. */
#define READER_CACHE ((size_t)1 << 20)

DEFINE_FREEP(object_reader)

static void maintain_fini(struct maintain *m)
{
	struct err ignored;

	/* Half-way in or out: once more, and if it cannot be, by the sweep. */
	if (m->work_dir &&
	    pack_ingest_finish(m->work_dir, m->objects_dir, &ignored) == 0 &&
	    maintain_finish(m->work_dir, m->git_dir, &ignored) == 0)
		(void)!dir_remove(m->work_dir, &ignored);
	for (size_t i = 0; i < m->n_packs; i++)
		free(m->packs[i].stem);
	free(m->packs);
	free(m->loose);
	free(m->times);
	free(m->expired);
	pack_plan_free(m->reachable);
	snapshot_put(m->snapshot);
	free(m->work_dir);
	free(m->pack_dir);
	free(m->objects_dir);
}

/* A quarantine like a push's, so that the same sweep knows whose it was. */
static int work_dir_make(struct maintain *m, struct err *e)
{
	CLEANUP(freep) char *dir = NULL;
	const char *id = m->options->daemon_id;

	if (asprintf(&dir, "%s/incoming-%s-XXXXXX", m->objects_dir,
		     id && *id ? id : "0") < 0) {
		dir = NULL;
		return err_nomem(e);
	}
	if (!mkdtemp(dir))
		return err_errno(e, "making %s", dir);
	m->work_dir = TAKE(dir);
	return 0;
}

static int begin(struct maintain *m, struct err *e)
{
	m->objects_dir = path_join(m->git_dir, "objects");
	m->pack_dir = path_join(m->git_dir, "objects/pack");
	if (!m->objects_dir || !m->pack_dir)
		return err_nomem(e);
	if (dir_make(m->pack_dir, 0777, e) < 0 || maintain_sweep(m, e) < 0 ||
	    work_dir_make(m, e) < 0)
		return -1;
	m->snapshot = repository_snapshot(m->repository, e);
	if (!m->snapshot)
		return -1;
	m->objects = snapshot_objects(m->snapshot);
	return 0;
}

static bool is_full(const struct maintain *m)
{
	return m->options->kind != MAINTAIN_STEP;
}

static int objects_tidy(struct maintain *m, const struct maintain_look *look,
			struct err *e)
{
	const struct maintain_options *o = m->options;

	if (maintain_list_packs(m, e) < 0)
		return -1;
	m->result->n_packs_before = (uint32_t)m->n_packs;
	if ((is_full(m) || look->n_loose > o->loose_max) &&
	    maintain_list_loose(m, e) < 0)
		return -1;
	if (is_full(m) && maintain_reach(m, e) < 0)
		return -1;
	if (!is_full(m) && m->n_packs <= o->packs_max && !m->n_loose)
		return 0;
	return maintain_packs(m, e);
}

static int refs_tidy(struct maintain *m, const struct maintain_look *look,
		     struct err *e)
{
	const struct ref_place place = { m->git_dir,
					 repository_kind(m->repository),
					 m->work_dir };
	CLEANUP(object_reader_freep) struct object_reader *reader = NULL;

	if (look->n_loose_refs <= m->options->refs_max &&
	    m->options->kind != MAINTAIN_ALL)
		return 0;
	reader = object_reader_new(m->objects, READER_CACHE, e);
	if (!reader)
		return -1;
	return ref_pack(&place, snapshot_refs(m->snapshot), reader,
			&m->result->n_refs, e);
}

static int run(struct maintain *m, struct err *e)
{
	struct maintain_look look, after;

	if (begin(m, e) < 0 || repository_look(m->repository, &look, e) < 0 ||
	    refs_tidy(m, &look, e) < 0 || objects_tidy(m, &look, e) < 0 ||
	    repository_look(m->repository, &after, e) < 0)
		return -1;
	m->result->n_packs = after.n_packs;
	return 0;
}

int repository_maintain(struct repository *r, const struct maintain_options *o,
			struct maintain_result *out, struct err *e)
{
	CLEANUP(maintain_fini)
	struct maintain m = {
		.repository = r,
		.git_dir = repository_dir(r),
		.options = o,
		.result = out,
		.now = clock_unix(),
	};
	CLEANUP(gc_lock_drop) struct gc_lock lock = { .fd = -1 };

	*out = (struct maintain_result){ 0 };
	if (gc_lock_take(m.git_dir, o->daemon_id, o->is_dead, o->dead_arg,
			 &lock, e) < 0)
		return -1;
	if (run(&m, e) < 0)
		return -1;
	if (is_full(&m))
		gc_lock_note(&lock, m.now);
	return 0;
}
