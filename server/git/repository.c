/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository and its current snapshot.
 *
 * The repository keeps the newest snapshot without owning it in the sense of
 * its users: every reference given out also holds the repository, the kept one
 * does not, so that the two do not keep each other.
 * One thread at a time rebuilds; others that want a snapshot need what it
 * makes, and wait. Lock order: repository.lock, then those of refs and objects.
 */
#include "git/repository.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/commits.h"
#include "git/objects.h"
#include "git/pack_file.h"
#include "git/reach.h"
#include "git/refs.h"
#include "git/repo_config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* How often the objects are looked at again when refs name what is not there
 * yet: stock git may be pushing all the time. */
#define BUILD_TRIES 4
/* Peeling reads tags, which are small and seldom deltas. */
#define PEEL_CACHE_BYTES ((size_t)256 << 10)
/* For repository_memory(): a ref with its share of tables, roughly. */
#define REF_BYTES 160

struct snapshot {
	/* set once, then read-only */
	struct repository *repository;
	struct refs *refs;
	struct objects *objects;
	struct commits *commits;
	struct repo_config *config; /* shared through config_owners */
	struct file_sig config_sig;
	_Atomic size_t *config_owners;
	_Atomic size_t n_owners;
};

struct repository {
	/* set once, then read-only */
	char *git_dir;
	char *objects_dir;
	char *config_path;
	bool use_environment;
	_Atomic size_t n_owners;

	/* under lock */
	pthread_mutex_t lock;
	struct snapshot *current;
	struct commits *commits; /* the newest; NULL once given up */
};

DEFINE_PUTP(objects)
DEFINE_PUTP(refs)
DEFINE_PUTP(repository)
DEFINE_FREEP(object_reader)

/* -- snapshots ------------------------------------------------------------ */

static void config_drop(struct snapshot *s)
{
	if (!s->config_owners || atomic_fetch_sub(s->config_owners, 1) != 1)
		return;
	repo_config_free(s->config);
	free(s->config_owners);
}

/* Give up a reference without the repository's. */
static void snapshot_drop(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->n_owners, 1) != 1)
		return;
	refs_put(s->refs);
	objects_put(s->objects);
	commits_put(s->commits);
	config_drop(s);
	free(s);
}

static void snapshot_dropp(struct snapshot **s)
{
	snapshot_drop(*s);
}

struct snapshot *snapshot_get(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->n_owners, 1, memory_order_relaxed);
	repository_get(s->repository);
	return s;
}

struct snapshot *snapshot_put(struct snapshot *s)
{
	struct repository *r;

	if (!s)
		return NULL;
	r = s->repository;
	snapshot_drop(s);
	repository_put(r);
	return NULL;
}

struct repository *snapshot_repository(const struct snapshot *s)
{
	return s->repository;
}

struct refs *snapshot_refs(const struct snapshot *s)
{
	return s->refs;
}

struct objects *snapshot_objects(const struct snapshot *s)
{
	return s->objects;
}

struct graph *snapshot_graph(const struct snapshot *s)
{
	return s->commits->graph;
}

struct reach *snapshot_reach(const struct snapshot *s)
{
	return s->commits->reach;
}

const struct repo_config *snapshot_config(const struct snapshot *s)
{
	return s->config;
}

static bool config_fresh(const struct repository *r, const struct snapshot *s)
{
	struct file_sig now;
	struct err ignored;

	return !file_sig_racy(&s->config_sig) &&
	       !file_sig_take(r->config_path, false, &now, &ignored) &&
	       file_sig_eq(&now, &s->config_sig);
}

static int config_build(struct repository *r, const struct snapshot *old,
			struct snapshot *s, struct err *e)
{
	if (old && config_fresh(r, old)) {
		s->config = old->config;
		s->config_sig = old->config_sig;
		s->config_owners = old->config_owners;
		atomic_fetch_add(s->config_owners, 1);
		return 0;
	}
	s->config_owners = malloc(sizeof *s->config_owners);
	if (!s->config_owners)
		return err_nomem(e);
	atomic_init(s->config_owners, 1);
	if (file_sig_take(r->config_path, false, &s->config_sig, e) < 0)
		return -1;
	s->config = repo_config_load(r->git_dir, r->use_environment, e);
	return s->config ? 0 : -1;
}

/* Objects as they are now, sharing what `old` has. */
static struct objects *objects_now(const struct repository *r,
				   struct objects *old, struct err *e)
{
	if (old && objects_fresh(old))
		return objects_get(old);
	return objects_open(r->objects_dir, OID_SHA1, old, e);
}

static struct refs *refs_now(const struct repository *r,
			     struct objects *objects, struct refs *old,
			     struct err *e)
{
	CLEANUP(object_reader_freep) struct object_reader *reader = NULL;

	reader = object_reader_new(objects, PEEL_CACHE_BYTES, e);
	return reader ? refs_load(r->git_dir, OID_SHA1, reader, old, e) : NULL;
}

/* The commits, anew where another `shallow` file gives them other parents. */
static int commits_build(struct repository *r, struct snapshot *s,
			 struct err *e)
{
	struct commits *c;

	if (!r->commits || !commits_fresh(r->commits)) {
		c = commits_new(r->git_dir, OID_SHA1);
		if (!c)
			return err_nomem(e);
		commits_put(r->commits);
		r->commits = c;
	}
	commits_put(s->commits);
	s->commits = commits_get(r->commits);
	return 0;
}

/* Refs, then the commits' `shallow` file and objects, each at least as new as
 * what names it: a push writes them in the opposite order. Refs whose objects
 * were not seen are looked at again with the newer objects. */
static int contents_build(struct repository *r, const struct snapshot *old,
			  struct snapshot *s, struct err *e)
{
	struct refs *refs_before = old ? old->refs : NULL;
	struct objects *newer;
	struct refs *again;

	s->objects = objects_now(r, old ? old->objects : NULL, e);
	if (!s->objects)
		return -1;
	if (refs_before && !refs_broken(refs_before) && refs_fresh(refs_before))
		s->refs = refs_get(refs_before);
	else
		s->refs = refs_now(r, s->objects, refs_before, e);
	for (int i = 0; s->refs && i < BUILD_TRIES; i++) {
		if (commits_build(r, s, e) < 0)
			return -1;
		newer = objects_now(r, s->objects, e);
		if (!newer)
			return -1;
		objects_put(s->objects);
		if (newer == s->objects || !refs_broken(s->refs)) {
			s->objects = newer;
			break;
		}
		s->objects = newer;
		again = refs_now(r, newer, s->refs, e);
		refs_put(s->refs);
		s->refs = again;
	}
	return s->refs ? 0 : -1;
}

static struct snapshot *
snapshot_build(struct repository *r, const struct snapshot *old, struct err *e)
{
	CLEANUP(snapshot_dropp) struct snapshot *s = calloc(1, sizeof *s);

	if (!s)
		return err_nomem(e), NULL;
	s->repository = r;
	s->n_owners = 1;
	if (config_build(r, old, s, e) < 0 || contents_build(r, old, s, e) < 0)
		return NULL;
	return TAKE(s);
}

static bool snapshot_fresh(const struct repository *r, const struct snapshot *s)
{
	return config_fresh(r, s) && refs_fresh(s->refs) &&
	       objects_fresh(s->objects) && commits_fresh(s->commits);
}

static struct snapshot *snapshot_take(
	struct repository *r,
	bool (*is_fresh)(const struct repository *r, const struct snapshot *s),
	struct err *e)
{
	struct snapshot *s = NULL, *old;

	pthread_mutex_lock(&r->lock);
	old = r->current;
	if (!old || !is_fresh(r, old)) {
		s = snapshot_build(r, old, e);
		if (s) {
			r->current = s;
			snapshot_drop(old);
		}
	} else {
		s = old;
	}
	if (s)
		snapshot_get(s);
	pthread_mutex_unlock(&r->lock);
	return s;
}

struct snapshot *repository_snapshot(struct repository *r, struct err *e)
{
	return snapshot_take(r, snapshot_fresh, e);
}

struct snapshot *repository_snapshot_configured(struct repository *r,
						struct err *e)
{
	return snapshot_take(r, config_fresh, e);
}

/* The same with one pack more. What was seen of the disk stays as old as it
 * was, so nobody takes this for the present. */
static struct snapshot *snapshot_plus(const struct snapshot *old,
				      struct pack *pack)
{
	struct snapshot *s = calloc(1, sizeof *s);
	struct err ignored;

	if (!s)
		return NULL;
	s->objects = objects_plus(old->objects, pack, &ignored);
	if (!s->objects) {
		free(s);
		return NULL;
	}
	s->repository = old->repository;
	s->refs = refs_get(old->refs);
	s->commits = commits_get(old->commits);
	s->config = old->config;
	s->config_sig = old->config_sig;
	s->config_owners = old->config_owners;
	atomic_fetch_add(s->config_owners, 1);
	s->n_owners = 1;
	return s;
}

void repository_published(struct repository *r, struct pack *pack)
{
	struct snapshot *s = NULL, *old;

	pthread_mutex_lock(&r->lock);
	old = r->current;
	if (old && !objects_has_pack(old->objects, pack_path(pack)))
		s = snapshot_plus(old, pack);
	if (s)
		r->current = s;
	else
		old = NULL;
	pthread_mutex_unlock(&r->lock);
	snapshot_drop(old);
}

/* -- the repository ------------------------------------------------------- */

static bool is_there(const char *git_dir, const char *name)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	struct stat st;

	return path && !lstat(path, &st);
}

static bool is_dir(const char *git_dir, const char *name)
{
	CLEANUP(freep) char *path = path_join(git_dir, name);
	struct stat st;

	return path && !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* One missing part is damage; more than one is no repository. */
static int parts_check(const char *git_dir, struct err *e)
{
	bool has_head = is_there(git_dir, "HEAD");
	bool has_objects = is_dir(git_dir, "objects");
	bool has_refs = is_dir(git_dir, "refs");
	int n = has_head + has_objects + has_refs;

	if (n == 3)
		return 0;
	if (n < 2)
		return err_set(e, ERR_NOT_FOUND, "%s is no git repository",
			       git_dir);
	return err_set(e, ERR_CORRUPT,
		       "the repository is damaged: %s is missing",
		       !has_head      ? "HEAD"
		       : !has_objects ? "objects/"
				      : "refs/");
}

DEFINE_FREEP(repo_config)

static int format_check(const char *git_dir, struct err *e)
{
	CLEANUP(repo_config_freep) struct repo_config *c = NULL;

	c = repo_config_load(git_dir, false, e);
	return c ? 0 : -1;
}

struct repository *repository_open(const char *git_dir, struct err *e)
{
	CLEANUP(repository_putp) struct repository *r = NULL;

	if (parts_check(git_dir, e) < 0 || format_check(git_dir, e) < 0)
		return NULL;
	r = calloc(1, sizeof *r);
	if (!r)
		return err_nomem(e), NULL;
	r->n_owners = 1;
	pthread_mutex_init(&r->lock, NULL);
	r->git_dir = strdup(git_dir);
	r->objects_dir = path_join(git_dir, "objects");
	r->config_path = path_join(git_dir, "config");
	r->commits = commits_new(git_dir, OID_SHA1);
	if (!r->git_dir || !r->objects_dir || !r->config_path || !r->commits)
		return err_nomem(e), NULL;
	return TAKE(r);
}

struct repository *repository_get(struct repository *r)
{
	atomic_fetch_add_explicit(&r->n_owners, 1, memory_order_relaxed);
	return r;
}

struct repository *repository_put(struct repository *r)
{
	if (!r || atomic_fetch_sub(&r->n_owners, 1) != 1)
		return NULL;
	snapshot_drop(r->current);
	commits_put(r->commits);
	pthread_mutex_destroy(&r->lock);
	free(r->config_path);
	free(r->objects_dir);
	free(r->git_dir);
	free(r);
	return NULL;
}

void repository_use_environment(struct repository *r)
{
	r->use_environment = true;
}

bool repository_uses_environment(const struct repository *r)
{
	return r->use_environment;
}

const char *repository_dir(const struct repository *r)
{
	return r->git_dir;
}

enum oid_kind repository_kind(const struct repository *r)
{
	(void)r;
	return OID_SHA1;
}

size_t repository_memory(const struct repository *shared)
{
	union {
		const struct repository *in;
		struct repository *out;
	} r = { shared }; /* to lock it */
	size_t n;

	pthread_mutex_lock(&r.out->lock);
	n = shared->commits ? commits_memory(shared->commits) : 0;
	if (shared->current)
		n += refs_count(shared->current->refs) * REF_BYTES;
	pthread_mutex_unlock(&r.out->lock);
	return n;
}

void repository_trim(struct repository *r, bool with_commits)
{
	pthread_mutex_lock(&r->lock);
	snapshot_drop(r->current);
	r->current = NULL;
	if (r->commits)
		reach_trim(r->commits->reach);
	if (with_commits)
		r->commits = commits_put(r->commits);
	pthread_mutex_unlock(&r->lock);
}
