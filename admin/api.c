/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the admin API: the way there, the answer, the refusal. */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void out_of_memory(void)
{
	fputs("headwater: out of memory\n", stderr);
	exit(CLI_REFUSED);
}

int complain(const char *format, ...)
{
	va_list args;

	fputs("headwater: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_REFUSED;
}

void hint(const char *format, ...)
{
	va_list args;

	fputs("hint: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void api_answer_fini(struct api_answer *a)
{
	json_decref(a->json);
	buf_fini(&a->text);
}

char *api_path(const char *kind, const char *name, const char *tail)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	char *text;

	buf_addf(&path, "/v1/%s/", kind);
	for (const char *p = name; *p; p++) {
		if (isalnum((unsigned char)*p) || strchr("._-", *p))
			buf_addc(&path, *p);
		else
			buf_addf(&path, "%%%02X", (unsigned char)*p);
	}
	buf_adds(&path, tail);
	text = buf_take(&path);
	if (!text)
		out_of_memory();
	return text;
}

static int show_refusal(const struct api_answer *a)
{
	const char *message = NULL, *advice = NULL;

	if (json_unpack(a->json, "{s:{s:s, s?s}}", "error", "message", &message,
			"hint", &advice) < 0)
		return complain("the server answered %d%s%.200s", a->status,
				a->text.len ? ": " : "", buf_str(&a->text));
	complain("%s", message);
	if (advice && *advice)
		hint("%s", advice);
	return CLI_REFUSED;
}

static int show_unreachable(const struct cli *c, const struct err *e)
{
	complain("%s", e->message);
	if (e->code != ERR_NOT_FOUND && e->code != ERR_CLOSED &&
	    e->code != ERR_DENIED)
		return CLI_REFUSED;
	if (!c->data)
		hint("start headwaterd, name its socket with --socket, or "
		     "work on the files with --data DIR");
	return CLI_UNREACHABLE;
}

int api_call(struct cli *c, const struct api_request *r,
	     struct api_answer *answer_out)
{
	struct err e = { .code = ERR_OK };
	int result;

	*answer_out = (struct api_answer){ .text = BUF_INIT };
	if (c->data)
		result = local_call(c->data, r, answer_out, &e);
	else
		result = client_call(c->socket, r, answer_out, &e);
	if (result < 0)
		return show_unreachable(c, &e);
	answer_out->json =
		json_loads(buf_str(&answer_out->text), JSON_DECODE_ANY, NULL);
	if (answer_out->status >= 300)
		return show_refusal(answer_out);
	return CLI_DONE;
}

int api_show(struct cli *c, const struct api_request *r,
	     void (*show)(struct cli *c, const struct api_answer *a))
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	int result = api_call(c, r, &a);

	if (result)
		return result;
	if (c->is_json && a.text.len) {
		fputs(buf_str(&a.text), stdout);
		if (a.text.data[a.text.len - 1] != '\n')
			fputc('\n', stdout);
	} else if (!c->is_json && show) {
		show(c, &a);
	}
	return fflush(stdout) ? complain("standard output is gone") : CLI_DONE;
}
