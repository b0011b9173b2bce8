/* SPDX-License-Identifier: Apache-2.0 */
/* What a pusher is told first: every ref that is not hidden, never a peeled
 * value, never HEAD; and where a shallow repository ends. */
#include "git/receive.h"

#include "base/cleanup.h"
#include "git/graph_shallow.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/repository.h"

#include <string.h>

/* Written out whenever it grows past this. */
#define OUT_MAX ((size_t)64 << 10)

struct advertisement {
	struct push *p;
	struct buf out;
	struct buf caps;
	bool has_caps; /* they have been sent */
};

static int out_flush(struct advertisement *a, size_t min, struct err *e)
{
	if (a->out.len < min)
		return 0;
	if (buf_check(&a->out, e) < 0 ||
	    stream_write(a->p->stream, a->out.data, a->out.len, e) < 0)
		return -1;
	buf_clear(&a->out);
	return 0;
}

static void line_add(struct advertisement *a, const struct oid *id,
		     const char *name)
{
	char hex[OID_MAX_HEX + 1];

	oid_hex(id, hex);
	if (a->has_caps) {
		pkt_addf(&a->out, "%s %s\n", hex, name);
		return;
	}
	pkt_addf(&a->out, "%s %s%c%s\n", hex, name, '\0', buf_str(&a->caps));
	a->has_caps = true;
}

static int refs_add(struct advertisement *a, struct err *e)
{
	const struct push *p = a->p;

	for (size_t i = 0; i < refs_count(p->refs); i++) {
		const struct ref *ref = refs_at(p->refs, i);

		if (ref_is_hidden(&p->config->receive_hide, ref->name))
			continue;
		line_add(a, &ref->id, ref->name);
		if (out_flush(a, OUT_MAX, e) < 0)
			return -1;
	}
	return 0;
}

static int shallow_add(struct advertisement *a, struct err *e)
{
	struct shallow_list list;
	char hex[OID_MAX_HEX + 1];

	if (shallow_read(&list, a->p->git_dir, a->p->kind) < 0)
		return err_nomem(e);
	for (size_t i = 0; i < list.n; i++)
		pkt_addf(&a->out, "shallow %s\n", oid_hex(&list.ids[i], hex));
	shallow_fini(&list);
	return 0;
}

static int all_add(struct advertisement *a, struct err *e)
{
	const struct push *p = a->p;
	const struct capability_context context = {
		.config = p->config,
		.session_id = p->options->session_id,
		.is_stateless = p->options->is_stateless,
	};
	struct oid none = oid_zero(p->kind);

	capabilities_add(&a->caps, RECEIVE_CAPABILITIES, &context);
	if (p->options->http_service_line) {
		pkt_addf(&a->out, "# service=git-receive-pack\n");
		pkt_add_flush(&a->out);
	}
	if (p->options->version == 1)
		pkt_addf(&a->out, "version 1\n");
	if (refs_add(a, e) < 0)
		return -1;
	if (!a->has_caps)
		line_add(a, &none, "capabilities^{}");
	if (shallow_add(a, e) < 0)
		return -1;
	pkt_add_flush(&a->out);
	if (out_flush(a, 0, e) < 0)
		return -1;
	return stream_flush(p->stream, e);
}

int push_advertise(struct push *p, struct err *e)
{
	struct advertisement a = { .p = p, .out = BUF_INIT, .caps = BUF_INIT };
	int result = all_add(&a, e);

	buf_fini(&a.out);
	buf_fini(&a.caps);
	return result;
}
