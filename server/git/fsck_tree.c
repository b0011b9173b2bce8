/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees. Format: entries "MODE NAME\0ID", in the order of their names, to which
 * a directory's adds "/" for the comparison.
 *
 * Because of that slash two entries of one name need not be neighbours ("foo",
 * "foo.bar", "foo/"). Files that may still meet a directory of their name wait
 * on a stack; each is pushed and popped once per directory that it may meet, so
 * the check is linear.
 */
#include "git/fsck_checks.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/object.h"

#define MODE_MAX     0177777
#define MODE_SYMLINK 0120000
#define MODE_SHARED  0100664 /* git's first months */
#define PATHNAME_MAX 4096
#define STACK_FIRST  16

enum tree_flaw {
	FLAW_NULL_ID = 1 << 0,
	FLAW_FULL_PATH = 1 << 1,
	FLAW_EMPTY = 1 << 2,
	FLAW_DOT = 1 << 3,
	FLAW_DOTDOT = 1 << 4,
	FLAW_DOTGIT = 1 << 5,
	FLAW_LONG = 1 << 6,
	FLAW_ZERO_PAD = 1 << 7,
	FLAW_MODE = 1 << 8,
	FLAW_DUPLICATE = 1 << 9,
	FLAW_ORDER = 1 << 10,
};

static const struct {
	unsigned flaw;
	enum fsck_id id;
	const char *words;
} flaws[] = {
	{ FLAW_NULL_ID, FSCK_NULL_SHA1_ID,
	  "contains entries pointing to null sha1" },
	{ FLAW_FULL_PATH, FSCK_FULL_PATHNAME_ID, "contains full pathnames" },
	{ FLAW_EMPTY, FSCK_EMPTY_NAME_ID, "contains empty pathname" },
	{ FLAW_DOT, FSCK_HAS_DOT_ID, "contains '.'" },
	{ FLAW_DOTDOT, FSCK_HAS_DOTDOT_ID, "contains '..'" },
	{ FLAW_DOTGIT, FSCK_HAS_DOTGIT_ID, "contains '.git'" },
	{ FLAW_LONG, FSCK_LARGE_PATHNAME_ID,
	  "contains excessively large pathname" },
	{ FLAW_ZERO_PAD, FSCK_ZERO_PADDED_FILEMODE_ID,
	  "contains zero-padded file modes" },
	{ FLAW_MODE, FSCK_BAD_FILEMODE_ID, "contains bad file modes" },
	{ FLAW_DUPLICATE, FSCK_DUPLICATE_ENTRIES_ID,
	  "contains duplicate file entries" },
	{ FLAW_ORDER, FSCK_TREE_NOT_SORTED_ID, "not properly sorted" },
};

struct entry {
	uint32_t mode;
	bool is_zero_padded;
	struct span name;
	struct oid id;
};

/* Files that may meet a directory of their name. */
struct candidates {
	struct span *names;
	size_t n, cap;
};

static int candidates_push(struct candidates *c, struct span name,
			   struct err *e)
{
	size_t cap = c->cap ? 2 * c->cap : STACK_FIRST;
	struct span *grown;

	if (c->n == c->cap) {
		grown = reallocarray(c->names, cap, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		c->names = grown;
		c->cap = cap;
	}
	c->names[c->n++] = name;
	return 0;
}

static bool take_mode(struct span *tree, struct entry *out)
{
	struct span digits;

	if (!span_until(tree, ' ', &digits) || !digits.len)
		return false;
	out->mode = 0;
	out->is_zero_padded = digits.data[0] == '0';
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '7')
			return false;
		out->mode = out->mode << 3 | (uint32_t)(digits.data[i] - '0');
		if (out->mode > MODE_MAX)
			return false;
	}
	return true;
}

static bool take_entry(struct span *tree, enum oid_kind kind, struct entry *out)
{
	struct span id;

	if (!take_mode(tree, out) || !span_until(tree, '\0', &out->name) ||
	    !out->name.len || !span_take(tree, oid_size(kind), &id))
		return false;
	out->id = oid_from_bytes(id.data, id.len);
	return true;
}

/* -- order -------------------------------------------------------------------
 */

static unsigned char byte_at(const struct entry *x, size_t i)
{
	if (i < x->name.len)
		return x->name.data[i];
	return i == x->name.len && MODE_IS_TREE(x->mode) ? '/' : '\0';
}

static bool is_below_slash(unsigned char c)
{
	return c && c < '/';
}

/* A directory: is one of the files that wait its namesake? */
static unsigned meet(struct candidates *c, struct span directory)
{
	struct span file;
	unsigned char next;

	while (c->n) {
		file = c->names[c->n - 1];
		c->n--;
		if (file.len > directory.len ||
		    memcmp(file.data, directory.data, file.len))
			continue;
		if (file.len == directory.len)
			return FLAW_DUPLICATE;
		next = directory.data[file.len];
		if (is_below_slash(next)) {
			c->n++; /* it may meet a later one */
			return 0;
		}
	}
	return 0;
}

static int check_order(const struct entry *a, const struct entry *b,
		       struct candidates *c, unsigned *flaws_out, struct err *e)
{
	size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = memcmp(a->name.data, b->name.data, n);
	unsigned char x, y;

	if (order) {
		*flaws_out |= order > 0 ? FLAW_ORDER : 0;
		return 0;
	}
	if (a->name.len == b->name.len) {
		*flaws_out |= FLAW_DUPLICATE;
		return 0;
	}
	x = byte_at(a, n);
	y = byte_at(b, n);
	if (!x && is_below_slash(y)) {
		if (candidates_push(c, a->name, e) < 0)
			return -1;
	} else if (y == '/' && is_below_slash(x)) {
		*flaws_out |= meet(c, b->name);
	}
	if (x >= y)
		*flaws_out |= FLAW_ORDER;
	return 0;
}

/* -- entries ------------------------------------------------------------------
 */

static unsigned name_flaws(struct span name)
{
	unsigned found = 0;

	if (memchr(name.data, '/', name.len))
		found |= FLAW_FULL_PATH;
	if (span_is(name, "."))
		found |= FLAW_DOT;
	if (span_is(name, ".."))
		found |= FLAW_DOTDOT;
	if (name.len > PATHNAME_MAX)
		found |= FLAW_LONG;
	if (fsck_is_dotgit(name))
		found |= FLAW_DOTGIT;
	return found;
}

static bool is_good_mode(const struct fsck *f, uint32_t mode)
{
	return mode == 0100644 || mode == 0100755 || mode == MODE_SYMLINK ||
	       mode == 0040000 || mode == 0160000 ||
	       (mode == MODE_SHARED && !f->is_strict);
}

/* A .gitmodules or .gitattributes: to be judged at the end. */
static int note_special(struct fsck *f, const struct entry *entry,
			struct oid_set *set, enum fsck_id symlink_id,
			const char *words, struct err *e)
{
	if (MODE_TYPE(entry->mode) == MODE_SYMLINK)
		return fsck_report(f, symlink_id, e, "%s", words);
	return oid_set_add(set, &entry->id, e) < 0 ? -1 : 0;
}

static int note_gitmodules(struct fsck *f, const struct entry *entry,
			   struct err *e)
{
	return note_special(f, entry, &f->modules, FSCK_GITMODULES_SYMLINK_ID,
			    ".gitmodules is a symbolic link", e);
}

static int check_symlink(struct fsck *f, const struct entry *entry,
			 struct err *e)
{
	if (fsck_is_dotfile(entry->name, FSCK_GITIGNORE) &&
	    fsck_report(f, FSCK_GITIGNORE_SYMLINK_ID, e,
			".gitignore is a symlink") < 0)
		return -1;
	if (fsck_is_dotfile(entry->name, FSCK_MAILMAP))
		return fsck_report(f, FSCK_MAILMAP_SYMLINK_ID, e,
				   ".mailmap is a symlink");
	return 0;
}

/* On NTFS a backslash separates: every part of the name is one. */
static int check_parts(struct fsck *f, const struct entry *entry,
		       unsigned *flaws_out, struct err *e)
{
	struct span rest = entry->name, part;

	while (span_until(&rest, '\\', &part)) {
		if (fsck_is_ntfs_dotgit(rest))
			*flaws_out |= FLAW_DOTGIT;
		if (fsck_is_ntfs_dotfile(rest, FSCK_GITMODULES) &&
		    note_gitmodules(f, entry, e) < 0)
			return -1;
	}
	return 0;
}

/* No name that this module looks for begins otherwise: most need no more. */
static bool may_be_special(struct span name)
{
	unsigned char c = name.data[0];

	return c == '.' || c == '~' || c >= 0x80 || c == 'g' || c == 'G' ||
	       c == 'm' || c == 'M' || memchr(name.data, '\\', name.len);
}

static int check_special(struct fsck *f, const struct entry *entry,
			 unsigned *flaws_out, struct err *e)
{
	if (fsck_is_dotfile(entry->name, FSCK_GITMODULES) &&
	    note_gitmodules(f, entry, e) < 0)
		return -1;
	if (fsck_is_dotfile(entry->name, FSCK_GITATTRIBUTES) &&
	    note_special(f, entry, &f->attributes,
			 FSCK_GITATTRIBUTES_SYMLINK_ID,
			 ".gitattributes is a symlink", e) < 0)
		return -1;
	if (MODE_TYPE(entry->mode) == MODE_SYMLINK &&
	    check_symlink(f, entry, e) < 0)
		return -1;
	return check_parts(f, entry, flaws_out, e);
}

static int check_entry(struct fsck *f, const struct entry *entry,
		       unsigned *flaws_out, struct err *e)
{
	*flaws_out |= name_flaws(entry->name);
	if (oid_is_zero(&entry->id))
		*flaws_out |= FLAW_NULL_ID;
	if (entry->is_zero_padded)
		*flaws_out |= FLAW_ZERO_PAD;
	if (!is_good_mode(f, entry->mode))
		*flaws_out |= FLAW_MODE;
	if (!may_be_special(entry->name))
		return 0;
	return check_special(f, entry, flaws_out, e);
}

static int report_flaws(struct fsck *f, unsigned found, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(flaws); i++) {
		if (found & flaws[i].flaw &&
		    fsck_report(f, flaws[i].id, e, "%s", flaws[i].words) < 0)
			return -1;
	}
	return 0;
}

int fsck_tree(struct fsck *f, struct span data, struct err *e)
{
	struct candidates candidates = { .n = 0 };
	struct entry entry, last = { .mode = 0 };
	unsigned found = 0;
	int r = 0;

	while (data.len && r == 0) {
		if (!take_entry(&data, f->kind, &entry)) {
			r = fsck_report(f, FSCK_BAD_TREE_ID, e,
					"cannot be parsed as a tree");
			break;
		}
		r = check_entry(f, &entry, &found, e);
		if (r == 0 && last.name.len)
			r = check_order(&last, &entry, &candidates, &found, e);
		last = entry;
	}
	free(candidates.names);
	return r < 0 ? -1 : report_flaws(f, found, e);
}
