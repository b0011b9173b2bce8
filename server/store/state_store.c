/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading, again and again. A load that raced with a writer is repeated: what
 * was watched is looked at once more behind it. What is refused is remembered,
 * so that one mistake is reported once and not with every look.
 */
#include "store/state_holder.h"

#include "base/err.h"
#include "store/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOAD_TRIES	   4  /* against a writer that never rests */
#define LOCK_POLL_MS	   20 /* between two tries for the lock */
#define SECRET_RANDOM_SIZE 32 /* bytes of a hook's secret: 64 digits */

/* -- the file lock -------------------------------------------------------- */

int holder_lock(struct state_store *s, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	CLEANUP(closep) int fd = -1;

	fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		  s->file_mode);
	if (fd < 0)
		return err_errno(e, "opening %s", s->lock_path);
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(e, "locking %s", s->lock_path);
		if (waited >= STATE_LOCK_WAIT_MS)
			return err_set(e, ERR_TIMEOUT,
				       "another process holds %s; try again",
				       s->lock_path);
		nanosleep(&pause, NULL);
	}
	return take_fd(&fd);
}

/* -- secrets of hooks ----------------------------------------------------- */

void secret_random(char out[SECRET_TEXT_SIZE])
{
	unsigned char bytes[SECRET_RANDOM_SIZE];

	random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, sizeof bytes, out);
	explicit_bzero(bytes, sizeof bytes);
}

/* One that is not there, unless another daemon has made it meanwhile. */
static bool make_secret(struct state_store *s, const char *path)
{
	char text[SECRET_TEXT_SIZE];
	struct file_sig sig;
	struct err e;
	bool is_made;

	if (file_sig_take(path, false, &sig, &e) < 0 || sig.size > 0)
		return false;
	secret_random(text);
	is_made = !file_replace(path, text, strlen(text), s->file_mode, &e);
	explicit_bzero(text, sizeof text);
	return is_made;
}

/* Make what hooks lack. Where that is impossible (a read-only disk) the hook
 * keeps its problem and everything else works. */
static bool make_secrets(struct state_store *s, const struct load *l,
			 bool is_locked)
{
	CLEANUP(closep) int lock = -1;
	bool is_made = false;
	struct err e;

	if (!is_locked && (lock = holder_lock(s, &e)) < 0)
		return false;
	for (size_t i = 0; i < l->missing_secrets.n; i++)
		is_made |= make_secret(s, l->missing_secrets.items[i]);
	return is_made || lock >= 0;
}

/* -- loading -------------------------------------------------------------- */

static bool watches_hold(const struct watch *w, size_t n, bool may_be_racy)
{
	struct file_sig now;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		if (file_sig_take(w[i].path, false, &now, &e) < 0)
			now = (struct file_sig){ .size = -1 };
		if (!file_sig_eq(&now, &w[i].sig))
			return false;
		if (!may_be_racy && file_sig_racy(&w[i].sig))
			return false;
	}
	return true;
}

static void forget_watches(struct state_store *s)
{
	for (size_t i = 0; i < s->n_watches; i++)
		free(s->watches[i].path);
	free(s->watches);
	s->watches = NULL;
	s->n_watches = 0;
}

/* From now on, look at what this load looked at. */
static void keep_watches(struct state_store *s, struct load *l)
{
	forget_watches(s);
	s->watches = TAKE(l->watches);
	s->n_watches = l->n_watches;
	l->n_watches = 0;
	s->is_stale = false;
}

void holder_install(struct state_store *s, struct state *made,
		    const struct load *l)
{
	struct state *old;

	memcpy(s->content, l->content, sizeof s->content);
	s->had_default = l->found_default;
	s->was_refused = false;
	pthread_mutex_lock(&s->pointer_lock);
	old = s->current;
	s->current = made;
	pthread_mutex_unlock(&s->pointer_lock);
	state_put(old);
}

static void load_prepare(const struct state_store *s, struct load *l,
			 struct mistakes *m)
{
	*l = (struct load){
		.options = &s->options,
		.default_must_exist = s->had_default,
		.mistakes = m,
	};
}

/* A load that nobody wrote into meanwhile. */
static struct state *load_settled(struct state_store *s, struct load *l,
				  struct mistakes *m, bool is_locked)
{
	struct state *made;
	bool was_made = false;

	for (int i = 1;; i++) {
		load_prepare(s, l, m);
		made = load_run(l);
		if (i == LOAD_TRIES)
			return made;
		if (made && l->missing_secrets.n && !was_made)
			was_made = make_secrets(s, l, is_locked);
		else if (watches_hold(l->watches, l->n_watches, true))
			return made;
		state_put(made);
		load_fini(l);
		mistakes_fini(m);
	}
}

/* What to say of a load that was refused. */
static int refused(struct state_store *s, const struct load *l)
{
	bool is_known = s->was_refused &&
			!memcmp(s->refused, l->content, sizeof s->refused);

	memcpy(s->refused, l->content, sizeof s->refused);
	s->was_refused = true;
	return is_known ? 0 : -1;
}

int holder_load(struct state_store *s, struct mistakes *m, bool is_locked)
{
	struct mistakes found = MISTAKES_INIT;
	struct load l;
	struct state *made = load_settled(s, &l, &found, is_locked);
	int result = 1;

	keep_watches(s, &l);
	if (!made) {
		s->is_known_refusal = refused(s, &l) == 0;
		result = -1;
	} else if (s->current &&
		   !memcmp(s->content, l.content, sizeof s->content)) {
		/* Back to what is in force: news for who was refused. */
		result = s->was_refused;
		s->was_refused = false;
		state_put(made);
	} else {
		holder_install(s, made, &l);
	}
	load_fini(&l);
	mistakes_fini(m);
	*m = found;
	return result;
}

/* -- the store ------------------------------------------------------------ */

static void free_options(struct state_options *o)
{
	union {
		const char *const *in;
		char **out;
	} configs = { o->configs };
	union {
		const char *in;
		char *out;
	} data_dir = { o->data_dir }, fallback = { o->default_config };

	for (size_t i = 0; i < o->n_configs; i++)
		free(configs.out[i]);
	free(configs.out);
	free(data_dir.out);
	free(fallback.out);
}

/* A copy without slashes at its end. */
static char *copy_dir(const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strndup(dir, n);
}

static int copy_options(struct state_options *to,
			const struct state_options *from, struct err *e)
{
	char **configs = calloc(from->n_configs + 1, sizeof *configs);

	if (!configs)
		return err_nomem(e);
	to->hooks = from->hooks;
	to->configs = (const char *const *)configs;
	for (; to->n_configs < from->n_configs; to->n_configs++) {
		configs[to->n_configs] = strdup(from->configs[to->n_configs]);
		if (!configs[to->n_configs])
			return err_nomem(e);
	}
	if (from->default_config &&
	    !(to->default_config = strdup(from->default_config)))
		return err_nomem(e);
	if (from->data_dir && !(to->data_dir = copy_dir(from->data_dir)))
		return err_nomem(e);
	return 0;
}

static int name_paths(struct state_store *s, struct err *e)
{
	if (!s->options.data_dir)
		return 0;
	s->conf_path = path_join(s->options.data_dir, "state.conf");
	s->lock_path = path_join(s->options.data_dir, "run/state.lock");
	s->file_mode = file_mode_in(s->options.data_dir);
	return s->conf_path && s->lock_path ? 0 : err_nomem(e);
}

struct state_store *state_store_open(const struct state_options *options,
				     struct mistakes *m, struct err *e)
{
	CLEANUP(state_store_freep) struct state_store *s = NULL;

	s = calloc(1, sizeof *s);
	if (!s) {
		err_nomem(e);
		return NULL;
	}
	pthread_mutex_init(&s->pointer_lock, NULL);
	pthread_mutex_init(&s->load_lock, NULL);
	if (copy_options(&s->options, options, e) < 0 || name_paths(s, e) < 0)
		return NULL;
	if (state_store_reload(s, m) < 0) {
		mistakes_err(m, e);
		return NULL;
	}
	return TAKE(s);
}

struct state_store *state_store_free(struct state_store *s)
{
	if (!s)
		return NULL;
	state_put(s->current);
	forget_watches(s);
	free_options(&s->options);
	free(s->conf_path);
	free(s->lock_path);
	pthread_mutex_destroy(&s->pointer_lock);
	pthread_mutex_destroy(&s->load_lock);
	free(s);
	return NULL;
}

struct state *state_store_get(struct state_store *s)
{
	struct state *now;

	pthread_mutex_lock(&s->pointer_lock);
	now = state_get(s->current);
	pthread_mutex_unlock(&s->pointer_lock);
	return now;
}

int state_store_reload(struct state_store *s, struct mistakes *m)
{
	int result;

	pthread_mutex_lock(&s->load_lock);
	result = holder_load(s, m, false);
	pthread_mutex_unlock(&s->load_lock);
	return result;
}

int state_store_lock(struct state_store *s, struct err *e)
{
	if (!s->options.data_dir)
		return err_set(e, ERR_DENIED, "there is no data directory");
	return holder_lock(s, e);
}

bool state_store_is_refused(struct state_store *s)
{
	bool is_refused;

	pthread_mutex_lock(&s->load_lock);
	is_refused = s->was_refused;
	pthread_mutex_unlock(&s->load_lock);
	return is_refused;
}

int state_store_refresh(struct state_store *s, struct mistakes *m)
{
	int result = 0;

	pthread_mutex_lock(&s->load_lock);
	if (s->is_stale || !watches_hold(s->watches, s->n_watches, false))
		result = holder_load(s, m, false);
	if (result < 0 && s->is_known_refusal) {
		mistakes_fini(m);
		result = 0;
	}
	pthread_mutex_unlock(&s->load_lock);
	return result;
}
