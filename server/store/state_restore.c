/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole state.conf at once. It is judged as the verbs judge a change: what
 * would be refused at the next start is refused before a byte is written.
 */
#include "store/state_change.h"

#include "base/err.h"
#include "store/state_verb.h"

#include <stdlib.h>

int state_check_empty(const struct state *s, struct err *e)
{
	for (int kind = 0; kind < STATE_KINDS; kind++) {
		for (size_t i = 0; i < state_count(s, kind); i++) {
			const struct state_object *o =
				state_object_at(s, kind, i);

			if (!o->is_declared)
				return err_set(e, ERR_CONFLICT,
					       "'%s' is in state.conf: a "
					       "backup goes into an empty data "
					       "directory",
					       o->name);
		}
	}
	return 0;
}

/* What is in force now, from the disk. */
static int read_again(struct state_store *s, struct err *e)
{
	CLEANUP(mistakes_fini) struct mistakes m = MISTAKES_INIT;

	if (holder_load(s, &m, true) >= 0)
		return 0;
	mistakes_err(&m, e);
	return -1;
}

/* Would a start take it? */
static int judge(struct state_store *s, const struct overlay *overlays,
		 size_t n, struct err *e)
{
	CLEANUP(mistakes_fini) struct mistakes m = MISTAKES_INIT;
	struct load l = {
		.options = &s->options,
		.overlays = overlays,
		.n_overlays = n,
		.default_must_exist = s->had_default,
		.mistakes = &m,
	};
	struct state *made = load_run(&l);

	if (!made)
		mistakes_err(&m, e);
	load_fini(&l);
	state_put(made);
	return made ? 0 : err_wrap(e, "the backup's state would be refused");
}

static int restore_locked(struct state_store *s, const struct overlay *overlays,
			  size_t n, const struct state_writer *writer,
			  struct err *e)
{
	if (read_again(s, e) < 0)
		return err_wrap(e, "nothing can be restored before this is "
				   "mended");
	if (state_check_empty(s->current, e) < 0 ||
	    judge(s, overlays, n, e) < 0 || writer->write(writer->arg, e) < 0)
		return -1;
	s->is_stale = true;
	return read_again(s, e);
}

int state_restore(struct state_store *s, const struct state_file *files,
		  size_t n, const struct state_writer *writer, struct err *e)
{
	struct overlay *overlays = calloc(n ? n : 1, sizeof *overlays);
	bool has_all = overlays;
	int lock = -1, result = -1;

	for (size_t i = 0; has_all && i < n; i++) {
		overlays[i].bytes = files[i].bytes;
		overlays[i].path =
			path_join(s->options.data_dir, files[i].name);
		has_all = overlays[i].path;
	}
	pthread_mutex_lock(&s->load_lock);
	if (!has_all)
		err_nomem(e);
	else if ((lock = holder_lock(s, e)) >= 0)
		result = restore_locked(s, overlays, n, writer, e);
	closep(&lock);
	pthread_mutex_unlock(&s->load_lock);
	for (size_t i = 0; overlays && i < n; i++)
		free(overlays[i].path);
	free(overlays);
	return result;
}
