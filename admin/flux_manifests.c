/* SPDX-License-Identifier: Apache-2.0 */
/* What Flux is given: the same objects that `flux bootstrap` would write. */
#include "admin/flux.h"

#include "base/cleanup.h"

#include <string.h>

#define SOURCE_API    "source.toolkit.fluxcd.io/v1"
#define KUSTOMIZE_API "kustomize.toolkit.fluxcd.io/v1"
#define NOTIFY_API    "notification.toolkit.fluxcd.io/v1"

static json_t *object(const char *api, const char *kind, const char *name,
		      const char *namespace)
{
	json_t *out = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", api,
				"kind", kind, "metadata", "name", name);

	if (!out)
		out_of_memory();
	if (namespace)
		json_object_set_new(json_object_get(out, "metadata"),
				    "namespace", json_string(namespace));
	return out;
}

static void set_text(json_t *spec, const char *field, const char *text)
{
	if (text)
		json_object_set_new(spec, field, json_string(text));
}

json_t *flux_namespace(const char *name)
{
	return object("v1", "Namespace", name, NULL);
}

json_t *flux_secret(const char *name, const char *namespace)
{
	json_t *out = object("v1", "Secret", name, namespace);

	set_text(out, "type", "Opaque");
	return out;
}

/* What `spec.ref` says; a branch where nothing else was asked for, for Flux
 * would take "master". */
static json_t *ref_of(const struct flux *f, const struct flux_target *t)
{
	static const char *const options[][2] = {
		{ "--tag", "tag" },
		{ "--tag-semver", "semver" },
		{ "--ref-name", "name" },
		{ "--commit", "commit" },
	};
	json_t *ref = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		set_text(ref, options[i][1], cli_local(f->c, options[i][0]));
	if (!json_object_size(ref) || cli_local(f->c, "--branch"))
		set_text(ref, "branch", t->branch);
	return ref;
}

static const char *option(const struct flux *f, const char *name,
			  const char *fallback)
{
	const char *value = cli_local(f->c, name);

	return value ? value : fallback;
}

json_t *flux_git_repository(const struct flux *f, const struct flux_target *t)
{
	json_t *out =
		object(SOURCE_API, "GitRepository", t->name, f->namespace);
	json_t *spec = json_object();

	json_object_set_new(out, "spec", spec);
	set_text(spec, "interval", option(f, "--interval", "1m0s"));
	json_object_set_new(spec, "ref", ref_of(f, t));
	if (f->secret_ref)
		json_object_set_new(spec, "secretRef",
				    json_pack("{s:s}", "name", f->secret_ref));
	set_text(spec, "url", t->url);
	if (cli_local(f->c, "--recurse-submodules"))
		json_object_set_new(spec, "recurseSubmodules", json_true());
	return out;
}

/* "[GitRepository/]NAME[.NAMESPACE]" of --source, else our own. */
static json_t *source_ref(const struct flux *f, const struct flux_target *t)
{
	const char *given = option(f, "--source", t->name);
	const char *prefix = "GitRepository/";
	json_t *ref = json_pack("{s:s}", "kind", "GitRepository");
	CLEANUP(freep) char *name = NULL;
	char *dot;

	if (!strncmp(given, prefix, strlen(prefix)))
		given += strlen(prefix);
	name = flux_fill(given, t->repo);
	dot = cli_local(f->c, "--source") ? strchr(name, '.') : NULL;
	if (dot)
		*dot = '\0';
	set_text(ref, "name", name);
	set_text(ref, "namespace", dot ? dot + 1 : NULL);
	return ref;
}

static void set_filled(const struct flux *f, const struct flux_target *t,
		       json_t *spec, const char *field, const char *name)
{
	CLEANUP(freep) char *text = NULL;

	if (!cli_local(f->c, name))
		return;
	text = flux_fill(cli_local(f->c, name), t->repo);
	set_text(spec, field, text);
}

json_t *flux_kustomization(const struct flux *f, const struct flux_target *t)
{
	json_t *out =
		object(KUSTOMIZE_API, "Kustomization", t->name, f->namespace);
	json_t *spec = json_object();

	json_object_set_new(out, "spec", spec);
	set_text(spec, "interval", "10m0s");
	set_text(spec, "path", t->path);
	json_object_set_new(spec, "prune", json_true());
	set_filled(f, t, spec, "serviceAccountName", "--service-account");
	json_object_set_new(spec, "sourceRef", source_ref(f, t));
	set_filled(f, t, spec, "targetNamespace", "--target-namespace");
	if (cli_local(f->c, "--wait"))
		json_object_set_new(spec, "wait", json_true());
	return out;
}

json_t *flux_receiver(const struct flux *f, const struct flux_target *t)
{
	CLEANUP(freep) char *name = flux_fill(f->receiver, t->repo);
	json_t *out = object(NOTIFY_API, "Receiver", name, f->namespace);
	json_t *resource = json_pack("{s:s}", "apiVersion", SOURCE_API);
	CLEANUP(json_decrefp) json_t *source = source_ref(f, t);

	json_object_update(resource, source);
	json_object_set_new(out, "spec",
			    json_pack("{s:s, s:s, s:{s:s}, s:[o]}", "type",
				      f->hook_type, "interval", "10m0s",
				      "secretRef", "name", f->token_name,
				      "resources", resource));
	return out;
}
