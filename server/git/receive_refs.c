/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From accepted commands to moved refs.
 *
 * Refs are locked and compared before the pack leaves the quarantine, so that
 * a push that comes too late leaves nothing behind. Without "atomic", deletions
 * go first and on their own: a branch "a" may make room for "a/b" in one push.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "git/ref_transaction.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repository.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Which commands take part. */
enum part { PART_DELETIONS, PART_UPDATES, PART_ALL };

/* One transaction over some of the commands. */
struct batch {
	struct push_command **commands;
	struct ref_change *changes;
	size_t n;
	struct ref_transaction *t;
};

static void batch_fini(struct batch *b)
{
	ref_transaction_abort(b->t);
	free(b->commands);
	free(b->changes);
}

static bool is_in_part(const struct push_command *c, enum part part)
{
	if (c->reason || c->is_alias)
		return false;
	return part == PART_ALL ||
	       (part == PART_DELETIONS) == command_is_deletion(c);
}

static size_t part_count(const struct push *p, enum part part)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += is_in_part(&p->commands[i], part);
	return n;
}

static int batch_fill(struct push *p, enum part part, struct batch *b,
		      struct err *e)
{
	size_t n = part_count(p, part);

	b->commands = calloc(n + 1, sizeof(void *));
	b->changes = calloc(n + 1, sizeof *b->changes);
	if (!b->commands || !b->changes)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++) {
		struct push_command *c = &p->commands[i];
		struct ref_change *change = &b->changes[b->n];

		if (!is_in_part(c, part))
			continue;
		*change = (struct ref_change){ c->ref, c->old_id, c->new_id,
					       &c->error };
		if (c->is_absent)
			change->old_id = (struct oid){ 0 };
		b->commands[b->n++] = c;
	}
	return 0;
}

/* What a transaction said of each command, in git's words and its own. */
static void batch_tell(struct batch *b, bool is_atomic)
{
	for (size_t i = 0; i < b->n; i++) {
		struct push_command *c = b->commands[i];
		const char *words = command_is_deletion(c)
					    ? "failed to delete"
					    : "failed to update ref";

		if (c->error.code == ERR_OK)
			continue;
		if (is_atomic)
			words = "atomic transaction failed";
		if (!strcmp(c->error.message, words))
			push_refuse(c, "%s", words);
		else
			push_refuse(c, "%s: %s", words, c->error.message);
	}
}

static bool is_atomic(const struct push *p)
{
	return capabilities_has(&p->caps, CAP_ATOMIC) &&
	       p->config->advertise_atomic;
}

/* Lock and compare. What fails is refused. */
static void batch_begin(struct push *p, enum part part, struct batch *b)
{
	const struct ref_place place = { p->git_dir, p->kind, p->quarantine };
	struct err e;

	if (batch_fill(p, part, b, &e) < 0) {
		push_refuse_rest(p, e.message);
		return;
	}
	if (!b->n)
		return;
	b->t = ref_transaction_begin_at(&place, b->changes, b->n, is_atomic(p),
					&e);
	batch_tell(b, is_atomic(p));
}

static const char *variable(const struct push *p, const char *name,
			    const char *otherwise)
{
	const char *value = NULL;

	if (repository_uses_environment(p->repository))
		value = getenv(name);
	return value && *value && !strpbrk(value, "<>\n") ? value : otherwise;
}

static void batch_commit(struct push *p, struct batch *b)
{
	struct ref_log log = {
		.message = "push",
		.is_on = p->config->log_all_ref_updates,
		.with_odd_refs = p->config->log_odd_refs,
	};
	CLEANUP(freep) char *ident = NULL;
	struct err e;

	if (!b->t)
		return;
	if (asprintf(&ident, "%s <%s> %" PRId64 " +0000",
		     variable(p, "GIT_COMMITTER_NAME", "headwater"),
		     variable(p, "GIT_COMMITTER_EMAIL", "headwater@localhost"),
		     clock_unix()) < 0)
		ident = NULL;
	log.ident = ident;
	ref_transaction_use(b->t, p->reader, ident ? &log : NULL);
	/* Each command has its own error, also where all failed. */
	(void)!ref_transaction_commit(TAKE(b->t), &e);
	batch_tell(b, is_atomic(p));
}

/* -- the handler ---------------------------------------------------------- */

static int updates_list(struct push *p, struct err *e)
{
	p->updates = calloc(p->n + 1, sizeof *p->updates);
	p->updated = calloc(p->n + 1, sizeof(void *));
	if (!p->updates || !p->updated)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++) {
		struct push_command *c = &p->commands[i];

		if (c->reason || c->is_alias || c->is_absent)
			continue;
		p->updated[p->n_updates] = c;
		p->updates[p->n_updates++] = (struct push_update){
			.ref = c->ref,
			.old_id = c->old_id,
			.new_id = c->new_id,
			.is_forced = c->is_forced,
		};
	}
	return 0;
}

static int tell_prepared(struct push *p, struct err *e)
{
	const struct push_handler *h = p->options->handler;

	if (updates_list(p, e) < 0)
		return -1;
	if (!p->n_updates || !h || !h->prepared)
		return 0;
	if (h->prepared(h->arg, p, p->updates, p->n_updates, e) < 0)
		return -1;
	p->is_prepared = true;
	return 0;
}

static void tell_committed(struct push *p)
{
	const struct push_handler *h = p->options->handler;

	for (size_t i = 0; i < p->n_updates; i++) {
		p->updates[i].reason = p->updated[i]->reason;
		p->updates[i].is_rejected = p->updated[i]->reason;
		p->result->is_accepted |= !p->updated[i]->reason;
	}
	if (!p->n_updates || !h || !h->committed)
		return;
	if (p->is_prepared || !h->prepared)
		h->committed(h->arg, p, p->updates, p->n_updates);
}

/* -- HEAD ----------------------------------------------------------------- */

static bool is_created(const struct push_command *c)
{
	return !c->reason && !command_is_deletion(c) &&
	       span_starts(span_str(c->ref), "refs/heads/");
}

static const char *head_candidate(const struct push *p)
{
	static const char *const usual[] = { "refs/heads/main",
					     "refs/heads/master" };
	const struct push_command *c;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		c = push_find(p, usual[i]);
		if (c && is_created(c))
			return usual[i];
	}
	for (size_t i = 0; i < p->n; i++)
		if (is_created(&p->commands[i]))
			return p->commands[i].ref;
	return NULL;
}

/* A HEAD that leads nowhere makes clones empty: point it at what came. */
static void adopt_head(struct push *p)
{
	const struct ref_place place = { p->git_dir, p->kind, p->quarantine };
	const struct head *head = refs_head(p->refs);
	const struct push_command *own;
	CLEANUP(freep) char *text = NULL;
	const char *name;
	struct err e;

	if (!p->options->adopt_first_head || !head->target || head->id.len)
		return;
	own = push_find(p, head->target);
	name = head_candidate(p);
	if (!name || (own && is_created(own)))
		return;
	if (ref_set_head_at(&place, name, &e) < 0) {
		if (asprintf(&text,
			     "warning: HEAD still points at %s, which "
			     "is not there: %s",
			     head->target, e.message) < 0)
			text = NULL;
	} else if (asprintf(&text, "HEAD points at %s now (%s is not there)",
			    name, head->target) < 0) {
		text = NULL;
	}
	if (text)
		push_message(p, text);
}

/* -- all of it ------------------------------------------------------------ */

/* A symbolic ref shares the fate of what it leads to. */
static void aliases_settle(struct push *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct push_command *c = &p->commands[i];
		const struct ref *ref;
		const struct push_command *target;

		if (!c->is_alias)
			continue;
		ref = refs_find(p->refs, c->ref);
		target = ref ? push_find(p, ref->symref_target) : NULL;
		if (target && target->reason)
			push_refuse(c, "%s", target->reason);
	}
}

/* The pack becomes visible, and the handler hears what is about to move. */
static int publish(struct push *p)
{
	struct err e;

	if (push_publish(p, &e) < 0) {
		for (size_t i = 0; i < p->n; i++)
			push_refuse(&p->commands[i],
				    "unable to migrate objects to permanent "
				    "storage: %s",
				    e.message);
		return -1;
	}
	if (push_shallow_write(p, &e) < 0) {
		for (size_t i = 0; i < p->n; i++)
			push_refuse(&p->commands[i], "shallow error: %s",
				    e.message);
		return -1;
	}
	if (tell_prepared(p, &e) < 0) {
		push_refuse_rest(p, e.message);
		return -1;
	}
	return 0;
}

void push_apply(struct push *p)
{
	CLEANUP(batch_fini) struct batch first = { 0 };
	CLEANUP(batch_fini) struct batch second = { 0 };
	bool is_split = !is_atomic(p) && part_count(p, PART_DELETIONS) &&
			part_count(p, PART_UPDATES);

	batch_begin(p, is_split ? PART_DELETIONS : PART_ALL, &first);
	if (part_count(p, PART_ALL) && !publish(p)) {
		batch_commit(p, &first);
		if (is_split) {
			batch_begin(p, PART_UPDATES, &second);
			batch_commit(p, &second);
		}
		adopt_head(p);
	}
	aliases_settle(p);
	tell_committed(p);
}
