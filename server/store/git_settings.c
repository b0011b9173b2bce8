/* SPDX-License-Identifier: Apache-2.0 */
/* A table of keys and what each holds; the file is libgit2's business. */
#include "store/git_settings.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <git2.h>
#include <string.h>
#include <strings.h>

enum value_kind { VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT, VALUE_LIST };

static const struct setting {
	const char *key; /* a final "." stands for any key below it */
	enum value_kind kind;
} settings[] = {
	{ "receive.denyNonFastForwards", VALUE_BOOL },
	{ "receive.denyDeletes", VALUE_BOOL },
	{ "receive.denyDeleteCurrent", VALUE_TEXT },
	{ "receive.denyCurrentBranch", VALUE_TEXT },
	{ "receive.maxInputSize", VALUE_NUMBER },
	{ "receive.fsckObjects", VALUE_BOOL },
	{ "receive.fsck.", VALUE_TEXT },
	{ "receive.advertiseAtomic", VALUE_BOOL },
	{ "receive.advertisePushOptions", VALUE_BOOL },
	{ "receive.hideRefs", VALUE_LIST },
	{ "receive.shallowUpdate", VALUE_BOOL },
	{ "transfer.fsckObjects", VALUE_BOOL },
	{ "transfer.hideRefs", VALUE_LIST },
	{ "transfer.advertiseSID", VALUE_BOOL },
	{ "transfer.advertiseObjectInfo", VALUE_BOOL },
	{ "uploadpack.allowFilter", VALUE_BOOL },
	{ "uploadpack.allowTipSHA1InWant", VALUE_BOOL },
	{ "uploadpack.allowReachableSHA1InWant", VALUE_BOOL },
	{ "uploadpack.allowAnySHA1InWant", VALUE_BOOL },
	{ "uploadpack.allowRefInWant", VALUE_BOOL },
	{ "uploadpack.allowSidebandAll", VALUE_BOOL },
	{ "uploadpack.keepAlive", VALUE_NUMBER },
	{ "uploadpack.hideRefs", VALUE_LIST },
	{ "uploadpackfilter.", VALUE_TEXT },
	{ "lsrefs.unborn", VALUE_TEXT },
	{ "core.logAllRefUpdates", VALUE_TEXT },
};

static const struct setting *setting_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const char *known = settings[i].key;
		size_t n = strlen(known);

		if (!strcasecmp(known, key))
			return &settings[i];
		if (known[n - 1] == '.' && !strncasecmp(known, key, n) &&
		    key[n])
			return &settings[i];
	}
	return NULL;
}

bool git_settings_known(const char *key)
{
	return setting_find(key);
}

static bool is_value(const struct setting *s, const char *value)
{
	int boolean;
	int64_t number;

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	switch (s->kind) {
	case VALUE_BOOL:
		return !git_config_parse_bool(&boolean, value);
	case VALUE_NUMBER:
		return !git_config_parse_int64(&number, value) && number >= 0;
	default:
		return true;
	}
}

static void config_freep(git_config **config)
{
	git_config_free(*config);
}

static int fold_git(struct err *e, const char *key)
{
	const git_error *last = git_error_last();

	return err_set(e, ERR_IO, "setting %s: %s", key,
		       last ? last->message : "libgit2 does not say why");
}

int git_settings_check(const char *key, const char *const *values, size_t n,
		       struct err *e)
{
	const struct setting *s = setting_find(key);

	if (!s)
		return err_set(e, ERR_DENIED,
			       "%.100s is no key of git's configuration that "
			       "this server heeds",
			       key);
	for (size_t i = 0; i < n; i++)
		if (!values[i] || !is_value(s, values[i]))
			return err_set(e, ERR_MALFORMED,
				       "%.100s does not take \"%.60s\"", key,
				       values[i] ? values[i] : "");
	if (n > 1 && s->kind != VALUE_LIST)
		return err_set(e, ERR_MALFORMED, "%.100s has one value", key);
	return 0;
}

int git_settings_set(const char *git_dir, const char *key,
		     const char *const *values, size_t n, struct err *e)
{
	CLEANUP(freep) char *path = path_join(git_dir, "config");
	CLEANUP(config_freep) git_config *config = NULL;
	int result;

	if (!path)
		return err_nomem(e);
	if (git_settings_check(key, values, n, e) < 0)
		return -1;
	git_libgit2_init();
	if (git_config_open_ondisk(&config, path) < 0)
		return fold_git(e, key);
	result = git_config_delete_multivar(config, key, ".*");
	if (result < 0 && result != GIT_ENOTFOUND)
		return fold_git(e, key);
	for (size_t i = 0; i < n; i++)
		if (git_config_set_multivar(config, key, "^$a", values[i]) < 0)
			return fold_git(e, key);
	return 0;
}
