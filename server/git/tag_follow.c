/* SPDX-License-Identifier: Apache-2.0 */
/*
 * include-tag: who gets a commit gets the tags that name it, so that a client
 * need not ask again. Only visible refs below refs/tags/ count.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "git/pack_plan.h"
#include "git/refs.h"
#include "git/repo_config.h"

/* Add the tag, and those it leads to, until one is there already. */
static int add_chain(struct object_reader *reader,
		     struct object_numbers *numbers,
		     const struct object_set *known, struct object_set *send,
		     const struct oid *id, struct err *e)
{
	enum oid_kind kind = objects_kind(numbers->objects);
	struct tag_view view = { .target = *id, .type = OBJECT_TAG };

	while (view.type == OBJECT_TAG) {
		CLEANUP(object_fini) struct object tag = { 0 };
		uint32_t number;
		int found;

		found = object_numbers_find(numbers, &view.target, &number, e);
		if (found <= 0)
			return found;
		if (object_set_has(known, number))
			return 0;
		found = object_set_add(send, number, e);
		if (found <= 0)
			return found;
		if (object_read(reader, &view.target, OBJECT_SIZE_MAX, &tag,
				e) < 0 ||
		    tag_parse(span_of(tag.data, tag.size), kind, &view, e) < 0)
			return -1;
	}
	return 0;
}

int tag_follow(const struct pack_source *source, struct object_reader *reader,
	       struct object_numbers *numbers, const struct object_set *known,
	       struct object_set *send, struct err *e)
{
	const char *prefix = "refs/tags/";
	size_t n = source->refs ? refs_count(source->refs) : 0;
	size_t i = n ? refs_lower_bound(source->refs, span_str(prefix)) : 0;

	for (; i < n; i++) {
		const struct ref *ref = refs_at(source->refs, i);
		uint32_t number;
		int found;

		if (!span_starts(span_str(ref->name), prefix))
			break;
		if (!ref->peeled.len ||
		    (source->config &&
		     ref_is_hidden(&source->config->upload_hide, ref->name)))
			continue;
		found = object_numbers_find(numbers, &ref->peeled, &number, e);
		if (found < 0)
			return -1;
		if (!found || !object_set_has(send, number))
			continue;
		if (add_chain(reader, numbers, known, send, &ref->id, e) < 0)
			return -1;
	}
	return 0;
}
