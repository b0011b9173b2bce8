/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reflogs as git writes them: a line for each change, appended to logs/NAME,
 * and to logs/HEAD where HEAD points at it. One that exists is always written
 * to; a new one is made where the configuration says so.
 * A log is a record and no promise: that it cannot be written does not undo a
 * push.
 */
#include "git/ref_transaction_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/ref_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* logs/refs/heads stays. */
#define KEPT_ELEMENTS 3

static bool is_logged(const struct ref_log *log, const char *name)
{
	static const char *const prefixes[] = {
		"refs/heads/",
		"refs/remotes/",
		"refs/notes/",
	};

	if (!log->is_on)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (span_starts(span_str(name), prefixes[i]))
			return true;
	return log->with_odd_refs || !strcmp(name, "HEAD");
}

static void line_render(const struct ref_transaction *t,
			const struct ref_item *i, struct buf *b)
{
	struct oid old = i->current.len ? i->current : oid_zero(t->kind);

	buf_addhex(b, old.id, old.len);
	buf_addc(b, ' ');
	buf_addhex(b, i->change->new_id.id, i->change->new_id.len);
	buf_addf(b, " %s\t%s\n", t->log->ident, t->log->message);
}

static void append(const struct ref_transaction *t, const struct ref_item *i,
		   const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	CLEANUP(freep) char *log = path_join("logs", name);
	CLEANUP(freep) char *path = log ? path_join(t->git_dir, log) : NULL;
	CLEANUP(closep) int fd = -1;
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC;
	struct err ignored;

	if (!path)
		return;
	if (is_logged(t->log, name)) {
		flags |= O_CREAT;
		if (ref_dirs_make(t->git_dir, log, &ignored) < 0)
			return;
		ref_dir_clear(t->git_dir, log);
	}
	fd = open(path, flags, 0666);
	if (fd < 0)
		return;
	line_render(t, i, &b);
	if (b.failed || fd_write_full(fd, b.data, b.len, &ignored) < 0)
		return;
}

static void drop(const struct ref_transaction *t, const char *name)
{
	CLEANUP(freep) char *log = path_join("logs", name);
	CLEANUP(freep) char *path = log ? path_join(t->git_dir, log) : NULL;

	if (path && !unlink(path))
		ref_dirs_trim(t->git_dir, log, KEPT_ELEMENTS);
}

void ref_log_write(const struct ref_transaction *t, const struct ref_item *i,
		   const char *head)
{
	if (item_is_deletion(i))
		drop(t, i->name);
	else
		append(t, i, i->name);
	if (head && !strcmp(head, i->name))
		append(t, i, "HEAD");
}
