/* SPDX-License-Identifier: Apache-2.0 */
/* A translation, field by field. */
#include "hooks/hook_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "hooks/hook_set.h"
#include "store/state.h"

#include <stdlib.h>
#include <string.h>

static struct text_list list_of(const struct state_list *l)
{
	return (struct text_list){ l->items, l->n };
}

static struct hook_spec spec_of(const struct hook_settings *h,
				const char *default_service)
{
	return (struct hook_spec){
		.name = h->object.name,
		.dialect = dialect_find(h->type),
		.repos = list_of(&h->repos),
		.branches = list_of(&h->branches),
		.tags = list_of(&h->tags),
		.url = h->url,
		.receiver = h->receiver,
		.service = h->service ? h->service : default_service,
		.secret = h->has_secret ? h->secret : span_of("", 0),
		.ca_file = h->ca_file,
	};
}

/* A bearer token as text; the file's closing newline is no part of it. */
static char *bearer_of(const struct hook_settings *h)
{
	size_t n = h->bearer.len;

	while (n &&
	       (h->bearer.data[n - 1] == '\n' || h->bearer.data[n - 1] == '\r'))
		n--;
	return strndup((const char *)h->bearer.data, n);
}

static void free_bearers(struct hook_spec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)specs[i].bearer);
}

struct hook_set *hook_set_of_state(const struct state *s,
				   const char *default_service, struct err *e)
{
	size_t n_hooks = state_count(s, STATE_HOOK);
	size_t n_repos = state_count(s, STATE_REPO);
	size_t n = 0;
	CLEANUP(freep) struct hook_spec *specs = NULL;
	CLEANUP(freep) const char **names = NULL;
	struct hook_set *set;

	specs = calloc(n_hooks + 1, sizeof *specs);
	names = calloc(n_repos + 1, sizeof *names);
	if (!specs || !names) {
		err_nomem(e);
		return NULL;
	}
	for (size_t i = 0; i < n_hooks; i++) {
		const struct hook_settings *h = state_hook_at(s, i);

		if (h->object.problem || !dialect_find(h->type))
			continue;
		specs[n] = spec_of(h, default_service);
		if (h->bearer.len)
			specs[n].bearer = bearer_of(h);
		n++;
	}
	for (size_t i = 0; i < n_repos; i++)
		names[i] = state_repo_at(s, i)->object.name;
	set = hook_set_new(specs, n, names, n_repos, e);
	free_bearers(specs, n);
	return set;
}
