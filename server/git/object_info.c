/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes come from pack headers and the ends of delta chains. */
#include "git/object_info.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "git/fetch_request.h"
#include "git/objects.h"
#include "git/oid_set.h"
#include "git/upload_session.h"

#include <inttypes.h>
#include <stdlib.h>

struct question {
	bool wants_size;
	struct oid_set ids;
};

static void question_fini(struct question *q)
{
	oid_set_fini(&q->ids);
}

static int take_argument(struct upload *u, struct question *q, struct span line,
			 struct err *e)
{
	char text[UPLOAD_SHOWN_MAX];
	struct span rest = line;
	struct oid id;

	if (span_is(line, "size")) {
		q->wants_size = true;
		return 0;
	}
	if (!span_skip(&rest, "oid "))
		return err_set(e, ERR_MALFORMED,
			       "object-info: unexpected line: '%s'",
			       upload_shown(line, text));
	if (!oid_parse(rest, objects_kind(u->objects), &id))
		return err_set(e, ERR_MALFORMED,
			       "object-info: protocol error, expected to get "
			       "oid, not '%s'",
			       upload_shown(rest, text));
	if (q->ids.n >= u->limits.wants)
		return err_set(e, ERR_LIMIT,
			       "more than %" PRIu32 " oid lines in one request",
			       u->limits.wants);
	return oid_set_add(&q->ids, &id, e) < 0 ? -1 : 0;
}

static int read_arguments(struct upload *u, struct question *q, struct err *e)
{
	struct pkt pkt;

	for (;;) {
		if (upload_read(u, &pkt, e) < 0)
			return -1;
		if (pkt.kind != PKT_DATA)
			break;
		if (take_argument(u, q, pkt.data, e) < 0)
			return -1;
	}
	if (pkt.kind != PKT_FLUSH)
		return err_set(e, ERR_MALFORMED,
			       "object-info: expected flush after arguments");
	return 0;
}

static int answer(struct upload *u, const struct oid *id, bool wants_size,
		  bool may_see, struct err *e)
{
	char hex[OID_MAX_HEX + 1];
	enum object_type type;
	uint64_t size;
	int found;

	oid_hex(id, hex);
	if (!wants_size) {
		upload_addf(u, "%s", hex);
		return 0;
	}
	found = may_see ? object_glance(&u->glance, id, e) : 0;
	if (found < 0)
		return -1;
	if (!found) {
		upload_addf(u, "%s ", hex);
		return 0;
	}
	if (object_info(u->reader, id, &type, &size, e) < 0)
		return -1;
	upload_addf(u, "%s %" PRIu64, hex, size);
	return 0;
}

int object_info_serve(struct upload *u, struct err *e)
{
	CLEANUP(question_fini) struct question q = { 0 };
	CLEANUP(freep) bool *may_see = NULL;

	if (read_arguments(u, &q, e) < 0)
		return -1;
	may_see = calloc(q.ids.n + 1, sizeof *may_see);
	if (!may_see)
		return err_nomem(e);
	if (q.wants_size && fetch_request_may_see(u, &q.ids, may_see, e) < 0)
		return -1;
	u->result->kind = "info";
	if (q.ids.n && q.wants_size)
		upload_addf(u, "size");
	for (size_t i = 0; i < q.ids.n; i++) {
		if (answer(u, &q.ids.items[i], q.wants_size, may_see[i], e) < 0)
			return -1;
		if (u->out.len > UPLOAD_OUT_MAX && upload_flush(u, e) < 0)
			return -1;
	}
	pkt_add_flush(&u->out);
	return 0;
}
