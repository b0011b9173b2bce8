/* SPDX-License-Identifier: Apache-2.0 */
/* Between receive_pack() and the outbox: policy, staging, answers. */
#include "app/push_events.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "git/refs.h"
#include "git/repository.h"
#include "hooks/outbox.h"
#include "store/names.h"
#include "store/state.h"

#include <string.h>

/* Beyond this many refs the summary only counts. */
#define SUMMARY_REFS_MAX 1000
#define SEPARATOR	 ", "
#define PATH_SHOWN_MAX	 200
/* Refs that are held against the filters of hooks that stayed silent. */
#define MOVED_MAX 1000

DEFINE_PUTP(snapshot)

static const char *short_branch(const char *ref)
{
	return strncmp(ref, "refs/heads/", 11) ? NULL : ref + 11;
}

/* -- may it be ------------------------------------------------------------ */

static int check_branch(const struct push_events *p,
			const struct push_update *u, struct buf *reason)
{
	const char *branch = short_branch(u->ref);
	const struct state_list *protected = &p->settings->protect_branches;
	bool is_deleted = oid_is_zero(&u->new_id);

	if (!branch || (!u->is_forced && !is_deleted))
		return 0;
	for (size_t i = 0; i < protected->n; i++) {
		if (!ref_pattern_matches(protected->items[i], branch))
			continue;
		buf_addf(reason,
			 "branch %s is protected (protect-branch = %s): it is "
			 "not %s",
			 branch, protected->items[i],
			 is_deleted ? "deleted"
				    : "rewound; pull, and push on top of it");
		return -1;
	}
	return 0;
}

struct path_search {
	const struct state_list *patterns;
	struct buf *reason;
};

/* Non-zero ends the search: `path` is protected. */
static int is_protected_path(void *arg, struct span path)
{
	struct path_search *s = arg;
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	buf_addspan(&text, path);
	for (size_t i = 0; i < s->patterns->n; i++) {
		if (!ref_pattern_matches(s->patterns->items[i], buf_str(&text)))
			continue;
		buf_addf(s->reason,
			 "%.*s is protected (protect-path = %s): only a key "
			 "with bypass may change it",
			 PATH_SHOWN_MAX, buf_str(&text), s->patterns->items[i]);
		return 1;
	}
	return 0;
}

/* What a new branch is compared with: HEAD's commit, or nothing. */
static struct oid base_of(const struct push_events *p,
			  const struct push_update *u)
{
	CLEANUP(snapshot_putp) struct snapshot *s = NULL;
	struct err ignored;

	if (!oid_is_zero(&u->old_id))
		return u->old_id;
	s = repository_snapshot(p->repository, &ignored);
	if (s && refs_head(snapshot_refs(s))->id.len)
		return refs_head(snapshot_refs(s))->id;
	return oid_zero(OID_SHA1);
}

static int check_paths(const struct push_events *p, struct push *push,
		       const struct push_update *u, struct buf *reason)
{
	struct path_search search = { &p->settings->protect_paths, reason };
	struct oid base;
	struct err e;
	int found;

	/* Tags move no file that is deployed, and a deletion changes none. */
	if (!search.patterns->n || p->bypasses || !short_branch(u->ref) ||
	    oid_is_zero(&u->new_id))
		return 0;
	base = base_of(p, u);
	found = push_diff(push, &base, &u->new_id, is_protected_path, &search,
			  &e);
	if (found < 0)
		buf_addf(reason, "its changes cannot be judged: %s", e.message);
	return found ? -1 : 0;
}

static int on_check(void *arg, struct push *push, const struct push_update *u,
		    struct buf *reason)
{
	const struct push_events *p = arg;

	if (!p->settings)
		return 0;
	if (check_branch(p, u, reason) < 0)
		return -1;
	return check_paths(p, push, u, reason);
}

/* -- who is told ---------------------------------------------------------- */

static char *default_branch_of(const struct push *push)
{
	const char *target = push_head(push);

	return strdup(target && short_branch(target) ? short_branch(target)
						     : "main");
}

static struct event event_of(const struct push_events *p,
			     const struct push_update *u)
{
	struct event ev = {
		.kind = EVENT_PUSH,
		.time = clock_unix(),
		.repo = strdup(p->repo),
		.ref = strdup(u->ref),
		.before = u->old_id,
		.after = u->new_id,
		.is_created = oid_is_zero(&u->old_id),
		.is_deleted = oid_is_zero(&u->new_id),
		.is_forced = u->is_forced,
		.pusher = strdup(p->pusher),
		.default_branch = strdup(p->default_branch),
	};

	event_id_make(ev.id);
	return ev;
}

static int on_prepared(void *arg, struct push *push,
		       const struct push_update *updates, size_t n,
		       struct err *e)
{
	struct push_events *p = arg;
	CLEANUP(freep) struct event *events = NULL;
	int result = 0;

	if (!p->outbox)
		return 0;
	p->default_branch = default_branch_of(push);
	events = calloc(n ? n : 1, sizeof *events);
	if (!events || !p->default_branch)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		events[i] = event_of(p, &updates[i]);
		if (!events[i].repo || !events[i].ref || !events[i].pusher ||
		    !events[i].default_branch)
			result = err_nomem(e);
	}
	if (!result)
		result = outbox_stage(p->outbox, events, n, &p->ticket, e);
	for (size_t i = 0; i < n; i++)
		event_fini(&events[i]);
	return result;
}

/* For the log. More than a value can hold goes out in lines before the push's
 * own. */
static void on_settled(void *arg, const struct push_update *u)
{
	CLEANUP(buf_fini) struct buf one = BUF_INIT;
	struct push_events *p = arg;
	char old_hex[OID_MAX_HEX + 1], new_hex[OID_MAX_HEX + 1];

	if (p->n_summarised++ >= SUMMARY_REFS_MAX)
		return;
	buf_addf(&one, "%s %s..%s%s%s", u->ref, oid_hex(&u->old_id, old_hex),
		 oid_hex(&u->new_id, new_hex), u->reason ? " rejected: " : "",
		 u->reason ? u->reason : "");
	if (p->summary.len &&
	    p->summary.len + strlen(SEPARATOR) + one.len > LOG_VALUE_MAX) {
		log_info("push.refs", "repo", p->repo, "key", p->pusher, "peer",
			 p->peer, "refs", buf_str(&p->summary), NULL);
		buf_clear(&p->summary);
	}
	buf_addf(&p->summary, "%s%s", p->summary.len ? SEPARATOR : "",
		 buf_str(&one));
}

/* Out of memory or past the limit: a hook may be called silent that was not
 * asked, so nothing is kept then and nothing is said. */
static void note_moved(struct push_events *p, const char *ref)
{
	if (!p->moved)
		p->moved = calloc(MOVED_MAX, sizeof *p->moved);
	if (!p->moved || p->n_moved == MOVED_MAX)
		return;
	p->moved[p->n_moved] = strdup(ref);
	if (p->moved[p->n_moved])
		p->n_moved++;
}

static void on_committed(void *arg, struct push *push,
			 const struct push_update *updates, size_t n)
{
	struct push_events *p = arg;
	CLEANUP(freep) bool *happened = NULL;

	(void)push;
	happened = calloc(n ? n : 1, sizeof *happened);
	for (size_t i = 0; i < n; i++) {
		if (!updates[i].is_rejected)
			note_moved(p, updates[i].ref);
		if (happened)
			happened[i] = !updates[i].is_rejected;
	}
	/* Out of memory: the staged file is judged by the next recovery. */
	if (p->ticket && happened)
		outbox_release(p->ticket, happened);
}

/* -- what the pusher sees ------------------------------------------------- */

static void say_answer(void *arg, const struct outbox_answer *a)
{
	struct push *push = arg;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;

	buf_addf(&line, "%s: %s %s", a->hook, a->target, a->text);
	push_message(push, buf_str(&line));
}

static void say_not_fired(void *arg, const char *hook, const char *listens_to)
{
	struct push *push = arg;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;

	buf_addf(&line, "hook %s listens to %s: not fired", hook, listens_to);
	push_message(push, buf_str(&line));
}

static void on_reported(void *arg, struct push *push)
{
	struct push_events *p = arg;

	if (p->outbox && p->n_moved && p->n_moved < MOVED_MAX)
		outbox_not_fired(p->outbox, p->repo,
				 (const char *const *)p->moved, p->n_moved,
				 say_not_fired, push);
	outbox_wait(TAKE(p->ticket), p->hook_wait_ms, say_answer, push);
}

void push_events_init(struct push_events *p, struct push_handler *handler)
{
	p->ticket = NULL;
	p->default_branch = NULL;
	p->n_summarised = 0;
	p->moved = NULL;
	p->n_moved = 0;
	buf_init_max(&p->summary, BUF_DEFAULT_MAX);
	*handler = (struct push_handler){
		.arg = p,
		.check = on_check,
		.prepared = on_prepared,
		.committed = on_committed,
		.settled = on_settled,
		.reported = on_reported,
	};
}

void push_events_fini(struct push_events *p)
{
	outbox_wait(p->ticket, 0, NULL, NULL);
	for (size_t i = 0; i < p->n_moved; i++)
		free(p->moved[i]);
	free(p->moved);
	free(p->default_branch);
	buf_fini(&p->summary);
}

const char *push_events_summary(const struct push_events *p)
{
	return buf_str(&p->summary);
}
