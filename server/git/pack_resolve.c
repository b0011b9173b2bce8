/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pass: from each whole object down to what leans on it.
 *
 * Depth first with a stack of our own. A frame is a base that still has
 * children to be resolved; it goes when its last child begins, so a chain
 * without branches is walked with two objects in memory, however deep. Bases
 * that wait longer than memory allows are put into a file and read back, never
 * computed twice: the pass is linear in what the deltas produce.
 * A REF_DELTA is found by the id of an object once that is known, and only by
 * the first object with that id: deltas in a circle are never reached, and a
 * delta that rebuilds its own base ends there.
 */
#include "git/ingest.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/delta.h"

#include <fcntl.h>
#include <inttypes.h>

/* What may wait in the file, as a multiple of what may be held. */
#define SPILL_TIMES 16
#define TICK_DELTAS 1024
#define STACK_FIRST 16

struct frame {
	uint32_t entry;
	uint32_t depth;	       /* deltas between it and a whole object */
	uint32_t ref, ref_end; /* REF_DELTAs to do: p->refs[ref..ref_end) */
	uint32_t light, heavy; /* OFS_DELTAs to do, the heavy one last */
	unsigned char *data;   /* NULL: not read yet, or in the file */
	size_t size;
	uint64_t spilled_at; /* where in the file, if data is NULL there */
};

struct resolver {
	struct pack_ingest *p;
	struct frame *stack;
	size_t depth, cap;
	size_t n_spilled; /* the lowest frames, whose data is in the file */
	size_t held;	  /* bytes of data in frames */
	int spill_fd;
	uint64_t spill_end;
};

/* -- the stack ---------------------------------------------------------------
 */

static bool frame_has_child(const struct frame *f)
{
	return f->ref < f->ref_end || f->light != INGEST_NONE ||
	       f->heavy != INGEST_NONE;
}

static uint32_t frame_take_child(struct pack_ingest *p, struct frame *f)
{
	uint32_t child;

	if (f->ref < f->ref_end)
		return p->refs[f->ref++].entry;
	if (f->light != INGEST_NONE) {
		child = f->light;
		f->light = p->nodes[child].next;
		return child;
	}
	child = f->heavy;
	f->heavy = INGEST_NONE;
	return child;
}

static struct frame frame_of(struct pack_ingest *p, uint32_t entry,
			     uint32_t depth, unsigned char *data, size_t size)
{
	struct frame f = { .entry = entry,
			   .depth = depth,
			   .light = p->nodes[entry].first,
			   .heavy = p->nodes[entry].heavy,
			   .data = data,
			   .size = size };

	if (p->n_refs)
		ingest_table_take_refs(p, p->index[entry].id, &f.ref,
				       &f.ref_end);
	return f;
}

static int push(struct resolver *r, const struct frame *f, struct err *e)
{
	size_t cap = r->cap ? 2 * r->cap : STACK_FIRST;
	struct frame *grown;

	if (r->depth == r->cap) {
		grown = reallocarray(r->stack, cap, sizeof *grown);
		if (!grown)
			return err_nomem(e);
		r->stack = grown;
		r->cap = cap;
	}
	r->stack[r->depth++] = *f;
	if (f->data)
		r->held += f->size;
	return 0;
}

static void pop(struct resolver *r)
{
	struct frame *f = &r->stack[--r->depth];

	if (r->n_spilled > r->depth) {
		r->n_spilled = r->depth;
		r->spill_end = f->spilled_at;
	}
	if (f->data)
		r->held -= f->size;
	free(f->data);
}

static void resolver_fini(struct resolver *r)
{
	while (r->depth)
		pop(r);
	free(r->stack);
	closep(&r->spill_fd);
}

/* -- memory ------------------------------------------------------------------
 */

static int open_spill(struct resolver *r, struct err *e)
{
	CLEANUP(freep) char *path = NULL;

	path = path_join(r->p->options.quarantine_dir, "bases");
	if (!path)
		return err_nomem(e);
	r->spill_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r->spill_fd < 0)
		return err_errno(e, "%s", path);
	unlink(path);
	return 0;
}

static int spill(struct resolver *r, struct frame *f, struct err *e)
{
	const struct pack_ingest *p = r->p;

	if (r->spill_end + f->size > SPILL_TIMES * (uint64_t)p->hold_max)
		return err_set(
			e, ERR_LIMIT,
			"the deltas of the pack branch so that more than "
			"%" PRIu64 " bytes of bases have to wait",
			SPILL_TIMES * (uint64_t)p->hold_max);
	if (ingest_space(p->options.quarantine_dir, p->options.disk_reserve,
			 f->size, e) < 0)
		return -1;
	if (r->spill_fd < 0 && open_spill(r, e) < 0)
		return -1;
	if (lseek(r->spill_fd, (off_t)r->spill_end, SEEK_SET) < 0)
		return err_errno(e, "delta bases");
	if (fd_write_full(r->spill_fd, f->data, f->size, e) < 0)
		return err_wrap(e, "delta bases");
	f->spilled_at = r->spill_end;
	r->spill_end += f->size;
	r->held -= f->size;
	r->n_spilled++;
	free(f->data);
	f->data = NULL;
	return 0;
}

/* Let bases wait in the file, the ones needed last first, until `need` more
 * bytes may be held; the topmost stays. */
static int make_room(struct resolver *r, size_t need, struct err *e)
{
	while (r->held + need > 2 * r->p->hold_max &&
	       r->n_spilled + 1 < r->depth) {
		if (spill(r, &r->stack[r->n_spilled], e) < 0)
			return -1;
	}
	return 0;
}

static int unspill(struct resolver *r, struct frame *f, struct err *e)
{
	size_t done = 0;
	ssize_t n;

	while (done < f->size) {
		n = pread(r->spill_fd, f->data + done, f->size - done,
			  (off_t)(f->spilled_at + done));
		if (n < 0)
			return err_errno(e, "delta bases");
		if (!n)
			return err_set(e, ERR_IO, "delta bases became shorter");
		done += (size_t)n;
	}
	r->n_spilled--;
	r->spill_end = f->spilled_at;
	return 0;
}

/* The bytes of the topmost frame. */
static int load(struct resolver *r, struct frame *f, struct err *e)
{
	if (f->data)
		return 0;
	f->data = malloc(f->size ? f->size : 1);
	if (!f->data)
		return err_nomem(e);
	r->held += f->size;
	if (r->n_spilled == r->depth)
		return unspill(r, f, e);
	return ingest_read_back(r->p, f->entry, f->data, e);
}

/* -- deltas ------------------------------------------------------------------
 */

static int bad_delta(const struct pack_ingest *p, uint32_t entry, struct err *e)
{
	if (e->code == ERR_CORRUPT)
		e->code = ERR_MALFORMED;
	return err_wrap(e, "the pack entry at offset %" PRIu64,
			p->index[entry].offset);
}

/* Is a result of `size` bytes within all limits? */
static int check_result(struct resolver *r, const struct frame *base,
			uint32_t child, uint64_t size, struct err *e)
{
	struct pack_ingest *p = r->p;
	uint64_t delta_size = p->nodes[child].size;

	if (base->depth >= PACK_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "a chain of more than %d deltas",
			       PACK_DEPTH_MAX);
	if (size > p->limits.object_bytes)
		return err_set(e, ERR_LIMIT,
			       "an object of %" PRIu64
			       " bytes is more than the "
			       "%" PRIu64 " that one may have (object-size)",
			       size, p->limits.object_bytes);
	if (size > p->hold_max ||
	    base->size + size + delta_size > 2 * (uint64_t)p->hold_max)
		return err_set(e, ERR_LIMIT,
			       "a delta whose result has %" PRIu64
			       " bytes needs more memory than the indexer may "
			       "take",
			       size);
	if (ingest_count_inflated(p, size, e) < 0)
		return -1;
	return make_room(r, (size_t)(size + delta_size), e);
}

/* Rebuild `child` from the bytes of `base`; its bytes to `*out`. */
static int apply(struct resolver *r, const struct frame *base, uint32_t child,
		 struct span *out, struct err *e)
{
	struct pack_ingest *p = r->p;
	size_t n = (size_t)p->nodes[child].size;
	uint64_t base_size, size;
	unsigned char *result;
	struct span delta, rest;

	if (ingest_reserve(&p->hold, &p->hold_cap, n, e) < 0 ||
	    ingest_read_back(p, child, p->hold, e) < 0)
		return -1;
	delta = rest = span_of(p->hold, n);
	if (delta_header(&rest, &base_size, &size, e) < 0)
		return -1;
	if (base_size != base->size)
		return err_set(e, ERR_MALFORMED,
			       "a delta for a base of another size");
	if (check_result(r, base, child, size, e) < 0)
		return -1;
	result = malloc(size ? (size_t)size : 1);
	if (!result)
		return err_nomem(e);
	*out = span_of(result, (size_t)size);
	if (delta_apply(span_of(base->data, base->size), delta, result,
			(size_t)size, e) == 0)
		return 0;
	free(result);
	return -1;
}

static int resolve_child(struct resolver *r, struct frame *base, uint32_t child,
			 struct frame *out, struct err *e)
{
	struct pack_ingest *p = r->p;
	enum object_type type = (enum object_type)p->nodes[base->entry].type;
	struct span result;
	unsigned char *data;

	if (apply(r, base, child, &result, e) < 0)
		return bad_delta(p, child, e);
	memcpy(&data, &result.data, sizeof data);
	if (ingest_object(p, child, type, result, e) < 0) {
		free(data);
		return -1;
	}
	p->n_resolved++;
	*out = frame_of(p, child, base->depth + 1, data, result.len);
	if (p->n_resolved % TICK_DELTAS)
		return 0;
	if (ingest_tick(p, "Resolving deltas", p->n_resolved, p->n_deltas, e) ==
	    0)
		return 0;
	free(data);
	return -1;
}

static int run(struct resolver *r, struct err *e)
{
	struct frame *f, child;
	uint32_t entry;

	while (r->depth) {
		f = &r->stack[r->depth - 1];
		if (load(r, f, e) < 0)
			return -1;
		entry = frame_take_child(r->p, f);
		if (resolve_child(r, f, entry, &child, e) < 0)
			return -1;
		if (!frame_has_child(f))
			pop(r);
		if (!frame_has_child(&child)) {
			free(child.data);
		} else if (push(r, &child, e) < 0) {
			free(child.data);
			return -1;
		}
	}
	return 0;
}

int pack_resolve_family(struct pack_ingest *p, uint32_t entry,
			unsigned char *data, struct err *e)
{
	struct frame top =
		frame_of(p, entry, 0, data, (size_t)p->nodes[entry].size);
	struct resolver r = { .p = p, .spill_fd = -1 };
	int failed;

	if (!frame_has_child(&top)) {
		free(data);
		return 0;
	}
	if (p->nodes[entry].size > p->hold_max) {
		free(data);
		return err_set(e, ERR_LIMIT,
			       "a delta on an object of %" PRIu64
			       " bytes needs more memory than the indexer may "
			       "take",
			       p->nodes[entry].size);
	}
	failed = push(&r, &top, e);
	if (failed)
		free(data);
	else
		failed = run(&r, e);
	resolver_fini(&r);
	return failed;
}

int pack_resolve(struct pack_ingest *p, struct err *e)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->n_resolved == p->n_deltas)
			break;
		if (p->nodes[i].stored > OBJECT_TAG)
			continue;
		if (pack_resolve_family(p, i, NULL, e) < 0)
			return -1;
	}
	return 0;
}
