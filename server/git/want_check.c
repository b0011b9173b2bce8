/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have what. Tips are answered by comparison; only what is no tip
 * costs a look at the graph. An object that is there and may not be had is
 * refused in the same words as one that is not there.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "git/fetch_request.h"
#include "git/objects.h"
#include "git/reach.h"
#include "git/ref_listing.h"
#include "git/refs.h"
#include "git/repo_config.h"
#include "git/upload_session.h"

static int refuse(struct err *e, const struct oid *id)
{
	char hex[OID_MAX_HEX + 1];

	return err_set(e, ERR_DENIED, "upload-pack: not our ref %s",
		       oid_hex(id, hex));
}

static bool is_visible(void *arg, const char *ref_name)
{
	const struct upload *u = arg;

	return !ref_is_hidden(&u->config->upload_hide, ref_name);
}

/* With these keys git lets the tips of hidden refs be wanted; the doors, which
 * judge by what is visible, do not. */
static bool hidden_tips_count(const struct upload *u)
{
	return !u->options->refuse_unreachable &&
	       (u->config->allow_tip_sha1 || u->config->allow_reachable_sha1);
}

static bool is_tip(const struct upload *u, const struct oid *id)
{
	return ref_listing_is_tip(u->listing, id) ||
	       (hidden_tips_count(u) && refs_is_tip(u->refs, id));
}

/* Versions 0 and 1 without our own, stricter rule: only commits can be shown to
 * be reachable, and over a pipe only by a key. Over HTTP the refs may have
 * moved since they were advertised. */
static bool may_be_reachable(struct upload *u, const struct oid *id)
{
	enum object_type type;
	uint64_t size;
	struct err e;

	if (u->options->version != 2 && !u->options->is_stateless &&
	    !u->config->allow_reachable_sha1)
		return false;
	if (u->options->refuse_unreachable)
		return true;
	return !object_info(u->reader, id, &type, &size, &e) &&
	       type == OBJECT_COMMIT;
}

static bool hides_nothing(void *arg, const char *ref_name)
{
	(void)arg;
	(void)ref_name;
	return true;
}

static int reach(struct upload *u, const struct oid_set *ids,
		 struct oid *missing_out, struct err *e)
{
	if (!ids->n)
		return 1;
	return reach_check(u->snapshot, ids->items, ids->n,
			   hidden_tips_count(u) ? hides_nothing : is_visible, u,
			   missing_out, e);
}

/* True where every object that is there may be had. */
static bool everything_goes(const struct upload *u)
{
	return u->config->allow_any_sha1 ||
	       (u->options->version == 2 && !u->options->refuse_unreachable);
}

int fetch_request_authorize(struct upload *u, const struct fetch_request *q,
			    struct err *e)
{
	CLEANUP(oid_set_fini) struct oid_set others = { 0 };
	struct oid missing = { 0 };
	int rc;

	if (everything_goes(u))
		return 0;
	for (size_t i = 0; i < q->wants.n; i++) {
		const struct oid *id = &q->wants.items[i];

		if (is_tip(u, id))
			continue;
		if (!may_be_reachable(u, id))
			return refuse(e, id);
		if (oid_set_add(&others, id, e) < 0)
			return -1;
	}
	rc = reach(u, &others, &missing, e);
	if (rc < 0)
		return -1;
	return rc ? 0 : refuse(e, &missing);
}

int fetch_request_may_see(struct upload *u, const struct oid_set *ids,
			  bool *may_out, struct err *e)
{
	if (!u->options->refuse_unreachable || everything_goes(u)) {
		for (size_t i = 0; i < ids->n; i++)
			may_out[i] = true;
		return 0;
	}
	return reach_check_each(u->snapshot, ids->items, ids->n, is_visible, u,
				may_out, e);
}
