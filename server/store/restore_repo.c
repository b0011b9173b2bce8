/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of a backup. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "base/span.h"
#include "git/bundle.h"
#include "git/ref_transaction.h"
#include "git/refs.h"
#include "git/repository.h"
#include "store/backup.h"
#include "store/backup_parts.h"
#include "store/names.h"
#include "store/repo_store.h"
#include "store/state_change.h"
#include "store/state_store.h"

#include <string.h>

#define HEAD_MAX 300

DEFINE_PUTP(repository)
DEFINE_PUTP(snapshot)

char *restore_repo_of(const char *entry, const char *suffix)
{
	struct span s = span_str(entry);
	struct err ignored;
	size_t n = strlen(suffix);

	if (!span_skip(&s, "repos/") || s.len <= n ||
	    memcmp(s.data + s.len - n, suffix, n) != 0)
		return NULL;
	s.len -= n;
	if (repo_name_check(s, &ignored) < 0)
		return NULL;
	return strndup((const char *)s.data, s.len);
}

/* The file `name` of the repository `repo` that came before its bundle. */
static const struct part *repo_file(const struct restore *r, const char *repo,
				    const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	buf_addf(&b, "repos/%s.git/%s", repo, name);
	return part_find(r->files, buf_str(&b));
}

/* "refs/heads/..." of a HEAD file, without its newline, into `out`. */
static int branch_of(const struct part *head, char out[HEAD_MAX], struct err *e)
{
	struct span s = buf_span(&head->data);
	struct span line;

	if (!span_word(&s, '\n', &line) || !span_skip(&line, "ref: ") ||
	    !span_starts(line, "refs/heads/") || line.len >= HEAD_MAX ||
	    memchr(line.data, '\0', line.len))
		return err_set(e, ERR_MALFORMED, "%s names no branch",
			       head->name);
	memcpy(out, line.data, line.len);
	out[line.len] = '\0';
	return 0;
}

static int write_repo_files(struct restore *r, const char *repo,
			    const char *dir, struct err *e)
{
	for (size_t i = 0; backup_repo_files[i]; i++) {
		const char *name = backup_repo_files[i];
		const struct part *p = repo_file(r, repo, name);
		CLEANUP(freep) char *path = path_join(dir, name);

		if (!path)
			return err_nomem(e);
		if (p && file_replace(path, p->data.data, p->data.len,
				      file_mode_in(dir), e) < 0)
			return -1;
	}
	return 0;
}

/* Note what take_back() undoes: a repository that was there already, without
 * a ref, is made again as it was, by the HEAD it had. */
static int note(struct restore *r, const char *repo, const char *dir,
		struct err *e)
{
	CLEANUP(freep) char *head = path_join(dir, "HEAD");
	struct part *p = head ? part_add(&r->made, repo) : NULL;

	if (!p)
		return err_nomem(e);
	if (!repo_store_exists(r->place->repos, repo))
		return 0;
	return file_read(head, HEAD_MAX, &p->data, e);
}

int restore_make_repo(struct restore *r, const char *repo, struct err *e)
{
	CLEANUP(freep) char *dir = repo_store_path(r->place->repos, repo);
	const struct part *head = repo_file(r, repo, "HEAD");
	char branch[HEAD_MAX];
	bool is_new;

	if (!dir)
		return err_nomem(e);
	if (branch_of(head, branch, e) < 0 || note(r, repo, dir, e) < 0 ||
	    repo_store_create(r->place->repos, repo,
			      branch + strlen("refs/heads/"), &is_new, e) < 0 ||
	    write_repo_files(r, repo, dir, e) < 0)
		return -1;
	r->counts->n_repos++;
	return is_new ? 0 : ref_set_head(dir, branch, e);
}

int restore_fill_repo(struct restore *r, const char *repo, struct stream *in,
		      struct err *e)
{
	CLEANUP(freep) char *dir = repo_store_path(r->place->repos, repo);
	CLEANUP(repository_putp) struct repository *to = NULL;
	struct bundle_options options = {
		.quarantine_id = r->place->quarantine_id,
		.skip_fsck = true,
	};
	struct bundle_result result = { 0 };
	const struct part *head = repo_file(r, repo, "HEAD");
	char branch[HEAD_MAX];

	if (!dir)
		return err_nomem(e);
	if (!head)
		return err_set(e, ERR_MALFORMED, "repository '%s' has no HEAD",
			       repo);
	to = repository_open(dir, e);
	if (!to || bundle_import(to, in, &options, &result, e) < 0)
		return -1;
	for (struct part *p = r->made; p; p = p->next)
		p->is_filled |= !strcmp(p->name, repo);
	r->counts->n_refs += result.n_refs;
	r->counts->n_objects += result.n_objects;
	/* Of several branches with one value the bundle knows not which. */
	return branch_of(head, branch, e) < 0 ? -1
					      : ref_set_head(dir, branch, e);
}

static int has_refs(const struct backup_place *p, const char *name,
		    struct err *e)
{
	CLEANUP(freep) char *dir = repo_store_path(p->repos, name);
	CLEANUP(repository_putp)
	struct repository *r = dir ? repository_open(dir, e) : NULL;
	CLEANUP(snapshot_putp)
	struct snapshot *s = r ? repository_snapshot(r, e) : NULL;

	return s ? refs_count(snapshot_refs(s)) > 0 : -1;
}

/* Did somebody else fill it, who was there before us? */
static bool is_anothers(const struct restore *r, const struct part *p)
{
	struct err ignored;

	return p->data.len && !p->is_filled &&
	       has_refs(r->place, p->name, &ignored) > 0;
}

void restore_take_back(struct restore *r)
{
	char branch[HEAD_MAX];
	struct err ignored; /* what stays is in no state: nobody reaches it */
	bool is_new;

	for (const struct part *p = r->made; p; p = p->next) {
		if (is_anothers(r, p) ||
		    repo_store_delete(r->place->repos, p->name, &ignored) < 0 ||
		    !p->data.len || branch_of(p, branch, &ignored) < 0)
			continue;
		(void)!repo_store_create(r->place->repos, p->name,
					 branch + strlen("refs/heads/"),
					 &is_new, &ignored);
	}
}

struct emptiness {
	const struct backup_place *place;
	struct err *e;
};

static int refuse_full(void *arg, const char *name)
{
	struct emptiness *x = arg;
	int rc = has_refs(x->place, name, x->e);

	if (rc > 0)
		return err_set(
			x->e, ERR_CONFLICT,
			"repository '%s' has refs: a backup goes into an "
			"empty data directory. If a restore that was cut "
			"off left it, remove repos/%s.git there",
			name, name);
	return rc;
}

int restore_check_empty(const struct backup_place *p, struct err *e)
{
	CLEANUP(state_putp) struct state *now = state_store_get(p->states);
	struct emptiness x = { p, e };

	if (state_check_empty(now, e) < 0)
		return -1;
	return repo_store_each(p->repos, refuse_full, &x, e);
}
