/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New packs for old: which are chosen, one pack of what is reachable, one of
 * what is not, and only when both are there the old ones go.
 */
#include "git/maintain_state.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"
#include "git/pack_geometry.h"
#include "git/pack_rewrite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A pack is copied for the sake of its unreachable objects where they are a
 * tenth of it, or it is small. */
#define UNREACHABLE_SHARE 10
#define SMALL_PACK	  65536

/* -- which ----------------------------------------------------------------- */

static bool is_plain(const struct old_pack *p)
{
	return !p->is_cruft;
}

static int choose_geometric(struct maintain *m, struct err *e)
{
	CLEANUP(freep)
	uint32_t *counts = calloc(m->n_packs + 1, sizeof *counts);
	size_t n = 0, split;

	if (!counts)
		return err_nomem(e);
	for (size_t i = 0; i < m->n_packs; i++)
		if (is_plain(&m->packs[i]))
			counts[n++] = m->packs[i].count;
	split = pack_geometry_split(counts, n);
	for (size_t i = 0; i < m->n_packs && split; i++) {
		if (!is_plain(&m->packs[i]))
			continue;
		m->packs[i].is_chosen = true;
		split--;
	}
	return 0;
}

static size_t count_chosen(const struct maintain *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_packs; i++)
		n += m->packs[i].is_chosen;
	return n;
}

static bool is_worth_it(const struct old_pack *p)
{
	return p->n_unreachable &&
	       (p->count <= SMALL_PACK ||
		p->n_unreachable >= p->count / UNREACHABLE_SHARE);
}

static void choose_all(struct maintain *m)
{
	size_t n_plain = 0;

	for (size_t i = 0; i < m->n_packs; i++)
		n_plain += is_plain(&m->packs[i]);
	for (size_t i = 0; i < m->n_packs; i++) {
		struct old_pack *p = &m->packs[i];

		if (is_plain(p) &&
		    (n_plain > 1 || p->n_unreachable || m->n_loose))
			p->is_chosen = true;
	}
}

/* A cruft pack is read again where something joins it or leaves it. */
static void choose_cruft(struct maintain *m)
{
	size_t n_cruft = 0;
	bool is_touched = m->n_loose > 0;

	for (size_t i = 0; i < m->n_packs; i++) {
		const struct old_pack *p = &m->packs[i];

		n_cruft += p->is_cruft;
		if (p->is_cruft)
			is_touched |=
				p->has_expired || p->n_unreachable < p->count;
		else
			is_touched |= p->is_chosen && p->n_unreachable;
	}
	for (size_t i = 0; i < m->n_packs; i++)
		if (m->packs[i].is_cruft && (is_touched || n_cruft > 1))
			m->packs[i].is_chosen = true;
}

static int choose(struct maintain *m, struct err *e)
{
	if (m->options->kind == MAINTAIN_ALL)
		choose_all(m);
	else if (choose_geometric(m, e) < 0)
		return -1;
	if (!m->reachable)
		return 0;
	for (size_t i = 0; i < m->n_packs; i++)
		if (is_plain(&m->packs[i]) && is_worth_it(&m->packs[i]))
			m->packs[i].is_chosen = true;
	choose_cruft(m);
	return 0;
}

/* -- copying --------------------------------------------------------------- */

static bool wants_reachable(void *arg, const struct oid *id)
{
	return maintain_is_reachable(arg, id);
}

static bool wants_cruft(void *arg, const struct oid *id)
{
	return !maintain_is_reachable(arg, id) && maintain_time_of(arg, id);
}

static uint32_t time_of(void *arg, const struct oid *id)
{
	return maintain_time_of(arg, id);
}

static int by_age(const void *a_, const void *b_)
{
	const struct old_pack *const *a = a_, *const *b = b_;

	if ((*a)->mtime_ns != (*b)->mtime_ns)
		return (*a)->mtime_ns < (*b)->mtime_ns ? -1 : 1;
	return strcmp((*a)->stem, (*b)->stem);
}

/* The chosen ones, oldest first: a later pack leans on an earlier one. */
static uint32_t *chosen_numbers(struct maintain *m, uint32_t *n_out)
{
	CLEANUP(freep)
	const struct old_pack **list = calloc(m->n_packs + 1, sizeof(void *));
	uint32_t *numbers = calloc(m->n_packs + 1, sizeof *numbers);
	uint32_t n = 0;

	for (size_t i = 0; list && i < m->n_packs; i++)
		if (m->packs[i].is_chosen)
			list[n++] = &m->packs[i];
	if (n)
		qsort(list, n, sizeof(void *), by_age);
	for (uint32_t i = 0; numbers && i < n; i++)
		numbers[i] = list[i]->number;
	*n_out = n;
	return list ? numbers : NULL;
}

/* The new pack is as old as the newest it is made of: the next one that is
 * made of it must know what came first. */
static int pass_age_on(struct maintain *m, const char *name, struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	int64_t newest = 0;
	struct timespec times[2];

	for (size_t i = 0; i < m->n_packs; i++)
		if (m->packs[i].is_chosen && !m->packs[i].is_cruft &&
		    m->packs[i].mtime_ns > newest)
			newest = m->packs[i].mtime_ns;
	if (!newest || m->n_loose)
		return 0;
	if (asprintf(&path, "%s/pack-%s.pack", m->pack_dir, name) < 0) {
		path = NULL;
		return err_nomem(e);
	}
	times[0] = times[1] =
		(struct timespec){ newest / 1000000000, newest % 1000000000 };
	return utimensat(AT_FDCWD, path, times, 0) < 0
		       ? err_errno(e, "%s", path)
		       : 0;
}

/* One new pack of what `w` picks; published before the next one is begun, for
 * both have the same names until then, which a sweep knows. */
static int renew(struct maintain *m, const struct pack_rewrite *w,
		 struct pack_rewritten *out, struct err *e)
{
	if (pack_rewrite(w, out, e) < 0)
		return -1;
	m->result->bytes += out->bytes;
	return pack_rewrite_publish(w, out, m->pack_dir, e);
}

static int replace(struct maintain *m, const uint32_t *numbers, uint32_t n,
		   struct err *e)
{
	struct pack_rewrite w = {
		.objects = m->objects,
		.packs = numbers,
		.n_packs = n,
		.loose = m->loose,
		.n_loose = m->n_loose,
		.is_wanted = m->reachable ? wants_reachable : NULL,
		.arg = m,
		.work_dir = m->work_dir,
		.prefix = "incoming",
		.tick = m->options->tick,
		.tick_arg = m->options->tick_arg,
	};
	struct pack_rewritten kept, unreachable = { .count = 0 };
	const char *names[2] = { kept.name, unreachable.name };

	if (renew(m, &w, &kept, e) < 0 ||
	    (kept.count && pass_age_on(m, kept.name, e) < 0))
		return -1;
	w.is_wanted = wants_cruft;
	w.time_of = time_of;
	if (m->reachable && renew(m, &w, &unreachable, e) < 0)
		return -1;
	m->result->n_loose = (uint32_t)m->n_loose;
	if (maintain_drop_packs(m, names, e) < 0)
		return -1;
	return maintain_drop_loose(m, e);
}

int maintain_packs(struct maintain *m, struct err *e)
{
	CLEANUP(freep) uint32_t *numbers = NULL;
	uint32_t n;

	if (choose(m, e) < 0)
		return -1;
	if (!count_chosen(m) && !m->n_loose)
		return 0;
	numbers = chosen_numbers(m, &n);
	if (!numbers)
		return err_nomem(e);
	return replace(m, numbers, n, e);
}
