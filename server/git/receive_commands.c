/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pusher asks for, up to its pack: shallow lines, commands, options.
 * What passes a limit is read to its end and not kept; the push fails then,
 * with words, where the client expects them.
 */
#include "git/receive.h"

#include "base/cleanup.h"
#include "git/oid.h"
#include "git/refs.h"
#include "git/repo_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMMANDS_DEFAULT     100000
#define PUSH_OPTIONS_DEFAULT 256
/* Names, options and shallow lines of one push, all together. */
#define TEXT_BYTES_MAX ((uint64_t)64 << 20)
/* Past so many lines not even the reading to the end goes on. */
#define LINES_MAX  4000000
#define REASON_MAX 400

void push_refuse(struct push_command *c, const char *format, ...)
{
	char text[REASON_MAX];
	va_list args;

	if (c->reason)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	c->reason = strdup(text);
	if (!c->reason)
		c->reason = strdup("?"); /* there is room for that */
}

void push_refuse_rest(struct push *p, const char *reason)
{
	for (size_t i = 0; i < p->n; i++)
		push_refuse(&p->commands[i], "%s", reason);
}

static int compare_commands(const void *a, const void *b)
{
	struct push_command *const *x = a, *const *y = b;
	int order = strcmp((*x)->ref, (*y)->ref);

	return order ? order : (*x > *y) - (*x < *y);
}

struct push_command *push_find(const struct push *p, const char *ref)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (strcmp(p->by_name[at]->ref, ref) < 0)
			low = at + 1;
		else
			high = at;
	}
	if (low == p->n || strcmp(p->by_name[low]->ref, ref))
		return NULL;
	return p->by_name[low];
}

static int not_the_protocol(struct span line, struct err *e)
{
	return err_set(e, ERR_MALFORMED,
		       "protocol error: expected old/new/ref, got '%.*s'",
		       line.len > 100 ? 100 : (int)line.len,
		       (const char *)line.data);
}

/* Count what is to be kept; false, and the push has failed, past the limit. */
static bool may_keep(struct push *p, size_t bytes)
{
	p->text_bytes += bytes;
	if (p->text_bytes > TEXT_BYTES_MAX && p->unpack.code == ERR_OK)
		err_set(&p->unpack, ERR_LIMIT,
			"the names and options of one push are more than "
			"64 MiB");
	return p->unpack.code == ERR_OK;
}

static int command_add(struct push *p, const struct push_command *command,
		       struct span name, struct err *e)
{
	uint32_t max = p->options->limits.commands;
	struct push_command *c, *grown;

	if (!max)
		max = COMMANDS_DEFAULT;
	if (p->n >= max && p->unpack.code == ERR_OK)
		err_set(&p->unpack, ERR_LIMIT,
			"more than %u refs in one push: push them in parts",
			max);
	if (!may_keep(p, name.len + sizeof *c))
		return 0;
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 8;
		grown = reallocarray(p->commands, p->room, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		p->commands = grown;
	}
	c = &p->commands[p->n];
	*c = *command;
	c->ref = strndup((const char *)name.data, name.len);
	if (!c->ref)
		return err_nomem(e);
	p->n++;
	return 0;
}

/* Those of the first command count. */
static int capabilities_take(struct push *p, struct span text, struct err *e)
{
	if (p->caps_text)
		return 0;
	p->caps_text = strndup((const char *)text.data, text.len);
	if (!p->caps_text)
		return err_nomem(e);
	capabilities_parse(span_str(p->caps_text), &p->caps);
	return 0;
}

static int command_parse(struct push *p, struct span line, struct err *e)
{
	struct push_command c = { 0 };
	struct span rest = line, name;

	if (!oid_take(&rest, p->kind, &c.old_id) || !span_skip(&rest, " ") ||
	    !oid_take(&rest, p->kind, &c.new_id) || !span_skip(&rest, " "))
		return not_the_protocol(line, e);
	if (!span_until(&rest, '\0', &name))
		name = rest;
	else if (capabilities_take(p, rest, e) < 0)
		return -1;
	if (!name.len)
		return not_the_protocol(line, e);
	return command_add(p, &c, name, e);
}

static int line_parse(struct push *p, struct span line, struct err *e)
{
	struct span rest = line;
	struct oid id;

	if (span_starts(line, "push-cert"))
		return err_set(e, ERR_MALFORMED,
			       "push certificates are not taken here");
	if (!span_skip(&rest, "shallow "))
		return command_parse(p, line, e);
	if (!oid_parse(rest, p->kind, &id))
		return err_set(e, ERR_MALFORMED,
			       "protocol error: expected shallow sha, got "
			       "'%.*s'",
			       rest.len > 100 ? 100 : (int)rest.len,
			       (const char *)rest.data);
	p->n_shallow++;
	if (!may_keep(p, sizeof id))
		return 0;
	return oid_set_add(&p->ends, &id, e) < 0 ? -1 : 0;
}

/* The next line: 1; 0 at the flush that ends the section, or where the client
 * went away before it said anything. */
static int line_read(struct push *p, struct pkt *pkt, struct err *e)
{
	if (p->in.n_lines > LINES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d lines in one push",
			       LINES_MAX);
	if (pkt_read(&p->in, pkt, e) < 0)
		return -1;
	switch (pkt->kind) {
	case PKT_DATA:
		return 1;
	case PKT_FLUSH:
		return 0;
	case PKT_EOF:
		if (!p->n && !p->n_shallow) {
			p->result->is_abandoned = true;
			return 0;
		}
		return err_set(e, ERR_CLOSED, "the push ends in the middle");
	default:
		return err_set(e, ERR_MALFORMED,
			       "protocol error: unexpected packet");
	}
}

static int option_add(struct push *p, struct span line, struct err *e)
{
	uint32_t max = p->options->limits.push_options;
	char **grown;

	if (!max)
		max = PUSH_OPTIONS_DEFAULT;
	if (memchr(line.data, '\0', line.len))
		return err_set(e, ERR_MALFORMED,
			       "protocol error: a push option holds a NUL");
	if (p->n_option_lines >= max && p->unpack.code == ERR_OK)
		err_set(&p->unpack, ERR_LIMIT, "more than %u push options",
			max);
	if (!may_keep(p, line.len))
		return 0;
	grown = reallocarray(p->option_lines, p->n_option_lines + 1,
			     sizeof *grown);
	if (!grown)
		return err_nomem(e);
	p->option_lines = grown;
	grown[p->n_option_lines] = strndup((const char *)line.data, line.len);
	if (!grown[p->n_option_lines])
		return err_nomem(e);
	p->n_option_lines++;
	return 0;
}

static int options_read(struct push *p, struct err *e)
{
	struct pkt pkt;
	int n;

	if (!capabilities_has(&p->caps, CAP_PUSH_OPTIONS) ||
	    !p->config->advertise_push_options)
		return 0;
	while ((n = line_read(p, &pkt, e)) > 0)
		if (option_add(p, pkt.data, e) < 0)
			return -1;
	p->option_list.items = (const char *const *)p->option_lines;
	p->option_list.n = p->n_option_lines;
	return n;
}

static int commands_sort(struct push *p, struct err *e)
{
	p->by_name = calloc(p->n + 1, sizeof(void *));
	if (!p->by_name)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++)
		p->by_name[i] = &p->commands[i];
	qsort(p->by_name, p->n, sizeof(void *), compare_commands);
	return 0;
}

int push_read_request(struct push *p, struct err *e)
{
	struct pkt pkt;
	int n;

	while ((n = line_read(p, &pkt, e)) > 0)
		if (line_parse(p, pkt.data, e) < 0)
			return -1;
	if (n < 0)
		return -1;
	if (capabilities_has(&p->caps, CAP_SIDE_BAND_64K))
		p->band = SIDEBAND_64K;
	agent_copy(p->caps.agent, p->result->agent, sizeof p->result->agent);
	if (!p->n)
		return 0;
	if (capabilities_has(&p->caps, CAP_OBJECT_FORMAT) &&
	    object_format_check(p->caps.object_format, e) < 0)
		return -1;
	if (options_read(p, e) < 0)
		return -1;
	return commands_sort(p, e);
}
