/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a state is read from passes here: it is watched before it is
 * read, so that a change in between is seen later, and goes into one digest,
 * so that the same content read again is known to be the same.
 */
#include "store/state_build.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void load_watch(struct load *l, const char *path)
{
	struct watch *grown;
	struct err e;

	if (l->n_watches == l->watches_cap) {
		size_t cap = l->watches_cap ? l->watches_cap * 2 : 16;

		grown = reallocarray(l->watches, cap, sizeof *grown);
		if (!grown) {
			mistake_add(l->mistakes, path, 0, "out of memory");
			return;
		}
		l->watches = grown;
		l->watches_cap = cap;
	}
	grown = &l->watches[l->n_watches];
	*grown = (struct watch){ .path = strdup(path) };
	if (!grown->path) {
		mistake_add(l->mistakes, path, 0, "out of memory");
		return;
	}
	/* What cannot be looked at counts as not there: it is a mistake of
	 * whoever reads it. */
	if (file_sig_take(path, false, &grown->sig, &e) < 0)
		grown->sig = (struct file_sig){ .size = -1 };
	l->n_watches++;
}

/* Names end with a NUL and contents are counted: no two readings look alike. */
static void digest_add(struct load *l, const char *path, struct span content)
{
	unsigned char n[4];

	store_u32be(n, (uint32_t)content.len);
	digest_update(l->digest, path, strlen(path) + 1);
	digest_update(l->digest, n, sizeof n);
	digest_update(l->digest, content.data, content.len);
}

static const struct overlay *overlay_of(const struct load *l, const char *path)
{
	for (size_t i = 0; i < l->n_overlays; i++) {
		if (!strcmp(l->overlays[i].path, path))
			return &l->overlays[i];
	}
	return NULL;
}

int load_read(struct load *l, const char *path, size_t max, struct buf *b,
	      struct err *e)
{
	const struct overlay *o = overlay_of(l, path);
	size_t before = b->len;
	int result;

	load_watch(l, path);
	if (o && o->is_removed)
		result = err_set(e, ERR_NOT_FOUND, "%s is not there", path);
	else if (o && o->bytes.len > max)
		result = err_set(e, ERR_LIMIT, "%s is larger than %zu bytes",
				 path, max);
	else if (o)
		result = (buf_addspan(b, o->bytes), buf_check(b, e));
	else
		result = file_read(path, max, b, e);
	if (result < 0)
		digest_add(l, path, span_str(""));
	else
		digest_add(l, path, span_of(b->data + before, b->len - before));
	return result;
}

/* -- directories ---------------------------------------------------------- */

static int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_names(DIR *dir, bool (*is_wanted)(const char *), size_t max,
		     struct table *out, struct err *e)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		char *name;

		if (entry->d_name[0] == '.' || !is_wanted(entry->d_name))
			continue;
		if (out->n >= max)
			return err_set(e, ERR_LIMIT,
				       "more than %zu files in it", max);
		name = strdup(entry->d_name);
		if (name)
			table_add(out, name);
		if (!name || out->failed) {
			free(name);
			return err_nomem(e);
		}
	}
	return errno ? err_errno(e, "reading it") : 0;
}

int load_list(struct load *l, const char *dir, bool (*is_wanted)(const char *),
	      size_t max, struct table *out, struct err *e)
{
	CLEANUP(closedirp) DIR *d = NULL;

	load_watch(l, dir);
	d = opendir(dir);
	if (!d)
		return err_errno(e, "opening the directory");
	if (add_names(d, is_wanted, max, out, e) < 0)
		return -1;
	if (out->n)
		qsort(out->items, out->n, sizeof *out->items, text_order);
	return 0;
}

static void free_names(struct table *names)
{
	for (size_t i = 0; i < names->n; i++) {
		union {
			const void *in;
			void *out;
		} name = { names->items[i] };

		free(name.out);
	}
	table_fini(names);
}

/* -- configuration files -------------------------------------------------- */

static void parse_file(struct load *l, const char *path, struct span text)
{
	struct conf_file *f;

	if (l->files.n > STATE_FILES_MAX) {
		mistake_add(l->mistakes, path, 0,
			    "more than %d configuration files",
			    STATE_FILES_MAX);
		return;
	}
	f = conf_file_parse(path, text, l->mistakes);
	if (!f)
		return;
	table_add(&l->files, f);
	if (l->files.failed) {
		conf_file_free(f);
		mistake_add(l->mistakes, path, 0, "out of memory");
	}
}

/* False where it is not there, which is the caller's to judge. */
static bool read_file(struct load *l, const char *path)
{
	struct buf b = BUF_INIT;
	struct err e;

	if (!load_read(l, path, CONF_FILE_MAX, &b, &e))
		parse_file(l, path, buf_span(&b));
	else if (e.code != ERR_NOT_FOUND)
		mistake_add(l->mistakes, path, 0, "%s", e.message);
	else
		return false;
	buf_fini(&b);
	return true;
}

static bool is_conf(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".conf");
}

static void read_directory(struct load *l, const char *dir)
{
	struct table names = { 0 };
	struct err e;

	if (load_list(l, dir, is_conf, STATE_FILES_MAX, &names, &e) < 0)
		mistake_add(l->mistakes, dir, 0, "%s", e.message);
	for (size_t i = 0; i < names.n; i++) {
		CLEANUP(freep) char *path = path_join(dir, names.items[i]);

		if (!path)
			mistake_add(l->mistakes, dir, 0, "out of memory");
		else if (!read_file(l, path))
			mistake_add(l->mistakes, path, 0, "it is not there");
	}
	free_names(&names);
}

/* False where there is nothing of that name. */
static bool read_config(struct load *l, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		read_directory(l, path);
		return true;
	}
	return read_file(l, path);
}

/* state.conf, or an empty file in its place: it is always the first. */
static void read_own(struct load *l)
{
	const char *dir = l->options->data_dir;
	CLEANUP(freep) char *path = dir ? path_join(dir, "state.conf") : NULL;

	if (!path || !read_file(l, path))
		parse_file(l, path ? path : "state.conf", span_str(""));
}

void load_files(struct load *l)
{
	const struct state_options *o = l->options;

	read_own(l);
	for (size_t i = 0; i < o->n_configs; i++) {
		if (!read_config(l, o->configs[i]))
			mistake_add(l->mistakes, o->configs[i], 0,
				    "there is no such file or directory");
	}
	if (o->n_configs || !o->default_config)
		return;
	l->found_default = read_config(l, o->default_config);
	if (!l->found_default && l->default_must_exist)
		mistake_add(l->mistakes, o->default_config, 0,
			    "it was there and is gone");
}
