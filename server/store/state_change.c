/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One verb, start to end: take the lock, read what is on disk, compare, judge
 * the whole state as it would be, then write. Secrets are written before
 * state.conf, so that what it names is there; where state.conf cannot be
 * written they are put back.
 */
#include "store/state_change.h"

#include "base/err.h"
#include "store/state_verb.h"

#include <string.h>
#include <unistd.h>

/* -- what to say ---------------------------------------------------------- */

void change_result_fini(struct change_result *r)
{
	buf_fini(&r->text);
}

static int finish(struct change_result *out, enum change_outcome outcome)
{
	out->outcome = outcome;
	return 0;
}

static int say_declared(const struct verb *v, struct change_result *out)
{
	buf_addf(&out->text,
		 "%s \"%s\" is declared in %s:%u and can only be changed there",
		 state_kind_name(v->kind), v->name, v->object->file,
		 v->object->line);
	return finish(out, CHANGE_DECLARED);
}

/* -- writing -------------------------------------------------------------- */

/* Put back the secrets before overlay `n` as they were. */
static void undo_secrets(const struct verb *v, size_t n)
{
	struct err ignored;

	for (size_t i = 0; i < n; i++) {
		const struct verb_secret *s = &v->secrets[i];

		if (!s->was_there)
			unlink(s->path);
		else if (file_replace(s->path, s->before.data, s->before.len,
				      v->store->file_mode, &ignored) < 0)
			continue; /* the disk is past helping */
	}
}

static int write_secrets(const struct verb *v, size_t *n_out, struct err *e)
{
	for (*n_out = 0; *n_out < v->n_secrets; (*n_out)++) {
		const struct verb_secret *s = &v->secrets[*n_out];
		struct span bytes = s->bytes;

		if (s->is_removed)
			continue; /* once nothing names it any more */
		if (file_replace(s->path, bytes.data, bytes.len,
				 v->store->file_mode, e) < 0)
			return -1;
	}
	return 0;
}

static void remove_secrets(const struct verb *v)
{
	for (size_t i = 0; i < v->n_secrets; i++) {
		if (v->secrets[i].is_removed)
			unlink(v->secrets[i].path);
	}
}

/* All of it or nothing. */
static int write_all(const struct verb *v, struct err *e)
{
	size_t n;

	if (write_secrets(v, &n, e) < 0 ||
	    file_replace(v->store->conf_path, v->text.data, v->text.len,
			 v->store->file_mode, e) < 0) {
		undo_secrets(v, n);
		return -1;
	}
	remove_secrets(v);
	return 0;
}

/* -- judging -------------------------------------------------------------- */

/* The mistakes of the state as it would be, as one error. */
static int judge_mistakes(const struct load *l, struct err *e)
{
	mistakes_err(l->mistakes, e);
	if (l->has_conflict)
		e->code = ERR_CONFLICT;
	return -1;
}

/* Would the object log in, or is its public key another's? */
static int judge_object(const struct verb *v, const struct state *made,
			struct err *e)
{
	const struct state_object *o = state_object(made, v->kind, v->name);

	if (o && v->kind == STATE_KEY && o->problem)
		return err_set(e, ERR_CONFLICT, "%s", o->problem);
	return 0;
}

/* Compile everything as it would be, write, and put it in force. */
static int judge_and_write(struct verb *v, struct err *e)
{
	struct overlay overlays[VERB_SECRETS_MAX + 1];
	struct mistakes m = MISTAKES_INIT;
	struct state *made = NULL;
	struct load l = {
		.options = &v->store->options,
		.overlays = overlays,
		.default_must_exist = v->store->had_default,
		.mistakes = &m,
	};
	int result = -1;

	l.n_overlays = verb_overlays(v, overlays);
	made = load_run(&l);
	if (!made)
		judge_mistakes(&l, e);
	else if (!judge_object(v, made, e))
		result = write_all(v, e);
	if (!result) {
		holder_install(v->store, made, &l);
		v->store->is_stale = true; /* signatures are from before */
	} else {
		state_put(made);
	}
	load_fini(&l);
	mistakes_fini(&m);
	return result;
}

/* -- verbs ---------------------------------------------------------------- */

/* Read what is on disk now; a broken configuration takes no verb. */
static int read_again(struct verb *v, struct err *e)
{
	struct mistakes m = MISTAKES_INIT;
	int result = holder_load(v->store, &m, true) < 0 ? -1 : 0;

	if (result < 0) {
		mistakes_err(&m, e);
		err_wrap(e, "nothing can be changed before this is mended");
	}
	mistakes_fini(&m);
	if (!result)
		v->object = state_object(v->store->current, v->kind, v->name);
	return result;
}

static int change_locked(struct verb *v, const struct state_change *change,
			 struct change_result *out, struct err *e)
{
	bool differs;

	if (read_again(v, e) < 0)
		return -1;
	if (!v->object && change->mode == CHANGE_SET)
		return finish(out, CHANGE_ABSENT);
	differs = verb_compare(v, change, &out->text);
	if (v->object && !differs)
		return finish(out, CHANGE_SAME);
	if (v->object && v->object->is_declared) {
		buf_clear(&out->text);
		return say_declared(v, out);
	}
	if (v->object && change->mode == CHANGE_CREATE)
		return finish(out, CHANGE_DIFFERS);
	if (verb_compose(v, change, e) < 0 || judge_and_write(v, e) < 0)
		return -1;
	return finish(out, v->object ? CHANGE_DONE : CHANGE_CREATED);
}

static int delete_locked(struct verb *v, struct change_result *out,
			 struct err *e)
{
	if (read_again(v, e) < 0)
		return -1;
	if (!v->object)
		return finish(out, CHANGE_ABSENT);
	if (v->object->is_declared)
		return say_declared(v, out);
	if (verb_compose_delete(v, e) < 0 || judge_and_write(v, e) < 0)
		return -1;
	return finish(out, CHANGE_DONE);
}

/* Take both locks around one of the above; `change` NULL deletes. */
static int run(struct verb *v, const struct state_change *change,
	       struct change_result *out, struct err *e)
{
	CLEANUP(closep) int lock = -1;
	int result = -1;

	if (!v->store->options.data_dir)
		return err_set(e, ERR_DENIED, "there is no data directory");
	pthread_mutex_lock(&v->store->load_lock);
	lock = holder_lock(v->store, e);
	if (lock >= 0)
		result = change ? change_locked(v, change, out, e)
				: delete_locked(v, out, e);
	pthread_mutex_unlock(&v->store->load_lock);
	return result;
}

int state_change(struct state_store *s, const struct state_change *change,
		 struct change_result *out, struct err *e)
{
	CLEANUP(verb_fini)
	struct verb v = {
		.store = s,
		.kind = change->kind,
		.name = change->name,
	};

	verb_init(&v);
	buf_clear(&out->text);
	if (state_name_check(change->kind, change->name, e) < 0 ||
	    verb_judge(&v, change, e) < 0)
		return -1;
	return run(&v, change, out, e);
}

int state_delete(struct state_store *s, enum state_kind kind, const char *name,
		 struct change_result *out, struct err *e)
{
	CLEANUP(verb_fini)
	struct verb v = { .store = s, .kind = kind, .name = name };

	verb_init(&v);
	buf_clear(&out->text);
	if (state_name_check(kind, name, e) < 0)
		return -1;
	return run(&v, NULL, out, e);
}
