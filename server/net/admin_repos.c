/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories: their directories, bundles and git's own configuration. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/stream.h"
#include "git/bundle.h"
#include "git/refs.h"
#include "git/repository.h"
#include "hooks/hook_set.h"
#include "net/admin_fire.h"
#include "net/admin_handlers.h"
#include "net/identity.h"
#include "store/git_settings.h"
#include "store/names.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <string.h>

DEFINE_PUTP(repository)
DEFINE_PUTP(snapshot)

#define GIT_CONFIG_VALUES_MAX 64 /* of one key */

static const char *const repo_fields[] = { "git_config", NULL };

static void refuse_repo(struct http_response *out, const struct err *e)
{
	admin_refuse(out, e, "repo", NULL);
}

static struct repository *open_repo(const struct admin_call *c,
				    const char *name, struct err *e)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);

	return repo_store_open(c->context->repos, s, name, e);
}

/* The strings of a value, none to unset; -1: it is something else. */
static int config_strings(const json_t *value,
			  const char *many_out[GIT_CONFIG_VALUES_MAX])
{
	size_t n = json_is_array(value) ? json_array_size(value) : 1;

	if (json_is_null(value))
		return 0;
	if (n > GIT_CONFIG_VALUES_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		many_out[i] = json_string_value(
			json_is_array(value) ? json_array_get(value, i)
					     : value);
		if (!many_out[i])
			return -1;
	}
	return (int)n;
}

static int refuse_git_config(struct http_response *out)
{
	http_response_json_error(out, 400, "bad-field",
				 "field \"git_config\": an object of strings, "
				 "lists of strings or null",
				 NULL);
	return -1;
}

/* Each of the request's settings in turn; `dir` NULL: only judge them. */
static int each_git_config(json_t *wanted, const char *dir,
			   struct http_response *out)
{
	const char *many[GIT_CONFIG_VALUES_MAX];
	const char *key;
	json_t *value;
	struct err e;

	json_object_foreach(wanted, key, value)
	{
		int n = config_strings(value, many);
		int result;

		if (n < 0)
			return refuse_git_config(out);
		result = dir ? git_settings_set(dir, key, many, (size_t)n, &e)
			     : git_settings_check(key, many, (size_t)n, &e);
		if (result < 0) {
			refuse_repo(out, &e);
			return -1;
		}
	}
	return 0;
}

/* Before anything is changed, so that a refusal changes nothing. */
static int repo_check(const struct admin_call *c, json_t *body, struct arena *a,
		      struct state_change *change, struct http_response *out)
{
	json_t *wanted = json_object_get(body, "git_config");

	(void)c;
	(void)a;
	(void)change;
	if (wanted && !json_is_object(wanted))
		return refuse_git_config(out);
	return each_git_config(wanted, NULL, out);
}

static int apply_git_config(const struct admin_call *c, json_t *body,
			    struct http_response *out)
{
	json_t *wanted = json_object_get(body, "git_config");
	CLEANUP(repository_putp) struct repository *r = NULL;
	struct err e;

	if (!wanted)
		return 0;
	r = open_repo(c, c->name, &e);
	if (r)
		return each_git_config(wanted, repository_dir(r), out);
	refuse_repo(out, &e);
	return -1;
}

/* The directory of what the state now has; made, or adopted. */
static int repo_settle(const struct admin_call *c, json_t *body,
		       struct http_response *out)
{
	CLEANUP(state_putp)
	struct state *s = state_store_get(c->context->states);
	const struct repo_settings *settings = state_repo(s, c->name);
	bool is_new;
	struct err e;

	if (!settings)
		return 0; /* deleted meanwhile */
	if (repo_store_create(c->context->repos, c->name, settings->branch,
			      &is_new, &e) < 0) {
		refuse_repo(out, &e);
		return -1;
	}
	return apply_git_config(c, body, out);
}

static int repo_remove(const struct admin_call *c, struct http_response *out)
{
	struct err e;

	if (repo_store_delete(c->context->repos, c->name, &e) >= 0)
		return 0;
	refuse_repo(out, &e);
	return -1;
}

static void describe_refs(struct repository *r, json_t *object)
{
	CLEANUP(snapshot_putp) struct snapshot *s = NULL;
	const struct head *head;
	struct err e;

	s = repository_snapshot(r, &e);
	if (!s) {
		json_object_set_new(object, "problem", json_string(e.message));
		return;
	}
	head = refs_head(snapshot_refs(s));
	if (head->target)
		json_object_set_new(object, "head", json_string(head->target));
	json_object_set_new(
		object, "refs",
		json_integer((json_int_t)refs_count(snapshot_refs(s))));
}

static void add_url(json_t *object, const char *field,
		    void (*url)(const struct identity *id, const char *repo,
				struct buf *out),
		    const struct identity *id, const char *repo)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	url(id, repo, &text);
	json_object_set_new(object, field,
			    text.len ? json_pack("[s]", buf_str(&text))
				     : json_array());
}

static json_t *hooks_of(const struct state *s, const char *repo)
{
	json_t *list = json_array();

	for (size_t i = 0; i < state_count(s, STATE_HOOK); i++) {
		const struct hook_settings *h = state_hook_at(s, i);

		if (state_list_matches(&h->repos, repo))
			json_array_append_new(list,
					      json_string(h->object.name));
	}
	return list;
}

static void repo_describe(const struct admin_call *c, const struct state *s,
			  const char *name, json_t *object)
{
	CLEANUP(repository_putp) struct repository *r = NULL;
	const struct identity *id = c->context->identity;
	uint64_t bytes;
	struct err e;

	add_url(object, "ssh_urls", identity_ssh_url, id, name);
	add_url(object, "http_urls", identity_http_url, id, name);
	json_object_set_new(object, "hooks", hooks_of(s, name));
	r = repo_store_open(c->context->repos, s, name, &e);
	if (!r) {
		json_object_set_new(object, "problem", json_string(e.message));
		return;
	}
	describe_refs(r, object);
	/* Only of one: walking every directory for a list is not cheap. */
	if (c->name &&
	    repo_store_usage(c->context->repos, name, &bytes, &e) == 0)
		json_object_set_new(object, "bytes",
				    json_integer((json_int_t)bytes));
}

/* The repository of a call; NULL after filling `out`. */
static struct repository *repo_or_refuse(const struct admin_call *c,
					 struct http_response *out)
{
	struct err e;
	struct repository *r = open_repo(c, c->name, &e);

	if (!r)
		refuse_repo(out, &e);
	return r;
}

void admin_repo_seed(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(repository_putp) struct repository *r = repo_or_refuse(c, out);
	struct bundle_options options = {
		.quarantine_id = c->context->daemon_id,
	};
	struct bundle_result result = { 0 };
	struct stream_fd file;
	struct stream_mem memory;
	struct stream *in = &file.base;
	struct err e;

	if (!r)
		return;
	if (c->request->body_fd >= 0) {
		stream_fd_init(&file, c->request->body_fd, -1);
	} else {
		stream_mem_init(&memory, c->request->body, NULL);
		in = &memory.base;
	}
	if (bundle_import(r, in, &options, &result, &e) == 0) {
		admin_answer(out, 200,
			     json_pack("{s:i, s:i, s:s}", "refs",
				       (int)result.n_refs, "objects",
				       (int)result.n_objects, "note",
				       "seeded"));
		return;
	}
	if (e.code == ERR_CONFLICT) {
		admin_answer(out, 200,
			     json_pack("{s:i, s:i, s:s}", "refs", 0, "objects",
				       0, "note",
				       "the repository has refs already: the "
				       "seed was ignored"));
		return;
	}
	refuse_repo(out, &e);
}

static int produce_bundle(void *arg, struct stream *s, struct err *e)
{
	return bundle_write(arg, s, e);
}

static void release_snapshot(void *arg)
{
	snapshot_put(arg);
}

void admin_repo_bundle(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(repository_putp) struct repository *r = repo_or_refuse(c, out);
	CLEANUP(snapshot_putp) struct snapshot *s = NULL;
	struct err e;

	if (!r)
		return;
	s = repository_snapshot(r, &e);
	if (s && !refs_count(snapshot_refs(s))) {
		http_response_json_error(out, 409, "repo-empty",
					 "the repository is empty: there is "
					 "nothing to write",
					 NULL);
		return;
	}
	if (!s) {
		refuse_repo(out, &e);
		return;
	}
	http_response_produced(out, 200, "application/x-git-bundle",
			       produce_bundle, release_snapshot, TAKE(s));
}

void admin_repo_sync(const struct admin_call *c, struct http_response *out)
{
	CLEANUP(repository_putp) struct repository *r = repo_or_refuse(c, out);

	if (!r)
		return;
	admin_fire(c, &(struct admin_fire){ EVENT_SYNC, c->name, NULL, NULL },
		   out);
}

const struct admin_kind admin_repo_kind = {
	.also = repo_fields,
	.secrets = repo_check,
	.settle = repo_settle,
	.remove = repo_remove,
	.describe = repo_describe,
};
