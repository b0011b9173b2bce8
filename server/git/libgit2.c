/* SPDX-License-Identifier: Apache-2.0 */
/* One start, one place that reads libgit2's last error. */
#include "git/libgit2.h"

#include "base/err.h"

#include <git2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static int start_result;

/* Files outside a repository must not change what it does: neither are they
 * the server's, nor does a container have them. */
static const git_config_level_t foreign_levels[] = {
	GIT_CONFIG_LEVEL_PROGRAMDATA,
	GIT_CONFIG_LEVEL_SYSTEM,
	GIT_CONFIG_LEVEL_XDG,
	GIT_CONFIG_LEVEL_GLOBAL,
};

static void start(void)
{
	start_result = git_libgit2_init();
	if (start_result < 0)
		return;
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	for (size_t i = 0; i < ARRAY_SIZE(foreign_levels); i++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, foreign_levels[i],
				 "");
}

int libgit2_ready(struct err *e)
{
	pthread_once(&start_once, start);
	if (start_result < 0)
		return err_git(e, start_result, "starting libgit2");
	return 0;
}

int err_git(struct err *e, int result, const char *format, ...)
{
	const git_error *said = git_error_last();
	enum err_code code = ERR_IO;
	char context[sizeof e->message];
	va_list args;

	if (result == GIT_ENOTFOUND)
		code = ERR_NOT_FOUND;
	else if (result == GIT_EEXISTS || result == GIT_ELOCKED)
		code = ERR_CONFLICT;
	else if (said && said->klass == GIT_ERROR_NOMEMORY)
		code = ERR_NOMEM;
	else if (said && said->klass == GIT_ERROR_CONFIG)
		code = ERR_CORRUPT;
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	return err_set(e, code, "%s: %s", context,
		       said && said->message ? said->message : "no reason");
}
