/* SPDX-License-Identifier: Apache-2.0 */
/* The table, and the way from a path to its row. */
#include "net/admin_routes.h"

#include "base/err.h"
#include "base/log.h"
#include "net/admin_handlers.h"

#include <stdlib.h>
#include <string.h>

#define NO_KIND STATE_KINDS

static const struct route {
	const char *text; /* "GET /v1/repos/{name}" */
	enum http_method method;
	const char *group; /* "repos" */
	const char *verb;  /* behind the name; NULL: none */
	const char *tail;  /* behind the id of a delivery */
	unsigned kind;
	bool has_name;
	bool is_logged; /* it changes something, or gives secrets away */
	admin_handler *handle;
} routes[] = {
#define ROUTE(text, method, ...)          \
	{                                 \
		text, method, __VA_ARGS__ \
	}
#define OBJECTS(plural, kind)                                                  \
	ROUTE("GET /v1/" plural, HTTP_GET, plural, NULL, NULL, kind, false,    \
	      false, admin_list),                                              \
		ROUTE("GET /v1/" plural "/{name}", HTTP_GET, plural, NULL,     \
		      NULL, kind, true, false, admin_get),                     \
		ROUTE("PUT /v1/" plural "/{name}", HTTP_PUT, plural, NULL,     \
		      NULL, kind, true, true, admin_put),                      \
		ROUTE("PATCH /v1/" plural "/{name}", HTTP_PATCH, plural, NULL, \
		      NULL, kind, true, true, admin_patch),                    \
		ROUTE("DELETE /v1/" plural "/{name}", HTTP_DELETE, plural,     \
		      NULL, NULL, kind, true, true, admin_delete)
	ROUTE("GET /v1/status", HTTP_GET, "status", NULL, NULL, NO_KIND, false,
	      false, admin_status),
	ROUTE("GET /v1/known-hosts", HTTP_GET, "known-hosts", NULL, NULL,
	      NO_KIND, false, false, admin_known_hosts),
	ROUTE("GET /v1/backup", HTTP_GET, "backup", NULL, NULL, NO_KIND, false,
	      true, admin_backup),
	ROUTE("PUT /v1/restore", HTTP_PUT, "restore", NULL, NULL, NO_KIND,
	      false, true, admin_restore),
	OBJECTS("repos", STATE_REPO),
	ROUTE("GET /v1/keys/pending", HTTP_GET, "keys", "pending", NULL,
	      NO_KIND, false, false, admin_keys_pending),
	OBJECTS("keys", STATE_KEY),
	OBJECTS("tokens", STATE_TOKEN),
	OBJECTS("hooks", STATE_HOOK),
	ROUTE("PUT /v1/repos/{name}/seed", HTTP_PUT, "repos", "seed", NULL,
	      STATE_REPO, true, true, admin_repo_seed),
	ROUTE("GET /v1/repos/{name}/bundle", HTTP_GET, "repos", "bundle", NULL,
	      STATE_REPO, true, false, admin_repo_bundle),
	ROUTE("POST /v1/repos/{name}/check", HTTP_POST, "repos", "check", NULL,
	      STATE_REPO, true, true, admin_repo_check),
	ROUTE("POST /v1/repos/{name}/maintain", HTTP_POST, "repos", "maintain",
	      NULL, STATE_REPO, true, true, admin_repo_maintain),
	ROUTE("POST /v1/repos/{name}/sync", HTTP_POST, "repos", "sync", NULL,
	      STATE_REPO, true, true, admin_repo_sync),
	ROUTE("POST /v1/hooks/{name}/test", HTTP_POST, "hooks", "test", NULL,
	      STATE_HOOK, true, true, admin_hook_test),
	ROUTE("GET /v1/hooks/{name}/deliveries", HTTP_GET, "hooks",
	      "deliveries", NULL, STATE_HOOK, true, false,
	      admin_hook_deliveries),
	ROUTE("POST /v1/hooks/{name}/deliveries/{id}/redeliver", HTTP_POST,
	      "hooks", "deliveries", "redeliver", STATE_HOOK, true, true,
	      admin_hook_redeliver),
	ROUTE("GET /v1/hooks/{name}/secret", HTTP_GET, "hooks", "secret", NULL,
	      STATE_HOOK, true, true, admin_hook_secret),
};

static const char *element(const struct http_request *r, size_t i)
{
	return i < r->n_elements ? r->elements[i] : NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Does the path, without its method, lead to this row? /v1/GROUP[/NAME
 * [/VERB[/ID/TAIL]]] */
static bool is_path_of(const struct route *route, const struct http_request *r)
{
	size_t n = 2;

	if (!same(element(r, 0), "v1") || !same(element(r, 1), route->group))
		return false;
	n += route->has_name;
	if (route->verb) {
		if (!same(element(r, n), route->verb))
			return false;
		n++;
	}
	if (route->tail) {
		if (!same(element(r, n + 1), route->tail))
			return false;
		n += 2;
	}
	return r->n_elements == n;
}

static const struct route *find(const struct http_request *r, bool *is_path_out)
{
	*is_path_out = false;
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (!is_path_of(&routes[i], r))
			continue;
		*is_path_out = true;
		if (routes[i].method == r->method)
			return &routes[i];
	}
	return NULL;
}

/* Who changed what, whether it went well or not; of the body the names of what
 * it sets, never a value. */
static void log_verb(const struct route *route, const struct admin_call *c,
		     const struct http_response *out)
{
	CLEANUP(buf_fini) struct buf fields = BUF_INIT;

	admin_body_fields(c->request, &fields);
	log_info("admin.verb", "peer", c->request->peer, "method",
		 http_method_name(c->request->method), "route",
		 strchr(route->text, '/'), "name", c->name, "id", c->id,
		 "fields", fields.len ? buf_str(&fields) : NULL, "status",
		 fmt_u64(out->status), NULL);
}

int admin_routes_handle(void *arg, const struct http_request *r,
			struct http_response *out)
{
	struct admin_call c = { .context = arg, .request = r };
	const struct route *route;
	bool is_path;
	struct err e;

	route = find(r, &is_path);
	if (!route && is_path) {
		http_response_json_error(out, 405, "method-not-allowed",
					 "this path has no such method", NULL);
		return 0;
	}
	if (!route)
		return -1;
	c.kind = route->kind == NO_KIND ? STATE_REPO
					: (enum state_kind)route->kind;
	c.name = route->has_name ? element(r, 2) : NULL;
	c.id = route->tail ? element(r, 4) : NULL;
	/* "owners/alice" is a key of a directory: it can be shown. */
	if (c.name && route->method != HTTP_GET &&
	    state_name_check(c.kind, c.name, &e) < 0)
		admin_refuse(out, &e, state_kind_name(c.kind), NULL);
	else
		route->handle(&c, out);
	if (route->is_logged)
		log_verb(route, &c, out);
	return 0;
}

bool admin_routes_has_large_body(const struct http_request *r)
{
	if (r->method != HTTP_PUT)
		return false;
	if (r->n_elements == 2)
		return same(element(r, 1), "restore");
	return r->n_elements == 4 && same(element(r, 1), "repos") &&
	       same(element(r, 3), "seed");
}

const char *const *admin_routes_list(void)
{
	static const char *list[sizeof routes / sizeof routes[0] + 1];

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		list[i] = routes[i].text;
	return list;
}
