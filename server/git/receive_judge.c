/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this be? git's rules first, in git's words, then those of the floors
 * above. A rule refuses one command; it never ends the push.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "git/graph.h"
#include "git/object.h"
#include "git/objects.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repository.h"

#include <string.h>

static bool is_branch(const char *ref)
{
	return span_starts(span_str(ref), "refs/heads/");
}

/* -- names ---------------------------------------------------------------- */

/* As git: what is created needs two elements below refs/, what is deleted one;
 * and no branch is called HEAD. */
static void judge_name(struct push *p, struct push_command *c)
{
	struct span name = span_str(c->ref), rest = name;
	struct err why;

	(void)p;
	if (ref_name_check(name, &why) < 0)
		push_refuse(c, "funny refname: %s", why.message);
	else if (!span_skip(&rest, "refs/"))
		push_refuse(c, "funny refname: only refs/... can be pushed");
	else if (command_is_deletion(c))
		return;
	else if (!memchr(rest.data, '/', rest.len))
		push_refuse(c, "funny refname: it needs a kind, as in "
			       "refs/heads/NAME");
	else if (!strcmp(c->ref, "refs/heads/HEAD"))
		push_refuse(c, "funny refname: no branch is called HEAD");
}

static void judge_hidden(struct push *p, struct push_command *c)
{
	if (!ref_is_hidden(&p->config->receive_hide, c->ref))
		return;
	if (command_is_deletion(c))
		push_refuse(c, "deny deleting a hidden ref");
	else
		push_refuse(c, "deny updating a hidden ref");
}

/* As git: the first may be, which makes the old value of the others wrong. A
 * client reads the report in the order of its commands. */
static void judge_twice(struct push *p)
{
	for (size_t i = 1; i < p->n; i++)
		if (!strcmp(p->by_name[i - 1]->ref, p->by_name[i]->ref))
			push_refuse(p->by_name[i],
				    "multiple updates for ref '%s' not allowed",
				    p->by_name[i]->ref);
}

/* A symbolic ref and what it leads to, in one push. */
static void judge_alias(struct push *p, struct push_command *c)
{
	const struct ref *ref = refs_find(p->refs, c->ref);
	struct push_command *target;

	if (!ref || !ref->symref_target)
		return;
	target = push_find(p, ref->symref_target);
	if (!target || target == c)
		return;
	if (oid_eq(&c->old_id, &target->old_id) &&
	    oid_eq(&c->new_id, &target->new_id)) {
		c->is_alias = true;
		return;
	}
	push_refuse(c, "inconsistent aliased update");
	push_refuse(target, "inconsistent aliased update");
}

/* -- objects -------------------------------------------------------------- */

/* Branches hold commits. */
static void judge_type(struct push *p, struct push_command *c)
{
	enum object_type type;
	uint64_t size;
	struct err e;

	if (!is_branch(c->ref) || command_is_deletion(c))
		return;
	if (object_info(p->reader, &c->new_id, &type, &size, &e) < 0)
		push_refuse(c, "bad pack: %s", e.message);
	else if (type != OBJECT_COMMIT)
		push_refuse(c, "bad ref: a branch holds a commit, not a %s",
			    object_type_name(type));
}

/* Is `old_id` part of what `new_id` is? False also where they are no
 * commits. */
static bool is_ancestor(struct push *p, const struct oid *old_id,
			const struct oid *new_id)
{
	uint32_t old_n, new_n;
	struct err e;
	struct graph *g = push_graph(p, &e);

	return g && !graph_load(g, p->reader, old_id, &old_n, &e) &&
	       !graph_load(g, p->reader, new_id, &new_n, &e) &&
	       graph_reaches(g, &new_n, 1, old_n, &e) > 0;
}

static void judge_forced(struct push *p, struct push_command *c)
{
	if (oid_is_zero(&c->old_id) || command_is_deletion(c) ||
	    oid_eq(&c->old_id, &c->new_id))
		return;
	c->is_forced = !is_ancestor(p, &c->old_id, &c->new_id);
	if (c->is_forced && is_branch(c->ref) &&
	    p->config->deny_non_fast_forwards)
		push_refuse(c, "non-fast-forward");
}

/* -- what is checked out, what HEAD points at ------------------------------ */

static void judge_current(struct push *p, struct push_command *c)
{
	switch (p->config->deny_current_branch) {
	case DENY_IGNORE:
		return;
	case DENY_WARN:
		push_message(p, "warning: updating the current branch");
		return;
	case DENY_UPDATE_INSTEAD:
		push_refuse(c, "branch is currently checked out: updateInstead "
			       "is not supported by this server");
		return;
	case DENY_REFUSE:
	case DENY_UNSET:
		push_refuse(c, "branch is currently checked out");
		push_message(p, "error: refusing to update a checked out "
				"branch: push to another one and merge, or set "
				"receive.denyCurrentBranch there");
	}
}

static void judge_deletion(struct push *p, struct push_command *c,
			   bool is_checked_out)
{
	const char *head = refs_head(p->refs)->target;
	enum deny_mode mode = p->config->deny_delete_current;

	if (p->config->deny_deletes && is_branch(c->ref)) {
		push_refuse(c, "deletion prohibited");
		return;
	}
	if (!is_checked_out && (!head || strcmp(head, c->ref)))
		return;
	if (mode == DENY_WARN)
		push_message(p, "warning: deleting the current branch");
	else if (mode != DENY_IGNORE)
		push_refuse(c, "deletion of the current branch prohibited");
}

/* git lets a deletion of what is not there pass, with a word. */
static void judge_absent(struct push *p, struct push_command *c)
{
	if (!oid_is_zero(&c->old_id) || refs_find(p->refs, c->ref))
		return;
	c->is_absent = true;
	push_message(p, "warning: deleting a ref that is broken or not there");
}

static void judge_places(struct push *p, struct push_command *c)
{
	bool is_checked_out =
		is_branch(c->ref) && push_is_checked_out(p, c->ref);

	if (!command_is_deletion(c)) {
		if (is_checked_out)
			judge_current(p, c);
		return;
	}
	judge_deletion(p, c, is_checked_out);
	if (!c->reason)
		judge_absent(p, c);
}

/* -- the floors above ----------------------------------------------------- */

static void judge_handler(struct push *p, struct push_command *c)
{
	const struct push_handler *h = p->options->handler;
	const struct push_update update = {
		.ref = c->ref,
		.old_id = c->old_id,
		.new_id = c->new_id,
		.is_forced = c->is_forced,
	};
	CLEANUP(buf_fini) struct buf reason = BUF_INIT;

	if (!h || !h->check || !h->check(h->arg, p, &update, &reason))
		return;
	push_refuse(c, "%s", reason.len ? buf_str(&reason) : "refused");
}

/* In this order; each is asked about what is not refused yet. */
static void (*const early_rules[])(struct push *p, struct push_command *c) = {
	judge_name,
	judge_hidden,
	judge_alias,
};

static void (*const late_rules[])(struct push *p, struct push_command *c) = {
	judge_places,
	judge_type,
	judge_forced,
	judge_handler,
};

static void rule_apply(struct push *p,
		       void (*rule)(struct push *p, struct push_command *c))
{
	for (size_t i = 0; i < p->n; i++) {
		struct push_command *c = &p->commands[i];

		if (!c->reason && !c->is_alias)
			rule(p, c);
		push_progress(p, NULL, 0, 0);
	}
}

void push_judge(struct push *p)
{
	judge_twice(p);
	for (size_t i = 0; i < ARRAY_SIZE(early_rules); i++)
		rule_apply(p, early_rules[i]);
	push_judge_connected(p);
	for (size_t i = 0; i < ARRAY_SIZE(late_rules); i++)
		rule_apply(p, late_rules[i]);
	if (!capabilities_has(&p->caps, CAP_ATOMIC) ||
	    !p->config->advertise_atomic)
		return;
	for (size_t i = 0; i < p->n; i++)
		if (p->commands[i].reason)
			push_refuse_rest(p, "atomic push failure");
}
