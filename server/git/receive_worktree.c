/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Branches that somebody has checked out: HEAD's where there is a work tree,
 * and those of linked work trees. Format: gitrepository-layout(5), worktrees.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/files.h"
#include "git/loose_refs.h"
#include "git/refs.h"
#include "git/repo_config.h"

#include <stdio.h>
#include <string.h>

static bool is_head_of(const struct push *p, const char *worktree,
		       const char *ref)
{
	CLEANUP(freep) char *name = NULL;
	struct loose_value value;
	struct err ignored;

	if (asprintf(&name, "worktrees/%s/HEAD", worktree) < 0) {
		name = NULL;
		return false;
	}
	return !loose_ref_read(p->git_dir, name, p->kind, &value, &ignored) &&
	       value.kind == LOOSE_SYMREF && !strcmp(value.target, ref);
}

bool push_is_checked_out(const struct push *p, const char *ref)
{
	const char *head = refs_head(p->refs)->target;
	CLEANUP(freep) char *path = path_join(p->git_dir, "worktrees");
	CLEANUP(closedirp) DIR *list = path ? opendir(path) : NULL;
	struct dirent *entry;

	if (!p->config->is_bare && head && !strcmp(head, ref))
		return true;
	while (list && (entry = readdir(list)))
		if (entry->d_name[0] != '.' &&
		    is_head_of(p, entry->d_name, ref))
			return true;
	return false;
}
