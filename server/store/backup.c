/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a backup. A tar header says a file's size before its first byte, so
 * each bundle is made twice: once to count it, once to send it. Copying packs
 * is cheap, and nothing has to be spooled onto a volume that may be full.
 */
#include "store/backup.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "base/stream.h"
#include "base/tar.h"
#include "git/bundle.h"
#include "git/refs.h"
#include "git/repository.h"
#include "store/backup_parts.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

DEFINE_PUTP(repository)
DEFINE_PUTP(snapshot)

/* A stream that digests what passes through it. */
struct stream_digest {
	struct stream base;
	struct stream *out;
	struct digest *digest;
};

static int digest_writev(struct stream *s, const struct iovec *iov, int n,
			 struct err *e)
{
	struct stream_digest *d = (struct stream_digest *)s;

	for (int i = 0; i < n; i++)
		digest_update(d->digest, iov[i].iov_base, iov[i].iov_len);
	return stream_writev(d->out, iov, n, e);
}

static int digest_flush(struct stream *s, struct err *e)
{
	return stream_flush(((struct stream_digest *)s)->out, e);
}

static const struct stream_ops digest_ops = {
	.writev = digest_writev,
	.flush = digest_flush,
};

struct backup {
	const struct backup_place *place;
	struct stream *out;
	int64_t time; /* seconds since the epoch */
	struct buf sums;
	size_t held;	    /* as a restore will count it */
	struct part *files; /* to be sent, the last one first */
};

/* -- small files ---------------------------------------------------------- */

static int add_bytes(struct backup *b, const char *name, struct span data,
		     struct err *e)
{
	unsigned char sum[SHA256_SIZE];

	b->held += part_size(name, data.len);
	if (b->held > BACKUP_SMALL_MAX)
		return err_set(e, ERR_LIMIT,
			       "configuration, keys and secrets together are "
			       "more than a restore takes");
	sha256(data.data, data.len, sum);
	backup_add_sum(&b->sums, sum, name);
	return tar_file(b->out, name, data, b->time, e);
}

/* `path` as `name`; nothing where it may be absent and is. */
static int add_file(struct backup *b, const char *path, const char *name,
		    bool may_be_absent, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	int rc = file_read(path, BACKUP_FILE_MAX, &text, e);

	if (rc == 0)
		rc = add_bytes(b, name, buf_span(&text), e);
	else if (may_be_absent && e->code == ERR_NOT_FOUND)
		rc = 0;
	if (text.data)
		explicit_bzero(text.data, text.len);
	return rc;
}

/* Read it, to be sent later. */
static int gather_file(struct backup *b, const char *path, const char *name,
		       struct err *e)
{
	struct part *p = part_add(&b->files, name);

	if (!p)
		return err_nomem(e);
	if (file_read(path, BACKUP_FILE_MAX, &p->data, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	b->files = p->next;
	p->next = NULL;
	parts_free(p);
	return 0;
}

/* Every file of DATA/`name`; names that begin with a dot are in the making. */
static int gather_directory(struct backup *b, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = path_join(b->place->data_dir, name);
	struct dirent **entries = NULL;
	int n, rc = 0;

	if (!path)
		return err_nomem(e);
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(e, "reading %s", path);
	for (int i = 0; i < n; i++) {
		CLEANUP(freep) char *file = path_join(path, entries[i]->d_name);
		CLEANUP(freep) char *to = path_join(name, entries[i]->d_name);

		if (rc == 0 && entries[i]->d_name[0] != '.')
			rc = file && to ? gather_file(b, file, to, e)
					: err_nomem(e);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Secrets and state.conf fit each other: none changes while they are read,
 * and none has to wait for whoever takes the backup. */
static int gather(struct backup *b, struct err *e)
{
	CLEANUP(freep)
	char *state = path_join(b->place->data_dir, BACKUP_STATE);
	CLEANUP(closep) int lock = -1;

	if (!state)
		return err_nomem(e);
	lock = state_store_lock(b->place->states, e);
	if (lock < 0)
		return -1;
	for (size_t i = 0; backup_directories[i]; i++)
		if (gather_directory(b, backup_directories[i], e) < 0)
			return -1;
	return gather_file(b, state, BACKUP_STATE, e);
}

static int add_gathered(struct backup *b, struct err *e)
{
	struct part *ordered = NULL;

	while (b->files) {
		struct part *p = b->files;

		b->files = p->next;
		p->next = ordered;
		ordered = p;
	}
	b->files = ordered;
	for (const struct part *p = ordered; p; p = p->next)
		if (add_bytes(b, p->name, buf_span(&p->data), e) < 0)
			return -1;
	return 0;
}

/* -- repositories --------------------------------------------------------- */

/* "repos/NAME" and what follows, malloc'ed; NULL out of memory. */
static char *backup_name(const char *repo, const char *suffix, const char *file)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "repos/%s%s%s", repo, suffix, file);
	return buf_take(&b);
}

static int add_bundle(struct backup *b, struct snapshot *s, const char *name,
		      struct err *e)
{
	CLEANUP(freep) char *to = backup_name(name, ".bundle", "");
	unsigned char sum[SHA256_SIZE];
	struct stream_digest through = { .base.ops = &digest_ops,
					 .out = b->out };
	struct stream_mem count;
	uint64_t size;
	int rc;

	if (!to)
		return err_nomem(e);
	stream_mem_init(&count, span_of(NULL, 0), NULL);
	if (bundle_write(s, &count.base, e) < 0)
		return -1;
	size = count.base.n_written;
	if (tar_begin(b->out, to, size, b->time, e) < 0)
		return -1;
	through.digest = digest_new(DIGEST_SHA256);
	if (!through.digest)
		return err_nomem(e);
	rc = bundle_write(s, &through.base, e);
	digest_final(through.digest, sum);
	digest_free(through.digest);
	if (rc < 0)
		return -1;
	if (through.base.n_written != size)
		return err_set(e, ERR_CORRUPT,
			       "repository '%s' was written twice and differed",
			       name);
	backup_add_sum(&b->sums, sum, to);
	return tar_pad(b->out, size, e);
}

static struct snapshot *snapshot_of(const struct backup_place *p,
				    const char *name, struct err *e)
{
	CLEANUP(freep) char *path = repo_store_path(p->repos, name);
	CLEANUP(repository_putp) struct repository *r = NULL;

	if (!path) {
		err_nomem(e);
		return NULL;
	}
	r = repository_open(path, e);
	return r ? repository_snapshot(r, e) : NULL;
}

static int add_repo_file(struct backup *b, const char *repo, const char *file,
			 bool may_be_absent, struct err *e)
{
	CLEANUP(freep) char *dir = repo_store_path(b->place->repos, repo);
	CLEANUP(freep) char *from = dir ? path_join(dir, file) : NULL;
	CLEANUP(freep) char *to = backup_name(repo, ".git/", file);

	return from && to ? add_file(b, from, to, may_be_absent, e)
			  : err_nomem(e);
}

/* One that was deleted since the list was made. */
static bool is_gone(const struct backup_place *p, const char *name)
{
	return !repo_store_exists(p->repos, name);
}

static int add_repo(struct backup *b, const char *name, struct err *e)
{
	CLEANUP(snapshot_putp) struct snapshot *s = NULL;

	s = snapshot_of(b->place, name, e);
	if (!s && is_gone(b->place, name))
		return 0;
	if (!s)
		return err_wrap(e, "repository '%s'", name);
	for (size_t i = 0; backup_repo_files[i]; i++)
		if (add_repo_file(b, name, backup_repo_files[i], true, e) < 0)
			return -1;
	/* What has no HEAD is not restored. */
	if (add_repo_file(b, name, "HEAD", false, e) < 0)
		return is_gone(b->place, name) ? 0 : -1;
	return refs_count(snapshot_refs(s)) ? add_bundle(b, s, name, e) : 0;
}

/* -- the whole ------------------------------------------------------------ */

struct names {
	char **items;
	size_t n;
};

static void names_fini(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

static int collect(void *arg, const char *name)
{
	struct names *l = arg;
	char **grown = realloc(l->items, (l->n + 1) * sizeof *grown);

	if (!grown)
		return -1;
	l->items = grown;
	grown[l->n] = strdup(name);
	return grown[l->n] ? (l->n++, 0) : -1;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_repos(const struct backup_place *p, struct names *out,
		      struct err *e)
{
	int rc;

	err_nomem(e); /* what collect() fails for */
	rc = repo_store_each(p->repos, collect, out, e);
	if (rc == 0 && out->n)
		qsort(out->items, out->n, sizeof *out->items, compare);
	return rc;
}

int backup_check(const struct backup_place *p, struct err *e)
{
	CLEANUP(names_fini) struct names repos = { 0 };

	if (list_repos(p, &repos, e) < 0)
		return -1;
	for (size_t i = 0; i < repos.n; i++) {
		CLEANUP(snapshot_putp)
		struct snapshot *s = snapshot_of(p, repos.items[i], e);

		if (!s && !is_gone(p, repos.items[i]))
			return err_wrap(e, "repository '%s'", repos.items[i]);
	}
	return 0;
}

static int add_all(struct backup *b, struct err *e)
{
	CLEANUP(names_fini) struct names repos = { 0 };

	if (add_bytes(b, BACKUP_HEAD, span_str(BACKUP_HEAD_TEXT), e) < 0 ||
	    list_repos(b->place, &repos, e) < 0)
		return -1;
	for (size_t i = 0; i < repos.n; i++)
		if (add_repo(b, repos.items[i], e) < 0)
			return -1;
	if (gather(b, e) < 0 || add_gathered(b, e) < 0 ||
	    buf_check(&b->sums, e) < 0 ||
	    tar_file(b->out, BACKUP_SUMS, buf_span(&b->sums), b->time, e) < 0)
		return -1;
	return tar_end(b->out, e);
}

int backup_write(const struct backup_place *p, struct stream *out,
		 struct err *e)
{
	struct backup b = { .place = p, .out = out, .sums = BUF_INIT };
	int rc;

	b.time = clock_unix();
	rc = add_all(&b, e);
	parts_free(b.files);
	buf_fini(&b.sums);
	return rc;
}

void backup_add_sum(struct buf *sums, const unsigned char sum[SHA256_SIZE],
		    const char *name)
{
	buf_addhex(sums, sum, SHA256_SIZE);
	buf_addf(sums, "  %s\n", name);
}
