/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox's answers as JSON. */
#include "net/admin_fire.h"

#include "base/err.h"
#include "hooks/outbox.h"

static void add_answer(void *arg, const struct outbox_answer *a)
{
	json_t *list = arg;

	json_array_append_new(
		list,
		json_pack("{s:s, s:s, s:s, s:i, s:I, s:s, s:b}", "hook",
			  a->hook, "target", a->target, "ref", a->ref, "status",
			  a->status, "duration_ms", (json_int_t)a->duration_ms,
			  "answer", a->text, "heard", a->is_heard));
}

void admin_fire(const struct admin_call *c, const struct admin_fire *f,
		struct http_response *out)
{
	json_t *list;
	struct err e;

	if (!c->context->outbox) {
		http_response_json_error(
			out, 409, "no-daemon",
			"webhooks are sent by a running daemon",
			"start headwaterd, or ask it through its socket "
			"instead of --data");
		return;
	}
	list = json_array();
	if (outbox_fire(c->context->outbox, f->kind, f->repo, f->hook, f->id,
			ADMIN_FIRE_WAIT_MS, add_answer, list, &e) < 0) {
		json_decref(list);
		admin_refuse(out, &e, "hook", NULL);
		return;
	}
	admin_answer(out, 200, json_pack("{s:o}", "answers", list));
}
