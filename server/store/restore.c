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
#include "store/state_change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

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

size_t part_size(const char *name, uint64_t size)
{
	return sizeof(struct part) + strlen(name) +
	       (size < BACKUP_SMALL_MAX ? (size_t)size : BACKUP_SMALL_MAX);
}

/* -- reading -------------------------------------------------------------- */

/* The bytes of one entry as a stream of their own. */
struct stream_entry {
	struct stream base;
	struct stream *in;
	uint64_t left;
	struct digest *digest;
};

static ssize_t entry_read(struct stream *s, void *data, size_t n, struct err *e)
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

	r->held += part_size(entry->name, entry->size);
	if (entry->size > BACKUP_FILE_MAX || r->held > BACKUP_SMALL_MAX)
		return err_set(e, ERR_LIMIT, "%s is too large", entry->name);
	p = part_add(&r->files, entry->name);
	if (!p)
		return err_nomem(e);
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

/* They are as many as the files, and need not be held. */
static int take_sums(struct restore *r, const struct tar_entry *entry,
		     struct stream *in, struct err *e)
{
	struct span rest = buf_span(&r->sums), expected;
	bool is_same = entry->size == rest.len;
	char chunk[4096];

	while (is_same && rest.len) {
		size_t n = rest.len < sizeof chunk ? rest.len : sizeof chunk;

		if (stream_read_full(in, chunk, n, e) < 0)
			return -1;
		is_same = span_take(&rest, n, &expected) &&
			  !memcmp(expected.data, chunk, n);
	}
	if (!is_same)
		return err_set(e, ERR_MALFORMED,
			       "the backup is damaged: what it holds differs "
			       "from its checksums");
	r->has_sums = true;
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

	if (!strcmp(name, BACKUP_HEAD) || !strcmp(name, BACKUP_STATE))
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

static int read_small(struct restore *r, const struct tar_entry *entry,
		      struct err *e)
{
	CLEANUP(freep) char *repo = restore_repo_of(entry->name, ".git/HEAD");

	if (!is_known(entry->name) || part_find(r->files, entry->name))
		return err_set(e, ERR_MALFORMED,
			       "the backup holds an unknown file, '%s'",
			       entry->name);
	if (read_entry(r, entry, take_file, e) < 0)
		return -1;
	if (repo)
		return restore_make_repo(r, repo, e);
	return strcmp(entry->name, BACKUP_HEAD) ? 0 : check_head(r, e);
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
		if (!strcmp(entry.name, BACKUP_SUMS))
			rc = read_entry(r, &entry, take_sums, e);
		else if (bundle)
			rc = read_entry(r, &entry, take_bundle, e);
		else
			rc = read_small(r, &entry, e);
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
static int write_all(void *arg, struct err *e)
{
	const struct restore *r = arg;
	const struct part *state = part_find(r->files, BACKUP_STATE);

	for (size_t i = 0; backup_directories[i]; i++)
		if (write_directory(r, backup_directories[i], e) < 0)
			return -1;
	return state ? write_file(r, state, e) : 0;
}

/* What the state is made of: checked before any of it is written. */
static int put_in_force(struct restore *r, struct err *e)
{
	const struct state_writer writer = { write_all, r };
	struct state_file *files;
	size_t n = 0;
	int rc;

	for (const struct part *p = r->files; p; p = p->next)
		n++;
	files = calloc(n + 1, sizeof *files);
	if (!files)
		return err_nomem(e);
	n = 0;
	for (const struct part *p = r->files; p; p = p->next)
		if (!strncmp(p->name, "secrets/", 8) ||
		    !strcmp(p->name, BACKUP_STATE))
			files[n++] = (struct state_file){ p->name,
							  buf_span(&p->data) };
	rc = state_restore(r->place->states, files, n, &writer, e);
	free(files);
	return rc;
}

/* Two at once would take back each other's repositories. */
static int lock_restore(const struct backup_place *p, struct err *e)
{
	CLEANUP(freep) char *path = path_join(p->data_dir, "run/restore.lock");
	CLEANUP(closep) int fd = -1;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		  file_mode_in(p->data_dir));
	if (fd < 0)
		return err_errno(e, "opening %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(e, ERR_CONFLICT,
						      "another restore goes on")
					    : err_errno(e, "locking %s", path);
	return take_fd(&fd);
}

int backup_restore(const struct backup_place *p, struct stream *in,
		   struct backup_counts *out, struct err *e)
{
	struct restore r = {
		.place = p, .in = in, .counts = out, .sums = BUF_INIT
	};
	CLEANUP(closep) int lock = lock_restore(p, e);
	int rc;

	*out = (struct backup_counts){ 0 };
	if (lock < 0 || restore_check_empty(p, e) < 0)
		return -1;
	rc = read_all(&r, e);
	if (rc == 0)
		rc = put_in_force(&r, e);
	if (rc < 0)
		restore_take_back(&r);
	parts_free(r.files);
	parts_free(r.made);
	buf_fini(&r.sums);
	return rc;
}
