/* SPDX-License-Identifier: Apache-2.0 */
/* Declared repositories that begin with what a bundle holds. */
#include "app/server_state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/stream.h"
#include "git/bundle.h"
#include "git/refs.h"
#include "git/repository.h"
#include "store/data_dir.h"
#include "store/repo_store.h"
#include "store/state.h"
#include "store/state_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

DEFINE_PUTP(repository)
DEFINE_PUTP(snapshot)

/* A pipe would make the start wait for its writer. */
static int open_file(const char *path, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, "opening the seed %s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return err_set(e, ERR_MALFORMED, "the seed %s is no file", path);
}

/* 1 where it has refs, 0 where it has none. */
static int has_refs(struct repository *r, struct err *e)
{
	CLEANUP(snapshot_putp) struct snapshot *s = repository_snapshot(r, e);

	return s ? refs_count(snapshot_refs(s)) > 0 : -1;
}

/* 1 after filling it, 0 where it has refs already: they win. */
static int fill(struct server *s, const struct repo_settings *settings,
		struct repository *r, struct bundle_result *result,
		struct err *e)
{
	struct bundle_options options = {
		.quarantine_id = data_dir_id(s->dir),
		.limits.pack_bytes = settings->quota,
	};
	CLEANUP(closep) int fd = -1;
	struct stream_fd file;
	int rc = has_refs(r, e);

	if (rc)
		return rc > 0 ? 0 : -1;
	fd = open_file(settings->seed, e);
	if (fd < 0)
		return -1;
	stream_fd_init(&file, fd, -1);
	if (bundle_import(r, &file.base, &options, result, e) == 0)
		return 1;
	return e->code == ERR_CONFLICT ? 0 : -1;
}

static void seed(struct server *s, const struct state *state,
		 const struct repo_settings *settings)
{
	const char *name = settings->object.name;
	CLEANUP(repository_putp) struct repository *r = NULL;
	struct bundle_result result = { 0 };
	int64_t began = clock_ms();
	struct err e;
	int rc;

	r = repo_store_open(s->repos, state, name, &e);
	rc = r ? fill(s, settings, r, &result, &e) : -1;
	if (rc < 0)
		log_error("repo.seed", "repo", name, "seed", settings->seed,
			  "error", e.message, NULL);
	else if (rc)
		log_info("repo.seeded", "repo", name, "seed", settings->seed,
			 "refs", fmt_u64(result.n_refs), "objects",
			 fmt_u64(result.n_objects), "ms",
			 fmt_u64((uint64_t)(clock_ms() - began)), NULL);
}

void server_seed(struct server *s)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);

	for (size_t i = 0; i < state_count(state, STATE_REPO); i++)
		if (state_repo_at(state, i)->seed)
			seed(s, state, state_repo_at(state, i));
}
