/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `headwater flux` shares between its files: what was asked for, and the
 * documents that are to be printed.
 *
 * flux_ask.c	options, repositories and addresses: no change is made
 * flux_secrets.c	keys and tokens, made where they are missing
 * flux_hooks.c		hooks, likewise
 * flux_manifests.c	what Flux is given, as JSON values
 * cmd_flux.c	the verbs, and printing
 */
#pragma once

#include "admin/cli.h"

#define FLUX_DEFAULT "flux-system" /* as `flux bootstrap` wants it */

/* One repository and the objects that stand for it. */
struct flux_target {
	const char *repo; /* "tenants/a" */
	char *name;	  /* of GitRepository and Kustomization */
	char *branch;	  /* that HEAD names */
	char *url;	  /* of the GitRepository */
	char *path;
	bool is_public;
};

struct flux {
	struct cli *c;
	const char *repo; /* a name or a pattern, as given */
	bool is_pattern;
	const char *namespace;
	char *secret_ref; /* of the GitRepository; NULL: none */
	bool is_http;
	char *host; /* HOST[:PORT] of ssh URLs */
	json_t *repos;
	json_t *hooks;
	json_t *status;
	struct flux_target *targets;
	size_t n_targets;

	/* flux_hooks.c: the hook that is there, or the one to be made. */
	json_t *hook_there; /* borrowed; NULL: none yet */
	char *hook;	    /* its name */
	char *hook_type;
	char *receiver;	  /* "NAME", perhaps with {name} or {basename} */
	char *token_name; /* the Secret of the Receiver */

	json_t *documents; /* objects, and texts: comments */
};

/* Options into `f`; CLI_DONE or what was complained of. */
int flux_ask(struct flux *f, struct cli *c);
void flux_fini(struct flux *f);

/* `template` with {name} and {basename} of the repository; malloc'ed. */
char *flux_fill(const char *template, const char *repo);

/* "flux-REPO", and where names are not the defaults "-NAMESPACE-NAME";
 * malloc'ed, a valid name of a key, token or hook. */
char *flux_object_name(const struct flux *f, const char *name);
bool flux_is_kubernetes_name(const char *name);
/* `name` as Kubernetes allows it; malloc'ed. */
char *flux_kubernetes_name(const char *name);

/* "ssh://git@HOST:PORT/..." -> "HOST:PORT", malloc'ed; NULL for others. */
char *flux_ssh_host(const char *url);

/* Find the hook, or decide what one would be; makes nothing. */
int flux_find_hook(struct flux *f);
/* Make it where there is none, and add the Secret of its Receiver. */
int flux_token_secret(struct flux *f);
/* Add the Secret of the GitRepository, or a comment where it was. */
int flux_git_secret(struct flux *f);

json_t *flux_namespace(const char *name);
json_t *flux_secret(const char *name, const char *namespace);
json_t *flux_git_repository(const struct flux *f, const struct flux_target *t);
json_t *flux_kustomization(const struct flux *f, const struct flux_target *t);
json_t *flux_receiver(const struct flux *f, const struct flux_target *t);

void flux_add(struct flux *f, json_t *document);
void flux_comment(struct flux *f, const char *format, ...) PRINTF_LIKE(2, 3);
