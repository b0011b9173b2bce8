/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ref may be called: the rules of git-check-ref-format(1) for a name
 * with at least one slash, and two lengths of our own.
 */
#include "git/refs.h"

#include "base/err.h"

/* Longer ones do not fit into a path below the data directory. */
#define REF_NAME_MAX 2048
/* What a file system takes as one element. */
#define REF_COMPONENT_MAX 255

/* Control bytes, DEL, space and what has a meaning in a revision or pattern. */
static bool is_forbidden(unsigned char c)
{
	return c <= ' ' || c == 0x7f || memchr("~^:?*[\\", c, 7);
}

static bool span_ends(struct span s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len >= n && !memcmp(s.data + (s.len - n), suffix, n);
}

static int bad_name(struct err *e, const char *rule)
{
	return err_set(e, ERR_MALFORMED, "a ref name must not %s", rule);
}

static int component_check(struct span c, struct err *e)
{
	if (!c.len)
		return bad_name(e, "begin or end with / or hold //");
	if (c.len > REF_COMPONENT_MAX)
		return bad_name(e, "have an element of more than 255 bytes");
	if (c.data[0] == '.')
		return bad_name(e, "have an element that begins with a dot");
	if (span_ends(c, ".lock"))
		return bad_name(e, "have an element that ends in .lock");
	for (size_t i = 0; i < c.len; i++)
		if (is_forbidden(c.data[i]))
			return bad_name(e, "hold control characters, spaces "
					   "or any of ~^:?*[\\");
	if (memmem(c.data, c.len, "..", 2))
		return bad_name(e, "hold ..");
	if (memmem(c.data, c.len, "@{", 2))
		return bad_name(e, "hold @{");
	return 0;
}

int ref_name_check(struct span name, struct err *e)
{
	struct span rest = name, component;
	int n = 0;

	if (name.len > REF_NAME_MAX)
		return bad_name(e, "be longer than 2,048 bytes");
	if (span_ends(name, "."))
		return bad_name(e, "end with a dot");
	if (span_ends(name, "/"))
		return bad_name(e, "begin or end with / or hold //");
	while (span_word(&rest, '/', &component)) {
		if (component_check(component, e) < 0)
			return -1;
		n++;
	}
	if (n < 2)
		return bad_name(e, "be without a /");
	return 0;
}

int ref_name_cmp(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.data, b.data, n) : 0;

	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}
