/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is everything there that the new values need? What is not is refused; where
 * objects are checked, the unpacking has failed and with it the whole push, as
 * with git, whose fsck follows what objects name.
 *
 * A pusher whose own clone is shallow says where it ends. What is whole up to
 * there is accepted where receive.shallowUpdate is true: the repository is then
 * shallow at these commits, too.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "git/connectivity.h"
#include "git/pack_ingest.h"
#include "git/repo_config.h"

/* What is asked of all commands at once, and answered. */
struct inquiry {
	struct push *p;
	struct connectivity_question question;
	struct oid *tips; /* zero: not asked */
	bool *is_whole;
	struct oid missing;
};

static void inquiry_fini(struct inquiry *q)
{
	free(q->tips);
	free(q->is_whole);
}

static void tick(void *arg)
{
	push_progress(arg, NULL, 0, 0);
}

static int inquiry_init(struct inquiry *q, struct push *p, struct err *e)
{
	*q = (struct inquiry){
		.p = p,
		.question = { .snapshot = p->snapshot,
			      .objects = p->objects,
			      .tick = tick,
			      .arg = p },
		.tips = calloc(p->n, sizeof *q->tips),
		.is_whole = calloc(p->n, sizeof *q->is_whole),
	};
	if (!q->tips || !q->is_whole)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++)
		q->tips[i] = p->commands[i].reason ? oid_zero(p->kind)
						   : p->commands[i].new_id;
	return 0;
}

/* A zero id counts as whole. */
static int ask(struct inquiry *q, struct err *e)
{
	return connectivity_check(&q->question, q->tips, q->p->n, q->is_whole,
				  &q->missing, e);
}

/* Those that are not whole once more, with the ends of the pusher's history. */
static int ask_with_ends(struct inquiry *q, struct err *e)
{
	struct push *p = q->p;
	bool is_cut = false;

	for (size_t i = 0; i < p->n; i++) {
		p->commands[i].is_cut = !q->is_whole[i];
		is_cut |= !q->is_whole[i];
		if (q->is_whole[i])
			q->tips[i] = oid_zero(p->kind);
	}
	if (!is_cut || !p->ends.n)
		return 0;
	q->question.ends = &p->ends;
	q->question.used = &p->new_ends;
	return ask(q, e);
}

static void refuse_incomplete(struct inquiry *q, struct push_command *c)
{
	struct push *p = q->p;
	char hex[OID_MAX_HEX + 1];

	if (!push_wants_fsck(p) || !p->ingest ||
	    !pack_ingest_count(p->ingest)) {
		push_refuse(c, "missing necessary objects");
		return;
	}
	if (p->unpack.code == ERR_OK)
		err_set(&p->unpack, ERR_MALFORMED,
			"object %s, which others need, is missing",
			oid_hex(&q->missing, hex));
}

void push_judge_connected(struct push *p)
{
	CLEANUP(inquiry_fini) struct inquiry q;
	struct err e;

	if (inquiry_init(&q, p, &e) < 0 || ask(&q, &e) < 0 ||
	    ask_with_ends(&q, &e) < 0) {
		push_refuse_rest(p, e.message);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		struct push_command *c = &p->commands[i];

		if (!q.is_whole[i])
			refuse_incomplete(&q, c);
		else if (c->is_cut && !p->config->shallow_update)
			push_refuse(c, "shallow update not allowed: fetch "
				       "--unshallow first");
	}
	if (p->unpack.code != ERR_OK)
		push_refuse_rest(p, "unpacker error");
}
