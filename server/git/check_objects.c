/* SPDX-License-Identifier: Apache-2.0 */
/* Packs as files, then every object in them, then the loose ones. */
#include "git/check_state.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "git/fsck.h"
#include "git/loose.h"
#include "git/object_hash.h"
#include "git/objects_view.h"

#include <stdio.h>
#include <string.h>

#define PIECE	     ((size_t)1 << 20)
#define TICK_OBJECTS 256

/* Below the repository, for people. */
static const char *short_path(const struct check *c, const char *path)
{
	size_t n = strlen(c->git_dir);

	return !strncmp(path, c->git_dir, n) && path[n] == '/' ? path + n + 1
							       : path;
}

/* The reader would take another copy of a damaged object; this does not. */
static int check_trailer(struct check *c, const struct pack *pack,
			 struct err *e)
{
	struct span rest = pack_bytes(pack), piece;
	struct digest *digest = digest_new(DIGEST_SHA1);
	unsigned char sum[SHA1_SIZE];
	size_t left = (size_t)pack_end(pack);
	int result = digest ? 0 : err_nomem(e);

	while (!result && left) {
		if (!span_take(&rest, left < PIECE ? left : PIECE, &piece))
			break;
		left -= piece.len;
		digest_update(digest, piece.data, piece.len);
		result = check_tick(c, e);
	}
	if (!result) {
		digest_final(digest, sum);
		if (left || !span_eq(rest, span_of(sum, sizeof sum)))
			check_tell(c, NULL, NULL,
				   short_path(c, pack_path(pack)),
				   "its checksum is wrong: the file is "
				   "damaged");
	}
	digest_free(digest);
	return result;
}

/* An object's bytes: are they what its id says, and in order? */
static int judge(struct check *c, const struct oid *id, const struct object *o,
		 struct err *e)
{
	struct span data = span_of(o->data, o->size);
	char hex[OID_MAX_HEX + 1], text[128];
	struct oid is;
	struct err why;

	if (object_hash_buffer(OID_SHA1, object_type_name(o->type), data.data,
			       data.len, &is, &why) < 0) {
		check_tell(c, id, NULL, NULL, why.message);
		return 0;
	}
	if (!oid_eq(&is, id)) {
		snprintf(text, sizeof text,
			 "its bytes are those of another one, %s",
			 oid_hex(&is, hex));
		check_tell(c, id, NULL, NULL, text);
		return 0;
	}
	if (fsck_object(c->fsck, id, o->type, data, &why) == 0)
		return 0;
	if (why.code != ERR_MALFORMED) {
		*e = why;
		return -1;
	}
	check_tell(c, id, NULL, NULL, why.message);
	return 0;
}

static int check_entry(struct check *c, uint32_t pack,
		       const struct pack_order *order, uint32_t rank,
		       struct err *e)
{
	CLEANUP(object_fini) struct object o = { 0 };
	struct object_at at = { pack, order->pos[rank], order->offset[rank] };
	struct pack *p = objects_pack(c->objects, pack);
	struct oid id;
	struct err why;

	pack_id(p, at.pos, &id);
	c->result->n_objects++;
	if (object_read_at(c->reader, &at, &id, OBJECT_SIZE_MAX, &o, &why) == 0)
		return judge(c, &id, &o, e);
	if (why.code == ERR_NOMEM) {
		*e = why;
		return -1;
	}
	check_tell(c, &id, NULL, short_path(c, pack_path(p)), why.message);
	return 0;
}

static int check_pack(struct check *c, uint32_t i, struct err *e)
{
	struct pack *pack = objects_pack(c->objects, i);
	const struct pack_order *order;
	struct err why;

	if (check_trailer(c, pack, e) < 0)
		return -1;
	order = pack_order(pack, &why);
	if (!order) {
		check_tell(c, NULL, NULL, short_path(c, pack_path(pack)),
			   why.message);
		return 0;
	}
	for (uint32_t rank = 0; rank < order->count; rank++) {
		if (rank % TICK_OBJECTS == 0 && check_tick(c, e) < 0)
			return -1;
		if (check_entry(c, i, order, rank, e) < 0)
			return -1;
	}
	return 0;
}

static int check_loose(void *arg, const struct oid *id, struct err *e)
{
	struct check *c = arg;
	CLEANUP(object_fini) struct object o = { 0 };
	struct err why;

	if (check_tick(c, e) < 0)
		return -1;
	c->result->n_objects++;
	if (loose_read(objects_dir(c->objects), id, OBJECT_SIZE_MAX, &o,
		       &why) == 0)
		return judge(c, id, &o, e);
	if (why.code == ERR_NOMEM) {
		*e = why;
		return -1;
	}
	if (why.code != ERR_NOT_FOUND) /* packed meanwhile */
		check_tell(c, id, NULL, NULL, why.message);
	return 0;
}

static void tell_warnings(struct check *c)
{
	struct span text = span_str(fsck_warnings(c->fsck)), line;

	while (span_until(&text, '\n', &line)) {
		char message[512];
		const struct check_problem p = { .message = message,
						 .is_warning = true };

		snprintf(message, sizeof message, "%.*s", (int)line.len,
			 (const char *)line.data);
		c->options->problem(c->options->arg, &p);
	}
}

int check_objects(struct check *c, struct err *e)
{
	struct err why;

	for (size_t i = 0; i < c->objects->n_broken; i++)
		check_tell(c, NULL, NULL,
			   short_path(c, c->objects->broken[i].path),
			   c->objects->broken[i].why.message);
	for (uint32_t i = 0; i < objects_pack_count(c->objects); i++)
		if (check_pack(c, i, e) < 0)
			return -1;
	if (loose_each(objects_dir(c->objects), check_loose, c, e) < 0)
		return -1;
	if (fsck_finish(c->fsck, c->reader, &why) < 0)
		check_tell(c, NULL, NULL, NULL, why.message);
	tell_warnings(c);
	return 0;
}
