/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 2: requests of a command, capabilities and arguments, one after the
 * other until the client sends a lone flush or hangs up; one only where the
 * transport is stateless.
 */
#include "base/err.h"
#include "git/capabilities.h"
#include "git/fetch_v2.h"
#include "git/ls_refs.h"
#include "git/object_info.h"
#include "git/repo_config.h"
#include "git/upload_session.h"

#include <inttypes.h>

struct command {
	const char *name;
	bool (*is_offered)(const struct upload *u);
	int (*serve)(struct upload *u, struct err *e);
};

static bool is_always_offered(const struct upload *u)
{
	(void)u;
	return true;
}

static bool object_info_is_offered(const struct upload *u)
{
	return u->config->advertise_object_info == CONFIG_TRUE;
}

static const struct command commands[] = {
	{ "ls-refs", is_always_offered, ls_refs_serve },
	{ "fetch", is_always_offered, fetch_v2_serve },
	{ "object-info", object_info_is_offered, object_info_serve },
};

static int refuse(struct err *e, const char *what, struct span text)
{
	char shown[UPLOAD_SHOWN_MAX];

	return err_set(e, ERR_MALFORMED, "%s '%s'", what,
		       upload_shown(text, shown));
}

/* The part of a request in front of its arguments. */
struct request {
	const struct command *command;
	bool has_keys;
};

static int take_command(struct upload *u, struct request *q, struct span name,
			struct err *e)
{
	if (q->command)
		return err_set(e, ERR_MALFORMED,
			       "command requested after already requesting "
			       "command '%s'",
			       q->command->name);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!span_is(name, commands[i].name) ||
		    !commands[i].is_offered(u))
			continue;
		q->command = &commands[i];
		return 0;
	}
	return refuse(e, "invalid command", name);
}

/* "NAME" or "NAME=VALUE". */
static bool take_name(struct span line, const char *name, struct span *value)
{
	if (!span_skip(&line, name))
		return false;
	if (line.len && !span_skip(&line, "="))
		return false;
	*value = line;
	return true;
}

static int take_key(struct upload *u, struct span line, struct err *e)
{
	struct span value;

	if (take_name(line, "agent", &value)) {
		agent_copy(value, u->result->agent, sizeof u->result->agent);
		return 0;
	}
	if (take_name(line, "object-format", &value))
		return object_format_check(value, e);
	if (take_name(line, "server-option", &value))
		return 0;
	if (u->config->advertise_sid && take_name(line, "session-id", &value))
		return 0;
	return refuse(e, "unknown capability", line);
}

static int take_line(struct upload *u, struct request *q, struct span line,
		     struct err *e)
{
	q->has_keys = true;
	if (span_skip(&line, "command="))
		return take_command(u, q, line, e);
	return take_key(u, line, e);
}

/* 1: a command is to be served; 0: the client is done; -1. */
static int read_request(struct upload *u, struct request *q, struct err *e)
{
	struct pkt pkt;

	for (;;) {
		if (upload_read(u, &pkt, e) < 0)
			return -1;
		if (pkt.kind != PKT_DATA)
			break;
		if (take_line(u, q, pkt.data, e) < 0)
			return -1;
	}
	if (pkt.kind == PKT_EOF && q->has_keys)
		return err_set(e, ERR_CLOSED,
			       "the client hung up inside its request");
	if (pkt.kind == PKT_EOF || (pkt.kind == PKT_FLUSH && !q->has_keys))
		return 0;
	if (pkt.kind == PKT_RESPONSE_END)
		return err_set(e, ERR_MALFORMED,
			       "unexpected response end packet");
	if (!q->command)
		return err_set(e, ERR_MALFORMED, "no command requested");
	u->flush_is_due = pkt.kind == PKT_FLUSH;
	return 1;
}

/* Nothing of another request came, or not even a whole length: the client has
 * what it wanted and went, if not politely. */
static bool has_left(const struct upload *u, uint32_t n_served,
		     const struct err *e)
{
	return n_served && e->code == ERR_CLOSED &&
	       u->in.n_lines == u->lines_before;
}

/* As read_request(), and the answer. */
static int serve_request(struct upload *u, struct err *e)
{
	struct request q = { 0 };
	int rc;

	u->lines_before = u->in.n_lines;
	u->has_sideband_all = false;
	u->error_band = SIDEBAND_NONE;
	rc = read_request(u, &q, e);
	if (rc <= 0)
		return rc;
	/* Not before: the log counts those of the last request there was. */
	u->result->n_haves = 0;
	if (q.command->serve(u, e) < 0)
		return -1;
	return upload_flush(u, e) < 0 ? -1 : 1;
}

static void advertise(struct upload *u)
{
	struct capability_context context;

	upload_capability_context(u, &context);
	capabilities_add_v2(&u->out, &context);
	u->result->kind = "list";
}

int upload_v2(struct upload *u, struct err *e)
{
	u->result->kind = "none";
	if (u->options->advertise_only || !u->options->is_stateless)
		advertise(u);
	if (u->options->advertise_only)
		return upload_flush(u, e);
	for (uint32_t n = 0;; n++) {
		int rc;

		if (n >= u->limits.commands)
			return err_set(e, ERR_LIMIT,
				       "more than %" PRIu32
				       " requests in one connection",
				       u->limits.commands);
		rc = serve_request(u, e);
		if (rc < 0 && has_left(u, n, e))
			return 0;
		if (rc <= 0)
			return rc;
		if (u->options->is_stateless)
			return 0;
	}
}
