/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One push from its advertisement to its report. Each step is a file of its
 * own; what is here is their order.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "git/graph.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <string.h>
#include <unistd.h>

static void push_init(struct push *p, struct repository *r, struct stream *s,
		      const struct receive_pack_options *options,
		      struct receive_pack_result *result)
{
	*result = (struct receive_pack_result){ 0 };
	*p = (struct push){
		.repository = r,
		.git_dir = repository_dir(r),
		.options = options,
		.result = result,
		.stream = s,
		.kind = repository_kind(r),
		.lock = -1,
		.band = SIDEBAND_NONE,
		.last_write_ms = clock_ms(),
	};
	pkt_reader_init(&p->in, s);
}

static void push_fini(struct push *p)
{
	push_quarantine_close(p);
	pkt_reader_fini(&p->in);
	for (size_t i = 0; i < p->n; i++) {
		free(p->commands[i].ref);
		free(p->commands[i].reason);
	}
	for (size_t i = 0; i < p->n_option_lines; i++)
		free(p->option_lines[i]);
	free(p->caps_text);
	oid_set_fini(&p->ends);
	oid_set_fini(&p->new_ends);
	graph_free(p->graph);
	free(p->commands);
	free(p->by_name);
	free(p->option_lines);
	free(p->updates);
	free(p->updated);
	snapshot_put(p->snapshot);
	if (p->lock >= 0)
		close(p->lock);
}

/* Under the lock: what the snapshot's refs lead to stays until ours moved. */
static int snapshot_take(struct push *p, struct err *e)
{
	if (!p->options->advertise_only) {
		p->lock = repo_lock_pushes(p->git_dir, e);
		if (p->lock < 0)
			return -1;
	}
	p->snapshot = repository_snapshot(p->repository, e);
	if (!p->snapshot)
		return -1;
	p->refs = snapshot_refs(p->snapshot);
	p->config = snapshot_config(p->snapshot);
	return 0;
}

/* Silence after which an unreadable request is over. */
#define ABORT_IDLE_MS 500

static void tell_settled(const struct push *p)
{
	const struct push_handler *h = p->options->handler;

	for (size_t i = 0; h && h->settled && i < p->n; i++) {
		const struct push_command *c = &p->commands[i];

		h->settled(h->arg, &(struct push_update){
					   .ref = c->ref,
					   .old_id = c->old_id,
					   .new_id = c->new_id,
					   .is_forced = c->is_forced,
					   .is_rejected = c->reason,
					   .reason = c->reason,
				   });
	}
}

/* What comes after the request was understood cannot fail any more as a
 * whole: whatever goes wrong is in the report. */
static void push_run(struct push *p)
{
	const struct push_handler *h = p->options->handler;

	push_unpack(p);
	if (p->unpack.code == ERR_OK) {
		push_judge(p);
		push_apply(p);
	} else {
		push_refuse_rest(p, "unpacker error");
	}
	tell_settled(p);
	push_report(p);
	/* Before a hook is heard: the client is waiting, files are not. */
	push_quarantine_close(p);
	if (h && h->reported)
		h->reported(h->arg, p);
	push_finish(p);
	if (p->pack_is_pending)
		push_drain(p);
}

static int serve(struct push *p, struct err *e)
{
	const struct receive_pack_options *o = p->options;

	if (snapshot_take(p, e) < 0)
		return -1;
	if ((!o->is_stateless || o->advertise_only) && push_advertise(p, e) < 0)
		return -1;
	if (o->advertise_only)
		return 0;
	if (push_read_request(p, e) < 0)
		return -1;
	if (p->n || p->unpack.code != ERR_OK)
		push_run(p);
	return 0;
}

int receive_pack(struct repository *r, struct stream *s,
		 const struct receive_pack_options *options,
		 struct receive_pack_result *result, struct err *e)
{
	struct push p;
	int status;

	push_init(&p, r, s, options, result);
	status = serve(&p, e);
	if (status < 0) {
		push_abort(&p, e);
		if (!options->advertise_only && e->code != ERR_CLOSED &&
		    e->code != ERR_TIMEOUT) {
			/* What is under way is taken, so that the client reads
			 * why; one that says nothing more is not waited for. */
			s->idle_ms = ABORT_IDLE_MS;
			push_drain(&p);
		}
	}
	push_fini(&p);
	return status;
}
