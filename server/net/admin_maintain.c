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
	answer = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "packs_before",
		(json_int_t)r.n_packs_before, "packs", (json_int_t)r.n_packs,
		"loose", (json_int_t)r.n_loose, "refs", (json_int_t)r.n_refs,
		"unreachable", (json_int_t)r.n_cruft, "expired",
		(json_int_t)r.n_expired, "bytes", (json_int_t)r.bytes);
	if (*r.problem)
		json_object_set_new(answer, "problem", json_string(r.problem));
	admin_answer(out, 200, answer);
}

static void add_field(json_t *object, const char *field, const char *text)
{
	if (text)
		json_object_set_new(object, field, json_string(text));
}

static void add_problem(void *arg, const struct check_problem *p)
{
	json_t *list = arg, *one = json_object();

	add_field(one, "object", p->object);
	add_field(one, "ref", p->ref);
	add_field(one, "file", p->file);
	add_field(one, "message", p->message);
	if (p->is_warning)
		json_object_set_new(one, "warning", json_true());
	json_array_append_new(list, one);
}

void admin_repo_check(const struct admin_call *c, struct http_response *out)
{
	json_t *problems = json_array();
	struct check_result r;
	struct err e;

	if (maintenance_check(c->context->maintenance, c->name, add_problem,
			      problems, &r, &e) < 0) {
		json_decref(problems);
		admin_refuse(out, &e, "repo", NULL);
		return;
	}
	admin_answer(out, 200,
		     json_pack("{s:b, s:I, s:I, s:I, s:o}", "sound",
			       r.n_problems == 0, "objects",
			       (json_int_t)r.n_objects, "refs",
			       (json_int_t)r.n_refs, "found",
			       (json_int_t)r.n_problems, "problems", problems));
}
