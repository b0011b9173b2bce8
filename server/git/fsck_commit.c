/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits, and what tags share with them.
 * Format: header lines "KEY VALUE", each ended by LF, down to an empty line or
 * the end; "NAME <EMAIL> SECONDS +HHMM" for who did it when.
 */
#include "git/fsck_checks.h"

#include "base/err.h"

#include <ctype.h>

int fsck_headers(struct fsck *f, struct span data, struct err *e)
{
	for (size_t i = 0; i < data.len; i++) {
		if (!data.data[i])
			return fsck_report(f, FSCK_NUL_IN_HEADER_ID, e,
					   "unterminated header: NUL at offset "
					   "%zu",
					   i);
		if (data.data[i] == '\n' && i + 1 < data.len &&
		    data.data[i + 1] == '\n')
			return 0;
	}
	if (data.len && data.data[data.len - 1] == '\n')
		return 0;
	return fsck_report(f, FSCK_UNTERMINATED_HEADER_ID, e,
			   "unterminated header");
}

static int bad_ident(struct fsck *f, enum fsck_id id, const char *what,
		     struct err *e)
{
	return fsck_report(f, id, e, "invalid author/committer line - %s",
			   what);
}

/* The byte at the front; LF at the end of the line. */
static unsigned char peek(struct span s)
{
	return s.len ? s.data[0] : '\n';
}

/* Everything before the first '<' or '>'; the last byte of it, or NUL. */
static unsigned char skip_to_angle(struct span *s)
{
	unsigned char last = '\0';
	struct span c;

	while (s->len && s->data[0] != '<' && s->data[0] != '>') {
		last = s->data[0];
		(void)span_take(s, 1, &c);
	}
	return last;
}

static int check_date(struct fsck *f, struct span *line, struct err *e)
{
	uint64_t date = 0;
	size_t n = 0;
	struct span digits;

	if (peek(*line) == '0' && (line->len < 2 || line->data[1] != ' '))
		return bad_ident(f, FSCK_ZERO_PADDED_DATE_ID,
				 "zero-padded date", e);
	for (; n < line->len && isdigit(line->data[n]); n++) {
		date = date * 10 + (uint64_t)(line->data[n] - '0');
		if (date > INT64_MAX / 10 && n + 1 < line->len &&
		    isdigit(line->data[n + 1]))
			return bad_ident(f, FSCK_BAD_DATE_OVERFLOW_ID,
					 "date causes integer overflow", e);
	}
	if (date > INT64_MAX)
		return bad_ident(f, FSCK_BAD_DATE_OVERFLOW_ID,
				 "date causes integer overflow", e);
	if (!n || n == line->len || line->data[n] != ' ')
		return bad_ident(f, FSCK_BAD_DATE_ID, "bad date", e);
	(void)span_take(line, n + 1, &digits);
	return 1;
}

static int check_zone(struct fsck *f, struct span zone, struct err *e)
{
	bool good =
		zone.len == 5 && (zone.data[0] == '+' || zone.data[0] == '-');

	for (size_t i = 1; good && i < zone.len; i++)
		good = isdigit(zone.data[i]);
	return good ? 0
		    : bad_ident(f, FSCK_BAD_TIMEZONE_ID, "bad time zone", e);
}

int fsck_ident(struct fsck *f, struct span line, struct err *e)
{
	unsigned char last;
	int r;

	if (peek(line) == '<')
		return bad_ident(f, FSCK_MISSING_NAME_BEFORE_EMAIL_ID,
				 "missing space before email", e);
	last = skip_to_angle(&line);
	if (peek(line) == '>')
		return bad_ident(f, FSCK_BAD_NAME_ID, "bad name", e);
	if (!span_skip(&line, "<"))
		return bad_ident(f, FSCK_MISSING_EMAIL_ID, "missing email", e);
	if (last != ' ')
		return bad_ident(f, FSCK_MISSING_SPACE_BEFORE_EMAIL_ID,
				 "missing space before email", e);
	skip_to_angle(&line);
	if (!span_skip(&line, ">"))
		return bad_ident(f, FSCK_BAD_EMAIL_ID, "bad email", e);
	if (!span_skip(&line, " "))
		return bad_ident(f, FSCK_MISSING_SPACE_BEFORE_DATE_ID,
				 "missing space before date", e);
	r = check_date(f, &line, e);
	return r <= 0 ? r : check_zone(f, line, e);
}

/* Take a line "KEY VALUE" off the front; false where it is another one. */
static bool take_line(struct span *data, const char *key, struct span *value)
{
	struct span rest = *data;

	if (!span_skip(&rest, key) || !span_until(&rest, '\n', value))
		return false;
	*data = rest;
	return true;
}

static int check_ids(struct fsck *f, struct span *data, struct err *e)
{
	struct span value;
	struct oid id;

	if (!take_line(data, "tree ", &value))
		return fsck_report(f, FSCK_MISSING_TREE_ID, e,
				   "invalid format - expected 'tree' line");
	if (!oid_parse(value, f->kind, &id) &&
	    fsck_report(f, FSCK_BAD_TREE_SHA1_ID, e,
			"invalid 'tree' line format - bad sha1") < 0)
		return -1;
	while (take_line(data, "parent ", &value)) {
		if (!oid_parse(value, f->kind, &id) &&
		    fsck_report(f, FSCK_BAD_PARENT_SHA1_ID, e,
				"invalid 'parent' line format - bad sha1") < 0)
			return -1;
	}
	return 1;
}

static int check_authors(struct fsck *f, struct span *data, struct err *e)
{
	struct span value;
	unsigned n = 0;

	while (take_line(data, "author ", &value)) {
		n++;
		if (fsck_ident(f, value, e) < 0)
			return -1;
	}
	if (!n)
		return fsck_report(f, FSCK_MISSING_AUTHOR_ID, e,
				   "invalid format - expected 'author' line");
	if (n > 1)
		return fsck_report(f, FSCK_MULTIPLE_AUTHORS_ID, e,
				   "invalid format - multiple 'author' lines");
	return 0;
}

int fsck_commit(struct fsck *f, struct span data, struct err *e)
{
	struct span whole = data, value;
	int r;

	if (fsck_headers(f, data, e) < 0)
		return -1;
	r = check_ids(f, &data, e);
	if (r <= 0)
		return r;
	if (check_authors(f, &data, e) < 0)
		return -1;
	if (!take_line(&data, "committer ", &value))
		return fsck_report(f, FSCK_MISSING_COMMITTER_ID, e,
				   "invalid format - expected 'committer' "
				   "line");
	if (fsck_ident(f, value, e) < 0)
		return -1;
	if (memchr(whole.data, '\0', whole.len))
		return fsck_report(f, FSCK_NUL_IN_COMMIT_ID, e,
				   "NUL byte in the commit object body");
	return 0;
}
