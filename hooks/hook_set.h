/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks in force, as the outbox needs them: one immutable, counted set,
 * compiled from configuration and swapped when that changes.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "hooks/dialect.h"

#include <stdbool.h>

struct err;
struct hook_set;

struct text_list {
	const char *const *items;
	size_t n;
};

struct hook_spec {
	const char *name;
	const struct dialect *dialect;
	struct text_list repos;	   /* patterns */
	struct text_list branches; /* short-name patterns; both lists empty: */
	struct text_list tags;	   /* every branch and tag */
	/* One of the two: */
	const char *url;      /* may hold {name} and {basename} */
	const char *receiver; /* "NAMESPACE/NAME", may hold them too */
	const char *service;  /* "HOST[:PORT]", for receiver */
	struct span secret;   /* exact bytes; empty: none */
	const char *bearer;   /* "Authorization: Bearer ..."; NULL: none */
	const char *ca_file;
};

/* Copies everything. NULL out of memory. */
struct hook_set *hook_set_new(const struct hook_spec *specs, size_t n_specs,
			      const char *const *repos, size_t n_repos,
			      struct err *e) MUST_CHECK;
struct hook_set *hook_set_get(struct hook_set *s);
struct hook_set *hook_set_put(struct hook_set *s);

size_t hook_set_count(const struct hook_set *s);
const struct hook_spec *hook_set_at(const struct hook_set *s, size_t i);
const struct hook_spec *hook_set_find(const struct hook_set *s,
				      const char *name);
/* The repositories there are. */
struct text_list hook_set_repos(const struct hook_set *s);

bool hook_listens_to_repo(const struct hook_spec *h, const char *repo);
/* `ref` is a full name; refs that are neither branch nor tag are never told. */
bool hook_listens_to_ref(const struct hook_spec *h, const char *ref);
/* "branch main, tag v*" for people; "every branch and tag". */
void hook_describe_filter(const struct hook_spec *h, struct buf *out);

bool hook_is_receiver(const struct hook_spec *h, const char *repo);
/* The URL for one repository, placeholders filled in. */
int hook_url_for(const struct hook_spec *h, const char *repo, struct buf *out,
		 struct err *e) MUST_CHECK;
/* "Receiver flux-system/cluster", or the URL's host. */
void hook_target_for(const struct hook_spec *h, const char *repo,
		     struct buf *out);
/* Do two specs send the same bytes to the same place? */
bool hook_spec_same(const struct hook_spec *a, const struct hook_spec *b);
