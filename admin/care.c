/* SPDX-License-Identifier: Apache-2.0 */
/* headwater repo maintain, check: of those that are named, or of all. */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* One repository; CLI_DONE or what went wrong. */
typedef int care(struct cli *c, const char *repo);

static int call(struct cli *c, const char *repo, const char *verb,
		struct api_answer *out)
{
	CLEANUP(freep) char *path = api_path("repos", repo, verb);
	int result = api_call(
		c, &(struct api_request){ .method = "POST", .path = path },
		out);

	if (!result && c->is_json)
		puts(buf_str(&out->text));
	return result;
}

/* The worst of all; one that fails does not keep the others from it. */
static int for_all(struct cli *c, care *each)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	const json_t *one;
	size_t i;
	int worst;

	worst = api_call(
		c,
		&(struct api_request){ .method = "GET", .path = "/v1/repos" },
		&a);
	if (worst)
		return worst;
	json_array_foreach(json_object_get(a.json, "repos"), i, one)
	{
		CLEANUP(freep) char *name = show_text(one, "name");
		int result = each(c, name);

		worst = result > worst ? result : worst;
	}
	return worst;
}

static int for_named(struct cli *c, care *each)
{
	int worst = CLI_DONE;

	if (!c->n_names)
		return for_all(c, each);
	for (size_t i = 0; i < c->n_names; i++) {
		int result = each(c, c->names[i]);

		worst = result > worst ? result : worst;
	}
	return worst;
}

static long long number(const json_t *object, const char *field)
{
	return (long long)json_integer_value(json_object_get(object, field));
}

static void say(const json_t *object, const char *field, const char *words)
{
	if (number(object, field))
		printf(", %s %lld", words, number(object, field));
}

static int maintain(struct cli *c, const char *repo)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	CLEANUP(freep) char *problem = NULL;
	int result = call(c, repo, "/maintain", &a);

	if (result || c->is_json)
		return result;
	printf("%s: packs %lld, now %lld", repo, number(a.json, "packs_before"),
	       number(a.json, "packs"));
	say(a.json, "loose", "loose objects packed");
	say(a.json, "refs", "refs packed");
	say(a.json, "unreachable", "unreachable objects waiting");
	say(a.json, "expired", "removed");
	putchar('\n');
	problem = show_text(a.json, "problem");
	if (*problem)
		hint("unreachable objects were left as they are: %s", problem);
	return CLI_DONE;
}

int run_maintain(struct cli *c)
{
	return for_named(c, maintain);
}

/* "WHAT: MESSAGE", one a line, where scripts read them. */
static void show_problem(const char *repo, const json_t *problem)
{
	static const char *const fields[] = { "file", "ref", "object" };
	CLEANUP(freep) char *message = show_text(problem, "message");

	printf("%s: %s", repo,
	       json_is_true(json_object_get(problem, "warning")) ? "warning: "
								 : "");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		CLEANUP(freep) char *text = show_text(problem, fields[i]);

		if (*text)
			printf("%s %s: ", fields[i], text);
	}
	puts(message);
}

static int check(struct cli *c, const char *repo)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	const json_t *problems, *one;
	int result = call(c, repo, "/check", &a);
	size_t i;

	if (result)
		return result;
	problems = json_object_get(a.json, "problems");
	if (!c->is_json) {
		json_array_foreach(problems, i, one)
		{
			show_problem(repo, one);
		}
		printf("%s: objects %lld, refs %lld, problems %lld\n", repo,
		       number(a.json, "objects"), number(a.json, "refs"),
		       number(a.json, "found"));
	}
	return number(a.json, "found") ? CLI_REFUSED : CLI_DONE;
}

int run_check(struct cli *c)
{
	return for_named(c, check);
}
