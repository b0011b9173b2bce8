/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push from a shallow clone makes this repository shallow where that one is.
 * Format of the file `shallow`: one id a line; git's lock is shallow.lock.
 *
 * It is written when the pack is published and before refs move: a crash leaves
 * ids of commits that no ref reaches, which mean nothing.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "git/connectivity.h"
#include "git/graph.h"
#include "git/graph_shallow.h"
#include "git/ref_lock.h"
#include "git/ref_transaction.h"
#include "git/repository.h"

DEFINE_PUTP(snapshot)

struct graph *push_graph(struct push *p, struct err *e)
{
	if (!p->new_ends.n)
		return snapshot_graph(p->snapshot);
	if (!p->graph)
		p->graph =
			graph_new_shallow(p->git_dir, p->kind, &p->new_ends, e);
	return p->graph;
}

static bool is_cut(const struct push_command *c)
{
	return c->is_cut && !c->reason;
}

/* The ends that accepted updates need, and no others: neither what was refused
 * since nor what another push made whole meanwhile may be cut. */
static int ends_of_accepted(struct push *p, struct oid_set *ends, struct err *e)
{
	CLEANUP(snapshot_putp)
	struct snapshot *now = repository_snapshot(p->repository, e);
	struct connectivity_question question = {
		.snapshot = now,
		.ends = &p->ends,
		.used = ends,
	};
	CLEANUP(freep) struct oid *tips = calloc(p->n, sizeof *tips);
	CLEANUP(freep) bool *is_whole = calloc(p->n, sizeof *is_whole);
	struct oid missing;

	if (!now)
		return -1;
	if (!tips || !is_whole)
		return err_nomem(e);
	question.objects = snapshot_objects(now);
	for (size_t i = 0; i < p->n; i++)
		tips[i] = is_cut(&p->commands[i]) ? p->commands[i].new_id
						  : oid_zero(p->kind);
	return connectivity_check(&question, tips, p->n, is_whole, &missing, e);
}

static int shallow_append(struct push *p, const struct oid_set *ends,
			  struct err *e)
{
	CLEANUP(shallow_fini) struct shallow_list list = { 0 };
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	char hex[OID_MAX_HEX + 1];

	if (shallow_read(&list, p->git_dir, p->kind) < 0)
		return err_nomem(e);
	if (list.why.code != ERR_OK) {
		*e = list.why;
		return -1;
	}
	if (shallow_extend(&list, ends, e) < 0)
		return -1;
	for (size_t i = 0; i < list.n; i++)
		buf_addf(&text, "%s\n", oid_hex(&list.ids[i], hex));
	if (buf_check(&text, e) < 0)
		return -1;
	return ref_lock_replace(p->git_dir, "shallow", p->quarantine,
				buf_span(&text), e);
}

/* Under the lock, with the refs as they are now. */
static int shallow_write(struct push *p, struct err *e)
{
	CLEANUP(oid_set_fini) struct oid_set ends = { 0 };

	if (ends_of_accepted(p, &ends, e) < 0)
		return -1;
	return ends.n ? shallow_append(p, &ends, e) : 0;
}

int push_shallow_write(struct push *p, struct err *e)
{
	bool is_any = false;
	int result;

	for (size_t i = 0; i < p->n; i++)
		is_any |= is_cut(&p->commands[i]);
	if (!is_any)
		return 0;
	if (ref_lock_take(p->git_dir, "shallow", p->quarantine,
			  clock_ms() + REF_LOCK_WAIT_MS, e) < 0)
		return -1;
	result = shallow_write(p, e);
	ref_lock_drop(p->git_dir, "shallow");
	return result;
}
