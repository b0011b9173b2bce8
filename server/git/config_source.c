/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of git's configuration, one at a time. */
#include "git/config_source.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/libgit2.h"

#include <ctype.h>
#include <git2.h>
#include <stdio.h>
#include <string.h>

/* git refuses only what does not fit an int; nobody has so many. */
#define ENV_COUNT_MAX 100000

/* The visitor and its company. */
struct visit {
	int (*each)(void *arg, const char *name, const char *value,
		    struct err *e);
	void *arg;
	struct err *e;
};

static int each_entry(const git_config_entry *entry, void *arg)
{
	struct visit *v = arg;

	return v->each(v->arg, entry->name, entry->value, v->e);
}

static void config_freep(git_config **config)
{
	git_config_free(*config);
}

static int file_visit(struct visit *v, const char *path)
{
	CLEANUP(config_freep) git_config *config = NULL;
	struct file_sig sig;
	int n;

	/* No config is one without keys, as for git. */
	if (file_sig_take(path, false, &sig, v->e) < 0)
		return -1;
	if (sig.size < 0)
		return 0;
	n = git_config_new(&config);
	if (n < 0)
		return err_git(v->e, n, "reading config");
	n = git_config_add_file_ondisk(config, path, GIT_CONFIG_LEVEL_LOCAL,
				       NULL, 0);
	if (n < 0) {
		err_git(v->e, n, "reading config");
		if (v->e->code != ERR_NOMEM)
			v->e->code = ERR_CORRUPT;
		return -1;
	}
	v->e->code = ERR_OK;
	n = git_config_foreach(config, each_entry, v);
	if (n < 0 && v->e->code == ERR_OK)
		return err_git(v->e, n, "reading config");
	return n < 0 ? -1 : 0;
}

/* "Section.Sub.Key": section and key are lower case, what is between stays. */
static char *key_normalise(const char *key)
{
	const char *first = strchr(key, '.'), *last = strrchr(key, '.');
	char *name;

	if (!first || first == key || !last[1])
		return NULL;
	name = strdup(key);
	for (char *c = name; c && *c; c++)
		if (c - name < first - key || c - name > last - key)
			*c = (char)tolower((unsigned char)*c);
	return name;
}

static int variable_visit(struct visit *v, int i)
{
	CLEANUP(freep) char *name = NULL;
	const char *key, *value;
	char variable[40];

	snprintf(variable, sizeof variable, "GIT_CONFIG_KEY_%d", i);
	key = getenv(variable);
	if (!key)
		return err_set(v->e, ERR_CORRUPT, "missing config key %s",
			       variable);
	snprintf(variable, sizeof variable, "GIT_CONFIG_VALUE_%d", i);
	value = getenv(variable);
	if (!value)
		return err_set(v->e, ERR_CORRUPT, "missing config value %s",
			       variable);
	name = key_normalise(key);
	if (!name)
		return err_set(v->e, ERR_CORRUPT, "bogus config key '%s'", key);
	return v->each(v->arg, name, value, v->e);
}

static int environment_visit(struct visit *v)
{
	const char *count = getenv("GIT_CONFIG_COUNT");
	char *end;
	long n;

	if (!count || !*count)
		return 0;
	n = strtol(count, &end, 10);
	if (*end || n < 0 || n > ENV_COUNT_MAX)
		return err_set(v->e, ERR_CORRUPT,
			       "bogus count in GIT_CONFIG_COUNT");
	for (long i = 0; i < n; i++)
		if (variable_visit(v, (int)i) < 0)
			return -1;
	return 0;
}

int config_each(const char *path, bool use_environment,
		int (*each)(void *arg, const char *name, const char *value,
			    struct err *e),
		void *arg, struct err *e)
{
	struct visit v = { each, arg, e };

	if (libgit2_ready(e) < 0 || file_visit(&v, path) < 0)
		return -1;
	return use_environment ? environment_visit(&v) : 0;
}
