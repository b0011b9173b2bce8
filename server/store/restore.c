/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a backup. Repositories are made as their parts come by; everything
 * small is held until the checksums at the end have been seen, and is written
 * after them, state.conf last: a repository that no state names is not served,
 * so a restore that is cut off leaves nothing that anybody could reach.
 */
#include "store/backup.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"
#include "base/stream.h"
#include "base/tar.h"
#include "store/backup_parts.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_MAX     ((size_t)32 << 20) /* all small files together */

/* -- parts ---------------------------------------------------------------- */

struct part *part_add(struct part **list, const char *name)
{
	struct part *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	buf_init_max(&p->data, BACKUP_FILE_MAX + 1);
	p->name = strdup(name);
	if (!p->name) {
		free(p);
		return NULL;
	}
	p->next = *list;
	*list = p;
	return p;
}

void parts_free(struct part *p)
{
	while (p) {
		struct part *next = p->next;

		if (p->data.data)
			explicit_bzero(p->data.data, p->data.len);
		buf_fini(&p->data);
		free(p->name);
		free(p);
		p = next;
	}
}

const struct part *part_find(const struct part *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

/* -- reading -------------------------------------------------------------- */

/* The bytes of one entry as a stream of their own. */
struct stream_entry {
	struct stream base;
	struct stream *in;
	uint64_t left;
	struct digest *digest;
};

static ssize_t entry_read(struct stream *s, void *data, size_t n,
			  struct err *e)
{
	struct stream_entry *t = (struct stream_entry *)s;
	ssize_t got;

	if (n > t->left)
		n = (size_t)t->left;
	if (!n)
		return 0;
	got = stream_read(t->in, data, n, e);
	if (!got)
		return err_set(e, ERR_CLOSED, "the backup ends too early");
	if (got > 0) {
		digest_update(t->digest, data, (size_t)got);
		t->left -= (uint64_t)got;
	}
	return got;
}

static const struct stream_ops entry_ops = { .read = entry_read };

/* Read `entry` by `take`, and note its checksum. */
static int read_entry(struct restore *r, const struct tar_entry *entry,
		      int (*take)(struct restore *r,
				  const struct tar_entry *entry,
				  struct stream *in, struct err *e),
		      struct err *e)
{
	struct stream_entry s = { .base.ops = &entry_ops,
				  .in = r->in,
				  .left = entry->size,
				  .digest = digest_new(DIGEST_SHA256) };
	unsigned char sum[SHA256_SIZE];
	int rc;

	if (!s.digest)
		return err_nomem(e);
	rc = take(r, entry, &s.base, e);
	digest_final(s.digest, sum);
	digest_free(s.digest);
	if (rc == 0 && s.left)
		rc = err_set(e, ERR_MALFORMED, "%s has bytes behind its end",
			     entry->name);
	if (rc == 0)
		rc = tar_skip_pad(r->in, entry->size, e);
	backup_add_sum(&r->sums, sum, entry->name);
	return rc;
}

static int take_file(struct restore *r, const struct tar_entry *entry,
		     struct stream *in, struct err *e)
{
	struct part *p;
	void *to;

	if (entry->size > BACKUP_FILE_MAX || r->held + entry->size > SMALL_MAX)
		return err_set(e, ERR_LIMIT, "%s is too large", entry->name);
	p = part_add(&r->files, entry->name);
	if (!p)
		return err_nomem(e);
	r->held += (size_t)entry->size;
	if (!entry->size)
		return 0;
	to = buf_reserve(&p->data, (size_t)entry->size);
	if (!to)
		return err_nomem(e);
	if (stream_read_full(in, to, (size_t)entry->size, e) < 0)
		return -1;
	p->data.len = (size_t)entry->size;
	return 0;
}

static int take_bundle(struct restore *r, const struct tar_entry *entry,
		       struct stream *in, struct err *e)
{
	CLEANUP(freep) char *repo = restore_repo_of(entry->name, ".bundle");

	return repo ? restore_fill_repo(r, repo, in, e) : err_nomem(e);
}

/* -- the whole ------------------------------------------------------------ */

static bool is_plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

/* Is it "repos/NAME.git/FILE"? */
static bool is_of_repo(const char *name, const char *file)
{
	CLEANUP(buf_fini) struct buf suffix = BUF_INIT;
	CLEANUP(freep) char *repo = NULL;

	buf_addf(&suffix, ".git/%s", file);
	repo = restore_repo_of(name, buf_str(&suffix));
	return repo;
}

/* May a backup hold that small file? */
static bool is_known(const char *name)
{
	struct span s = span_str(name);

	if (!strcmp(name, BACKUP_HEAD) || !strcmp(name, BACKUP_SUMS) ||
	    !strcmp(name, BACKUP_STATE))
		return true;
	for (size_t i = 0; backup_directories[i]; i++)
		if (span_skip(&s, backup_directories[i]))
			return *s.data == '/' &&
			       is_plain_name((const char *)s.data + 1);
	for (size_t i = 0; backup_repo_files[i]; i++) {
		if (is_of_repo(name, backup_repo_files[i]))
			return true;
	}
	return is_of_repo(name, "HEAD");
}

static int check_head(struct restore *r, struct err *e)
{
	const struct part *head = part_find(r->files, BACKUP_HEAD);

	if (!span_starts(buf_span(&head->data), BACKUP_FORMAT))
		return err_set(e, ERR_MALFORMED,
			       "this is the backup of a newer version");
	r->has_head = true;
	return 0;
}

/* `seen`: the lines of all that came before. */
static int check_sums(struct restore *r, struct span seen, struct err *e)
{
	const struct part *sums = part_find(r->files, BACKUP_SUMS);

	if (!span_eq(buf_span(&sums->data), seen))
		return err_set(e, ERR_MALFORMED,
			       "the backup is damaged: what it holds differs "
			       "from its checksums");
	r->has_sums = true;
	return 0;
}

static int read_small(struct restore *r, const struct tar_entry *entry,
		      struct err *e)
{
	CLEANUP(freep) char *repo = restore_repo_of(entry->name, ".git/HEAD");
	size_t seen = r->sums.len;

	if (!is_known(entry->name) || part_find(r->files, entry->name))
		return err_set(e, ERR_MALFORMED,
			       "the backup holds an unknown file, '%s'",
			       entry->name);
	if (read_entry(r, entry, take_file, e) < 0)
		return -1;
	if (repo)
		return restore_make_repo(r, repo, e);
	if (!strcmp(entry->name, BACKUP_HEAD))
		return check_head(r, e);
	if (!strcmp(entry->name, BACKUP_SUMS))
		return check_sums(r, span_of(r->sums.data, seen), e);
	return 0;
}

static int read_all(struct restore *r, struct err *e)
{
	struct tar_entry entry;
	int rc;

	while (!r->has_sums) {
		CLEANUP(freep) char *bundle = NULL;

		rc = tar_next(r->in, &entry, e);
		if (rc <= 0)
			return rc < 0 ? -1
				      : err_set(e, ERR_CLOSED,
						"the backup ends too early");
		if (!r->has_head && strcmp(entry.name, BACKUP_HEAD) != 0)
			return err_set(e, ERR_MALFORMED, "this is no backup");
		bundle = restore_repo_of(entry.name, ".bundle");
		rc = bundle ? read_entry(r, &entry, take_bundle, e)
			    : read_small(r, &entry, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int write_file(const struct restore *r, const struct part *p,
		      struct err *e)
{
	CLEANUP(freep) char *path = path_join(r->place->data_dir, p->name);

	return path ? file_replace(path, p->data.data, p->data.len,
				   file_mode_in(r->place->data_dir), e)
		    : err_nomem(e);
}

static int write_directory(const struct restore *r, const char *name,
			   struct err *e)
{
	CLEANUP(freep) char *path = path_join(r->place->data_dir, name);
	size_t n = strlen(name);

	if (!path)
		return err_nomem(e);
	if (dir_make(path, dir_mode_in(r->place->data_dir), e) < 0)
		return -1;
	for (const struct part *p = r->files; p; p = p->next) {
		if (strncmp(p->name, name, n) != 0 || p->name[n] != '/')
			continue;
		if (write_file(r, p, e) < 0)
			return -1;
		r->counts->has_host_key |= !strcmp(name, "ssh");
	}
	return 0;
}

/* What brings everything into force comes last. */
static int write_all(const struct restore *r, struct err *e)
{
	const struct part *state = part_find(r->files, BACKUP_STATE);

	for (size_t i = 0; backup_directories[i]; i++)
		if (write_directory(r, backup_directories[i], e) < 0)
			return -1;
	return state ? write_file(r, state, e) : 0;
}

int backup_restore(const struct backup_place *p, const struct state *now,
		   struct stream *in, struct backup_counts *out,
		   struct err *e)
{
	struct restore r = { .place = p, .in = in, .counts = out,
			     .sums = BUF_INIT };
	int rc;

	*out = (struct backup_counts){ 0 };
	if (restore_check_empty(p, now, e) < 0)
		return -1;
	rc = read_all(&r, e);
	if (rc < 0)
		restore_take_back(&r);
	else
		rc = write_all(&r, e);
	parts_free(r.files);
	parts_free(r.made);
	buf_fini(&r.sums);
	return rc;
}
