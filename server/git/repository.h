/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One repository on disk, and the snapshots requests are answered from.
 *
 * A request takes one snapshot and never sees another: refs and objects of the
 * same moment (objects are looked at after refs, so whatever a ref names is
 * there), and the repository's own git config as values. Snapshots are
 * validated by stat(2), shared between requests and rebuilt only in the parts
 * that changed, so stock git may push, repack and gc at the same time.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

struct err;
struct graph;
struct objects;
struct pack;
struct reach;
struct refs;
struct repo_config; /* git/repo_config.h */
struct repository;
struct snapshot;

/*
 * Open the repository directory `git_dir` (bare, or the ".git" of a work tree;
 * finding it is the caller's). ERR_NOT_FOUND where it is no repository;
 * ERR_CORRUPT or ERR_MALFORMED with a sentence where we cannot serve it
 * (objectformat sha256, reftable, an unknown repositoryformatversion).
 */
struct repository *repository_open(const char *git_dir,
				   struct err *e) MUST_CHECK;
struct repository *repository_get(struct repository *r);
struct repository *repository_put(struct repository *r);

/* For `stdio`: GIT_CONFIG_COUNT and the committer of the reflog come from the
 * environment, as for git's own programs. Before the first snapshot. */
void repository_use_environment(struct repository *r);
bool repository_uses_environment(const struct repository *r);

const char *repository_dir(const struct repository *r);
enum oid_kind repository_kind(const struct repository *r);

/* A valid snapshot; the caller puts it back. NULL with `e` set. */
struct snapshot *repository_snapshot(struct repository *r,
				     struct err *e) MUST_CHECK;
/* One whose configuration is valid, while its refs and objects may be those of
 * a moment ago: for who needs nothing but the configuration. */
struct snapshot *repository_snapshot_configured(struct repository *r,
						struct err *e) MUST_CHECK;
/* This process has put `pack` into objects/pack. The next snapshot finds it
 * there as any other, and need not open it again. */
void repository_published(struct repository *r, struct pack *pack);
struct snapshot *snapshot_get(struct snapshot *s);
struct snapshot *snapshot_put(struct snapshot *s);

struct repository *snapshot_repository(const struct snapshot *s);
struct refs *snapshot_refs(const struct snapshot *s);
struct objects *snapshot_objects(const struct snapshot *s);
const struct repo_config *snapshot_config(const struct snapshot *s);
/* The commits in memory, and what is kept of reachability (git/reach.h): both
 * are shared by all snapshots between which the `shallow` file did not change.
 * They count in repository_memory(). */
struct graph *snapshot_graph(const struct snapshot *s);
struct reach *snapshot_reach(const struct snapshot *s);

/* Make a bare repository as git init does, HEAD at `refs/heads/BRANCH`, with
 * our defaults in its config (conformance: capabilities). ERR_CONFLICT where
 * something is there. Durable on return; nothing is left on failure. */
int repository_create(const char *git_dir, const char *branch,
		      struct err *e) MUST_CHECK;
/* Is this the name of a directory that repository_create() was still filling?
 * It is claimed (fd_claim()) as long as somebody is at it. */
bool repository_is_unfinished(const char *name);

/* Bytes held in memory by caches of this repository; and give them up. The
 * commits cost the most to read again, so they go only where asked for. */
size_t repository_memory(const struct repository *r);
void repository_trim(struct repository *r, bool with_commits);
