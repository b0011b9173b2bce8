/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of pack_ingest share; nobody else includes this.
 *
 *   ingest_input    bytes in, the same bytes to the file, their hash and CRC
 *   ingest_inflate  one deflate stream out of the input
 *   ingest_entries  the first pass: every entry, in the order it comes
 *   ingest_table    what is known of every entry
 *   pack_resolve    the second pass: deltas
 *   ingest_thin     bases that only the repository has
 *   ingest_object   what is asked of every object
 *
 * Memory: 64 bytes for each entry that came (28 more for a REF_DELTA), objects
 * within `hold_max`. Nothing is allocated by a number the sender claims.
 */
#pragma once

#include "git/ingest_input.h"
#include "git/object.h"
#include "git/object_glance.h"
#include "git/pack_ingest.h"
#include "git/pack_write_index.h"

#include <zlib.h>

#define INGEST_NONE UINT32_MAX

/* Beside its struct pack_index_entry. Until a REF_DELTA is resolved, the id
 * there is its base's. */
struct ingest_node {
	uint64_t size;	 /* inflated, as the entry's head says */
	uint32_t next;	 /* sibling in the base's list of light children */
	uint32_t first;	 /* light children: OFS_DELTAs on this one */
	uint32_t heavy;	 /* the child with most descendants, visited last */
	uint32_t weight; /* OFS_DELTAs below, this one included */
	uint8_t stored;	 /* enum object_type in the pack */
	uint8_t type;	 /* of the object; OBJECT_NONE until resolved */
	uint8_t head_len;
	bool must_compare; /* large, and the repository has its id, too */
};

struct ingest_ref {
	unsigned char base[OID_SHA1_SIZE];
	uint32_t entry;
	/* These two count in the first of those with the same base. */
	bool is_taken;	 /* an object with that id has taken them all */
	bool is_missing; /* the repository has no such object */
};

struct pack_ingest {
	struct pack_ingest_options options;
	struct push_limits limits; /* with the defaults filled in */
	enum oid_kind kind;
	size_t hold_max; /* the largest object that is ever held */

	struct ingest_input in;
	z_stream zlib;
	bool has_zlib;
	unsigned char *hold; /* what was inflated last */
	size_t hold_cap;
	uint64_t inflated;     /* bytes of all objects so far */
	unsigned char *packed; /* an entry's bytes, read back */
	size_t packed_cap;
	struct libdeflate_decompressor *inflater;

	struct pack_index_entry *index;
	struct ingest_node *nodes;
	uint32_t n, cap;
	uint32_t n_deltas, n_resolved;
	struct ingest_ref *refs; /* sorted by base, then by position */
	uint32_t n_refs, cap_refs;

	struct object_reader *reader; /* of options.objects; NULL without */
	struct object_glance glance;  /* at the same */
	char *pack_path, *idx_path, *rev_path; /* in the quarantine */
	uint64_t end;			       /* where the trailer begins */
	unsigned char trailer[OID_SHA1_SIZE];
	char name[OID_MAX_HEX + 1];
	struct objects *view;
	struct pack *pack; /* in `view`, besides the repository's */
};

/* -- inflate -------------------------------------------------------------- */

/* The next stream, of `size` bytes, whole into p->hold. */
int ingest_inflate_hold(struct pack_ingest *p, uint64_t size,
			struct err *e) MUST_CHECK;
/* The next stream in pieces. */
int ingest_inflate_pieces(struct pack_ingest *p, uint64_t size,
			  void (*piece)(void *arg, const void *data, size_t n),
			  void *arg, struct err *e) MUST_CHECK;
/* Count what an object has cost; ERR_LIMIT. */
int ingest_count_inflated(struct pack_ingest *p, uint64_t n,
			  struct err *e) MUST_CHECK;
int ingest_reserve(unsigned char **data, size_t *cap, size_t need,
		   struct err *e) MUST_CHECK;

/* -- table ---------------------------------------------------------------- */

/* A new entry at `offset`; its number is p->n - 1 afterwards. */
int ingest_table_add(struct pack_ingest *p, uint64_t offset,
		     struct err *e) MUST_CHECK;
/* INGEST_NONE where no entry begins there. */
uint32_t ingest_table_at(const struct pack_ingest *p, uint64_t offset);
int ingest_table_add_ref(struct pack_ingest *p, uint32_t entry,
			 const unsigned char *base, struct err *e) MUST_CHECK;
/* Once all entries are there: children and the order of the refs. The base of
 * an OFS_DELTA is in its `next` until then. */
void ingest_table_link(struct pack_ingest *p);
/* Take the REF_DELTAs on `id` as [first, end) of p->refs; nobody gets them a
 * second time. first == end for none. */
void ingest_table_take_refs(struct pack_ingest *p, const unsigned char *id,
			    uint32_t *first_out, uint32_t *end_out);
/* The first of those with that base; p->n_refs for none. */
uint32_t ingest_table_first_ref(const struct pack_ingest *p,
				const unsigned char *base);
uint64_t ingest_table_end(const struct pack_ingest *p, uint32_t entry);
struct oid ingest_id(const struct pack_ingest *p, uint32_t entry);

/* -- passes --------------------------------------------------------------- */

int ingest_entries(struct pack_ingest *p, struct err *e) MUST_CHECK;

/* Resolve what leans on the objects that are there. */
int pack_resolve(struct pack_ingest *p, struct err *e) MUST_CHECK;
/* The same for what leans on `entry` alone, whose bytes are `data`: malloc'ed,
 * taken over in any case. */
int pack_resolve_family(struct pack_ingest *p, uint32_t entry,
			unsigned char *data, struct err *e) MUST_CHECK;

/* Append missing bases, make the head and the trailer right again. */
int ingest_thin(struct pack_ingest *p, struct err *e) MUST_CHECK;

/* -- objects -------------------------------------------------------------- */

/* An object in memory whose id was computed: judged, compared, recorded. */
int ingest_object(struct pack_ingest *p, uint32_t entry, enum object_type type,
		  struct span data, struct err *e) MUST_CHECK;
/* A blob that was not held. */
int ingest_large_blob(struct pack_ingest *p, uint32_t entry,
		      struct err *e) MUST_CHECK;
/* Inflate an entry that went through the first pass into `out`, which has the
 * node's size. */
int ingest_read_back(struct pack_ingest *p, uint32_t entry, unsigned char *out,
		     struct err *e) MUST_CHECK;
/* Compare the large blobs that the repository has, too. */
int ingest_compare_large(struct pack_ingest *p, struct err *e) MUST_CHECK;
int ingest_tick(struct pack_ingest *p, const char *stage, uint64_t done,
		uint64_t total, struct err *e) MUST_CHECK;
