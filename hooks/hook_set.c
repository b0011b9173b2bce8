/* SPDX-License-Identifier: Apache-2.0 */
/* Specs copied into one arena; everything else is asked of it. */
#include "hooks/hook_set.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "hooks/hook_url.h"
#include "hooks/receiver.h"
#include "store/names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_SET_MEMORY_MAX ((size_t)256 << 20)

struct hook_set {
	atomic_uint n_refs;
	struct arena arena;
	struct hook_spec *specs;
	size_t n_specs;
	struct text_list repos;
};

/* Copies freely into the arena; whether memory ran out is asked once. */
struct copier {
	struct arena *arena;
	bool failed;
};

static const char *copy_span(struct copier *c, struct span text)
{
	const char *copy = arena_strdup(c->arena, text);

	c->failed |= !copy;
	return copy;
}

static const char *copy_text(struct copier *c, const char *text)
{
	return text ? copy_span(c, span_str(text)) : NULL;
}

static struct text_list copy_list(struct copier *c, const char *const *items,
				  size_t n)
{
	const char **copy = arena_array(c->arena, n ? n : 1, sizeof *copy);

	if (!copy) {
		c->failed = true;
		return (struct text_list){ NULL, 0 };
	}
	for (size_t i = 0; i < n; i++)
		copy[i] = copy_text(c, items[i]);
	return (struct text_list){ copy, n };
}

static void copy_spec(struct copier *c, const struct hook_spec *from,
		      struct hook_spec *to)
{
	*to = *from;
	to->name = copy_text(c, from->name);
	to->url = copy_text(c, from->url);
	to->receiver = copy_text(c, from->receiver);
	to->service = copy_text(c, from->service);
	to->bearer = copy_text(c, from->bearer);
	to->ca_file = copy_text(c, from->ca_file);
	to->secret.data = (const unsigned char *)copy_span(c, from->secret);
	to->repos = copy_list(c, from->repos.items, from->repos.n);
	to->branches = copy_list(c, from->branches.items, from->branches.n);
	to->tags = copy_list(c, from->tags.items, from->tags.n);
}

struct hook_set *hook_set_new(const struct hook_spec *specs, size_t n_specs,
			      const char *const *repos, size_t n_repos,
			      struct err *e)
{
	struct hook_set *s = calloc(1, sizeof *s);
	struct copier c;

	if (!s) {
		err_nomem(e);
		return NULL;
	}
	atomic_init(&s->n_refs, 1);
	arena_init(&s->arena, HOOK_SET_MEMORY_MAX);
	c = (struct copier){ .arena = &s->arena };
	s->specs =
		arena_array(&s->arena, n_specs ? n_specs : 1, sizeof *s->specs);
	s->n_specs = s->specs ? n_specs : 0;
	for (size_t i = 0; i < s->n_specs; i++)
		copy_spec(&c, &specs[i], &s->specs[i]);
	s->repos = copy_list(&c, repos, n_repos);
	if (!s->specs || c.failed) {
		err_nomem(e);
		return hook_set_put(s);
	}
	return s;
}

struct hook_set *hook_set_get(struct hook_set *s)
{
	atomic_fetch_add_explicit(&s->n_refs, 1, memory_order_relaxed);
	return s;
}

struct hook_set *hook_set_put(struct hook_set *s)
{
	if (s && atomic_fetch_sub_explicit(&s->n_refs, 1,
					   memory_order_acq_rel) == 1) {
		arena_fini(&s->arena);
		free(s);
	}
	return NULL;
}

size_t hook_set_count(const struct hook_set *s)
{
	return s->n_specs;
}

const struct hook_spec *hook_set_at(const struct hook_set *s, size_t i)
{
	return &s->specs[i];
}

const struct hook_spec *hook_set_find(const struct hook_set *s,
				      const char *name)
{
	for (size_t i = 0; i < s->n_specs; i++)
		if (!strcmp(s->specs[i].name, name))
			return &s->specs[i];
	return NULL;
}

struct text_list hook_set_repos(const struct hook_set *s)
{
	return s->repos;
}

bool hook_listens_to_repo(const struct hook_spec *h, const char *repo)
{
	for (size_t i = 0; i < h->repos.n; i++)
		if (pattern_matches(h->repos.items[i], repo))
			return true;
	return false;
}

static bool any_matches(const struct text_list *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (ref_pattern_matches(patterns->items[i], name))
			return true;
	return false;
}

bool hook_listens_to_ref(const struct hook_spec *h, const char *ref)
{
	bool is_branch = !strncmp(ref, "refs/heads/", 11);
	bool is_tag = !strncmp(ref, "refs/tags/", 10);

	if (!is_branch && !is_tag)
		return false;
	if (!h->branches.n && !h->tags.n)
		return true;
	return is_branch ? any_matches(&h->branches, ref + 11)
			 : any_matches(&h->tags, ref + 10);
}

static void describe_list(const char *word, const struct text_list *list,
			  struct buf *out)
{
	for (size_t i = 0; i < list->n; i++)
		buf_addf(out, "%s%s %s", out->len ? ", " : "", word,
			 list->items[i]);
}

void hook_describe_filter(const struct hook_spec *h, struct buf *out)
{
	if (!h->branches.n && !h->tags.n)
		buf_adds(out, "every branch and tag");
	describe_list("branch", &h->branches, out);
	describe_list("tag", &h->tags, out);
}

/* `text` with {name} and {basename} replaced by the repository's. */
static void fill_in(const char *text, const char *repo, struct buf *out)
{
	const char *slash = strrchr(repo, '/');
	const char *base = slash ? slash + 1 : repo;

	while (*text) {
		if (!strncmp(text, "{name}", 6)) {
			buf_adds(out, repo);
			text += 6;
		} else if (!strncmp(text, "{basename}", 10)) {
			buf_adds(out, base);
			text += 10;
		} else {
			buf_addc(out, *text++);
		}
	}
}

/* "http://SERVICE/hook/DIGEST": the path is computed from secret and names. */
static int receiver_url(const struct hook_spec *h, const char *repo,
			struct buf *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf full = BUF_INIT;
	char path[RECEIVER_PATH_SIZE];
	char *slash;

	fill_in(h->receiver, repo, &full);
	slash = full.data ? strchr(full.data, '/') : NULL;
	if (!slash)
		return err_set(e, ERR_MALFORMED,
			       "receiver reads NAMESPACE/NAME, not \"%s\"",
			       h->receiver);
	*slash = '\0';
	if (!receiver_path(h->secret, slash + 1, full.data, path))
		return err_nomem(e);
	buf_addf(out, "http://%s%s", h->service, path);
	return buf_check(out, e);
}

int hook_url_for(const struct hook_spec *h, const char *repo, struct buf *out,
		 struct err *e)
{
	if (h->receiver)
		return receiver_url(h, repo, out, e);
	fill_in(h->url, repo, out);
	return buf_check(out, e);
}

bool hook_is_receiver(const struct hook_spec *h, const char *repo)
{
	CLEANUP(buf_fini) struct buf full = BUF_INIT;
	struct hook_url parts;
	struct err ignored;

	if (h->receiver)
		return true;
	fill_in(h->url, repo, &full);
	if (hook_url_parse(buf_str(&full), &parts, &ignored) < 0)
		return false;
	/* The path is the URL's tail, so it ends in the buffer's own NUL. */
	return parts.path.len &&
	       receiver_path_is((const char *)parts.path.data);
}

void hook_target_for(const struct hook_spec *h, const char *repo,
		     struct buf *out)
{
	CLEANUP(buf_fini) struct buf full = BUF_INIT;
	struct hook_url parts;
	struct err ignored;

	if (h->receiver) {
		buf_adds(out, "Receiver ");
		fill_in(h->receiver, repo, out);
		return;
	}
	fill_in(h->url, repo, &full);
	if (hook_url_parse(buf_str(&full), &parts, &ignored) < 0)
		buf_adds(out, h->url);
	else
		buf_addspan(out, parts.host);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool hook_spec_same(const struct hook_spec *a, const struct hook_spec *b)
{
	return a->dialect == b->dialect && same_text(a->url, b->url) &&
	       same_text(a->receiver, b->receiver) &&
	       same_text(a->service, b->service) &&
	       span_eq(a->secret, b->secret) &&
	       same_text(a->bearer, b->bearer) &&
	       same_text(a->ca_file, b->ca_file);
}
