/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is, and how others recognise it. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "hooks/outbox.h"
#include "net/admin_handlers.h"
#include "net/identity.h"
#include "store/pending_keys.h"
#include "store/state_store.h"

#include <string.h>

static void add_outbox(struct outbox *o, json_t *status)
{
	struct outbox_stats stats;

	if (!o)
		return;
	outbox_stats(o, &stats);
	json_object_set_new(status, "outbox",
			    json_pack("{s:I, s:I}", "backlog",
				      (json_int_t)stats.backlog,
				      "oldest_age_seconds",
				      (json_int_t)stats.oldest_age_s));
}

static json_t *names_of(const struct identity *id)
{
	json_t *list = json_array();

	for (size_t i = 0; i < id->n_names; i++)
		json_array_append_new(list, json_string(id->names[i]));
	return list;
}

static json_t *last_errors(void)
{
	char lines[LOG_RECENT][LOG_RECENT_BYTES];
	size_t n = log_recent(lines);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(lines[i]));
	return list;
}

void admin_status(const struct admin_call *c, struct http_response *out)
{
	const struct admin_context *x = c->context;
	CLEANUP(state_putp) struct state *s = state_store_get(x->states);
	json_t *status;

	status = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "version",
		HEADWATER_VERSION, "data", x->data_dir, "repos",
		(json_int_t)state_count(s, STATE_REPO), "keys",
		(json_int_t)state_key_count(s), "pending_keys",
		(json_int_t)pending_keys_list(x->pending, s, NULL, NULL),
		"tokens", (json_int_t)state_count(s, STATE_TOKEN), "hooks",
		(json_int_t)state_count(s, STATE_HOOK), "names",
		names_of(x->identity));
	json_object_set_new(status, "last_errors", last_errors());
	add_outbox(x->outbox, status);
	if (x->status)
		x->status(x->arg, status);
	admin_answer(out, 200, status);
}

static json_t *lines_of(struct span text)
{
	json_t *list = json_array();
	struct span line;

	while (span_until(&text, '\n', &line))
		json_array_append_new(
			list, json_stringn((const char *)line.data, line.len));
	return list;
}

void admin_known_hosts(const struct admin_call *c, struct http_response *out)
{
	const struct http_request *r = c->request;
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	const char *hosts[HTTP_PARAMS_MAX];
	size_t n = 0;
	struct err e;

	for (size_t i = 0; i < r->n_params; i++)
		if (!strncmp(r->params[i].name, "host", 4))
			hosts[n++] = r->params[i].value;
	if (identity_known_hosts(c->context->identity, hosts, n, &text, &e) <
	    0) {
		admin_refuse(out, &e, "known-hosts", NULL);
		return;
	}
	admin_answer(out, 200,
		     json_pack("{s:o}", "lines", lines_of(buf_span(&text))));
}
