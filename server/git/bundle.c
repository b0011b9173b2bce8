/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing is a header and a pack of everything. Reading takes a push's way:
 * quarantine, checks, publication, one ref transaction.
 */
#include "git/bundle.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/bundle_header.h"
#include "git/connectivity.h"
#include "git/fsck.h"
#include "git/object.h"
#include "git/pack_emit.h"
#include "git/pack_ingest.h"
#include "git/pktline.h"
#include "git/ref_transaction.h"
#include "git/refs.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <stdlib.h>
#include <string.h>

DEFINE_FREEP(pack_plan)
DEFINE_FREEP(pack_ingest)
DEFINE_FREEP(fsck)
DEFINE_FREEP(object_reader)
DEFINE_PUTP(snapshot)
DEFINE_PUTP(objects)

#define READER_CACHE ((size_t)1 << 20)

/* -- writing -------------------------------------------------------------- */

static void add_ref(struct buf *header, const struct oid *id, const char *name)
{
	char hex[OID_MAX_HEX + 1];

	buf_addf(header, "%s %s\n", oid_hex(id, hex), name);
}

static int write_piece(void *arg, struct span piece, struct err *e)
{
	return stream_write(arg, piece.data, piece.len, e);
}

int bundle_write(struct snapshot *s, struct stream *out, struct err *e)
{
	CLEANUP(pack_plan_freep) struct pack_plan *plan = NULL;
	CLEANUP(buf_fini) struct buf header = BUF_INIT;
	CLEANUP(freep) struct oid *wants = NULL;
	struct refs *refs = snapshot_refs(s);
	const struct head *head = refs_head(refs);
	struct pack_request request = { .has_ofs_delta = true };
	size_t n = refs_count(refs);

	if (!n)
		return err_set(e, ERR_NOT_FOUND,
			       "the repository is empty: there is nothing to "
			       "write");
	wants = calloc(n + 1, sizeof *wants);
	if (!wants)
		return err_nomem(e);
	buf_adds(&header, BUNDLE_V2 "\n");
	if (head->id.len) {
		wants[request.n_wants++] = head->id;
		add_ref(&header, &head->id, "HEAD");
	}
	for (size_t i = 0; i < n; i++) {
		const struct ref *ref = refs_at(refs, i);

		wants[request.n_wants++] = ref->id;
		add_ref(&header, &ref->id, ref->name);
	}
	buf_addc(&header, '\n');
	request.wants = wants;
	plan = pack_plan_new(s, &request, NULL, e);
	if (!plan || buf_check(&header, e) < 0 ||
	    stream_write(out, header.data, header.len, e) < 0 ||
	    pack_emit(plan, write_piece, out, e) < 0)
		return -1;
	return stream_flush(out, e);
}

/* -- reading -------------------------------------------------------------- */

struct import {
	int lock; /* as a push's; -1 */
	struct repository *repository;
	struct snapshot *snapshot;
	const struct bundle_options *options;
	struct bundle_header header;
	char *quarantine;
	struct pack_ingest *ingest;
};

static void import_fini(struct import *m)
{
	struct err ignored;

	pack_ingest_free(m->ingest);
	if (m->quarantine && dir_remove(m->quarantine, &ignored) < 0)
		ignored.code = ERR_OK; /* the next start's sweep has it */
	free(m->quarantine);
	bundle_header_fini(&m->header);
	snapshot_put(m->snapshot);
	closep(&m->lock);
}

static int make_quarantine(struct import *m, struct err *e)
{
	if (asprintf(&m->quarantine, "%s/incoming-%s-XXXXXX",
		     objects_dir(snapshot_objects(m->snapshot)),
		     m->options->quarantine_id) < 0) {
		m->quarantine = NULL;
		return err_nomem(e);
	}
	if (!dir_make_temp(m->quarantine, e))
		return 0;
	free(m->quarantine);
	m->quarantine = NULL;
	return -1;
}

static ssize_t read_raw(void *arg, void *data, size_t n, struct err *e)
{
	return bundle_read_rest(arg, data, n, e);
}

static int ingest(struct import *m, struct bundle_reader *in, struct err *e)
{
	const struct repo_config *config = snapshot_config(m->snapshot);
	CLEANUP(fsck_freep) struct fsck *fsck = NULL;
	CLEANUP(object_reader_freep) struct object_reader *reader = NULL;
	CLEANUP(objects_putp) struct objects *all = NULL;
	struct pack_ingest_options options = {
		.objects = snapshot_objects(m->snapshot),
		.quarantine_dir = m->quarantine,
		.limits = m->options->limits,
		.disk_reserve = m->options->disk_reserve,
	};

	fsck = fsck_new(OID_SHA1, &config->fsck_levels,
			repository_dir(m->repository), true, e);
	if (!fsck)
		return -1;
	if (config->fsck_objects != CONFIG_FALSE && !m->options->skip_fsck)
		options.fsck = fsck;
	m->ingest = pack_ingest_run(&options, read_raw, in, e);
	if (!m->ingest)
		return -1;
	all = pack_ingest_objects(m->ingest, e);
	reader = all ? object_reader_new(all, READER_CACHE, e) : NULL;
	if (!reader)
		return -1;
	return options.fsck ? fsck_finish(fsck, reader, e) : 0;
}

static int check_connected(struct import *m, struct err *e)
{
	CLEANUP(objects_putp)
	struct objects *all = pack_ingest_objects(m->ingest, e);
	size_t n = m->header.n_refs;
	CLEANUP(freep) struct oid *tips = calloc(n, sizeof *tips);
	CLEANUP(freep) bool *connected = calloc(n, sizeof *connected);
	const struct connectivity_question question = {
		.snapshot = m->snapshot,
		.objects = all,
	};
	struct oid missing;
	char hex[OID_MAX_HEX + 1];

	if (!all)
		return -1;
	if (!tips || !connected)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		tips[i] = m->header.refs[i].id;
	if (connectivity_check(&question, tips, n, connected, &missing, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!connected[i])
			return err_set(e, ERR_MALFORMED,
				       "%s lacks objects, %s for one",
				       m->header.refs[i].name,
				       oid_hex(&missing, hex));
	return 0;
}

static int move_refs(struct import *m, struct err *e)
{
	size_t n = m->header.n_refs;
	CLEANUP(freep) struct ref_change *changes = calloc(n, sizeof *changes);
	CLEANUP(freep) struct err *errors = calloc(n, sizeof *errors);
	struct ref_transaction *t;

	if (!changes || !errors)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		changes[i] = (struct ref_change){
			.name = m->header.refs[i].name,
			.old_id = oid_zero(OID_SHA1),
			.new_id = m->header.refs[i].id,
			.error = &errors[i],
		};
	t = ref_transaction_begin(repository_dir(m->repository), OID_SHA1,
				  changes, n, true, e);
	if (!t)
		return -1;
	if (ref_transaction_commit(t, e) < 0)
		return -1;
	if (m->header.head_branch)
		return ref_set_head(repository_dir(m->repository),
				    m->header.head_branch, e);
	return 0;
}

int bundle_import(struct repository *r, struct stream *in,
		  const struct bundle_options *options,
		  struct bundle_result *out, struct err *e)
{
	CLEANUP(import_fini)
	struct import m = { .lock = -1, .repository = r, .options = options };
	CLEANUP(bundle_reader_fini) struct bundle_reader reader;

	bundle_reader_init(&reader, in);
	m.lock = repo_lock_pushes(repository_dir(r), e);
	if (m.lock < 0)
		return -1;
	m.snapshot = repository_snapshot(r, e);
	if (!m.snapshot)
		return -1;
	if (refs_count(snapshot_refs(m.snapshot)))
		return err_set(e, ERR_CONFLICT,
			       "the repository has refs already: a seed is "
			       "only used for an empty one");
	if (bundle_header_read(&reader, &m.header, e) < 0)
		return -1;
	if (make_quarantine(&m, e) < 0 || ingest(&m, &reader, e) < 0 ||
	    check_connected(&m, e) < 0)
		return err_wrap(e, "the bundle");
	if (pack_ingest_publish(m.ingest,
				objects_dir(snapshot_objects(m.snapshot)),
				e) < 0 ||
	    move_refs(&m, e) < 0)
		return -1;
	out->n_refs = (uint32_t)m.header.n_refs;
	out->n_objects = pack_ingest_count(m.ingest);
	return 0;
}
