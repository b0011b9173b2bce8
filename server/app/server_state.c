/* SPDX-License-Identifier: Apache-2.0 */
/* What a running server knows and is asked. */
#include "app/server_state.h"

#include "app/server_doors.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/workers.h"
#include "git/receive_pack.h"
#include "git/refs.h"
#include "git/repository.h"
#include "hooks/hook_set.h"
#include "hooks/hook_state.h"
#include "hooks/outbox.h"
#include "net/sshd.h"
#include "store/data_dir.h"
#include "store/key_logins.h"
#include "store/maintenance.h"
#include "store/pending_keys.h"
#include "store/repo_store.h"
#include "store/state.h"
#include "store/state_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

DEFINE_PUTP(repository)
DEFINE_PUTP(snapshot)

static struct snapshot *snapshot_of(struct server *s, const char *repo,
				    struct err *e)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	CLEANUP(repository_putp)
	struct repository *r = repo_store_open(s->repos, state, repo, e);

	return r ? repository_snapshot(r, e) : NULL;
}

int server_ref_value(void *arg, const char *repo, const char *ref,
		     struct oid *out, struct err *e)
{
	CLEANUP(snapshot_putp) struct snapshot *s = snapshot_of(arg, repo, e);
	const struct ref *found;

	if (!s)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	found = refs_find(snapshot_refs(s), ref);
	if (!found)
		return 0;
	*out = found->id;
	return 1;
}

char *server_default_ref(void *arg, const char *repo)
{
	struct err ignored;
	CLEANUP(snapshot_putp)
	struct snapshot *s = snapshot_of(arg, repo, &ignored);
	const struct head *head = s ? refs_head(snapshot_refs(s)) : NULL;

	return head && head->target && head->id.len ? strdup(head->target)
						    : NULL;
}

void server_urls(void *arg, const char *repo, struct buf *scratch,
		 struct event_urls *out)
{
	struct server *s = arg;
	size_t html, clone, ssh;

	html = scratch->len;
	identity_http_url(&s->identity, repo, scratch);
	buf_addc(scratch, '\0');
	clone = scratch->len;
	identity_http_url(&s->identity, repo, scratch);
	buf_adds(scratch, ".git");
	buf_addc(scratch, '\0');
	ssh = scratch->len;
	identity_ssh_url(&s->identity, repo, scratch);
	buf_addc(scratch, '\0');
	if (scratch->failed)
		return;
	*out = (struct event_urls){ scratch->data + html, scratch->data + clone,
				    scratch->data + ssh };
}

bool server_is_dead(void *arg, const char *daemon_id)
{
	struct server *s = arg;

	return data_dir_is_dead(s->dir, daemon_id);
}

void server_make_repositories(struct server *s)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct err e;

	for (size_t i = 0; i < state_count(state, STATE_REPO); i++) {
		const struct repo_settings *r = state_repo_at(state, i);
		const char *name = r->object.name;
		bool is_new;

		if (repo_store_create(s->repos, name, r->branch, &is_new, &e) <
		    0)
			log_error("repo.create", "repo", name, "error",
				  e.message, NULL);
		else if (is_new)
			log_info("repo.created", "repo", name, NULL);
	}
}

static void sweep(void *arg)
{
	struct server *s = arg;
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct err e;

	for (size_t i = 0; i < state_count(state, STATE_REPO); i++) {
		const char *name = state_repo_at(state, i)->object.name;
		CLEANUP(repository_putp)
		struct repository *r =
			repo_store_open(s->repos, state, name, &e);

		if (r && receive_pack_sweep(repository_dir(r), data_dir_is_dead,
					    s->dir, &e) < 0)
			log_warn("repo.sweep", "repo", name, "error", e.message,
				 NULL);
	}
	repo_store_sweep(s->repos);
	data_dir_sweep(s->dir);
	key_logins_sweep(data_dir_path(s->dir), state);
}

int server_sweep_later(struct server *s, struct err *e)
{
	return workers_add(s->workers, sweep, s, e);
}

void server_save_pending(struct server *s, bool now)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct err e;

	if (pending_keys_save(s->pending, state, now, &e) < 0)
		log_warn("keys.pending", "error", e.message, NULL);
}

/* -- maintenance ----------------------------------------------------------- */

void server_maintenance_settings(void *arg, struct maintenance_settings *out)
{
	struct server *s = arg;
	struct config_values v;

	config_now(s->config, &v);
	*out = (struct maintenance_settings){
		.is_on = !strcmp(v.maintenance, "true"),
		.packs = (uint32_t)v.maintenance_packs,
		.loose = (uint32_t)v.maintenance_loose,
		.refs = (uint32_t)v.maintenance_refs,
		.grace_s = (int64_t)(v.maintenance_grace / 1000),
	};
}

/* A command for every processor: each moment of ours is one of a client's. */
bool server_is_busy(void *arg)
{
	struct server *s = arg;
	size_t sessions, running;

	if (!s->sshd)
		return false;
	sshd_count(s->sshd, &sessions, &running);
	return (long)running >= sysconf(_SC_NPROCESSORS_ONLN);
}

/* -- configuration --------------------------------------------------------- */

static void warn_of_restart(struct server *s)
{
	struct config_values now;
	const char *key;
	size_t i = 0;

	config_now(s->config, &now);
	while ((key = config_needs_restart(&s->values, &now, &i)))
		log_warn("config.needs-restart", "key", key, NULL);
}

/* New repositories, hooks and limits; keys and tokens are looked up in the
 * state. */
static void apply(struct server *s)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct config_values now;
	struct hook_set *hooks;
	struct err e;

	config_now(s->config, &now);
	doors_set_limits(s, &now);
	server_make_repositories(s);
	hooks = hook_set_of_state(state, now.receiver_service, &e);
	if (!hooks) {
		log_error("config.hooks", "error", e.message, NULL);
		return;
	}
	outbox_set_hooks(s->outbox, hooks);
	hook_set_put(hooks);
}

void server_took(struct server *s, int result, const struct mistakes *m)
{
	atomic_store(&s->is_config_refused, state_store_is_refused(s->states));
	if (!result)
		return;
	for (size_t i = 0; i < m->n; i++)
		log_error("config.mistake", "mistake", m->items[i], NULL);
	if (result < 0) {
		log_error("config.refused", "in-force", "the old one", NULL);
		return;
	}
	apply(s);
	server_seed(s);
	warn_of_restart(s);
	log_info("config.taken", NULL);
}

void server_changed(void *arg)
{
	apply(arg);
}

static json_t *door_json(const char *bound)
{
	return *bound ? json_pack("{s:s}", "address", bound) : json_null();
}

static json_t *maintenance_json(struct server *s)
{
	struct maintenance_settings settings;
	struct maintenance_status status;
	const char *state = "idle";
	char when[CLOCK_ISO_SIZE];
	json_t *object;

	server_maintenance_settings(s, &settings);
	maintenance_status(s->maintenance, &status);
	if (*status.repo)
		state = "running";
	else if (!settings.is_on)
		state = "off";
	object = json_pack("{s:s, s:I}", "state", state, "runs",
			   (json_int_t)status.n_runs);
	if (*status.repo)
		json_object_set_new(object, "repo", json_string(status.repo));
	if (*status.last_repo) {
		json_object_set_new(object, "last_repo",
				    json_string(status.last_repo));
		json_object_set_new(
			object, "last_time",
			json_string(clock_iso_of(status.last_unix, when)));
	}
	if (*status.last_error)
		json_object_set_new(object, "last_error",
				    json_string(status.last_error));
	return object;
}

void server_status(void *arg, json_t *object)
{
	struct server *s = arg;
	json_t *ssh = door_json(s->ssh_bound);
	size_t sessions, running;

	if (s->sshd) {
		json_object_set_new(
			ssh, "fingerprint",
			json_string(sshd_host_fingerprint(s->sshd)));
		json_object_set_new(ssh, "host_key",
				    json_string(sshd_host_key(s->sshd)));
		sshd_count(s->sshd, &sessions, &running);
		json_object_set_new(object, "sessions",
				    json_integer((json_int_t)sessions));
	}
	json_object_set_new(object, "ssh", ssh);
	json_object_set_new(object, "http", door_json(s->http_bound));
	json_object_set_new(object, "https", door_json(s->https_bound));
	json_object_set_new(object, "probe", door_json(s->probe_bound));
	json_object_set_new(
		object, "configuration",
		json_string(atomic_load(&s->is_config_refused)
				    ? "the last change was refused; "
				      "the one before is in force"
				    : "in force"));
	json_object_set_new(object, "maintenance", maintenance_json(s));
	json_object_set_new(object, "uptime_seconds",
			    json_integer((clock_ms() - s->started_ms) / 1000));
}

/* sd_notify(3): a datagram; the library is not worth linking. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(closep) int fd = -1;
	size_t n = path ? strlen(path) : 0;

	if (!n || n >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(
			fd, text, strlen(text), MSG_NOSIGNAL, (void *)&sa,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				    n));
}

static const char *bound_or_null(const char *bound)
{
	return *bound ? bound : NULL;
}

void server_say_ready(struct server *s)
{
	atomic_store(&s->is_ready, true);
	log_info("ready", "version", HEADWATER_VERSION, "data",
		 data_dir_path(s->dir), "ssh", bound_or_null(s->ssh_bound),
		 "http", bound_or_null(s->http_bound), "https",
		 bound_or_null(s->https_bound), "probe",
		 bound_or_null(s->probe_bound), "admin", s->admin_path,
		 "host-key", s->sshd ? sshd_host_fingerprint(s->sshd) : NULL,
		 "start_ms", fmt_u64((uint64_t)(clock_ms() - s->started_ms)),
		 NULL);
	notify("READY=1");
}

void server_stop_ready(struct server *s)
{
	atomic_store(&s->is_ready, false);
	notify("STOPPING=1");
}

void server_state_fini(struct server *s)
{
	free(s->admin_path);
	free(s->host_key_path);
}
