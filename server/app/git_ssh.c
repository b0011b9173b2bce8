/* SPDX-License-Identifier: Apache-2.0 */
/* Keys become principals, commands become upload_pack() and receive_pack(). */
#include "app/git_ssh.h"

#include "app/git_push.h"
#include "app/server_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/stream.h"
#include "git/pktline.h"
#include "git/repository.h"
#include "git/upload_pack.h"
#include "store/access.h"
#include "store/data_dir.h"
#include "store/key_logins.h"
#include "store/names.h"
#include "store/pending_keys.h"
#include "store/repo_store.h"
#include "store/state_change.h"
#include "store/state_store.h"

#include <stdlib.h>
#include <string.h>

#define EXIT_DENIED 1
#define EXIT_FAILED 128 /* as git's die() */
#define SESSION_ID  16	/* random bytes */
/* What is quoted of a path that no repository could have. */
#define SHOWN_MAX 100

DEFINE_PUTP(repository)

static struct metric_family fetches = METRIC_COUNTER(
	"headwater_ssh_fetches", "Fetches over SSH by kind and result.", "kind",
	"result");
static struct metric_family fetch_seconds = METRIC_HISTOGRAM(
	"headwater_ssh_fetch_seconds", "Time of fetches over SSH.", "kind");
static struct metric_family fetch_bytes = METRIC_COUNTER(
	"headwater_ssh_fetch_bytes", "Pack bytes sent over SSH.", NULL);

static void *authenticate(void *arg, struct span blob)
{
	struct server *s = arg;
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct principal *p = calloc(1, sizeof *p);

	if (p && principal_by_key(state, blob, p))
		return p;
	free(p);
	return NULL;
}

static bool still_valid(void *arg, void *principal)
{
	struct server *s = arg;
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);

	return principal_refresh(principal, state);
}

static const char *name_of(void *arg, void *principal)
{
	(void)arg;
	return principal_name(principal);
}

static void release(void *arg, void *principal)
{
	(void)arg;
	principal_fini(principal);
	free(principal);
}

static void list_patterns(struct buf *out, const char *title,
			  const struct state_list *patterns)
{
	if (!patterns->n)
		return;
	buf_adds(out, title);
	for (size_t i = 0; i < patterns->n; i++)
		buf_addf(out, "%s%s", i ? ", " : "", patterns->items[i]);
	buf_addc(out, '\n');
}

static void whoami(void *arg, void *principal, const char *fingerprint,
		   struct buf *out)
{
	const struct principal *p = principal;

	(void)arg;
	buf_addf(out, "You are '%s' (%s).\n", principal_name(p), fingerprint);
	list_patterns(out, "You may read:           ", &p->key->read);
	list_patterns(out, "You may read and write: ", &p->key->write);
	buf_adds(out, "This server speaks git only: there is no shell.\n");
}

/* The one answer to everything that may not be; `may_read` is for those who
 * know that it is there and may not write it. */
static int deny(const struct sshd_command *c, const struct principal *p,
		const char *shown, bool may_read)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	const char *verb = c->service == SSHD_RECEIVE_PACK ? "write" : "read";
	struct err ignored;

	if (may_read)
		buf_addf(
			&text,
			"key '%s' may only read '%s'; pushing takes `headwater "
			"key set %s write=%s`",
			principal_name(p), shown, principal_name(p), shown);
	else
		buf_addf(&text,
			 "no repository '%s' that key '%s' may %s; `headwater "
			 "repo "
			 "list` and `headwater key show %s` say what there is",
			 shown, principal_name(p), verb, principal_name(p));
	pkt_add_err(&line, buf_str(&text));
	if (stream_write(c->stream, line.data, line.len, &ignored) == 0)
		(void)!stream_flush(c->stream, &ignored);
	return EXIT_DENIED;
}

/* The repository, and its name into `name`; NULL after having denied it, or
 * said what is wrong with it. */
static struct repository *enter(struct server *s, const struct principal *p,
				const struct sshd_command *c,
				char name[REPO_NAME_MAX + 1], int *status_out)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	enum access what =
		c->service == SSHD_RECEIVE_PACK ? ACCESS_WRITE : ACCESS_READ;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	char shown[SHOWN_MAX + 1];
	struct repository *r = NULL;
	struct err e;

	if (repo_name_from_path(c->path, name, &e) < 0) {
		snprintf(shown, sizeof shown, "%.*s", (int)c->path.len,
			 (const char *)c->path.data);
		*status_out = deny(c, p, shown, false);
		return NULL;
	}
	if (access_allows(p, name, what))
		r = repo_store_open(s->repos, state, name, &e);
	else
		err_set(&e, ERR_NOT_FOUND, "not allowed");
	if (r)
		return r;
	if (e.code == ERR_NOT_FOUND) {
		*status_out = deny(c, p, name,
				   what == ACCESS_WRITE &&
					   access_allows(p, name, ACCESS_READ));
		return NULL;
	}
	log_error("repo.broken", "repo", name, "error", e.message, NULL);
	pkt_add_err(&line, e.message);
	if (stream_write(c->stream, line.data, line.len, &e) == 0)
		(void)!stream_flush(c->stream, &e);
	*status_out = EXIT_FAILED;
	return NULL;
}

static void session_id_make(char out[2 * SESSION_ID + 1])
{
	unsigned char bytes[SESSION_ID];

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, out);
}

/* A poll that found nothing new is Flux's daily bread: debug. */
static void log_fetch(const struct principal *p, const struct sshd_command *c,
		      const char *name, const struct upload_pack_result *r,
		      const struct err *e, int64_t us)
{
	bool is_poll = !e && r->kind && !strcmp(r->kind, "list");

	log_event(e	    ? LEVEL_WARN
		  : is_poll ? LEVEL_DEBUG
			    : LEVEL_INFO,
		  "fetch", "repo", name, "key", principal_name(p), "peer",
		  c->peer, "kind", r->kind, "agent", r->agent, "wants",
		  fmt_u64(r->n_wants), "haves", fmt_u64(r->n_haves), "objects",
		  fmt_u64(r->n_objects), "bytes", fmt_u64(r->pack_bytes),
		  "cached", r->is_cache_hit ? "yes" : "no", "duration_us",
		  fmt_u64((uint64_t)us), "error", e ? e->message : NULL, NULL);
}

static int run_fetch(struct server *s, const struct principal *p,
		     const struct sshd_command *c, struct repository *r,
		     const char *name)
{
	struct upload_pack_result result = { 0 };
	char session_id[2 * SESSION_ID + 1];
	struct upload_pack_options options = {
		.version = protocol_version(c->git_protocol),
		.refuse_unreachable = true,
		.session_id = session_id,
		.cache = s->cache,
	};
	int64_t begun = clock_us(), us;
	struct config_values v;
	struct err e;
	int failed;

	config_now(s->config, &v);
	options.limits = config_fetch_limits(&v);
	session_id_make(session_id);
	failed = upload_pack(r, c->stream, &options, &result, &e);
	us = clock_us() - begun;
	metric_add(&fetches, 1, result.kind ? result.kind : "none",
		   failed ? err_code_name(e.code) : "ok");
	metric_observe(&fetch_seconds, (double)us / 1e6,
		       result.kind ? result.kind : "none");
	metric_add(&fetch_bytes, (double)result.pack_bytes);
	log_fetch(p, c, name, &result, failed ? &e : NULL, us);
	return failed ? EXIT_FAILED : EXIT_SUCCESS;
}

static int run(void *arg, void *principal, const struct sshd_command *c)
{
	struct server *s = arg;
	const struct principal *p = principal;
	char name[REPO_NAME_MAX + 1];
	int status = EXIT_DENIED;
	CLEANUP(repository_putp)
	struct repository *r = enter(s, p, c, name, &status);

	if (!r)
		return status;
	if (c->service == SSHD_UPLOAD_PACK)
		return run_fetch(s, p, c, r, name);
	return git_push(s, p, c, r, name);
}

/* The key that this one replaces has done its time. A state that moved on
 * meanwhile has another key, whose previous one this is not. */
static void end_previous(struct server *s, const struct key_settings *k)
{
	const struct state_value unset = { .key = "previous-key" };
	struct state_change change = { .kind = STATE_KEY,
				       .name = k->object.name,
				       .mode = CHANGE_SET,
				       .values = &unset,
				       .n_values = 1 };
	CLEANUP(change_result_fini) struct change_result r = CHANGE_RESULT_INIT;
	CLEANUP(state_putp) struct state *now = state_store_get(s->states);
	const struct key_settings *is = state_key(now, k->object.name);
	struct err e;

	if (!is || !public_key_eq(&is->key, &k->key) || !is->has_previous)
		return;
	if (state_change(s->states, &change, &r, &e) < 0)
		log_warn("key.previous", "key", k->name, "error", e.message,
			 NULL);
	else if (r.outcome == CHANGE_DONE)
		log_info("key.replaced", "key", k->name, "fingerprint",
			 k->key.fingerprint, NULL);
}

static void logged_in(void *arg, void *principal, const char *peer)
{
	struct server *s = arg;
	const struct key_settings *k =
		((const struct principal *)principal)->key;
	struct err e;

	(void)peer;
	if (key_login_note(data_dir_path(s->dir), &k->key, &e) < 0)
		log_warn("key.login", "key", k->name, "error", e.message, NULL);
	if (k->has_previous && !k->object.is_declared)
		end_previous(s, k);
}

static void ended(void *arg, const struct sshd_end *end)
{
	struct server *s = arg;

	pending_keys_note(s->pending, end->unknown, end->n_unknown, end->peer);
}

struct sshd_handler git_ssh_handler(struct server *s)
{
	return (struct sshd_handler){
		.arg = s,
		.authenticate = authenticate,
		.logged_in = logged_in,
		.still_valid = still_valid,
		.name = name_of,
		.release = release,
		.whoami = whoami,
		.run = run,
		.ended = ended,
	};
}
