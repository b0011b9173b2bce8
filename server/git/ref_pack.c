/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of changes that change nothing, so that each ref is locked and looked
 * at again before its file goes. */
#include "git/ref_pack.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/ref_lock.h"
#include "git/ref_transaction.h"
#include "git/refs_view.h"

#include <stdlib.h>

#define KEPT_ELEMENTS 2 /* refs/heads stays when it is empty */

struct batch {
	const struct ref_place *place;
	struct object_reader *reader;
	struct ref_change *changes;
	struct err *errors;
	size_t n;
	uint32_t n_packed;
};

/* Directories that are empty now; whoever needs one makes it again. */
static void trim(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		ref_dirs_trim(b->place->git_dir, b->changes[i].name,
			      KEPT_ELEMENTS);
}

static int batch_run(struct batch *b, struct err *e)
{
	struct ref_transaction *t;

	if (!b->n)
		return 0;
	t = ref_transaction_begin_at(b->place, b->changes, b->n, false, e);
	if (t) {
		ref_transaction_use(t, b->reader, NULL);
		if (ref_transaction_pack(t, &b->n_packed, e) < 0)
			return -1;
	}
	trim(b);
	b->n = 0;
	return 0;
}

static int batch_add(struct batch *b, const struct loose_file *f, struct err *e)
{
	if (f->symref || f->is_broken || !f->ref.id.len)
		return 0;
	b->errors[b->n] = (struct err){ 0 };
	b->changes[b->n] = (struct ref_change){
		.name = f->ref.name,
		.old_id = f->ref.id,
		.new_id = f->ref.id,
		.error = &b->errors[b->n],
	};
	return ++b->n == REF_PACK_BATCH ? batch_run(b, e) : 0;
}

int ref_pack(const struct ref_place *place, const struct refs *refs,
	     struct object_reader *reader, uint32_t *n_out, struct err *e)
{
	CLEANUP(freep)
	struct ref_change *changes = calloc(REF_PACK_BATCH, sizeof *changes);
	CLEANUP(freep)
	struct err *errors = calloc(REF_PACK_BATCH, sizeof *errors);
	struct batch b = { .place = place,
			   .reader = reader,
			   .changes = changes,
			   .errors = errors };
	int result = 0;

	if (!changes || !errors)
		return err_nomem(e);
	for (size_t i = 0; !result && i < refs->n_dirs; i++) {
		const struct loose_dir *d = refs->dirs[i];

		for (size_t j = 0; !result && j < d->n_files; j++)
			result = batch_add(&b, &d->files[j], e);
	}
	if (!result)
		result = batch_run(&b, e);
	*n_out += b.n_packed;
	return result;
}
