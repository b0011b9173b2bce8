/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closures, kept and extended.
 *
 * Lock order: `lock` is the only one and never held during a walk. One walk at
 * a time is waited for by the others, a little while: it often makes what they
 * need.
 */
#include "git/reach.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "git/history.h"
#include "git/pack_emit.h"
#include "git/walk.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* How long a request waits for another's walk before it does its own: a walk
 * of millions of objects takes longer, but whoever walks may be slowed down by
 * its client. */
#define WAIT_MS 2000

struct closure {
	struct closure *next;	 /* used before that one */
	struct commit_list tips; /* ascending */
	struct commit_set commits;
	struct object_set objects; /* packed ones */
	struct oid *loose;
	size_t n_loose;
	size_t bytes;
};

struct reach {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	bool is_walking;
	struct objects *view; /* whose numbers the bits are */
	struct closure *newest;
	size_t bytes;
};

struct reach *reach_new(void)
{
	struct reach *k = calloc(1, sizeof *k);
	pthread_condattr_t attr;

	if (!k)
		return NULL;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->idle, &attr);
	pthread_condattr_destroy(&attr);
	return k;
}

static struct closure *closure_free(struct closure *c)
{
	if (c) {
		commit_list_fini(&c->tips);
		commit_set_fini(&c->commits);
		object_set_fini(&c->objects);
		free(c->loose);
		free(c);
	}
	return NULL;
}
DEFINE_FREEP(closure)

static void drop_all(struct reach *k)
{
	while (k->newest) {
		struct closure *c = k->newest;

		k->newest = c->next;
		closure_free(c);
	}
	k->bytes = 0;
	k->view = k->view ? objects_put(k->view) : NULL;
}

void reach_trim(struct reach *k)
{
	pthread_mutex_lock(&k->lock);
	drop_all(k);
	pthread_mutex_unlock(&k->lock);
}

struct reach *reach_free(struct reach *k)
{
	if (!k)
		return NULL;
	drop_all(k);
	pthread_cond_destroy(&k->idle);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return NULL;
}

size_t reach_memory(struct reach *k)
{
	size_t bytes;

	pthread_mutex_lock(&k->lock);
	bytes = k->bytes;
	pthread_mutex_unlock(&k->lock);
	return bytes;
}

/* Loose objects of a closure that the new view has in a pack get their bit. */
static int renumber(struct closure *c, struct objects *view, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_loose; i++) {
		struct object_at at;
		int found = objects_find(view, &c->loose[i], &at, e);

		if (found < 0)
			return -1;
		if (!found || at.pack == OBJECT_LOOSE)
			c->loose[n++] = c->loose[i];
		else if (object_set_add(&c->objects, objects_number(view, &at),
					e) < 0)
			return -1;
	}
	c->n_loose = n;
	return 0;
}

/* Make the bits those of `view`. False where it is an older view than theirs:
 * then they are of no use to the caller. Under the lock. */
static bool view_follow(struct reach *k, struct objects *view)
{
	uint32_t shared;
	struct err e;

	if (k->view == view)
		return true;
	shared = k->view ? objects_same_prefix(k->view, view) : 0;
	if (k->view && shared < objects_pack_count(k->view)) {
		if (shared == objects_pack_count(view))
			return false;
		drop_all(k);
	}
	for (struct closure *c = k->newest; c; c = c->next) {
		if (renumber(c, view, &e) < 0) {
			drop_all(k);
			break;
		}
	}
	if (k->view)
		objects_put(k->view);
	k->view = objects_get(view);
	return true;
}

static int merge(const struct closure *c, struct object_numbers *numbers,
		 struct object_set *set, struct err *e)
{
	if (object_set_merge(set, &c->objects, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n_loose; i++) {
		uint32_t number;

		if (object_numbers_add_loose(numbers, &c->loose[i], &number,
					     e) < 0 ||
		    object_set_add(set, number, e) < 0)
			return -1;
	}
	return 0;
}

/* The closure with exactly these tips, now the most recently used. */
static struct closure *find_exact(struct reach *k,
				  const struct commit_list *tips)
{
	for (struct closure **at = &k->newest; *at; at = &(*at)->next) {
		struct closure *c = *at;

		if (c->tips.n != tips->n ||
		    memcmp(c->tips.items, tips->items,
			   tips->n * sizeof *tips->items) != 0)
			continue;
		*at = c->next;
		c->next = k->newest;
		k->newest = c;
		return c;
	}
	return NULL;
}

static bool tips_within(const struct closure *c, const struct commit_set *set)
{
	for (size_t i = 0; i < c->tips.n; i++) {
		if (!commit_set_has(set, c->tips.items[i]))
			return false;
	}
	return true;
}

static int commits_merge(struct commit_set *set, const struct commit_set *other,
			 struct err *e)
{
	for (size_t i = 0; i < other->n_words; i++) {
		for (uint64_t w = other->words[i]; w; w &= w - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(w);

			if (commit_set_add(set, (uint32_t)(i * 64) + bit, e) <
			    0)
				return -1;
		}
	}
	return 0;
}

/* Everything that is kept and lies within the commits. Under the lock. */
static int merge_within(struct reach *k, const struct commit_set *within,
			struct object_numbers *numbers, struct object_set *set,
			struct commit_set *commits, struct err *e)
{
	for (struct closure *c = k->newest; c; c = c->next) {
		if (!tips_within(c, within))
			continue;
		if (merge(c, numbers, set, e) < 0)
			return -1;
		if (commits && commits_merge(commits, &c->commits, e) < 0)
			return -1;
	}
	return 0;
}

int reach_kept(struct reach *k, const struct commit_set *within,
	       struct object_numbers *numbers, struct object_set *set,
	       struct err *e)
{
	int result = 0;

	pthread_mutex_lock(&k->lock);
	if (view_follow(k, numbers->objects))
		result = merge_within(k, within, numbers, set, NULL, e);
	pthread_mutex_unlock(&k->lock);
	return result;
}

static void keep(struct reach *k, struct objects *view, struct closure *c)
{
	struct closure **at = &k->newest;
	size_t bytes = 0;

	pthread_mutex_lock(&k->lock);
	if (!view_follow(k, view) || find_exact(k, &c->tips)) {
		closure_free(c);
	} else {
		c->next = k->newest;
		k->newest = c;
		while (*at && bytes + (*at)->bytes <= REACH_BYTES_MAX) {
			bytes += (*at)->bytes;
			at = &(*at)->next;
		}
		while (*at) {
			c = *at;
			*at = c->next;
			closure_free(c);
		}
		k->bytes = bytes;
	}
	pthread_mutex_unlock(&k->lock);
}

/* Put the loose objects of the set beside its bits. */
static int close_up(struct closure *c, const struct object_numbers *numbers,
		    struct err *e)
{
	uint32_t end = numbers->n_packed + numbers->n_loose;
	uint32_t n = object_set_count(&c->objects, numbers->n_packed, end);
	uint32_t at = numbers->n_packed;

	c->loose = n ? calloc(n, sizeof *c->loose) : NULL;
	if (n && !c->loose)
		return err_nomem(e);
	while ((at = object_set_next(&c->objects, at)) != UINT32_MAX) {
		c->loose[c->n_loose++] = numbers->loose[at - numbers->n_packed];
		c->objects.words[at / 64] &= ~(UINT64_C(1) << (at % 64));
	}
	c->bytes = sizeof *c + c->tips.cap * sizeof *c->tips.items +
		   c->commits.n_words * 8 + c->objects.n_words * 8 +
		   n * sizeof *c->loose;
	return 0;
}

static int walk_news(const struct reach_request *r,
		     struct object_numbers *numbers, struct closure *c,
		     const struct commit_list *list,
		     const struct commit_set *done, struct err *e)
{
	struct walk w = {
		.reader = r->reader,
		.numbers = numbers,
		.progress = r->progress,
		.send = &c->objects,
	};
	int result = 0;

	if (walk_init(&w, e) < 0)
		return -1;
	for (size_t i = 0; i < list->n && !result; i++) {
		const struct graph_node *node =
			graph_node(r->graph, list->items[i]);

		if (!commit_set_has(done, list->items[i]))
			result = walk_commit(&w, &node->id, &node->tree, e);
	}
	walk_fini(&w);
	return result;
}

/* A closure made from what is kept and a walk over the rest. */
static struct closure *build(const struct reach_request *r,
			     struct object_numbers *numbers, struct err *e)
{
	CLEANUP(closure_freep) struct closure *c = calloc(1, sizeof *c);
	CLEANUP(commit_set_fini) struct commit_set done = { NULL, 0 };
	CLEANUP(commit_list_fini) struct commit_list list = { NULL, 0, 0 };
	int result = 0;

	if (!c) {
		err_nomem(e);
		return NULL;
	}
	for (size_t i = 0; i < r->n_tips; i++) {
		if (commit_list_add(&c->tips, r->tips[i], e) < 0)
			return NULL;
	}
	if (history_closure(r->graph, r->tips, r->n_tips, &c->commits, &list,
			    e) < 0)
		return NULL;
	if (r->reach) {
		pthread_mutex_lock(&r->reach->lock);
		if (view_follow(r->reach, numbers->objects))
			result = merge_within(r->reach, &c->commits, numbers,
					      &c->objects, &done, e);
		pthread_mutex_unlock(&r->reach->lock);
	}
	if (result < 0 || walk_news(r, numbers, c, &list, &done, e) < 0)
		return NULL;
	return TAKE(c);
}

/* Build, keep, and add to the set. */
static int build_and_keep(const struct reach_request *r,
			  struct object_numbers *numbers,
			  struct object_set *set, struct err *e)
{
	CLEANUP(closure_freep) struct closure *c = build(r, numbers, e);

	if (!c || object_set_merge(set, &c->objects, e) < 0)
		return -1;
	if (!r->reach)
		return 0;
	if (close_up(c, numbers, e) < 0)
		return -1;
	keep(r->reach, numbers->objects, TAKE(c));
	return 0;
}

/* The longest history of all has a closure of its own: others come and go and
 * are rewritten, and it is what remains true. */
static int build_trunk(const struct reach_request *r,
		       struct object_numbers *numbers, struct err *e)
{
	CLEANUP(object_set_fini) struct object_set set = { NULL, 0 };
	struct reach_request one = *r;

	if (r->n_tips < 2)
		return 0;
	one.n_tips = 1;
	for (size_t i = 0; i < r->n_tips; i++) {
		if (graph_node(r->graph, r->tips[i])->generation >
		    graph_node(r->graph, *one.tips)->generation)
			one.tips = &r->tips[i];
	}
	return build_and_keep(&one, numbers, &set, e);
}

/* 1 where the closure was there; 0 where the caller is to walk. Waits for the
 * walk of another. */
static int find_or_begin(const struct reach_request *r,
			 const struct commit_list *tips,
			 struct object_numbers *numbers, struct object_set *set,
			 struct err *e)
{
	struct reach *k = r->reach;
	int64_t until = clock_ms() + WAIT_MS;
	struct timespec t = { until / 1000, until % 1000 * 1000000 };
	struct closure *c;
	int result = 0;

	pthread_mutex_lock(&k->lock);
	for (int timeout = 0;;) {
		c = view_follow(k, numbers->objects) ? find_exact(k, tips)
						     : NULL;
		if (c)
			result = merge(c, numbers, set, e) < 0 ? -1 : 1;
		if (c || !k->is_walking || timeout)
			break;
		timeout = pthread_cond_timedwait(&k->idle, &k->lock, &t);
	}
	if (!result)
		k->is_walking = true;
	pthread_mutex_unlock(&k->lock);
	return result;
}

static void end_walk(struct reach *k)
{
	pthread_mutex_lock(&k->lock);
	k->is_walking = false;
	pthread_cond_broadcast(&k->idle);
	pthread_mutex_unlock(&k->lock);
}

static int number_cmp(const void *a_, const void *b_)
{
	const uint32_t *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

static int sort_tips(const struct reach_request *r, struct commit_list *out,
		     struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_tips; i++) {
		if (commit_list_add(out, r->tips[i], e) < 0)
			return -1;
	}
	qsort(out->items, out->n, sizeof *out->items, number_cmp);
	for (size_t i = 0; i < out->n; i++) {
		if (!n || out->items[n - 1] != out->items[i])
			out->items[n++] = out->items[i];
	}
	out->n = n;
	return 0;
}

int reach_closure(const struct reach_request *request,
		  struct object_numbers *numbers, struct object_set *set,
		  struct err *e)
{
	CLEANUP(commit_list_fini) struct commit_list tips = { NULL, 0, 0 };
	struct reach_request r = *request;
	int result;

	if (!r.n_tips)
		return 0;
	if (sort_tips(request, &tips, e) < 0)
		return -1;
	r.tips = tips.items;
	r.n_tips = tips.n;
	if (!r.reach)
		return build_and_keep(&r, numbers, set, e);
	result = find_or_begin(&r, &tips, numbers, set, e);
	if (result)
		return result < 0 ? -1 : 0;
	result = build_trunk(&r, numbers, e);
	if (!result)
		result = build_and_keep(&r, numbers, set, e);
	end_walk(r.reach);
	return result;
}
