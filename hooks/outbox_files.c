/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of events as files; the only place that knows their layout. */
#include "hooks/outbox_files.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A push of 100,000 refs at about 400 bytes a line. */
#define BATCH_MAX ((size_t)64 << 20)
#define SUFFIX	  ".events"

static char *path_of(const char *dir, const char *kind, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s%s%s", dir, kind, *name ? "/" : "", name) < 0)
		return NULL;
	return path;
}

int outbox_files_init(const char *dir, struct err *e)
{
	static const char *const kinds[] = { "staged", "ready", "log",
					     "damaged" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(freep) char *path = path_of(dir, kinds[i], "");

		if (!path)
			return err_nomem(e);
		if (dir_make(path, dir_mode_in(dir), e) < 0)
			return -1;
		/* A batch that was being written was no batch yet. */
		(void)!file_temps_sweep(path, e);
	}
	return 0;
}

static int batch_print(const struct event *events, size_t n, const bool *keep,
		       struct buf *out, struct err *e)
{
	buf_init_max(out, BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		if (keep && !keep[i])
			continue;
		if (event_print(&events[i], out, e) < 0)
			return -1;
		buf_addc(out, '\n');
	}
	return buf_check(out, e);
}

int outbox_files_stage(const char *dir, const char *name,
		       const struct event *events, size_t n, struct err *e)
{
	CLEANUP(freep) char *path = path_of(dir, "staged", name);
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	if (!path)
		return err_nomem(e);
	if (batch_print(events, n, NULL, &text, e) < 0)
		return -1;
	return file_replace(path, text.data, text.len, file_mode_in(dir), e);
}

/* The refs that failed must not be told: the batch is written anew. */
static int release_some(const char *dir, const char *name,
			const struct event *events, size_t n, const bool *keep,
			struct err *e)
{
	CLEANUP(freep) char *staged = path_of(dir, "staged", name);
	CLEANUP(freep) char *ready = path_of(dir, "ready", name);
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	if (!staged || !ready)
		return err_nomem(e);
	if (batch_print(events, n, keep, &text, e) < 0)
		return -1;
	if (text.len &&
	    file_replace(ready, text.data, text.len, file_mode_in(dir), e) < 0)
		return -1;
	if (unlink(staged) < 0 && errno != ENOENT)
		return err_errno(e, "removing %s", staged);
	return 0;
}

int outbox_files_release(const char *dir, const char *name,
			 const struct event *events, size_t n, const bool *keep,
			 struct err *e)
{
	CLEANUP(freep) char *staged = path_of(dir, "staged", name);
	CLEANUP(freep) char *ready = path_of(dir, "ready", name);

	for (size_t i = 0; i < n; i++)
		if (!keep[i])
			return release_some(dir, name, events, n, keep, e);
	if (!staged || !ready)
		return err_nomem(e);
	if (rename(staged, ready) < 0)
		return err_errno(e, "releasing %s", staged);
	return 0;
}

void outbox_files_drop(const char *dir, const char *name)
{
	static const char *const kinds[] = { "ready", "staged" };

	/* It is still staged where its release failed. */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(freep) char *path = path_of(dir, kinds[i], name);

		if (path)
			unlink(path);
	}
}

void event_batch_fini(struct event_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		event_fini(&b->events[i]);
	free(b->events);
	free(b->name);
	memset(b, 0, sizeof *b);
}

static int batch_read(const char *path, const char *name,
		      struct event_batch *out, struct err *e)
{
	CLEANUP(event_batch_fini) struct event_batch b = { 0 };
	CLEANUP(buf_fini) struct buf text;
	struct span rest, line;

	buf_init_max(&text, BATCH_MAX);
	if (file_read(path, BATCH_MAX, &text, e) < 0)
		return -1;
	b.name = strdup(name);
	if (!b.name)
		return err_nomem(e);
	rest = buf_span(&text);
	while (span_until(&rest, '\n', &line)) {
		struct event *more =
			reallocarray(b.events, b.n + 1, sizeof *b.events);

		if (!more)
			return err_nomem(e);
		b.events = more;
		if (event_parse(line, &b.events[b.n], e) < 0)
			return err_wrap(e, "%s", path);
		b.n++;
	}
	if (rest.len)
		return err_set(e, ERR_CORRUPT, "%s is cut short", path);
	*out = b;
	memset(&b, 0, sizeof b);
	return 0;
}

static void set_aside(const char *dir, const char *from, const char *name)
{
	CLEANUP(freep) char *to = path_of(dir, "damaged", name);

	if (to)
		(void)!rename(from, to);
}

static int is_batch(const struct dirent *d)
{
	size_t n = strlen(d->d_name), tail = strlen(SUFFIX);

	return d->d_name[0] != '.' && n > tail &&
	       !strcmp(d->d_name + n - tail, SUFFIX);
}

static int scan_one(const char *dir, const char *kind, const char *name,
		    int (*each)(void *arg, struct event_batch *b,
				struct err *e),
		    void *arg, struct err *e)
{
	CLEANUP(freep) char *path = path_of(dir, kind, name);
	struct event_batch b;

	if (!path)
		return err_nomem(e);
	if (batch_read(path, name, &b, e) == 0)
		return each(arg, &b, e);
	if (e->code == ERR_NOT_FOUND)
		return 0; /* released or heard by somebody else meanwhile */
	if (e->code != ERR_CORRUPT)
		return -1;
	set_aside(dir, path, name);
	return 0;
}

int outbox_files_scan(const char *dir, const char *kind,
		      int (*each)(void *arg, struct event_batch *b,
				  struct err *e),
		      void *arg, struct err *e)
{
	CLEANUP(freep) char *path = path_of(dir, kind, "");
	struct dirent **names = NULL;
	int n, result = 0;

	if (!path)
		return err_nomem(e);
	n = scandir(path, &names, is_batch, alphasort);
	if (n < 0)
		return err_errno(e, "reading %s", path);
	for (int i = 0; i < n; i++) {
		if (!result)
			result = scan_one(dir, kind, names[i]->d_name, each,
					  arg, e);
		free(names[i]);
	}
	free(names);
	return result < 0 ? -1 : 0;
}

bool outbox_files_owner(const char *name, char *out, size_t size)
{
	const char *dash = strrchr(name, '-');

	if (!dash || dash == name || (size_t)(dash - name) >= size)
		return false;
	memcpy(out, name, (size_t)(dash - name));
	out[dash - name] = '\0';
	return true;
}
