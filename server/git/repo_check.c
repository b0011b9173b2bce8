/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a check, and what it says. */
#include "git/repo_check.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/check_state.h"
#include "git/fsck.h"
#include "git/objects.h"
#include "git/repo_config.h"
#include "git/repository.h"

/* Packs are read in their order: bases come before what leans on them. */
#define READER_CACHE ((size_t)32 << 20)

static void check_fini(struct check *c)
{
	object_reader_free(c->reader);
	fsck_free(c->fsck);
	snapshot_put(c->snapshot);
}

int check_tick(const struct check *c, struct err *e)
{
	return c->options->tick ? c->options->tick(c->options->arg, e) : 0;
}

void check_tell(struct check *c, const struct oid *object, const char *ref,
		const char *file, const char *message)
{
	char hex[OID_MAX_HEX + 1];
	const struct check_problem p = {
		.object = object ? oid_hex(object, hex) : NULL,
		.ref = ref,
		.file = file,
		.message = message,
	};

	if (c->result->n_problems++ < CHECK_PROBLEMS_MAX)
		c->options->problem(c->options->arg, &p);
}

int repository_check(struct repository *r, const struct check_options *o,
		     struct check_result *out, struct err *e)
{
	CLEANUP(check_fini)
	struct check c = { .repository = r,
			   .git_dir = repository_dir(r),
			   .options = o,
			   .result = out };

	*out = (struct check_result){ 0 };
	c.snapshot = repository_snapshot(r, e);
	if (!c.snapshot) {
		if (e->code != ERR_CORRUPT && e->code != ERR_MALFORMED)
			return -1;
		/* So bad that nothing else can be read. */
		check_tell(&c, NULL, NULL, NULL, e->message);
		return 0;
	}
	c.objects = snapshot_objects(c.snapshot);
	c.reader = object_reader_new(c.objects, READER_CACHE, e);
	c.fsck = fsck_new(OID_SHA1, &snapshot_config(c.snapshot)->fsck_levels,
			  c.git_dir, false, e);
	if (!c.reader || !c.fsck)
		return -1;
	if (check_objects(&c, e) < 0)
		return -1;
	return check_refs(&c, e);
}
