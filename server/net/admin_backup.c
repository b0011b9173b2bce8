/* SPDX-License-Identifier: Apache-2.0 */
/* The whole data directory, out and in. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/stream.h"
#include "net/admin_handlers.h"
#include "store/backup.h"

#include <stdlib.h>

static struct backup_place place_of(const struct admin_context *x)
{
	return (struct backup_place){ .data_dir = x->data_dir,
				      .repos = x->repos,
				      .states = x->states,
				      .quarantine_id = x->daemon_id };
}

/* The context outlives every answer. */
static int produce(void *arg, struct stream *s, struct err *e)
{
	const struct backup_place *p = arg;
	int rc = backup_write(p, s, e);

	if (rc < 0)
		log_error("admin.backup", "error", e->message, NULL);
	return rc;
}

void admin_backup(const struct admin_call *c, struct http_response *out)
{
	struct backup_place *p = malloc(sizeof *p);
	struct err e;

	if (!p) {
		err_nomem(&e);
		admin_refuse(out, &e, "backup", NULL);
		return;
	}
	*p = place_of(c->context);
	if (backup_check(p, &e) < 0) {
		free(p);
		admin_refuse(out, &e, "backup",
			     "repair or delete that repository: a backup that "
			     "leaves one out would be no backup");
		return;
	}
	http_response_produced(out, 200, "application/x-tar", produce, free, p);
}

void admin_restore(const struct admin_call *c, struct http_response *out)
{
	const struct admin_context *x = c->context;
	struct backup_place place = place_of(x);
	struct backup_counts n;
	struct stream_mem memory;
	struct stream_fd file;
	struct stream *in = &file.base;
	struct err e;

	if (c->request->body_fd >= 0) {
		stream_fd_init(&file, c->request->body_fd, -1);
	} else {
		stream_mem_init(&memory, c->request->body, NULL);
		in = &memory.base;
	}
	if (backup_restore(&place, in, &n, &e) < 0) {
		/* What was sent is too short, or damaged: not we. */
		if (e.code == ERR_CLOSED || e.code == ERR_CORRUPT)
			e.code = ERR_MALFORMED;
		admin_refuse(out, &e, "restore", NULL);
		return;
	}
	if (x->changed)
		x->changed(x->arg);
	admin_answer(out, 200,
		     json_pack("{s:I, s:I, s:I, s:b}", "repos",
			       (json_int_t)n.n_repos, "refs",
			       (json_int_t)n.n_refs, "objects",
			       (json_int_t)n.n_objects, "host_key",
			       n.has_host_key));
}
