/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Annotated tags: "object", "type", "tag", "tagger" lines and a message.
 */
#include "git/fsck_checks.h"

#include "base/err.h"

/* How much of a strange name is repeated. */
#define NAME_SHOWN 64

static bool is_bad_byte(unsigned char c)
{
	return c < 0x20 || c == 0x7f || strchr(" ~^:?*[\\", c);
}

/* One element of a ref name, git-check-ref-format(1). */
static bool is_good_element(struct span name)
{
	if (!name.len || name.data[0] == '.')
		return false;
	if (name.len >= 5 && !memcmp(name.data + name.len - 5, ".lock", 5))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (is_bad_byte(name.data[i]))
			return false;
		if (i && name.data[i - 1] == '.' && name.data[i] == '.')
			return false;
		if (i && name.data[i - 1] == '@' && name.data[i] == '{')
			return false;
	}
	return true;
}

/* Would refs/tags/NAME be a ref? */
static bool is_tag_name(struct span name)
{
	struct span rest = name, element;

	if (!name.len || name.data[name.len - 1] == '.' ||
	    name.data[name.len - 1] == '/')
		return false;
	while (span_word(&rest, '/', &element)) {
		if (!is_good_element(element))
			return false;
	}
	return true;
}

static int check_target(struct fsck *f, struct span *data, struct err *e)
{
	struct span value;
	struct oid id;

	if (!span_skip(data, "object ") || !span_until(data, '\n', &value))
		return fsck_report(f, FSCK_MISSING_OBJECT_ID, e,
				   "invalid format - expected 'object' line");
	if (!oid_parse(value, f->kind, &id) &&
	    fsck_report(f, FSCK_BAD_OBJECT_SHA1_ID, e,
			"invalid 'object' line format - bad sha1") < 0)
		return -1;
	if (!span_skip(data, "type "))
		return fsck_report(f, FSCK_MISSING_TYPE_ENTRY_ID, e,
				   "invalid format - expected 'type' line");
	if (!span_until(data, '\n', &value))
		return fsck_report(f, FSCK_MISSING_TYPE_ID, e,
				   "invalid format - unexpected end after "
				   "'type' line");
	if (object_type_parse(value) == OBJECT_NONE)
		return fsck_report(f, FSCK_BAD_TYPE_ID, e,
				   "invalid 'type' value");
	return 1;
}

static int check_name(struct fsck *f, struct span *data, struct err *e)
{
	struct span name;

	if (!span_skip(data, "tag "))
		return fsck_report(f, FSCK_MISSING_TAG_ENTRY_ID, e,
				   "invalid format - expected 'tag' line");
	if (!span_until(data, '\n', &name))
		return fsck_report(f, FSCK_MISSING_TAG_ID, e,
				   "invalid format - unexpected end after "
				   "'type' line");
	if (!is_tag_name(name) &&
	    fsck_report(f, FSCK_BAD_TAG_NAME_ID, e, "invalid 'tag' name: %.*s",
			name.len < NAME_SHOWN ? (int)name.len : NAME_SHOWN,
			(const char *)name.data) < 0)
		return -1;
	return 1;
}

int fsck_tag(struct fsck *f, struct span data, struct err *e)
{
	struct span tagger;
	int r;

	if (fsck_headers(f, data, e) < 0)
		return -1;
	r = check_target(f, &data, e);
	if (r > 0)
		r = check_name(f, &data, e);
	if (r <= 0)
		return r;
	/* Tags of git's first months have no tagger. */
	if (!span_skip(&data, "tagger ")) {
		if (fsck_report(f, FSCK_MISSING_TAGGER_ENTRY_ID, e,
				"invalid format - expected 'tagger' line") < 0)
			return -1;
	} else if (!span_until(&data, '\n', &tagger) ||
		   fsck_ident(f, tagger, e) < 0) {
		return -1;
	}
	if (data.len && data.data[0] != '\n')
		return fsck_report(f, FSCK_EXTRA_HEADER_ENTRY_ID, e,
				   "invalid format - extra header(s) after "
				   "'tagger'");
	return 0;
}
