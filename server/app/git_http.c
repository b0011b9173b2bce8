/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens become principals; public repositories need none. */
#include "app/git_http.h"

#include "app/server_state.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "git/repository.h"
#include "net/http_request.h"
#include "store/access.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <stdlib.h>
#include <string.h>

/* True with `out` filled where the header holds a token we know. The clear
 * token is wiped. */
static bool token_of(struct state *state, const char *authorization,
		     struct principal *out)
{
	size_t n;
	char *secret =
		authorization ? http_credential(authorization, &n) : NULL;
	bool is_known;

	if (!secret)
		return false;
	is_known = principal_by_token(state, span_of(secret, n), out);
	explicit_bzero(secret, n);
	free(secret);
	return is_known;
}

static enum httpd_git_decision open_repo(struct server *s, struct state *state,
					 const char *name,
					 struct httpd_git_access *out,
					 enum httpd_git_decision if_absent,
					 struct err *e)
{
	out->repository = repo_store_open(s->repos, state, name, e);
	if (out->repository)
		return HTTPD_GIT_ALLOWED;
	return e->code == ERR_NOT_FOUND ? if_absent : HTTPD_GIT_BROKEN;
}

static enum httpd_git_decision authorise(void *arg, const char *name,
					 const char *authorization,
					 struct httpd_git_access *out,
					 struct err *e)
{
	struct server *s = arg;
	CLEANUP(state_putp) struct state *state = state_store_get(s->states);
	CLEANUP(principal_fini) struct principal nobody = { 0 };
	CLEANUP(principal_fini) struct principal token = { 0 };
	enum httpd_git_decision otherwise;

	/* Looked up in every case, so that the time tells nothing. */
	otherwise = token_of(state, authorization, &token) ? HTTPD_GIT_NOT_THERE
							   : HTTPD_GIT_NO_TOKEN;
	if (otherwise == HTTPD_GIT_NOT_THERE)
		snprintf(out->who, sizeof out->who, "%s",
			 principal_name(&token));
	principal_anonymous(state, &nobody);
	if (name && (access_allows(&nobody, name, ACCESS_READ) ||
		     (otherwise == HTTPD_GIT_NOT_THERE &&
		      access_allows(&token, name, ACCESS_READ))))
		return open_repo(s, state, name, out, otherwise, e);
	return otherwise;
}

static void ssh_url(void *arg, const char *name, struct buf *out)
{
	struct server *s = arg;

	identity_ssh_url(&s->identity, name ? name : "NAME", out);
}

static void limits(void *arg, struct fetch_limits *out)
{
	struct server *s = arg;
	struct config_values v;

	config_now(s->config, &v);
	*out = config_fetch_limits(&v);
}

void git_http_init(struct server *s, struct httpd_git *git)
{
	*git = (struct httpd_git){
		.arg = s,
		.authorise = authorise,
		.ssh_url = ssh_url,
		.cache = s->cache,
		.limits = limits,
	};
}
