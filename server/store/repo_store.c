/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of open repositories: a hash table of names, a list from the most
 * to the least recently used. Every look-up walks the directory anew, element
 * by element and following no link, and compares what it finds with what is
 * open: a directory that was put in another's place is another repository.
 * The lock is never held while a repository is opened or measured on disk.
 */
#include "store/repo_store.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/repository.h"
#include "store/repo_dirs.h"
#include "store/state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS		 1024 /* a power of two; several hundred names */
#define MEMORY_LOOK_MS	 500  /* between two sums over all repositories */
#define OPEN_MAX_ENTRIES 4096 /* repositories held open at once */
#define CREATE_TRIES	 3    /* against a deletion beside it */

struct entry {
	struct entry *next;	     /* of the bucket */
	struct entry *newer, *older; /* of the list */
	struct repository *repository;
	struct dir_id id;
	char name[];
};

struct repo_store {
	/* set once, then read-only */
	char *root; /* DATA/repos */
	uint64_t memory_max;

	/* under lock */
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct entry *newest, *oldest;
	size_t n;
	int64_t looked_ms; /* when memory was last summed up */
};

/* -- the cache, with the lock held ---------------------------------------- */

/* FNV-1a: names are the administrator's, nobody floods them. */
static size_t bucket_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h & (BUCKETS - 1);
}

static void list_remove(struct repo_store *rs, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &rs->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &rs->oldest) = entry->newer;
}

static void list_add(struct repo_store *rs, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = rs->newest;
	*(rs->newest ? &rs->newest->newer : &rs->oldest) = entry;
	rs->newest = entry;
}

static struct entry *find_locked(struct repo_store *rs, const char *name)
{
	struct entry *entry = rs->buckets[bucket_of(name)];

	while (entry && strcmp(entry->name, name) != 0)
		entry = entry->next;
	return entry;
}

static void drop_locked(struct repo_store *rs, struct entry *entry)
{
	struct entry **at = &rs->buckets[bucket_of(entry->name)];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	list_remove(rs, entry);
	rs->n--;
	repository_put(entry->repository);
	free(entry);
}

static void add_locked(struct repo_store *rs, const char *name,
		       struct repository *r, const struct dir_id *id)
{
	size_t size = strlen(name) + 1, bucket = bucket_of(name);
	struct entry *entry = calloc(1, sizeof *entry + size);

	if (!entry)
		return; /* it is served, and not remembered */
	memcpy(entry->name, name, size);
	entry->repository = repository_get(r);
	entry->id = *id;
	entry->next = rs->buckets[bucket];
	rs->buckets[bucket] = entry;
	list_add(rs, entry);
	rs->n++;
}

static uint64_t sum_locked(const struct repo_store *rs)
{
	uint64_t sum = 0;

	for (struct entry *i = rs->newest; i; i = i->older)
		sum += repository_memory(i->repository);
	return sum;
}

/* Past the limit the least recently used give up their memory, at last those
 * in use, which fill up again as they must. The very last one used keeps its
 * commits: one that is larger than the limit would else read them for ever. */
static void bound_locked(struct repo_store *rs)
{
	int64_t now = clock_ms();
	uint64_t sum;

	while (rs->n > OPEN_MAX_ENTRIES)
		drop_locked(rs, rs->oldest);
	if (now - rs->looked_ms < MEMORY_LOOK_MS)
		return;
	rs->looked_ms = now;
	sum = sum_locked(rs);
	for (struct entry *i = rs->oldest; i && sum > rs->memory_max;
	     i = i->newer) {
		uint64_t before = repository_memory(i->repository), after;

		repository_trim(i->repository, i != rs->newest);
		after = repository_memory(i->repository);
		sum -= before > after ? before - after : 0;
	}
}

/* -- opening -------------------------------------------------------------- */

static struct repository *cached(struct repo_store *rs, const char *name,
				 const struct dir_id *id)
{
	struct repository *r = NULL;
	struct entry *entry;

	pthread_mutex_lock(&rs->lock);
	entry = find_locked(rs, name);
	if (entry && !dir_id_eq(&entry->id, id)) {
		drop_locked(rs, entry);
	} else if (entry) {
		list_remove(rs, entry);
		list_add(rs, entry);
		r = repository_get(entry->repository);
		bound_locked(rs);
	}
	pthread_mutex_unlock(&rs->lock);
	return r;
}

/* Remember what was opened. Where another thread was faster, take its. */
static struct repository *remember(struct repo_store *rs, const char *name,
				   const struct dir_id *id,
				   struct repository *r)
{
	struct entry *entry;

	pthread_mutex_lock(&rs->lock);
	entry = find_locked(rs, name);
	if (entry && dir_id_eq(&entry->id, id)) {
		repository_put(r);
		r = repository_get(entry->repository);
	} else {
		if (entry)
			drop_locked(rs, entry);
		add_locked(rs, name, r, id);
	}
	bound_locked(rs);
	pthread_mutex_unlock(&rs->lock);
	return r;
}

static struct repository *open_dir(struct repo_store *rs, const char *name,
				   struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	struct repository *r;
	struct dir_id id;

	if (repo_dir_find(rs->root, name, &id, e) < 0)
		return NULL;
	r = cached(rs, name, &id);
	if (r)
		return r;
	path = repo_store_path(rs, name);
	if (!path) {
		err_nomem(e);
		return NULL;
	}
	r = repository_open(path, e);
	return r ? remember(rs, name, &id, r) : NULL;
}

struct repository *repo_store_open(struct repo_store *rs, const struct state *s,
				   const char *name, struct err *e)
{
	if (!state_repo(s, name)) {
		err_set(e, ERR_NOT_FOUND, "no repository '%s'", name);
		return NULL;
	}
	return open_dir(rs, name, e);
}

/* -- the store ------------------------------------------------------------ */

struct repo_store *repo_store_new(const char *data_dir, uint64_t memory_max,
				  struct err *e)
{
	struct repo_store *rs = calloc(1, sizeof *rs);

	if (!rs || !(rs->root = path_join(data_dir, "repos"))) {
		free(rs);
		err_nomem(e);
		return NULL;
	}
	rs->memory_max = memory_max;
	rs->looked_ms = -MEMORY_LOOK_MS;
	pthread_mutex_init(&rs->lock, NULL);
	return rs;
}

struct repo_store *repo_store_free(struct repo_store *rs)
{
	if (!rs)
		return NULL;
	while (rs->oldest)
		drop_locked(rs, rs->oldest);
	pthread_mutex_destroy(&rs->lock);
	free(rs->root);
	free(rs);
	return NULL;
}

char *repo_store_path(const struct repo_store *rs, const char *name)
{
	return repo_dir_path(rs->root, name);
}

uint64_t repo_store_memory(struct repo_store *rs, size_t *n_open_out)
{
	uint64_t sum;

	pthread_mutex_lock(&rs->lock);
	sum = sum_locked(rs);
	*n_open_out = rs->n;
	pthread_mutex_unlock(&rs->lock);
	return sum;
}

/* -- making and removing -------------------------------------------------- */

/* repository_create() with the directories that lead to it, which a deletion
 * beside it may take away at the same moment. */
static int create_dir(struct repo_store *rs, const char *name,
		      const char *branch, const char *path, struct err *e)
{
	int result = -1;

	for (int i = 0; i < CREATE_TRIES && result < 0; i++) {
		if (repo_dir_make_parents(rs->root, name, e) < 0)
			return -1;
		result = repository_create(path, branch, e);
		if (result < 0 && e->code != ERR_NOT_FOUND)
			return -1;
	}
	return result;
}

int repo_store_create(struct repo_store *rs, const char *name,
		      const char *branch, bool *is_new_out, struct err *e)
{
	CLEANUP(freep) char *path = repo_store_path(rs, name);
	struct repository *adopted;

	if (!path)
		return err_nomem(e);
	if (!create_dir(rs, name, branch, path, e)) {
		*is_new_out = true;
		return 0;
	}
	if (e->code != ERR_CONFLICT)
		return -1;
	adopted = open_dir(rs, name, e);
	if (!adopted)
		return err_wrap(e, "%s is there already", path);
	repository_put(adopted);
	*is_new_out = false;
	return 0;
}

int repo_store_delete(struct repo_store *rs, const char *name, struct err *e)
{
	struct entry *entry;
	int result = repo_dir_delete(rs->root, name, e);

	pthread_mutex_lock(&rs->lock);
	entry = find_locked(rs, name);
	if (!result && entry)
		drop_locked(rs, entry);
	pthread_mutex_unlock(&rs->lock);
	return result;
}

bool repo_store_exists(struct repo_store *rs, const char *name)
{
	struct dir_id id;
	struct err e;

	return !repo_dir_find(rs->root, name, &id, &e);
}

int repo_store_usage(struct repo_store *rs, const char *name,
		     uint64_t *bytes_out, struct err *e)
{
	return repo_dir_usage(rs->root, name, bytes_out, e);
}

int repo_store_each(struct repo_store *rs,
		    int (*each)(void *arg, const char *name), void *arg,
		    struct err *e)
{
	return repo_dir_each(rs->root, each, arg, e);
}

void repo_store_sweep(struct repo_store *rs)
{
	repo_dir_sweep(rs->root);
}
