/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are ".git" only after a file system has looked at them.
 *
 * HFS+ ignores some code points and case. NTFS ignores case, trailing spaces
 * and dots, and what follows a colon (a stream); it also has short names: the
 * first six bytes, "~" and a digit, or after four of those two letters and four
 * hexadecimal digits of a hash.
 */
#include "git/fsck_checks.h"

#include <ctype.h>

static const struct {
	const char *name;	/* behind the dot */
	const char *short_name; /* how its hashed short name begins */
} dotfiles[] = {
	[FSCK_GITMODULES] = { "gitmodules", "gi7eba" },
	[FSCK_GITATTRIBUTES] = { "gitattributes", "gi7d29" },
	[FSCK_GITIGNORE] = { "gitignore", "gi250a" },
	[FSCK_MAILMAP] = { "mailmap", "maba30" },
};

/* The byte at `i`, NUL past the end: names hold none. */
static unsigned char at(struct span s, size_t i)
{
	return i < s.len ? s.data[i] : '\0';
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

static bool starts_caseless(struct span s, size_t from, const char *text,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lower(at(s, from + i)) != (unsigned char)text[i])
			return false;
	}
	return true;
}

/* -- HFS+ -------------------------------------------------------------------
 */

#define NO_CHAR 0 /* the end, or bytes that are no UTF-8 */

static bool is_ignored(uint32_t c)
{
	return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x206a && c <= 0x206f) || c == 0xfeff;
}

/* Length of the sequence that begins with `c`; 0 where none does. */
static size_t sequence_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

static bool is_code_point(uint32_t c, size_t n)
{
	if (n == 3)
		return c >= 0x800 && (c < 0xd800 || c > 0xdfff) && c < 0xfffe;
	return n < 3 || (c >= 0x10000 && c <= 0x10ffff);
}

static uint32_t next_code_point(struct span *s)
{
	size_t n = sequence_length(at(*s, 0));
	struct span bytes;
	uint32_t c;

	if (!n || !span_take(s, n, &bytes))
		return NO_CHAR;
	c = n == 1 ? bytes.data[0] : bytes.data[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((bytes.data[i] & 0xc0) != 0x80)
			return NO_CHAR;
		c = c << 6 | (bytes.data[i] & 0x3f);
	}
	return is_code_point(c, n) ? c : NO_CHAR;
}

static uint32_t next_hfs_char(struct span *s)
{
	uint32_t c;

	do
		c = next_code_point(s);
	while (is_ignored(c));
	return c;
}

static bool is_hfs(struct span name, const char *text)
{
	uint32_t c;

	if (next_hfs_char(&name) != '.')
		return false;
	for (; *text; text++) {
		c = next_hfs_char(&name);
		if (c > 0x7f || lower((unsigned char)c) != (unsigned char)*text)
			return false;
	}
	c = next_hfs_char(&name);
	return c == NO_CHAR || c == '/';
}

/* -- NTFS -------------------------------------------------------------------
 */

/* Does nothing that counts follow? */
static bool is_ntfs_end(struct span s, size_t i, bool ends_at_separator)
{
	unsigned char c;

	do
		c = at(s, i++);
	while (c == ' ' || c == '.');
	return !c || c == ':' || (ends_at_separator && (c == '/' || c == '\\'));
}

bool fsck_is_ntfs_dotgit(struct span name)
{
	if (starts_caseless(name, 0, ".git", 4))
		return is_ntfs_end(name, 4, true);
	if (starts_caseless(name, 0, "git~1", 5))
		return is_ntfs_end(name, 5, true);
	return false;
}

/* Six bytes or fewer of the short name, "~", digits of which the first is not
 * 0, eight bytes in all. */
static bool is_hashed_short_name(struct span name, const char *short_name)
{
	size_t i = 0;

	if (name.len < 8)
		return false;
	while (i < 6 && lower(at(name, i)) == (unsigned char)short_name[i])
		i++;
	if (at(name, i) != '~' || at(name, i + 1) < '1' ||
	    at(name, i + 1) > '9')
		return false;
	for (i += 2; i < 8; i++) {
		if (!isdigit(at(name, i)))
			return false;
	}
	return true;
}

bool fsck_is_ntfs_dotfile(struct span name, enum fsck_dotfile file)
{
	const char *full = dotfiles[file].name;
	size_t n = strlen(full);

	if (at(name, 0) == '.' && starts_caseless(name, 1, full, n))
		return is_ntfs_end(name, n + 1, false);
	if (starts_caseless(name, 0, full, 6) && at(name, 6) == '~' &&
	    at(name, 7) >= '1' && at(name, 7) <= '4')
		return is_ntfs_end(name, 8, false);
	return is_hashed_short_name(name, dotfiles[file].short_name) &&
	       is_ntfs_end(name, 8, false);
}

/* -- both --------------------------------------------------------------------
 */

bool fsck_is_dotgit(struct span name)
{
	return is_hfs(name, "git") || fsck_is_ntfs_dotgit(name);
}

bool fsck_is_dotfile(struct span name, enum fsck_dotfile file)
{
	return is_hfs(name, dotfiles[file].name) ||
	       fsck_is_ntfs_dotfile(name, file);
}
