/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view: finding out what is on disk.
 *
 * Signatures are taken, directories read, packs opened, signatures taken again:
 * where they differ (a repack renames the new pack in before it unlinks the old
 * ones, and reading a directory is not atomic) it is done again, on top of what
 * is open already.
 * Alternates are followed as git does: nested up to a depth, a directory that
 * was seen is not followed again, one that is not there is passed over.
 */
#include "git/objects.h"

#include "base/cleanup.h"
#include "git/objects_view.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A directory that is still changing after so many looks is taken as it is; its
 * signature tells the next request. */
#define SCAN_TRIES 8

/* As git: beyond that, "nesting too deep". */
#define ALTERNATES_DEPTH_MAX 5
#define ALTERNATES_MAX	     1000
#define ALTERNATES_FILE_MAX  ((size_t)1 << 20)

#define INDEX_SUFFIX ".idx"

/* A pack in a directory, by its ".pack" path. */
struct candidate {
	char *path;
	int64_t mtime_ns; /* of those that have to be opened */
	bool is_open;	  /* shared from the view before */
};

struct candidates {
	struct candidate *list;
	size_t n;
};

static void candidates_fini(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i].path);
	free(c->list);
}

/* -- sources --------------------------------------------------------------- */

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool source_is_known(const struct objects *o, const char *dir)
{
	for (size_t i = 0; i < o->n_sources; i++) {
		if (!strcmp(o->sources[i].dir, dir))
			return true;
	}
	return false;
}

/* One more that was not looked at yet; NULL out of memory. */
static struct object_source *source_new(struct objects *o, const char *dir,
					struct err *e)
{
	struct object_source *list, *s;

	list = reallocarray(o->sources, o->n_sources + 1, sizeof *list);
	if (!list)
		return err_nomem(e), NULL;
	o->sources = list;
	s = &list[o->n_sources++];
	*s = (struct object_source){
		.dir = strdup(dir),
		.pack_dir = path_join(dir, "pack"),
		.alternates = path_join(dir, "info/alternates"),
	};
	if (!s->dir || !s->pack_dir || !s->alternates)
		return err_nomem(e), NULL;
	return s;
}

static int source_add(struct objects *o, const char *dir, struct err *e)
{
	struct object_source *s = source_new(o, dir, e);

	if (!s)
		return -1;
	s->is_missing = !is_dir(dir);
	if (file_sig_take(s->pack_dir, false, &s->pack_sig, e) < 0)
		return -1;
	return file_sig_take(s->alternates, false, &s->alternates_sig, e);
}

/* The directory a line of `from`'s alternates file means, malloc'ed; links are
 * resolved, so that a cycle is seen. */
static char *alternate_path(const char *from, struct span line, struct err *e)
{
	CLEANUP(freep) char *base = NULL;
	CLEANUP(freep) char *joined = NULL;
	char *path;

	if (span_starts(line, "/")) {
		joined = strndup((const char *)line.data, line.len);
	} else {
		base = realpath(from, NULL);
		if (asprintf(&joined, "%s/%.*s", base ? base : from,
			     (int)line.len, (const char *)line.data) < 0)
			joined = NULL;
	}
	if (!joined) {
		err_nomem(e);
		return NULL;
	}
	path = realpath(joined, NULL);
	return path ? path : TAKE(joined);
}

static int alternate_add(struct objects *o, size_t from, struct span line,
			 struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *own = NULL;

	if (!line.len || line.data[0] == '#')
		return 0;
	if (line.len >= PATH_MAX || memchr(line.data, '\0', line.len))
		return err_set(e, ERR_CORRUPT, "%s is damaged",
			       o->sources[from].alternates);
	path = alternate_path(o->sources[from].dir, line, e);
	if (!path)
		return -1;
	own = realpath(o->sources[0].dir, NULL);
	if (source_is_known(o, path) || (own && !strcmp(own, path)))
		return 0;
	if (o->n_sources > ALTERNATES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d alternates in %s",
			       ALTERNATES_MAX, o->sources[0].dir);
	return source_add(o, path, e);
}

static int alternates_read(struct objects *o, size_t from, struct err *e)
{
	struct buf text;
	struct span rest, line;
	int rc = 0;

	if (o->sources[from].alternates_sig.size < 0)
		return 0;
	buf_init_max(&text, ALTERNATES_FILE_MAX);
	if (file_read(o->sources[from].alternates, ALTERNATES_FILE_MAX, &text,
		      e) < 0) {
		buf_fini(&text);
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	}
	rest = buf_span(&text);
	while (!rc && span_word(&rest, '\n', &line))
		rc = alternate_add(o, from, line, e);
	buf_fini(&text);
	return rc;
}

/* The own directory and everything it leads to, level by level. */
static int sources_find(struct objects *o, const char *dir, struct err *e)
{
	size_t level = 0, end;

	if (source_add(o, dir, e) < 0)
		return -1;
	if (o->sources[0].is_missing)
		return err_set(e, ERR_NOT_FOUND, "%s is no directory", dir);
	for (int depth = 0; depth <= ALTERNATES_DEPTH_MAX; depth++) {
		end = o->n_sources;
		for (; level < end; level++) {
			if (alternates_read(o, level, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int sources_unchanged(const struct objects *o, struct err *e)
{
	struct file_sig packs, alternates;

	for (size_t i = 0; i < o->n_sources; i++) {
		const struct object_source *s = &o->sources[i];

		if (file_sig_take(s->pack_dir, false, &packs, e) < 0 ||
		    file_sig_take(s->alternates, false, &alternates, e) < 0)
			return -1;
		if (!file_sig_eq(&packs, &s->pack_sig) ||
		    !file_sig_eq(&alternates, &s->alternates_sig))
			return 0;
	}
	return 1;
}

/* -- packs ----------------------------------------------------------------- */

/* Add what an index called `name` stands for. */
static int candidate_add(struct candidates *c, const char *dir,
			 const char *name, struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	struct candidate *list;
	size_t n = strlen(name);

	/* What git has not finished begins with one of these. */
	if (name[0] == '.' || !strncmp(name, "tmp_", strlen("tmp_")))
		return 0;
	if (n <= strlen(INDEX_SUFFIX) ||
	    strcmp(name + n - strlen(INDEX_SUFFIX), INDEX_SUFFIX) != 0)
		return 0;
	if (asprintf(&path, "%s/%.*s.pack", dir,
		     (int)(n - strlen(INDEX_SUFFIX)), name) < 0) {
		path = NULL;
		return err_nomem(e);
	}
	list = reallocarray(c->list, c->n + 1, sizeof *list);
	if (!list)
		return err_nomem(e);
	c->list = list;
	c->list[c->n++] = (struct candidate){ .path = TAKE(path) };
	return 0;
}

static int candidates_scan(struct candidates *c, const char *dir, struct err *e)
{
	CLEANUP(closedirp) DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d && errno == ENOENT)
		return 0;
	if (!d && errno == ENOTDIR)
		return err_set(e, ERR_CORRUPT, "%s is no directory", dir);
	if (!d)
		return err_errno(e, "opening %s", dir);
	while ((errno = 0, entry = readdir(d))) {
		if (candidate_add(c, dir, entry->d_name, e) < 0)
			return -1;
	}
	return errno ? err_errno(e, "reading %s", dir) : 0;
}

static int by_path(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int by_age(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns > y->mtime_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Share what is open in `previous` and still there, in its order. */
static int packs_share(struct objects *o, struct candidates *c,
		       const struct objects *previous, struct err *e)
{
	struct candidate key, *found;
	struct pack *p;

	if (!c->n)
		return 0;
	qsort(c->list, c->n, sizeof *c->list, by_path);
	for (uint32_t i = 0; previous && i < previous->n_packs; i++) {
		p = previous->packs[i];
		if (asprintf(&key.path, "%s", pack_path(p)) < 0)
			return err_nomem(e);
		found = bsearch(&key, c->list, c->n, sizeof *c->list, by_path);
		free(key.path);
		if (!found || found->is_open || !pack_is_current(p))
			continue;
		if (objects_add_pack(o, p, e) < 0)
			return -1;
		pack_get(p);
		found->is_open = true;
	}
	return 0;
}

/*
 * Leave what has to be opened, newest first. Only these are looked at once
 * more: where a push has added one pack to hundreds, that is one.
 */
static int candidates_rest(struct candidates *c, struct err *e)
{
	struct file_sig sig;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct candidate *one = &c->list[i];

		sig.size = -1;
		if (!one->is_open &&
		    file_sig_take(one->path, false, &sig, e) < 0)
			return -1;
		if (sig.size < 0) { /* open already, or an index alone */
			free(one->path);
			one->path = NULL;
			continue;
		}
		one->mtime_ns = sig.mtime_ns;
		c->list[n] = *one;
		if (n++ < i)
			one->path = NULL;
	}
	c->n = n;
	if (n)
		qsort(c->list, n, sizeof *c->list, by_age);
	return 0;
}

static int broken_add(struct objects *o, const char *path,
		      const struct err *why, struct err *e)
{
	struct broken_pack *list, *b;
	size_t stem = strlen(path) - strlen(".pack");

	list = reallocarray(o->broken, o->n_broken + 1, sizeof *list);
	if (!list)
		return err_nomem(e);
	o->broken = list;
	b = &list[o->n_broken++];
	*b = (struct broken_pack){ .path = strdup(path), .why = *why };
	if (asprintf(&b->index, "%.*s%s", (int)stem, path, INDEX_SUFFIX) < 0)
		b->index = NULL;
	if (!b->path || !b->index)
		return err_nomem(e);
	if (file_sig_take(b->path, false, &b->sig, e) < 0)
		return -1;
	return file_sig_take(b->index, false, &b->index_sig, e);
}

/* A damaged pack does not keep the others from being read. */
static int pack_add(struct objects *o, const char *path, struct err *e)
{
	struct err why;
	struct pack *p;

	p = pack_open(path, o->kind, &why);
	if (p && objects_add_pack(o, p, e) < 0) {
		pack_put(p);
		return -1;
	}
	if (p || why.code == ERR_NOT_FOUND)
		return 0; /* unlinked since the directory was read */
	if (why.code == ERR_CORRUPT)
		return broken_add(o, path, &why, e);
	*e = why;
	return -1;
}

static int packs_open(struct objects *o, const struct objects *previous,
		      struct err *e)
{
	struct candidates c = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < o->n_sources; i++)
		rc = candidates_scan(&c, o->sources[i].pack_dir, e);
	if (!rc)
		rc = packs_share(o, &c, previous, e);
	if (!rc)
		rc = candidates_rest(&c, e);
	for (size_t i = 0; !rc && i < c.n; i++)
		rc = pack_add(o, c.list[i].path, e);
	candidates_fini(&c);
	return rc;
}

static struct objects *open_once(const char *dir, enum oid_kind kind,
				 const struct objects *previous, struct err *e)
{
	CLEANUP(objects_putp) struct objects *o = objects_alloc(kind);

	if (!o) {
		err_nomem(e);
		return NULL;
	}
	if (sources_find(o, dir, e) < 0 || packs_open(o, previous, e) < 0)
		return NULL;
	return TAKE(o);
}

struct objects *objects_open_from(const char *dir, enum oid_kind kind,
				  const struct objects *previous, struct err *e)
{
	CLEANUP(objects_putp) struct objects *o = NULL;
	struct objects *next;
	int is_unchanged = 0;

	for (int i = 0; i < SCAN_TRIES && !is_unchanged; i++) {
		next = open_once(dir, kind, o ? o : previous, e);
		if (!next)
			return NULL;
		objects_put(o);
		o = next;
		is_unchanged = sources_unchanged(o, e);
		if (is_unchanged < 0)
			return NULL;
	}
	return TAKE(o);
}

struct objects *objects_open(const char *objects_dir, enum oid_kind kind,
			     struct objects *previous, struct err *e)
{
	return objects_open_from(objects_dir, kind, previous, e);
}

static int sources_copy(struct objects *o, const struct objects *from,
			struct err *e)
{
	for (size_t i = 0; i < from->n_sources; i++) {
		const struct object_source *s = &from->sources[i];
		struct object_source *copy = source_new(o, s->dir, e);

		if (!copy)
			return -1;
		/* As old as what was read, not as new as this copy. */
		copy->pack_sig = s->pack_sig;
		copy->alternates_sig = s->alternates_sig;
		copy->is_missing = s->is_missing;
	}
	return 0;
}

struct objects *objects_plus(struct objects *o, struct pack *extra,
			     struct err *e)
{
	CLEANUP(objects_putp) struct objects *sum = objects_alloc(o->kind);

	if (!sum) {
		err_nomem(e);
		return NULL;
	}
	if (sources_copy(sum, o, e) < 0)
		return NULL;
	for (size_t i = 0; i < o->n_broken; i++) {
		if (broken_add(sum, o->broken[i].path, &o->broken[i].why, e) <
		    0)
			return NULL;
	}
	for (uint32_t i = 0; i <= o->n_packs; i++) {
		struct pack *p = i < o->n_packs ? o->packs[i] : extra;

		if (objects_add_pack(sum, p, e) < 0)
			return NULL;
		pack_get(p);
	}
	return TAKE(sum);
}

struct objects *objects_select(struct objects *o, const uint32_t *packs,
			       uint32_t n, struct err *e)
{
	CLEANUP(objects_putp) struct objects *some = objects_alloc(o->kind);

	if (!some) {
		err_nomem(e);
		return NULL;
	}
	if (sources_copy(some, o, e) < 0)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		struct pack *p = o->packs[packs[i]];

		if (objects_add_pack(some, p, e) < 0)
			return NULL;
		pack_get(p);
	}
	return TAKE(some);
}
