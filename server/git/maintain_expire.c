/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects nothing leads to, and since when that is known.
 *
 * The time of an unreachable object is when it was first found so, and stands
 * in the cruft pack's .mtimes file; one that is loose or in an ordinary pack,
 * too, was written again or has just become unreachable: its time begins now.
 * So nothing goes that was reachable less than the grace period ago, however
 * old it is.
 * Format: gitformat-pack(5), .mtimes version 1.
 */
#include "git/maintain_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "base/span.h"
#include "git/maintain_roots.h"
#include "git/objects_view.h"
#include "git/pack_plan.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MTIMES_HEADER	12
#define MTIMES_TRAILERS (2 * OID_SHA1_SIZE)
#define TICK_OBJECTS	4096
#define BEGINS_NOW	UINT32_MAX
#define LOCK_TRIES	50
#define LOCK_PAUSE_NS	10000000L

DEFINE_PUTP(snapshot)
DEFINE_FREEP(pack_plan)

static int plan_tick(void *arg, const char *stage, uint64_t done,
		     uint64_t total, struct err *e)
{
	(void)stage;
	(void)done;
	(void)total;
	return maintain_tick(arg, e);
}

/* Everything that is reachable in `s`, as what a clone of all of it gets. */
static struct pack_plan *closure_of(struct maintain *m, struct snapshot *s,
				    struct err *e)
{
	CLEANUP(oid_set_fini) struct oid_set roots = { 0 };
	struct pack_request request = { .has_ofs_delta = true };
	const struct pack_progress progress = { plan_tick, m };

	if (maintain_roots(s, &roots, e) < 0)
		return NULL;
	request.wants = roots.items;
	request.n_wants = roots.n;
	return pack_plan_new(s, &request, &progress, e);
}

static int is_in(struct pack_plan *plan, const struct oid *id)
{
	struct err ignored;
	uint32_t number;
	int found = object_numbers_find(&plan->numbers, id, &number, &ignored);

	/* What cannot be found out is kept. */
	return found < 0 || (found > 0 && object_set_has(&plan->send, number));
}

bool maintain_is_reachable(struct maintain *m, const struct oid *id)
{
	return !m->reachable || is_in(m->reachable, id);
}

/* -- times ----------------------------------------------------------------- */

static uint32_t *time_slot(const struct maintain *m, const struct oid *id)
{
	struct object_at at;

	if (!objects_find_packed(m->objects, id, 0, &at))
		return NULL;
	return &m->times[objects_number(m->objects, &at)];
}

uint32_t maintain_time_of(struct maintain *m, const struct oid *id)
{
	const uint32_t *time = time_slot(m, id);

	return !time || *time == BEGINS_NOW ? (uint32_t)m->now : *time;
}

/* The file of a cruft pack, by position; 0 and an empty map where it cannot be
 * used. */
static int times_open(const struct old_pack *p, struct file_map *out,
		      struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	size_t n = MTIMES_HEADER + 4 * (size_t)p->count + MTIMES_TRAILERS;

	*out = (struct file_map){ NULL, 0 };
	if (!p->is_cruft)
		return 0;
	if (asprintf(&path, "%s.mtimes", p->stem) < 0) {
		path = NULL;
		return err_nomem(e);
	}
	if (file_map_open(path, out, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	if (out->len != n ||
	    memcmp(out->data, "MTME\0\0\0\1\0\0\0\1", MTIMES_HEADER) != 0)
		file_map_close(out);
	return 0;
}

static int no_slot(const struct old_pack *p, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the index of %s.pack is damaged",
		       p->stem);
}

static int note_time(uint32_t *slot, const struct file_map *times, uint32_t pos,
		     const struct old_pack *p, struct err *e)
{
	uint32_t time = BEGINS_NOW;

	if (!slot)
		return no_slot(p, e);
	if (times->len)
		time = load_u32be(times->data + MTIMES_HEADER +
				  4 * (size_t)pos);
	if (time > *slot)
		*slot = time ? time : 1;
	return 0;
}

/* What the pack holds that nothing leads to. */
static int note_pack(struct maintain *m, struct old_pack *p, struct err *e)
{
	const struct pack *pack = objects_pack(m->objects, p->number);
	struct file_map times;
	int result = 0;

	if (times_open(p, &times, e) < 0)
		return -1;
	for (uint32_t pos = 0; !result && pos < p->count; pos++) {
		struct oid id;

		if (pos % TICK_OBJECTS == 0)
			result = maintain_tick(m, e);
		pack_id(pack, pos, &id);
		if (maintain_is_reachable(m, &id))
			continue;
		p->n_unreachable++;
		result = note_time(time_slot(m, &id), &times, pos, p, e);
	}
	file_map_close(&times);
	return result;
}

/* git writes an object that only a cruft pack has once more, loose, before it
 * lets a ref lead there. */
static void note_loose(struct maintain *m)
{
	for (size_t i = 0; i < m->n_loose; i++) {
		uint32_t *slot = time_slot(m, &m->loose[i]);

		if (slot && !maintain_is_reachable(m, &m->loose[i]))
			*slot = BEGINS_NOW;
	}
}

static int add_expired(struct maintain *m, const struct oid *id, struct err *e)
{
	if (m->n_expired == m->cap_expired) {
		size_t cap = m->cap_expired ? 2 * m->cap_expired : 256;
		struct oid *grown =
			reallocarray(m->expired, cap, sizeof *grown);

		if (!grown)
			return err_nomem(e);
		m->expired = grown;
		m->cap_expired = cap;
	}
	m->expired[m->n_expired++] = *id;
	return 0;
}

/* Of a cruft pack: what has been there long enough. */
static int expire_pack(struct maintain *m, struct old_pack *p, struct err *e)
{
	const struct pack *pack = objects_pack(m->objects, p->number);

	for (uint32_t pos = 0; p->is_cruft && pos < p->count; pos++) {
		struct oid id;
		uint32_t *time;

		pack_id(pack, pos, &id);
		if (maintain_is_reachable(m, &id))
			continue;
		time = time_slot(m, &id);
		if (!time)
			return no_slot(p, e);
		if (*time == BEGINS_NOW ||
		    (*time && m->now - (int64_t)*time < m->options->grace_s))
			continue;
		p->has_expired = true;
		/* Twice where two cruft packs have it: it is 0 then. */
		if (*time && add_expired(m, &id, e) < 0)
			return -1;
		*time = 0;
	}
	return 0;
}

static void count_cruft(struct maintain *m)
{
	uint32_t n = objects_total(m->objects);

	for (uint32_t i = 0; i < n; i++)
		m->result->n_cruft += m->times[i] != 0;
	for (size_t i = 0; i < m->n_loose; i++)
		m->result->n_cruft += !time_slot(m, &m->loose[i]) &&
				      !maintain_is_reachable(m, &m->loose[i]);
}

static int fill_in(struct maintain *m, struct err *e)
{
	m->times =
		calloc((size_t)objects_total(m->objects) + 1, sizeof *m->times);
	if (!m->times)
		return err_nomem(e);
	for (size_t i = 0; i < m->n_packs; i++)
		if (note_pack(m, &m->packs[i], e) < 0)
			return -1;
	note_loose(m);
	for (size_t i = 0; i < m->n_packs; i++)
		if (expire_pack(m, &m->packs[i], e) < 0)
			return -1;
	count_cruft(m);
	return 0;
}

int maintain_reach(struct maintain *m, struct err *e)
{
	m->reachable = closure_of(m, m->snapshot, e);
	if (m->reachable)
		return fill_in(m, e);
	if (e->code == ERR_NOMEM || maintain_tick(m, e) < 0)
		return -1;
	snprintf(m->result->problem, sizeof m->result->problem, "%s",
		 e->message);
	return 0;
}

/* -- the last look --------------------------------------------------------- */

/* Pushes come and go: a moment without one is waited for, not for long. */
static int lock_alone(const struct maintain *m, struct err *e)
{
	const struct timespec pause = { 0, LOCK_PAUSE_NS };
	int fd = repo_lock_alone(m->git_dir, e);

	for (int i = 0; fd < 0 && e->code == ERR_CONFLICT && i < LOCK_TRIES;
	     i++) {
		if (maintain_tick(m, e) < 0)
			return -1;
		nanosleep(&pause, NULL);
		fd = repo_lock_alone(m->git_dir, e);
	}
	return fd;
}

int maintain_may_expire(struct maintain *m, struct err *e)
{
	CLEANUP(closep) int fd = lock_alone(m, e);
	CLEANUP(snapshot_putp) struct snapshot *s = NULL;
	CLEANUP(pack_plan_freep) struct pack_plan *now = NULL;

	if (fd < 0)
		return -1;
	s = repository_snapshot(m->repository, e);
	if (!s)
		return -1;
	now = closure_of(m, s, e);
	if (!now)
		return -1;
	for (size_t i = 0; i < m->n_expired; i++)
		if (is_in(now, &m->expired[i]))
			return err_set(e, ERR_CONFLICT,
				       "a ref leads there again");
	return take_fd(&fd);
}
