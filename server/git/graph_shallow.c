/* SPDX-License-Identifier: Apache-2.0 */
/* Read once, kept sorted. */
#include "git/graph_shallow.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* Room for more than 1.5 million commits. */
#define SHALLOW_MAX ((size_t)64 << 20)

static int by_id(const void *a, const void *b)
{
	return oid_cmp(a, b);
}

/* The lines into `ids`, which has room for all of them. */
static int parse(struct shallow_list *s, struct span text, enum oid_kind kind)
{
	struct span line;

	while (span_word(&text, '\n', &line)) {
		if (!oid_parse(line, kind, &s->ids[s->n]))
			return err_set(&s->why, ERR_CORRUPT,
				       "%s is damaged: a line is no id",
				       s->path);
		s->n++;
	}
	if (s->n)
		qsort(s->ids, s->n, sizeof *s->ids, by_id);
	return 0;
}

int shallow_read(struct shallow_list *s, const char *git_dir,
		 enum oid_kind kind)
{
	struct buf text;
	int rc = 0;

	*s = (struct shallow_list){ .path = path_join(git_dir, "shallow") };
	if (!s->path)
		return -1;
	buf_init_max(&text, SHALLOW_MAX);
	/* The signature first: it must not be newer than the content. */
	if (file_sig_take(s->path, false, &s->sig, &s->why) == 0 &&
	    file_read(s->path, SHALLOW_MAX, &text, &s->why) == 0) {
		s->ids = calloc(text.len / (2 * oid_size(kind)) + 1,
				sizeof *s->ids);
		if (s->ids)
			(void)parse(s, buf_span(&text), kind);
		else
			rc = -1;
	} else if (s->why.code == ERR_NOT_FOUND) {
		s->why.code = ERR_OK;
	}
	buf_fini(&text);
	if (rc < 0)
		shallow_fini(s);
	return rc;
}

int shallow_copy(struct shallow_list *s, const struct shallow_list *from,
		 struct err *e)
{
	*s = (struct shallow_list){ .n = from->n };
	if (from->why.code != ERR_OK) {
		*e = from->why;
		return -1;
	}
	if (!from->n)
		return 0;
	s->ids = calloc(from->n, sizeof *s->ids);
	if (!s->ids)
		return err_nomem(e);
	memcpy(s->ids, from->ids, from->n * sizeof *s->ids);
	return 0;
}

int shallow_extend(struct shallow_list *s, const struct oid_set *more,
		   struct err *e)
{
	struct oid *grown;

	grown = reallocarray(s->ids, s->n + more->n + 1, sizeof *grown);
	if (!grown)
		return err_nomem(e);
	s->ids = grown;
	for (size_t i = 0, n = s->n; i < more->n; i++) {
		bool is_there = n && bsearch(&more->items[i], grown, n,
					     sizeof *grown, by_id);

		if (!is_there)
			grown[s->n++] = more->items[i];
	}
	if (s->n)
		qsort(s->ids, s->n, sizeof *s->ids, by_id);
	return 0;
}

void shallow_fini(struct shallow_list *s)
{
	free(s->path);
	free(s->ids);
	*s = (struct shallow_list){ 0 };
}

bool shallow_has(const struct shallow_list *s, const struct oid *id)
{
	return s->n && bsearch(id, s->ids, s->n, sizeof *s->ids, by_id);
}

bool shallow_fresh(const struct shallow_list *s)
{
	struct file_sig now;
	struct err ignored;

	return !file_sig_racy(&s->sig) &&
	       file_sig_take(s->path, false, &now, &ignored) == 0 &&
	       file_sig_eq(&now, &s->sig);
}
