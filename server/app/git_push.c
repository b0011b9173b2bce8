/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds receive_pack() at the SSH door. */
#include "app/git_push.h"

#include "app/push_events.h"
#include "app/server_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "git/pktline.h"
#include "git/receive_pack.h"
#include "git/upload_pack.h"
#include "net/sshd.h"
#include "store/access.h"
#include "store/data_dir.h"
#include "store/maintenance.h"
#include "store/repo_store.h"
#include "store/state_store.h"
#include "store/values.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#define EXIT_FAILED 128 /* as git's die() */

static struct metric_family pushes = METRIC_COUNTER(
	"headwater_pushes", "Pushes by what came of them.", "result");
static struct metric_family push_seconds =
	METRIC_HISTOGRAM("headwater_push_seconds", "Time of pushes.", "result");
static struct metric_family push_bytes =
	METRIC_COUNTER("headwater_push_bytes", "Pack bytes received.", NULL);

/* Bytes of the volume that stay free. */
static uint64_t reserve_of(const struct server *s, uint64_t percent)
{
	struct statvfs v;

	if (!percent || statvfs(data_dir_path(s->dir), &v) < 0)
		return 0;
	return (uint64_t)v.f_blocks * v.f_frsize / 100 * percent;
}

/* The smaller of push-size and what the quota leaves; -1 after saying that it
 * leaves nothing. */
static int pack_limit(struct server *s, const struct repo_settings *settings,
		      const char *name, struct stream *stream, uint64_t *limit)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	char quota[VALUE_TEXT_SIZE], text[256];
	uint64_t used;
	struct err e;

	if (!settings || !settings->quota)
		return 0;
	if (repo_store_usage(s->repos, name, &used, &e) == 0 &&
	    used < settings->quota) {
		if (!*limit || *limit > settings->quota - used)
			*limit = settings->quota - used;
		return 0;
	}
	snprintf(text, sizeof text,
		 "repository '%s' has used its quota of %s; delete branches "
		 "or raise quota",
		 name, value_size_text(settings->quota, quota));
	pkt_add_err(&line, text);
	if (stream_write(stream, line.data, line.len, &e) == 0)
		(void)!stream_flush(stream, &e);
	return -1;
}

static struct push_limits limits_of(const struct config_values *v)
{
	return (struct push_limits){
		.pack_bytes = v->push_size,
		.object_bytes = v->object_size,
		.inflated_bytes = v->inflated_size,
		.objects = (uint32_t)v->push_objects,
		.commands = (uint32_t)v->push_refs,
		.push_options = (uint32_t)v->push_options,
		.memory = v->push_memory,
	};
}

static const char *result_name(int failed, const struct err *e,
			       const struct receive_pack_result *r)
{
	if (failed)
		return err_code_name(e->code);
	if (!r->n_updates)
		return "nothing";
	if (!r->n_rejected)
		return "accepted";
	return r->is_accepted ? "partly" : "rejected";
}

static void log_push(const struct principal *p, const struct sshd_command *c,
		     const struct push_events *events,
		     const struct receive_pack_result *r, const char *result,
		     const char *error, int64_t us)
{
	log_event(error ? LEVEL_WARN : LEVEL_INFO, "push", "repo", events->repo,
		  "key", principal_name(p), "peer", c->peer, "result", result,
		  "agent", r->agent, "updates", fmt_u64(r->n_updates),
		  "rejected", fmt_u64(r->n_rejected), "refs",
		  push_events_summary(events), "objects", fmt_u64(r->n_objects),
		  "bytes", fmt_u64(r->pack_bytes), "duration_us",
		  fmt_u64((uint64_t)us), "error", error, NULL);
}

int git_push(struct server *s, const struct principal *p,
	     const struct sshd_command *c, struct repository *r,
	     const char *name)
{
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	CLEANUP(push_events_fini)
	struct push_events events = {
		.outbox = s->outbox,
		.repository = r,
		.settings = state_repo(state, name),
		.repo = name,
		.pusher = principal_name(p),
		.peer = c->peer,
		.bypasses = access_bypasses(p),
	};
	struct receive_pack_result result = { 0 };
	struct receive_pack_options options = {
		.version = protocol_version(c->git_protocol),
		.fsck_default = true,
		.adopt_first_head = true,
		.quarantine_id = data_dir_id(s->dir),
	};
	struct push_handler handler;
	int64_t begun = clock_us(), us;
	struct config_values v;
	const char *what;
	struct err e;
	int failed;

	config_now(s->config, &v);
	events.hook_wait_ms = (int)v.hook_wait_ms;
	push_events_init(&events, &handler);
	options.handler = &handler;
	options.limits = limits_of(&v);
	options.disk_reserve = reserve_of(s, v.disk_reserve);
	if (pack_limit(s, events.settings, name, c->stream,
		       &options.limits.pack_bytes) < 0)
		return EXIT_FAILED;
	failed = receive_pack(r, c->stream, &options, &result, &e);
	us = clock_us() - begun;
	if (!failed && result.is_accepted && result.n_objects)
		maintenance_hint(s->maintenance, name);
	what = result_name(failed, &e, &result);
	metric_add(&pushes, 1, what);
	metric_observe(&push_seconds, (double)us / 1e6, what);
	metric_add(&push_bytes, (double)result.pack_bytes);
	log_push(p, c, &events, &result, what, failed ? e.message : NULL, us);
	return failed ? EXIT_FAILED : EXIT_SUCCESS;
}
