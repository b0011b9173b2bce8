/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The refs of a snapshot as the pkt-lines clients read, rendered once and kept
 * with the refs: any listing is then a slice of memory.
 *
 * A listing depends on the refs and on what the config hides; each of its
 * styles is rendered when first asked for. HEAD is no part of it.
 * Ownership: a listing borrows the refs it was made of, which its user keeps.
 * Limits: one rendering is at most REF_LISTING_MAX bytes.
 * Threads: any.
 */
#pragma once

#include "base/attr.h"
#include "base/digest.h"
#include "git/oid.h"

struct config_list;
struct err;
struct ref_listing;
struct refs;

#define REF_LISTING_MAX ((size_t)2 << 30)

/* Bits that choose a style of version 2; REF_STYLE_V0 stands alone: each ref's
 * line and, for a tag, the line of what it peels to. */
#define REF_STYLE_PEEL	  1u
#define REF_STYLE_SYMREFS 2u
#define REF_STYLE_V0	  4u
#define N_REF_STYLES	  5u

/* The listing of `r` without what `hide` hides. NULL with `e` set. */
struct ref_listing *ref_listing_get(struct refs *r,
				    const struct config_list *hide,
				    struct err *e) MUST_CHECK;
struct ref_listing *ref_listing_put(struct ref_listing *l);

/* The lines of the refs from number `first` on, `end` excluded. */
int ref_listing_slice(struct ref_listing *l, unsigned style, size_t first,
		      size_t end, struct span *out, struct err *e) MUST_CHECK;

/* The number of the first ref that is shown; refs_count() where there is
 * none. */
size_t ref_listing_first(const struct ref_listing *l);

bool ref_listing_shows(const struct ref_listing *l, size_t ref);

/* True where a ref that is shown, or a HEAD that is, has exactly this id. */
bool ref_listing_is_tip(const struct ref_listing *l, const struct oid *id);

/* A digest of the annotated tags that are shown, with what they peel to:
 * include-tag makes a pack depend on them. */
const unsigned char *ref_listing_tags(struct ref_listing *l);
