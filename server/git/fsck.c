/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is judged by what, and what follows from a finding. The words are git's,
 * for they are what people search for.
 */
#include "git/fsck_checks.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/objects.h"

#include <ctype.h>
#include <strings.h>

#define SKIP_LIST_MAX ((size_t)64 << 20)

/* git never loads a .gitmodules past core.bigFileThreshold; nobody's is near
 * this. The other limit is git's own. */
#define GITMODULES_MAX	  ((size_t)16 << 20)
#define GITATTRIBUTES_MAX ((size_t)100 << 20)

static const struct {
	const char *name;
	enum fsck_level level;
} messages[] = {
#define MESSAGE(id, text, severity) { text, FSCK_##severity },
	FSCK_MESSAGES(MESSAGE)
#undef MESSAGE
};

int fsck_report(struct fsck *f, enum fsck_id id, struct err *e,
		const char *format, ...)
{
	char words[160], hex[OID_MAX_HEX + 1];
	enum fsck_level level = f->levels[id];
	va_list args;

	if (level == FSCK_IGNORE || oid_set_has(&f->skip, f->object))
		return 0;
	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	oid_hex(f->object, hex);
	if (level >= FSCK_ERROR)
		return err_set(e, ERR_MALFORMED, "object %s: %s: %s", hex,
			       messages[id].name, words);
	buf_addf(&f->warnings, "object %s: %s: %s\n", hex, messages[id].name,
		 words);
	return 0;
}

const char *fsck_warnings(const struct fsck *f)
{
	return buf_str(&f->warnings);
}

/* -- levels -----------------------------------------------------------------
 */

static int skip_list_read(struct fsck *f, const char *git_dir, const char *name,
			  struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	CLEANUP(freep) char *path = NULL;
	struct span rest, line, word;
	struct oid id;

	path = *name == '/' ? strdup(name) : path_join(git_dir, name);
	if (!path)
		return err_nomem(e);
	if (file_read(path, SKIP_LIST_MAX, &text, e) < 0)
		return err_wrap(e, "fsck skip list");
	rest = buf_span(&text);
	while (span_word(&rest, '\n', &line)) {
		if (!span_word(&line, '#', &word))
			continue;
		while (word.len && isspace(word.data[word.len - 1]))
			word.len--;
		if (!word.len)
			continue;
		if (!oid_parse(word, f->kind, &id))
			return err_set(e, ERR_CORRUPT,
				       "%s: invalid object name", path);
		if (oid_set_add(&f->skip, &id, e) < 0)
			return -1;
	}
	return 0;
}

static int level_set(struct fsck *f, struct span name, const char *level,
		     struct err *e)
{
	static const struct {
		const char *name;
		enum fsck_level level;
	} levels[] = { { "error", FSCK_ERROR },
		       { "warn", FSCK_WARN },
		       { "ignore", FSCK_IGNORE } };
	size_t i = 0, id = 0;

	while (id < FSCK_N_IDS &&
	       (strlen(messages[id].name) != name.len ||
		strncasecmp(messages[id].name, (const char *)name.data,
			    name.len)))
		id++;
	/* git warns about an id it does not know, and goes on. */
	if (id == FSCK_N_IDS)
		return 0;
	while (i < ARRAY_SIZE(levels) && strcmp(levels[i].name, level))
		i++;
	if (i == ARRAY_SIZE(levels))
		return err_set(e, ERR_CORRUPT,
			       "unknown fsck message type: '%s'", level);
	if (messages[id].level == FSCK_FATAL && levels[i].level != FSCK_ERROR)
		return err_set(e, ERR_CORRUPT, "cannot demote %s to %s",
			       messages[id].name, level);
	f->levels[id] = levels[i].level;
	return 0;
}

int fsck_levels_read(struct fsck *f, const struct config_list *levels,
		     const char *git_dir, struct err *e)
{
	struct span item, name;
	int r;

	for (size_t i = 0; levels && i < levels->n; i++) {
		item = span_str(levels->items[i]);
		if (!span_until(&item, '=', &name))
			return err_set(e, ERR_CORRUPT,
				       "receive.fsck.%s has no value",
				       levels->items[i]);
		if (name.len == strlen("skipList") &&
		    !strncasecmp((const char *)name.data, "skipList", name.len))
			r = skip_list_read(f, git_dir, (const char *)item.data,
					   e);
		else
			r = level_set(f, name, (const char *)item.data, e);
		if (r < 0)
			return -1;
	}
	return 0;
}

/* -- life -------------------------------------------------------------------
 */

struct fsck *fsck_new(enum oid_kind kind, const struct config_list *levels,
		      const char *git_dir, bool is_strict, struct err *e)
{
	struct fsck *f = calloc(1, sizeof *f);

	if (!f) {
		err_nomem(e);
		return NULL;
	}
	f->kind = kind;
	f->is_strict = is_strict;
	buf_init_max(&f->warnings, FSCK_WARNINGS_MAX);
	for (size_t id = 0; id < FSCK_N_IDS; id++) {
		f->levels[id] = messages[id].level;
		if (is_strict && f->levels[id] == FSCK_WARN)
			f->levels[id] = FSCK_ERROR;
	}
	if (fsck_levels_read(f, levels, git_dir, e) < 0)
		return fsck_free(f);
	return f;
}

struct fsck *fsck_free(struct fsck *f)
{
	if (!f)
		return NULL;
	oid_set_fini(&f->skip);
	oid_set_fini(&f->modules);
	oid_set_fini(&f->attributes);
	buf_fini(&f->warnings);
	free(f);
	return NULL;
}

int fsck_object(struct fsck *f, const struct oid *id, enum object_type type,
		struct span data, struct err *e)
{
	bool is_skipped = oid_set_has(&f->skip, id);

	f->object = id;
	switch (type) {
	case OBJECT_COMMIT:
		return is_skipped ? 0 : fsck_commit(f, data, e);
	case OBJECT_TREE: /* also for the special blobs it names */
		return fsck_tree(f, data, e);
	case OBJECT_TAG:
		return is_skipped ? 0 : fsck_tag(f, data, e);
	case OBJECT_BLOB:
		return 0;
	case OBJECT_NONE:
	case OBJECT_OFS_DELTA:
	case OBJECT_REF_DELTA:
	default:
		return fsck_report(f, FSCK_UNKNOWN_TYPE_ID, e,
				   "unknown type '%d'", (int)type);
	}
}

/* -- special blobs ----------------------------------------------------------
 */

struct special {
	const char *name;
	size_t max;
	enum fsck_id missing, not_blob, large;
	int (*judge)(struct fsck *f, struct span data, struct err *e);
};

static const struct special gitmodules = { ".gitmodules",
					   GITMODULES_MAX,
					   FSCK_GITMODULES_MISSING_ID,
					   FSCK_GITMODULES_BLOB_ID,
					   FSCK_GITMODULES_LARGE_ID,
					   fsck_gitmodules };

static const struct special gitattributes = { ".gitattributes",
					      GITATTRIBUTES_MAX,
					      FSCK_GITATTRIBUTES_MISSING_ID,
					      FSCK_GITATTRIBUTES_BLOB_ID,
					      FSCK_GITATTRIBUTES_LARGE_ID,
					      fsck_gitattributes };

static int judge_special(struct fsck *f, const struct special *s,
			 const struct oid *id, struct object_reader *reader,
			 struct err *e)
{
	struct object blob = { .type = OBJECT_NONE };
	enum object_type type;
	uint64_t size;
	int r;

	f->object = id;
	if (oid_set_has(&f->skip, id))
		return 0;
	if (object_info(reader, id, &type, &size, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		return fsck_report(f, s->missing, e, "unable to read %s blob",
				   s->name);
	}
	if (type != OBJECT_BLOB)
		return fsck_report(f, s->not_blob, e, "non-blob found at %s",
				   s->name);
	if (size > s->max)
		return fsck_report(f, s->large, e, "%s too large to parse",
				   s->name);
	if (object_read(reader, id, s->max, &blob, e) < 0)
		return -1;
	r = s->judge(f, span_of(blob.data, blob.size), e);
	object_fini(&blob);
	return r;
}

static int judge_specials(struct fsck *f, const struct special *s,
			  struct oid_set *set, size_t *done,
			  struct object_reader *reader, struct err *e)
{
	for (; *done < set->n; ++*done) {
		if (judge_special(f, s, &set->items[*done], reader, e) < 0)
			return -1;
	}
	return 0;
}

bool fsck_has_pending(const struct fsck *f)
{
	return f->modules_done < f->modules.n ||
	       f->attributes_done < f->attributes.n;
}

int fsck_finish(struct fsck *f, struct object_reader *reader, struct err *e)
{
	if (judge_specials(f, &gitmodules, &f->modules, &f->modules_done,
			   reader, e) < 0)
		return -1;
	return judge_specials(f, &gitattributes, &f->attributes,
			      &f->attributes_done, reader, e);
}
