/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One directory of loose refs. Its signature is taken before it is listed: a
 * change meanwhile makes the signature old, never the content stale.
 */
#include "git/loose_refs.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/packed_refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

DEFINE_PUTP(loose_dir)

struct loose_dir *loose_dir_get(struct loose_dir *d)
{
	atomic_fetch_add_explicit(&d->n_owners, 1, memory_order_relaxed);
	return d;
}

static void file_fini(struct loose_file *f)
{
	union {
		const char *in;
		void *out;
	} name = { f->ref.name };

	free(name.out);
	free(f->symref);
}

struct loose_dir *loose_dir_put(struct loose_dir *d)
{
	if (!d || atomic_fetch_sub(&d->n_owners, 1) != 1)
		return NULL;
	for (size_t i = 0; i < d->n_files; i++)
		file_fini(&d->files[i]);
	for (size_t i = 0; i < d->n_subdirs; i++)
		free(d->subdirs[i]);
	free(d->files);
	free(d->subdirs);
	free(d->path);
	free(d);
	return NULL;
}

/* Room for one more; powers of two, so that the count tells the room. */
static void *room_for(void *array, size_t n, size_t size)
{
	if (n && (n & (n - 1)))
		return array;
	return reallocarray(array, n ? 2 * n : 1, size);
}

/* A loader's constant company. */
struct loading {
	const char *git_dir;
	enum oid_kind kind;
	struct object_reader *reader;
	const struct loose_dir *previous;
	struct loose_value value;
};

static int compare_files(const void *a, const void *b)
{
	const struct loose_file *x = a, *y = b;

	return strcmp(x->ref.name, y->ref.name);
}

/* What the previous reading knew of this ref; NULL where that was nothing. */
static const struct loose_file *known(const struct loading *l, const char *name)
{
	const struct loose_file key = { .ref = { .name = name } };
	const struct loose_file *found;

	if (!l->previous || !l->previous->n_files)
		return NULL;
	found = bsearch(&key, l->previous->files, l->previous->n_files,
			sizeof key, compare_files);
	return found && !found->is_broken ? found : NULL;
}

/* The same file holds the same: `f` is what it was. */
static bool is_unchanged(const struct loose_file *old,
			 const struct loose_file *f)
{
	return old && !old->symref && !file_sig_racy(&old->sig) &&
	       file_sig_eq(&old->sig, &f->sig);
}

static int id_take(struct loading *l, struct loose_file *f, struct err *e)
{
	const struct loose_file *old = known(l, f->ref.name);
	int n;

	f->ref.id = l->value.id;
	if (old && oid_eq(&old->ref.id, &f->ref.id)) {
		f->ref.peeled = old->ref.peeled;
		return 0;
	}
	n = ref_object_look(l->reader, &f->ref.id, &f->ref.peeled, e);
	f->is_broken = !n;
	return n < 0 ? -1 : 0;
}

/* Read the file NAME into `f`. 1; 0 where it is gone or a directory; -1. */
static int file_load(struct loading *l, const char *name, struct loose_file *f,
		     struct err *e)
{
	CLEANUP(freep) char *path = path_join(l->git_dir, name);
	const struct loose_file *old = known(l, name);
	struct err ignored;

	if (!path)
		return err_nomem(e);
	if (file_sig_take(path, true, &f->sig, e) < 0)
		return -1;
	if (is_unchanged(old, f)) {
		f->ref = old->ref;
		f->ref.name = strdup(name);
		return f->ref.name ? 1 : err_nomem(e);
	}
	if (loose_ref_read(l->git_dir, name, l->kind, &l->value, e) < 0)
		return -1;
	if (l->value.kind == LOOSE_ABSENT)
		return 0;
	f->ref.name = strdup(name);
	if (!f->ref.name)
		return err_nomem(e);
	f->is_broken = l->value.kind == LOOSE_BROKEN ||
		       ref_name_check(span_str(name), &ignored) < 0;
	if (f->is_broken)
		return 1;
	if (l->value.kind == LOOSE_ID)
		return id_take(l, f, e) < 0 ? -1 : 1;
	f->symref = strdup(l->value.target);
	return f->symref ? 1 : err_nomem(e);
}

static int file_add(struct loading *l, struct loose_dir *d, const char *name,
		    struct err *e)
{
	struct loose_file *grown, f = { 0 };
	int n = file_load(l, name, &f, e);

	if (n > 0) {
		grown = room_for(d->files, d->n_files, sizeof *grown);
		if (!grown)
			n = err_nomem(e);
		else
			d->files = grown;
	}
	if (n <= 0) {
		file_fini(&f);
		return n;
	}
	d->n_broken += f.is_broken;
	d->files[d->n_files++] = f;
	return 0;
}

static int subdir_add(struct loose_dir *d, char **name, struct err *e)
{
	char **grown = room_for(d->subdirs, d->n_subdirs, sizeof *grown);

	if (!grown)
		return err_nomem(e);
	d->subdirs = grown;
	d->subdirs[d->n_subdirs++] = TAKE(*name);
	return 0;
}

static bool is_skipped(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' || (n >= 5 && !strcmp(name + n - 5, ".lock"));
}

/* A link to a directory is not followed: it may lead anywhere. */
static bool is_dir(int fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return !fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

static int entry_add(struct loading *l, struct loose_dir *d, int fd,
		     const struct dirent *entry, struct err *e)
{
	CLEANUP(freep) char *name = path_join(d->path, entry->d_name);

	if (!name)
		return err_nomem(e);
	if (is_dir(fd, entry))
		return subdir_add(d, &name, e);
	return file_add(l, d, name, e);
}

static int entries_load(struct loading *l, struct loose_dir *d, DIR *list,
			struct err *e)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(list)))
		if (!is_skipped(entry->d_name) &&
		    entry_add(l, d, dirfd(list), entry, e) < 0)
			return -1;
	if (errno)
		return err_errno(e, "listing %s", d->path);
	if (d->n_files)
		qsort(d->files, d->n_files, sizeof *d->files, compare_files);
	return 0;
}

static DIR *dir_list(const char *path)
{
	CLEANUP(closep) int fd = -1;
	DIR *list;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	list = fdopendir(fd);
	if (list)
		(void)take_fd(&fd); /* the DIR closes it */
	return list;
}

int loose_dir_load(const char *git_dir, const char *path, enum oid_kind kind,
		   struct object_reader *reader, struct loose_dir *previous,
		   struct loose_dir **out, struct err *e)
{
	CLEANUP(loose_dir_putp) struct loose_dir *d = NULL;
	CLEANUP(freep) char *full = path_join(git_dir, path);
	CLEANUP(closedirp) DIR *list = NULL;
	struct loading l = { git_dir, kind, reader, previous, { 0 } };

	if (previous && !previous->n_broken &&
	    loose_dir_same(git_dir, previous, true)) {
		*out = loose_dir_get(previous);
		return 1;
	}
	d = calloc(1, sizeof *d);
	if (!full || !d)
		return err_nomem(e);
	d->n_owners = 1;
	d->path = strdup(path);
	if (!d->path)
		return err_nomem(e);
	if (file_sig_take(full, true, &d->sig, e) < 0)
		return -1;
	list = dir_list(full);
	if (!list && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!list)
		return err_errno(e, "opening %s", path);
	if (entries_load(&l, d, list, e) < 0)
		return -1;
	*out = TAKE(d);
	return 1;
}

static bool sig_same(const char *git_dir, const char *name,
		     const struct file_sig *sig, bool is_strict)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	struct file_sig now;
	struct err ignored;

	if (!path || (is_strict && file_sig_racy(sig)))
		return false;
	return !file_sig_take(path, true, &now, &ignored) &&
	       file_sig_eq(sig, &now);
}

bool loose_dir_same(const char *git_dir, const struct loose_dir *d,
		    bool is_strict)
{
	if (!sig_same(git_dir, d->path, &d->sig, is_strict))
		return false;
	if (!is_strict || d->n_files > LOOSE_STAT_MAX)
		return true;
	for (size_t i = 0; i < d->n_files; i++)
		if (d->files[i].ref.name &&
		    !sig_same(git_dir, d->files[i].ref.name, &d->files[i].sig,
			      true))
			return false;
	return true;
}
