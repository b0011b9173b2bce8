/* SPDX-License-Identifier: Apache-2.0 */
/* A door each for SSH, HTTP, HTTPS, the probes and the admin socket. */
#include "app/server_doors.h"

#include "app/git_ssh.h"
#include "app/server_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "hooks/outbox.h"
#include "net/address.h"
#include "net/admin_api.h"
#include "net/httpd.h"
#include "net/sshd.h"
#include "store/data_dir.h"
#include "store/pending_keys.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One more thread per door than a quiet cluster needs costs memory. */
#define HTTP_THREADS 1
/* What a seed may be: an upload by root on a local socket. */
#define SEED_MAX ((uint64_t)1 << 40)

static void metrics_source(struct buf *out, void *arg);

static bool is_closed(const char *address)
{
	return !strcmp(address, "none");
}

static struct sshd_limits ssh_limits(const struct config_values *v)
{
	return (struct sshd_limits){
		.sessions = (uint32_t)v->sessions,
		.unauthenticated = (uint32_t)v->unauthenticated,
		.channels = (uint32_t)v->channels,
		.refused_keys = (uint32_t)v->refused_keys,
		.login_ms = (int)v->login_timeout,
		.idle_ms = (int)v->idle_timeout,
		.stall_ms = (int)v->stall_timeout,
		.silence_ms = (int)v->silence_timeout,
		.session_ms = (int)v->session_timeout,
		.keepalive_ms = (int)v->keepalive,
	};
}

static int open_ssh(struct server *s, struct err *e)
{
	struct sshd_options options = {
		.limits = ssh_limits(&s->values),
		.handler = git_ssh_handler(s),
	};
	struct sockaddr_storage bound;

	if (is_closed(s->values.ssh))
		return 0;
	s->host_key_path =
		*s->values.host_key
			? strdup(s->values.host_key)
			: data_dir_join(s->dir, "ssh/ssh_host_ed25519_key");
	if (!s->host_key_path)
		return err_nomem(e);
	options.host_key_path = s->host_key_path;
	if (address_parse(s->values.ssh, &options.listen, e) < 0)
		return -1;
	s->sshd = sshd_open(&options, e);
	if (!s->sshd)
		return err_wrap(e, "the SSH door");
	sshd_bound(s->sshd, &bound);
	address_text(&bound, s->ssh_bound);
	return 0;
}

static struct httpd_limits http_limits(const struct config_values *v)
{
	return (struct httpd_limits){
		.connections = (uint32_t)v->http_connections,
		.head_ms = (uint32_t)v->http_head_timeout,
		.request_ms = (uint32_t)v->http_request_timeout,
		.stall_ms = (uint32_t)v->http_stall_timeout,
		.bytes_per_s = (uint32_t)v->http_rate,
		.body_bytes = v->http_body,
	};
}

/* One TCP door; NULL without an error where it is "none". */
static int open_http(struct server *s, const char *name, const char *address,
		     const struct http_handler *handler, bool is_tls,
		     struct httpd **out, char *bound_out, struct err *e)
{
	struct httpd_options options = {
		.name = name,
		.workers = s->workers,
		.threads = HTTP_THREADS,
		.limits = http_limits(&s->values),
		.handler = *handler,
	};
	struct sockaddr_storage bound;

	if (is_closed(address))
		return 0;
	if (is_tls) {
		options.tls_cert = s->values.tls_cert;
		options.tls_key = s->values.tls_key;
		if (!*options.tls_cert || !*options.tls_key)
			return err_set(e, ERR_MALFORMED,
				       "the HTTPS door needs tls-cert and "
				       "tls-key");
	}
	if (address_parse(address, &options.listen, e) < 0)
		return -1;
	*out = httpd_open(&options, e);
	if (!*out)
		return err_wrap(e, "the %s door", name);
	httpd_bound(*out, &bound);
	address_text(&bound, bound_out);
	return 0;
}

/* A file that can be made tells that pushes and verbs can. */
static bool is_writable(const struct server *s)
{
	CLEANUP(freep) char *run = data_dir_join(s->dir, "run");

	return run && !access(run, W_OK);
}

static bool is_ready(void *arg, struct buf *reason)
{
	const struct server *s = arg;

	if (!atomic_load(&s->is_ready)) {
		buf_adds(reason, "it is starting or stopping");
		return false;
	}
	if (!is_writable(s)) {
		buf_adds(reason, "the data directory is not writable");
		return false;
	}
	return true;
}

static void plan_seed(void *arg, const struct http_request *r,
		      struct http_body_plan *plan)
{
	const struct server *s = arg;

	if (!admin_routes_has_large_body(r))
		return;
	plan->dir = data_dir_path(s->dir);
	plan->max_bytes = SEED_MAX;
}

static int admin_handle(void *arg, const struct http_request *r,
			struct http_response *out)
{
	struct server *s = arg;

	return admin_routes_handle(&s->admin_context, r, out);
}

static int is_other(void *arg, const char *id, bool is_dead)
{
	struct server *s = arg;

	return !is_dead && strcmp(id, data_dir_id(s->dir)) != 0;
}

/* A daemon that was killed leaves its socket. If it had another uid, only its
 * lock tells that nobody listens there. */
static void remove_left_socket(struct server *s)
{
	struct err ignored;
	struct stat st;

	if (!lstat(s->admin_path, &st) && S_ISSOCK(st.st_mode) &&
	    data_dir_each_id(s->dir, is_other, s, &ignored) == 0)
		unlink(s->admin_path);
}

static int open_admin(struct server *s, struct err *e)
{
	struct admin_api_options options = {
		.workers = s->workers,
		.handler = admin_handle,
		.plan = plan_seed,
		.arg = s,
	};

	if (is_closed(s->values.admin))
		return 0;
	s->admin_path = *s->values.admin
				? strdup(s->values.admin)
				: data_dir_join(s->dir, "run/admin.sock");
	if (!s->admin_path)
		return err_nomem(e);
	if (!*s->values.admin)
		remove_left_socket(s);
	s->admin_context = (struct admin_context){
		.states = s->states,
		.repos = s->repos,
		.outbox = s->outbox,
		.maintenance = s->maintenance,
		.pending = s->pending,
		.data_dir = data_dir_path(s->dir),
		.daemon_id = data_dir_id(s->dir),
		.identity = &s->identity,
		.status = server_status,
		.changed = server_changed,
		.arg = s,
	};
	options.path = s->admin_path;
	s->admin = admin_api_open(&options, e);
	return s->admin ? 0 : err_wrap(e, "the admin socket");
}

static void fill_identity(struct server *s)
{
	s->identity = (struct identity){
		.names = s->values.names,
		.n_names = s->values.n_names,
		.ssh_bound = *s->ssh_bound ? s->ssh_bound : NULL,
		.http_bound = *s->http_bound ? s->http_bound : NULL,
		.host_key_line = s->sshd ? sshd_host_key(s->sshd) : NULL,
	};
}

void doors_set_limits(struct server *s, const struct config_values *v)
{
	struct sshd_limits limits = ssh_limits(v);

	if (s->sshd)
		sshd_set_limits(s->sshd, &limits);
}

int doors_open(struct server *s, struct err *e)
{
	struct http_handler git, probe;

	git_http_init(s, &s->http_git);
	httpd_git_handler(&s->http_git, &git);
	s->http_probe = (struct httpd_probe){ .arg = s, .is_ready = is_ready };
	httpd_probe_handler(&s->http_probe, &probe);
	if (open_ssh(s, e) < 0 ||
	    open_http(s, "http", s->values.http, &git, false, &s->http,
		      s->http_bound, e) < 0 ||
	    open_http(s, "https", s->values.https, &git, true, &s->https,
		      s->https_bound, e) < 0 ||
	    open_http(s, "probe", s->values.probe, &probe, false, &s->probe,
		      s->probe_bound, e) < 0)
		return -1;
	fill_identity(s);
	metrics_add_source(metrics_source, s);
	return open_admin(s, e);
}

void doors_close(struct server *s, int64_t deadline_ms)
{
	struct httpd *const doors[] = { s->http, s->https, s->probe };

	if (s->sshd)
		sshd_stop(s->sshd);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (doors[i])
			httpd_stop(doors[i]);
	if (s->admin)
		admin_api_stop(s->admin);
	if (s->sshd)
		sshd_wait(s->sshd, deadline_ms);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (doors[i])
			httpd_wait(doors[i], deadline_ms);
	if (s->admin)
		admin_api_wait(s->admin, deadline_ms);
	sshd_free(s->sshd);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		httpd_free(doors[i]);
	admin_api_free(s->admin);
}

static void gauge(struct buf *out, const char *name, const char *help,
		  uint64_t value)
{
	buf_addf(out, "# TYPE %s gauge\n# HELP %s %s\n%s %llu\n", name, name,
		 help, name, (unsigned long long)value);
}

static uint64_t resident_bytes(void)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long total, resident;

	if (!f || fscanf(f, "%llu %llu", &total, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void metrics_source(struct buf *out, void *arg)
{
	struct server *s = arg;
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	struct outbox_stats outbox;
	size_t sessions = 0, running = 0, n_open;
	uint64_t memory = repo_store_memory(s->repos, &n_open);

	if (s->sshd)
		sshd_count(s->sshd, &sessions, &running);
	outbox_stats(s->outbox, &outbox);
	gauge(out, "headwater_resident_memory_bytes",
	      "Resident memory of the process.", resident_bytes());
	gauge(out, "headwater_ssh_open_sessions", "SSH connections now.",
	      sessions);
	gauge(out, "headwater_ssh_running_commands", "Commands running now.",
	      running);
	gauge(out, "headwater_pending_keys", "Keys that nobody knows yet.",
	      pending_keys_list(s->pending, state, NULL, NULL));
	gauge(out, "headwater_open_repositories", "Repositories kept open.",
	      n_open);
	gauge(out, "headwater_repository_memory_bytes",
	      "Memory of their caches.", memory);
	gauge(out, "headwater_hook_backlog", "Webhook events not yet heard.",
	      outbox.backlog);
	gauge(out, "headwater_hook_oldest_seconds",
	      "Age of the oldest of them.", (uint64_t)outbox.oldest_age_s);
	gauge(out, "headwater_config_refused",
	      "1 where the last change of the configuration was refused.",
	      atomic_load(&s->is_config_refused));
}
