/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers behind the admin API's route table, by file. Not for anybody
 * else.
 */
#pragma once

#include "net/admin_json.h"
#include "net/admin_routes.h"
#include "net/http_request.h"
#include "store/state_change.h"

/* One call; `name` is the decoded {name} of the path, checked already. */
struct admin_call {
	const struct admin_context *context;
	const struct http_request *request;
	enum state_kind kind;
	const char *name; /* NULL on routes without one */
	const char *id;	  /* {id} of a delivery */
};

typedef void admin_handler(const struct admin_call *c,
			   struct http_response *out);

/* admin_objects.c: what all kinds have in common. */
admin_handler admin_list, admin_get, admin_put, admin_patch, admin_delete;

/* Fields that are no keys of the kind, and what a kind does besides. */
struct admin_kind {
	const char *const *also; /* further fields of PUT and PATCH */
	/* Before the change: judge them, turn them into its secrets. -1 after
	 * filling `out`. */
	int (*secrets)(const struct admin_call *c, json_t *body,
		       struct arena *a, struct state_change *change,
		       struct http_response *out);
	/* After the state has it (created or not): make what belongs to it.
	 * -1 after filling `out`. */
	int (*settle)(const struct admin_call *c, json_t *body,
		      struct http_response *out);
	/* After the state has it no longer. */
	int (*remove)(const struct admin_call *c, struct http_response *out);
	/* Add to the object of an answer. */
	void (*describe)(const struct admin_call *c, const struct state *s,
			 const char *name, json_t *object);
};

/* admin_tokens.c: add a new token to the answer, the one time it is shown. */
void admin_answer_secret(const struct admin_call *c,
			 const struct state_change *change,
			 const struct change_result *r,
			 struct http_response *out);

extern const struct admin_kind admin_repo_kind, admin_key_kind,
	admin_token_kind, admin_hook_kind;

/* admin_keys.c */
admin_handler admin_keys_pending;
/* admin_backup.c */
admin_handler admin_backup, admin_restore;
/* admin_repos.c */
admin_handler admin_repo_seed, admin_repo_bundle, admin_repo_sync;
/* admin_maintain.c */
admin_handler admin_repo_maintain, admin_repo_check;
/* admin_hooks.c */
admin_handler admin_hook_test, admin_hook_deliveries, admin_hook_redeliver,
	admin_hook_secret;
/* admin_status.c */
admin_handler admin_status, admin_known_hosts;
