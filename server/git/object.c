/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits, trees and tags as values, read strictly where git is strict and
 * leniently where it is lenient: the fields that lead to other objects must be
 * there and whole, a date that cannot be read is 0.
 */
#include "git/object.h"

#include "base/err.h"

#include <stdlib.h>

/* git keeps modes in 16 bits; more octal digits than this are no mode. */
#define MODE_DIGITS_MAX 7

static const struct {
	enum object_type type;
	const char *name;
} type_names[] = {
	{ OBJECT_COMMIT, "commit" },
	{ OBJECT_TREE, "tree" },
	{ OBJECT_BLOB, "blob" },
	{ OBJECT_TAG, "tag" },
};

const char *object_type_name(enum object_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (type_names[i].type == type)
			return type_names[i].name;
	}
	return "unknown";
}

enum object_type object_type_parse(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (span_is(name, type_names[i].name))
			return type_names[i].type;
	}
	return OBJECT_NONE;
}

void object_fini(struct object *o)
{
	free(o->data);
	*o = (struct object){ 0 };
}

/* Take "LABEL HEX\n" off the front, or nothing. */
static bool take_id_line(struct span *s, const char *label, enum oid_kind kind,
			 struct oid *out)
{
	struct span rest = *s;

	if (!span_skip(&rest, label) || !oid_take(&rest, kind, out) ||
	    !span_skip(&rest, "\n"))
		return false;
	*s = rest;
	return true;
}

/* The decimal number at the front, after blanks; 0 where there is none. */
static int64_t number_of(struct span s)
{
	int64_t value = 0;
	uint8_t c;

	while (span_skip(&s, " "))
		;
	while (span_u8(&s, &c) && c >= '0' && c <= '9') {
		if (value > (INT64_MAX - 9) / 10)
			return INT64_MAX;
		value = value * 10 + (c - '0');
	}
	return value;
}

/* `s` begins at the author line. */
static int64_t committer_date(struct span s)
{
	struct span line, before;

	if (!span_starts(s, "author ") || !span_until(&s, '\n', &line))
		return 0;
	if (!span_starts(s, "committer ") || !span_until(&s, '\n', &line))
		return 0;
	if (!span_until(&line, '>', &before))
		return 0;
	/* A name may hold the sign; the last one closes the address. */
	while (span_until(&line, '>', &before))
		;
	return number_of(line);
}

int commit_parse(struct span data, enum oid_kind kind, struct commit_view *out,
		 struct err *e)
{
	struct span rest = data;
	struct oid parent;

	if (!take_id_line(&rest, "tree ", kind, &out->tree))
		return err_set(e, ERR_CORRUPT, "a commit without a tree line");
	out->parents.data = rest.data;
	while (take_id_line(&rest, "parent ", kind, &parent))
		;
	out->parents.len = (size_t)(rest.data - out->parents.data);
	if (span_starts(rest, "parent "))
		return err_set(e, ERR_CORRUPT,
			       "a commit with a malformed parent line");
	out->date = committer_date(rest);
	return 0;
}

bool commit_parent(struct span *parents, enum oid_kind kind, struct oid *out)
{
	return take_id_line(parents, "parent ", kind, out);
}

static bool take_mode(struct span *s, uint32_t *out)
{
	uint32_t mode = 0;
	struct span digits;

	if (!span_until(s, ' ', &digits) || !digits.len ||
	    digits.len > MODE_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '7')
			return false;
		mode = mode << 3 | (uint32_t)(digits.data[i] - '0');
	}
	*out = mode;
	return true;
}

int tree_next(struct span *tree, enum oid_kind kind, struct tree_entry *out,
	      struct err *e)
{
	struct span rest = *tree, id;

	if (!rest.len)
		return 0;
	if (!take_mode(&rest, &out->mode))
		return err_set(e, ERR_CORRUPT, "a tree entry without a mode");
	if (!span_until(&rest, '\0', &out->name) || !out->name.len)
		return err_set(e, ERR_CORRUPT, "a tree entry without a name");
	if (!span_take(&rest, oid_size(kind), &id))
		return err_set(e, ERR_CORRUPT, "a tree that is cut short");
	out->id = oid_from_bytes(id.data, id.len);
	*tree = rest;
	return 1;
}

int tag_parse(struct span data, enum oid_kind kind, struct tag_view *out,
	      struct err *e)
{
	struct span type;

	if (!take_id_line(&data, "object ", kind, &out->target))
		return err_set(e, ERR_CORRUPT, "a tag without an object line");
	if (!span_skip(&data, "type ") || !span_until(&data, '\n', &type))
		return err_set(e, ERR_CORRUPT, "a tag without a type line");
	out->type = object_type_parse(type);
	if (out->type == OBJECT_NONE)
		return err_set(e, ERR_CORRUPT, "a tag of an unknown type");
	if (!span_starts(data, "tag "))
		return err_set(e, ERR_CORRUPT, "a tag without a tag line");
	return 0;
}
