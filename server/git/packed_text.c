/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed-refs as text. The file is read whole and searched by bisection. Files
 * of a git before 2.16 do not promise order, and those that somebody appended
 * to break the promise; both are put in order first.
 */
#include "git/packed_refs.h"

#include "base/cleanup.h"
#include "base/err.h"

#define TRAITS_PREFIX "# pack-refs with:"

static int bad_line(struct err *e, struct span line)
{
	return err_set(e, ERR_CORRUPT, "packed-refs: unexpected line '%.*s'",
		       line.len > 80 ? 80 : (int)line.len,
		       (const char *)line.data);
}

/* The line at the front without its LF, which must be there: a file that ends
 * in the middle of a line was cut. */
static int line_take(struct span *lines, struct span *out, struct err *e)
{
	if (!span_until(lines, '\n', out))
		return bad_line(e, *lines);
	return 0;
}

/* The "^" line, if one comes next. */
static int peeled_take(struct span *lines, enum oid_kind kind, struct oid *out,
		       struct err *e)
{
	struct span line, hex;

	*out = (struct oid){ 0 };
	if (!span_starts(*lines, "^"))
		return 0;
	if (line_take(lines, &line, e) < 0)
		return -1;
	hex = line;
	if (!span_skip(&hex, "^") || !oid_parse(hex, kind, out))
		return bad_line(e, line);
	return 0;
}

int packed_line_take(struct span *lines, enum oid_kind kind,
		     struct packed_line *out, struct err *e)
{
	struct span start = *lines, line, rest;

	if (!lines->len)
		return 0;
	if (line_take(lines, &line, e) < 0)
		return -1;
	rest = line;
	if (!oid_take(&rest, kind, &out->id) || !span_skip(&rest, " ") ||
	    !rest.len)
		return bad_line(e, line);
	out->name = rest;
	if (peeled_take(lines, kind, &out->peeled, e) < 0)
		return -1;
	out->bytes = span_of(start.data, start.len - lines->len);
	return 1;
}

/* Take the comment lines off the front; true where one of them says that what
 * follows is sorted. */
static bool header_take(struct span *lines, unsigned *traits_out)
{
	bool is_sorted = false;
	struct span line, word;

	while (span_starts(*lines, "#") && span_until(lines, '\n', &line)) {
		if (!span_skip(&line, TRAITS_PREFIX))
			continue;
		while (span_word(&line, ' ', &word)) {
			if (span_is(word, "peeled"))
				*traits_out |= PACKED_PEELED;
			else if (span_is(word, "fully-peeled"))
				*traits_out |= PACKED_FULLY_PEELED;
			else if (span_is(word, "sorted"))
				is_sorted = true;
		}
	}
	return is_sorted;
}

static int compare_lines(const void *a, const void *b)
{
	const struct packed_line *x = a, *y = b;

	return ref_name_cmp(x->name, y->name);
}

static int lines_parse(struct span lines, enum oid_kind kind,
		       struct packed_line **out, size_t *n_out, struct err *e)
{
	CLEANUP(freep) struct packed_line *all = NULL;
	struct packed_line line, *grown;
	size_t n = 0, room = 0;
	int kind_of;

	while ((kind_of = packed_line_take(&lines, kind, &line, e)) > 0) {
		if (n == room) {
			room = room ? 2 * room : 64;
			grown = reallocarray(all, room, sizeof *all);
			if (!grown)
				return err_nomem(e);
			all = grown;
		}
		all[n++] = line;
	}
	if (kind_of < 0)
		return -1;
	*out = TAKE(all);
	*n_out = n;
	return 0;
}

/* The end of the ref that begins at `at`. */
static size_t line_end(struct span lines, size_t at)
{
	const unsigned char *lf;

	do {
		lf = memchr(lines.data + at, '\n', lines.len - at);
		at = lf ? (size_t)(lf - lines.data) + 1 : lines.len;
	} while (at < lines.len && lines.data[at] == '^');
	return at;
}

static struct span line_name(struct span lines, size_t at)
{
	struct span line = { lines.data + at, lines.len - at };
	struct span word = { 0 };

	span_until(&line, ' ', &word);
	span_word(&line, '\n', &word);
	return word;
}

/* Each name behind the one before it. What is no ref is found when its line is
 * taken. */
static bool is_in_order(struct span lines)
{
	struct span last = { 0 }, name;

	for (size_t at = 0; at < lines.len; at = line_end(lines, at)) {
		name = line_name(lines, at);
		if (at && ref_name_cmp(last, name) >= 0)
			return false;
		last = name;
	}
	return true;
}

/* A name that stands there twice must mean the same both times. */
static int repeats_check(const struct packed_line *all, size_t n, struct err *e)
{
	for (size_t i = 1; i < n; i++)
		if (!compare_lines(&all[i - 1], &all[i]) &&
		    !oid_eq(&all[i - 1].id, &all[i].id))
			return err_set(e, ERR_CORRUPT,
				       "packed-refs: '%.*s' stands there twice",
				       (int)all[i].name.len,
				       (const char *)all[i].name.data);
	return 0;
}

static int text_sort(struct packed_text *t, enum oid_kind kind, struct err *e)
{
	CLEANUP(freep) struct packed_line *all = NULL;
	struct buf sorted;
	size_t n;

	if (lines_parse(t->lines, kind, &all, &n, e) < 0)
		return -1;
	if (n)
		qsort(all, n, sizeof *all, compare_lines);
	if (repeats_check(all, n, e) < 0)
		return -1;
	buf_init_max(&sorted, PACKED_REFS_MAX);
	for (size_t i = 0; i < n; i++)
		if (!i || compare_lines(&all[i - 1], &all[i]))
			buf_addspan(&sorted, all[i].bytes);
	if (buf_check(&sorted, e) < 0) {
		buf_fini(&sorted);
		return -1;
	}
	buf_fini(&t->file);
	t->file = sorted;
	t->lines = buf_span(&t->file);
	return 0;
}

int packed_text_read(const char *git_dir, enum oid_kind kind,
		     struct packed_text *out, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, "packed-refs");
	struct packed_text t = { 0 };
	bool is_sorted;

	if (!path)
		return err_nomem(e);
	buf_init_max(&t.file, PACKED_REFS_MAX);
	if (file_read(path, PACKED_REFS_MAX, &t.file, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			goto failed;
		buf_clear(&t.file);
	}
	t.lines = buf_span(&t.file);
	is_sorted = header_take(&t.lines, &t.traits) && is_in_order(t.lines);
	if (!is_sorted && text_sort(&t, kind, e) < 0)
		goto failed;
	*out = t;
	return 0;

failed:
	buf_fini(&t.file);
	return -1;
}

void packed_text_fini(struct packed_text *t)
{
	buf_fini(&t->file);
}

/* The start of the ref that the byte at `at` belongs to. */
static size_t line_start(struct span lines, size_t at)
{
	while (at && lines.data[at - 1] != '\n')
		at--;
	while (at && lines.data[at] == '^') {
		at--;
		while (at && lines.data[at - 1] != '\n')
			at--;
	}
	return at;
}

size_t packed_text_bound(const struct packed_text *t, struct span name)
{
	size_t low = 0, high = t->lines.len;

	while (low < high) {
		size_t at = line_start(t->lines, low + (high - low) / 2);

		if (ref_name_cmp(line_name(t->lines, at), name) < 0)
			low = line_end(t->lines, at);
		else
			high = at;
	}
	return low;
}

int packed_text_find(const struct packed_text *t, enum oid_kind kind,
		     struct span name, struct packed_line *out, struct err *e)
{
	struct span rest = t->lines, before;
	int n;

	if (!span_take(&rest, packed_text_bound(t, name), &before))
		return 0;
	n = packed_line_take(&rest, kind, out, e);
	return n > 0 ? span_eq(out->name, name) : n;
}

bool packed_is_known_unpeeled(unsigned traits, struct span name)
{
	if (traits & PACKED_FULLY_PEELED)
		return true;
	return (traits & PACKED_PEELED) && span_starts(name, "refs/tags/");
}

void packed_line_add(struct buf *b, struct span name, const struct oid *id,
		     const struct oid *peeled)
{
	buf_addhex(b, id->id, id->len);
	buf_addc(b, ' ');
	buf_addspan(b, name);
	buf_addc(b, '\n');
	if (!peeled->len)
		return;
	buf_addc(b, '^');
	buf_addhex(b, peeled->id, peeled->len);
	buf_addc(b, '\n');
}
