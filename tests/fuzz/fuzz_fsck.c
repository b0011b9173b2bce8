/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object, of the type that the first byte says; or .gitmodules, or
 * .gitattributes. What passes must also be readable by our own readers.
 */
#include "fuzz.h"

#include "git/fsck_checks.h"

static void must_parse(enum object_type type, struct span data)
{
	struct tree_entry entry;
	struct commit_view commit;
	struct tag_view tag;
	struct err e;
	int r = 0;

	if (type == OBJECT_COMMIT)
		r = commit_parse(data, OID_SHA1, &commit, &e);
	else if (type == OBJECT_TAG)
		r = tag_parse(data, OID_SHA1, &tag, &e);
	else if (type == OBJECT_TREE)
		while ((r = tree_next(&data, OID_SHA1, &entry, &e)) > 0)
			;
	if (r < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	struct oid id = { .len = OID_SHA1_SIZE };
	struct err e;
	struct fsck *f;
	uint8_t which;
	int r;

	if (!span_u8(&input, &which))
		return 0;
	f = fsck_new(OID_SHA1, NULL, "/", true, &e);
	if (!f)
		return 0;
	f->object = &id;
	which %= 6;
	if (which == 0) {
		r = fsck_gitmodules(f, input, &e);
	} else if (which == 5) {
		r = fsck_gitattributes(f, input, &e);
	} else {
		r = fsck_object(f, &id, (enum object_type)which, input, &e);
		if (r == 0)
			must_parse((enum object_type)which, input);
	}
	if (r < 0 && e.code != ERR_MALFORMED && e.code != ERR_NOMEM)
		abort();
	fsck_free(f);
	return 0;
}
