/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and patterns. An allow-list of bytes keeps out everything that could
 * mean something to a path, a shell, a configuration or a terminal; since no
 * element begins with a dot, none is "..".
 *
 * Matching keeps one place to come back to per level, the last star: what an
 * earlier star could still take, the last one can take as well. So the time is
 * at most the product of both lengths, whatever the pattern.
 */
#include "store/names.h"

#include "base/err.h"

/* -- bytes ---------------------------------------------------------------- */

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* What an element of a repository name may begin with, and go on with. */
static bool is_first(unsigned char c)
{
	return is_alnum(c) || c == '_';
}

static bool is_inner(unsigned char c)
{
	return is_first(c) || c == '.' || c == '-';
}

static bool is_object_inner(unsigned char c)
{
	return is_inner(c) || c == '@';
}

static bool ends_with(struct span s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len >= n && !memcmp(s.data + (s.len - n), suffix, n);
}

/* -- elements ------------------------------------------------------------- */

/* The elements of "a/b/c" one by one; "" and "a/" end in an empty one. */
struct path {
	struct span rest;
	bool is_done;
};

static struct path path_of(struct span text)
{
	return (struct path){ .rest = text };
}

static bool path_next(struct path *p, struct span *out)
{
	if (p->is_done)
		return false;
	if (!span_until(&p->rest, '/', out)) {
		*out = p->rest;
		p->is_done = true;
	}
	return true;
}

/* -- names ---------------------------------------------------------------- */

static int element_check(struct span element, struct err *e)
{
	if (!element.len)
		return err_set(e, ERR_MALFORMED,
			       "a repository name has no empty element: no / "
			       "at either end and no //");
	if (!is_first(element.data[0]))
		return err_set(e, ERR_MALFORMED,
			       "an element of a repository name begins with a "
			       "letter, a digit or _");
	for (size_t i = 1; i < element.len; i++) {
		if (!is_inner(element.data[i]))
			return err_set(e, ERR_MALFORMED,
				       "a repository name consists of letters, "
				       "digits, . _ - and /");
	}
	if (ends_with(element, ".git") || ends_with(element, ".lock"))
		return err_set(e, ERR_MALFORMED,
			       "no element of a repository name ends in .git "
			       "or .lock");
	return 0;
}

int repo_name_check(struct span name, struct err *e)
{
	struct path path = path_of(name);
	struct span element;
	int n = 0;

	if (!name.len)
		return err_set(e, ERR_MALFORMED, "a repository needs a name");
	if (name.len > REPO_NAME_MAX)
		return err_set(e, ERR_MALFORMED,
			       "a repository name has at most %d bytes",
			       REPO_NAME_MAX);
	while (path_next(&path, &element)) {
		if (element_check(element, e) < 0)
			return -1;
		if (++n > REPO_NAME_ELEMENTS)
			return err_set(e, ERR_MALFORMED,
				       "a repository name has at most %d "
				       "elements",
				       REPO_NAME_ELEMENTS);
	}
	return 0;
}

int object_name_check(struct span name, struct err *e)
{
	if (!name.len || name.len > OBJECT_NAME_MAX)
		return err_set(e, ERR_MALFORMED, "a name has 1 to %d bytes",
			       OBJECT_NAME_MAX);
	if (!is_alnum(name.data[0]))
		return err_set(e, ERR_MALFORMED,
			       "a name begins with a letter or a digit");
	for (size_t i = 1; i < name.len; i++) {
		if (!is_object_inner(name.data[i]))
			return err_set(e, ERR_MALFORMED,
				       "a name consists of letters, digits, "
				       ". _ @ and -");
	}
	return 0;
}

int repo_name_from_path(struct span path, char out[REPO_NAME_MAX + 1],
			struct err *e)
{
	/* At most one of each: what is stripped twice was never a name. */
	if (!span_skip(&path, "~/") && !span_skip(&path, "/~/"))
		(void)span_skip(&path, "/");
	if (ends_with(path, "/"))
		path.len--;
	if (ends_with(path, ".git"))
		path.len -= strlen(".git");
	if (repo_name_check(path, e) < 0)
		return -1;
	memcpy(out, path.data, path.len);
	out[path.len] = '\0';
	return 0;
}

/* -- what a pattern can match --------------------------------------------- */

/* The fewest bytes an element can have that matches this one; -1 where none
 * can. */
static int pattern_element_check(struct span element, size_t *min_bytes,
				 struct err *e)
{
	size_t n_literal = 0;
	unsigned char first = '*';

	if (!element.len)
		return err_set(e, ERR_MALFORMED,
			       "a pattern has no empty element: no / at either "
			       "end and no //");
	for (size_t i = 0; i < element.len; i++) {
		unsigned char c = element.data[i];

		if (c == '*' && i && element.data[i - 1] == '*')
			return err_set(e, ERR_MALFORMED,
				       "** stands for whole elements, alone "
				       "between slashes");
		if (c == '*')
			continue;
		if (!is_inner(c))
			return err_set(e, ERR_MALFORMED,
				       "a pattern consists of letters, digits, "
				       ". _ - / and *");
		if (!n_literal++)
			first = c;
	}
	if (element.data[0] != '*' && !is_first(element.data[0]))
		return err_set(e, ERR_MALFORMED,
			       "no repository matches: an element begins with "
			       "a letter, a digit or _");
	if (ends_with(element, ".git") || ends_with(element, ".lock"))
		return err_set(e, ERR_MALFORMED,
			       "no repository matches: patterns are compared "
			       "without .git, and no name ends in .lock");
	*min_bytes = n_literal + !is_first(first);
	return 0;
}

int pattern_check(struct span pattern, struct err *e)
{
	struct path path = path_of(pattern);
	struct span element;
	size_t n_bytes = 0, n_elements = 0;

	if (!pattern.len)
		return err_set(e, ERR_MALFORMED, "a pattern is not empty");
	if (pattern.len > PATTERN_MAX)
		return err_set(e, ERR_MALFORMED,
			       "a pattern has at most %d bytes", PATTERN_MAX);
	while (path_next(&path, &element)) {
		size_t min_bytes = 1;

		/* Only at the end it needs an element to stand for. */
		if (span_is(element, "**") && !path.is_done)
			continue;
		if (!span_is(element, "**") &&
		    pattern_element_check(element, &min_bytes, e) < 0)
			return -1;
		n_bytes += min_bytes + (n_elements > 0);
		n_elements++;
	}
	if (n_elements > REPO_NAME_ELEMENTS || n_bytes > REPO_NAME_MAX)
		return err_set(e, ERR_MALFORMED,
			       "no repository matches: a name has at most %d "
			       "elements and %d bytes",
			       REPO_NAME_ELEMENTS, REPO_NAME_MAX);
	return 0;
}

/* -- matching ------------------------------------------------------------- */

/* One element: "*" stands for any bytes. */
static bool element_matches(struct span pattern, struct span text)
{
	size_t p = 0, t = 0;
	size_t retry_p = SIZE_MAX, retry_t = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			retry_p = ++p;
			retry_t = t;
		} else if (p < pattern.len && pattern.data[p] == text.data[t]) {
			p++;
			t++;
		} else if (retry_p != SIZE_MAX) {
			p = retry_p;
			t = ++retry_t;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

/* The same one level up: "**" stands for any number of elements, at the end
 * behind others for at least one. */
static bool path_matches(struct span pattern, struct span name)
{
	struct path p = path_of(pattern), n = path_of(name);
	struct path retry_p = p, retry_n = n;
	bool can_retry = false;
	struct span want, have;

	if (span_is(pattern, "**"))
		return true;
	for (;;) {
		if (!path_next(&p, &want)) {
			if (n.is_done)
				return true;
		} else if (span_is(want, "**")) {
			if (p.is_done)
				return !n.is_done;
			retry_p = p;
			retry_n = n;
			can_retry = true;
			continue;
		} else if (path_next(&n, &have) &&
			   element_matches(want, have)) {
			continue;
		}
		if (!can_retry || !path_next(&retry_n, &have))
			return false;
		p = retry_p;
		n = retry_n;
	}
}

bool pattern_matches(const char *pattern, const char *repo_name)
{
	return path_matches(span_str(pattern), span_str(repo_name));
}

bool ref_pattern_matches(const char *pattern, const char *short_name)
{
	return path_matches(span_str(pattern), span_str(short_name));
}
