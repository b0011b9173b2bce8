/* SPDX-License-Identifier: Apache-2.0 */
/* As git gc: refs with what tags lead through, HEAD, reflogs (both sides of
 * every line), and files like ORIG_HEAD. Format: gitrepository-layout(5). */
#include "git/maintain_roots.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"
#include "git/refs.h"
#include "git/repository.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFLOG_MAX     ((size_t)1 << 30)
#define PSEUDO_REF_MAX ((size_t)1 << 20)
#define LOG_DIRS_MAX   100000

static int add(struct oid_set *out, const struct oid *id, struct err *e)
{
	if (!id->len || oid_is_zero(id))
		return 0;
	return oid_set_add(out, id, e) < 0 ? -1 : 0;
}

/* An id that a file other than a ref names: only if it is there. */
static int add_if_there(const struct snapshot *s, struct oid_set *out,
			const struct oid *id, struct err *e)
{
	struct object_at at;
	int found;

	if (oid_is_zero(id) || oid_set_has(out, id))
		return 0;
	found = objects_find(snapshot_objects(s), id, &at, e);
	return found > 0 ? add(out, id, e) : found;
}

static int add_refs(const struct snapshot *s, struct oid_set *out,
		    struct err *e)
{
	const struct refs *refs = snapshot_refs(s);

	if (refs_broken(refs))
		return err_set(e, ERR_CONFLICT,
			       "%zu refs are broken or name what is not there",
			       refs_broken(refs));
	for (size_t i = 0; i < refs_count(refs); i++)
		if (add(out, &refs_at(refs, i)->id, e) < 0)
			return -1;
	return add(out, &refs_head(refs)->id, e);
}

/* "OLD NEW NAME <MAIL> ..." */
static int add_log(const struct snapshot *s, const char *path,
		   struct oid_set *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text;
	struct span rest, line;
	struct oid id;

	buf_init_max(&text, REFLOG_MAX);
	if (file_read(path, REFLOG_MAX, &text, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	rest = buf_span(&text);
	while (span_until(&rest, '\n', &line)) {
		for (int i = 0; i < 2; i++) {
			if (!oid_take(&line, OID_SHA1, &id))
				break;
			if (add_if_there(s, out, &id, e) < 0)
				return -1;
			(void)span_skip(&line, " ");
		}
	}
	return 0;
}

/* Directories that wait. */
struct dirs {
	char **items;
	size_t n;
};

static void dirs_fini(struct dirs *d)
{
	while (d->n)
		free(d->items[--d->n]);
	free(d->items);
}

static int dirs_push(struct dirs *d, char *path, struct err *e)
{
	char **grown = path && d->n < LOG_DIRS_MAX
			       ? reallocarray(d->items, d->n + 1, sizeof *grown)
			       : NULL;

	if (!grown) {
		free(path);
		return err_nomem(e);
	}
	d->items = grown;
	d->items[d->n++] = path;
	return 0;
}

static int logs_of_dir(const struct snapshot *s, struct dirs *d,
		       const char *path, struct oid_set *out, struct err *e)
{
	CLEANUP(closedirp) DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, "listing %s", path);
	while ((errno = 0, entry = readdir(dir))) {
		CLEANUP(freep) char *file = path_join(path, entry->d_name);

		if (!file)
			return err_nomem(e);
		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") || lstat(file, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (dirs_push(d, TAKE(file), e) < 0)
				return -1;
		} else if (S_ISREG(st.st_mode) &&
			   add_log(s, file, out, e) < 0) {
			return -1;
		}
	}
	return errno ? err_errno(e, "listing %s", path) : 0;
}

static int add_logs(const struct snapshot *s, const char *git_dir,
		    struct oid_set *out, struct err *e)
{
	CLEANUP(dirs_fini) struct dirs d = { 0 };

	if (dirs_push(&d, path_join(git_dir, "logs"), e) < 0)
		return -1;
	while (d.n) {
		CLEANUP(freep) char *path = d.items[--d.n];

		if (logs_of_dir(s, &d, path, out, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_pseudo_ref(const char *name)
{
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(name) &&
	       strlen(name) >= strlen("HEAD");
}

/* ORIG_HEAD, MERGE_HEAD, FETCH_HEAD: each line that begins with an id. */
static int add_pseudo_ref(const struct snapshot *s, const char *path,
			  struct oid_set *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct span rest, line;
	struct oid id;

	if (file_read(path, PSEUDO_REF_MAX, &text, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	buf_addc(&text, '\n');
	rest = buf_span(&text);
	while (span_until(&rest, '\n', &line))
		if (oid_take(&line, OID_SHA1, &id) &&
		    add_if_there(s, out, &id, e) < 0)
			return -1;
	return 0;
}

static int add_files(const struct snapshot *s, const char *git_dir,
		     struct oid_set *out, struct err *e)
{
	CLEANUP(closedirp) DIR *dir = opendir(git_dir);
	struct dirent *entry;

	if (!dir)
		return err_errno(e, "listing %s", git_dir);
	while ((errno = 0, entry = readdir(dir))) {
		CLEANUP(freep) char *path = NULL;

		if (!strcmp(entry->d_name, "index") ||
		    !strcmp(entry->d_name, "worktrees"))
			return err_set(e, ERR_CONFLICT,
				       "it has a work tree: git gc knows what "
				       "that needs");
		if (!is_pseudo_ref(entry->d_name))
			continue;
		path = path_join(git_dir, entry->d_name);
		if (!path)
			return err_nomem(e);
		if (add_pseudo_ref(s, path, out, e) < 0)
			return -1;
	}
	return errno ? err_errno(e, "listing %s", git_dir) : 0;
}

int maintain_roots(struct snapshot *s, struct oid_set *out, struct err *e)
{
	const char *git_dir = repository_dir(snapshot_repository(s));

	if (add_refs(s, out, e) < 0 || add_files(s, git_dir, out, e) < 0)
		return -1;
	return add_logs(s, git_dir, out, e);
}
