/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ref's file. Opened without blocking and looked at before it is read, so
 * that a fifo or a device in its place is a broken ref and not a hang.
 */
#include "git/loose_refs.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

static int set_symref(struct loose_value *out, struct span target)
{
	struct err ignored;

	while (target.len && isspace(target.data[target.len - 1]))
		target.len--;
	while (target.len && isspace(target.data[0])) {
		target.data++;
		target.len--;
	}
	if (target.len >= sizeof out->target ||
	    ref_name_check(target, &ignored) < 0)
		return 0;
	memcpy(out->target, target.data, target.len);
	out->target[target.len] = '\0';
	out->kind = LOOSE_SYMREF;
	return 0;
}

static int value_parse(struct span text, enum oid_kind kind,
		       struct loose_value *out)
{
	if (span_skip(&text, "ref:"))
		return set_symref(out, text);
	if (!oid_take(&text, kind, &out->id) || oid_is_zero(&out->id))
		return 0;
	if (text.len && !isspace(text.data[0]))
		return 0;
	out->kind = LOOSE_ID;
	return 0;
}

/* git once made symbolic refs as symbolic links. 1 where this is one. */
static int link_read(const char *path, struct loose_value *out)
{
	char target[LOOSE_REF_MAX];
	ssize_t n = readlink(path, target, sizeof target);

	if (n <= 0 || (size_t)n == sizeof target)
		return 0;
	if (!span_starts(span_of(target, (size_t)n), "refs/"))
		return 0;
	set_symref(out, span_of(target, (size_t)n));
	return out->kind == LOOSE_SYMREF;
}

static int absent(struct loose_value *out)
{
	out->kind = LOOSE_ABSENT;
	return 0;
}

static int file_parse(int fd, const char *name, enum oid_kind kind,
		      struct loose_value *out, struct err *e)
{
	unsigned char text[LOOSE_REF_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "looking at %s", name);
	if (S_ISDIR(st.st_mode))
		return absent(out);
	if (!S_ISREG(st.st_mode))
		return 0;
	do
		n = read(fd, text, sizeof text);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "reading %s", name);
	return value_parse(span_of(text, (size_t)n), kind, out);
}

int loose_ref_read(const char *git_dir, const char *name, enum oid_kind kind,
		   struct loose_value *out, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	CLEANUP(closep) int fd = -1;

	if (!path)
		return err_nomem(e);
	out->kind = LOOSE_BROKEN;
	out->id = (struct oid){ 0 };
	fd = open(path,
		  O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0 && errno == ELOOP) {
		if (link_read(path, out))
			return 0;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 && errno == ELOOP)
			return 0; /* a link to itself: broken */
	}
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return absent(out);
	if (fd < 0 && (errno == ENXIO || errno == EACCES))
		return 0; /* a socket, or not ours to read: broken */
	if (fd < 0)
		return err_errno(e, "opening %s", name);
	return file_parse(fd, name, kind, out, e);
}
