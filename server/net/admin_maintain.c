/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories looked after: maintained, and checked. */
#include "base/err.h"
#include "net/admin_handlers.h"
#include "store/maintenance.h"

void admin_repo_maintain(const struct admin_call *c, struct http_response *out)
{
	struct maintain_result r;
	struct err e;
	json_t *answer;

	if (maintenance_run(c->context->maintenance, c->name, &r, &e) < 0) {
		admin_refuse(out, &e, "repo", NULL);
		return;
	}
	answer = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			   "packs_before", (json_int_t)r.n_packs_before,
			   "packs", (json_int_t)r.n_packs, "loose",
			   (json_int_t)r.n_loose, "refs", (json_int_t)r.n_refs,
			   "unreachable", (json_int_t)r.n_cruft, "expired",
			   (json_int_t)r.n_expired, "bytes",
			   (json_int_t)r.bytes);
	if (*r.problem)
		json_object_set_new(answer, "problem", json_string(r.problem));
	admin_answer(out, 200, answer);
}
