/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository's git config as values: one walk over the entries, one table of
 * what is heeded. A value that git would refuse is refused, in git's words.
 */
#include "git/repo_config.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/config_source.h"

#include <git2.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A walk over the entries, and what can be judged only at its end. */
struct reading {
	struct repo_config *c;
	enum config_bool bare;
	enum config_bool log;
	enum config_bool fsck_receive, fsck_transfer;
	int64_t format;
	char *object_format;
	char *ref_storage;
	char *unknown_extension;
	struct err *e;
};

enum setting_kind {
	SET_BOOL,     /* bool */
	SET_TRISTATE, /* enum config_bool */
	SET_INT,      /* int */
	SET_U64,
	SET_DENY, /* enum deny_mode */
	SET_HIDE, /* struct config_list of ref prefixes */
};

struct setting {
	const char *name; /* as libgit2 normalises it */
	enum setting_kind kind;
	size_t offset;
};

#define AT(member) offsetof(struct repo_config, member)

static const struct setting settings[] = {
	{ "receive.advertiseatomic", SET_BOOL, AT(advertise_atomic) },
	{ "receive.advertisepushoptions", SET_BOOL,
	  AT(advertise_push_options) },
	{ "receive.denycurrentbranch", SET_DENY, AT(deny_current_branch) },
	{ "receive.denydeletecurrent", SET_DENY, AT(deny_delete_current) },
	{ "receive.denydeletes", SET_BOOL, AT(deny_deletes) },
	{ "receive.denynonfastforwards", SET_BOOL, AT(deny_non_fast_forwards) },
	{ "receive.hiderefs", SET_HIDE, AT(receive_hide) },
	{ "receive.keepalive", SET_INT, AT(receive_keepalive_s) },
	{ "receive.maxinputsize", SET_U64, AT(max_input_size) },
	{ "receive.shallowupdate", SET_BOOL, AT(shallow_update) },
	{ "receive.updateserverinfo", SET_BOOL,
	  AT(receive_auto_update_server_info) },
	{ "transfer.advertiseobjectinfo", SET_TRISTATE,
	  AT(advertise_object_info) },
	{ "transfer.advertisesid", SET_BOOL, AT(advertise_sid) },
	{ "transfer.hiderefs", SET_HIDE, AT(receive_hide) },
	{ "transfer.hiderefs", SET_HIDE, AT(upload_hide) },
	{ "uploadpack.advertisebundleuris", SET_BOOL,
	  AT(advertise_bundle_uris) },
	{ "uploadpack.allowanysha1inwant", SET_BOOL, AT(allow_any_sha1) },
	{ "uploadpack.allowfilter", SET_BOOL, AT(allow_filter) },
	{ "uploadpack.allowreachablesha1inwant", SET_BOOL,
	  AT(allow_reachable_sha1) },
	{ "uploadpack.allowrefinwant", SET_BOOL, AT(allow_ref_in_want) },
	{ "uploadpack.allowsidebandall", SET_BOOL, AT(allow_sideband_all) },
	{ "uploadpack.allowtipsha1inwant", SET_BOOL, AT(allow_tip_sha1) },
	{ "uploadpack.hiderefs", SET_HIDE, AT(upload_hide) },
	{ "uploadpack.keepalive", SET_INT, AT(keepalive_s) },
	{ "uploadpackfilter.allow", SET_TRISTATE, AT(filter_allow) },
	{ "uploadpackfilter.blob:limit.allow", SET_TRISTATE,
	  AT(filter_blob_limit) },
	{ "uploadpackfilter.blob:none.allow", SET_TRISTATE,
	  AT(filter_blob_none) },
	{ "uploadpackfilter.combine.allow", SET_TRISTATE, AT(filter_combine) },
	{ "uploadpackfilter.object:type.allow", SET_TRISTATE,
	  AT(filter_object_type) },
	{ "uploadpackfilter.sparse:oid.allow", SET_TRISTATE,
	  AT(filter_sparse_oid) },
	{ "uploadpackfilter.tree.allow", SET_TRISTATE, AT(filter_tree) },
	{ "uploadpackfilter.tree.maxdepth", SET_U64,
	  AT(filter_tree_max_depth) },
};

static int bad_value(struct err *e, const char *kind, const char *name,
		     const char *value)
{
	return err_set(e, ERR_CORRUPT, "config: bad %s value '%s' for '%s'",
		       kind, value ? value : "", name);
}

/* git's booleans: also any number, and a key alone. */
static int parse_bool(const char *name, const char *value, bool *out,
		      struct err *e)
{
	int is_true;

	/* libgit2 takes a key alone for true and "" for false, as git does. */
	if (git_config_parse_bool(&is_true, value) < 0)
		return bad_value(e, "boolean", name, value);
	*out = is_true;
	return 0;
}

static int parse_number(const char *name, const char *value, int64_t max,
			int64_t *out, struct err *e)
{
	int64_t n;

	if (!value || git_config_parse_int64(&n, value) < 0 || n > max)
		return bad_value(e, "numeric", name, value);
	*out = n < 0 ? 0 : n;
	return 0;
}

static const struct {
	const char *word;
	enum deny_mode mode;
} deny_words[] = {
	{ "ignore", DENY_IGNORE },
	{ "warn", DENY_WARN },
	{ "refuse", DENY_REFUSE },
	{ "updateinstead", DENY_UPDATE_INSTEAD },
};

static int parse_deny(const char *name, const char *value, enum deny_mode *out,
		      struct err *e)
{
	bool is_refused;

	for (size_t i = 0; value && i < ARRAY_SIZE(deny_words); i++) {
		if (strcasecmp(value, deny_words[i].word))
			continue;
		*out = deny_words[i].mode;
		return 0;
	}
	if (parse_bool(name, value, &is_refused, e) < 0)
		return -1;
	*out = is_refused ? DENY_REFUSE : DENY_IGNORE;
	return 0;
}

/* Takes `item` over in any case. */
static int list_add(struct config_list *l, char *item, struct err *e)
{
	char **grown = NULL;

	if (item)
		grown = reallocarray(l->items, l->n + 1, sizeof *grown);
	if (!grown) {
		free(item);
		return err_nomem(e);
	}
	l->items = grown;
	l->items[l->n++] = item;
	return 0;
}

static int hide_add(struct config_list *l, const char *name, const char *value,
		    struct err *e)
{
	char *item;
	size_t n;

	if (!value)
		return bad_value(e, "missing", name, value);
	item = strdup(value);
	n = item ? strlen(item) : 0;
	while (n && item[n - 1] == '/')
		item[--n] = '\0';
	return list_add(l, item, e);
}

static int setting_apply(struct repo_config *c, const struct setting *s,
			 const char *value, struct err *e)
{
	void *at = (char *)c + s->offset;
	int64_t number = 0;
	bool is_true = false;

	switch (s->kind) {
	case SET_BOOL:
		return parse_bool(s->name, value, at, e);
	case SET_TRISTATE:
		if (parse_bool(s->name, value, &is_true, e) < 0)
			return -1;
		*(enum config_bool *)at = is_true ? CONFIG_TRUE : CONFIG_FALSE;
		return 0;
	case SET_INT:
		if (parse_number(s->name, value, INT32_MAX, &number, e) < 0)
			return -1;
		*(int *)at = (int)number;
		return 0;
	case SET_U64:
		if (parse_number(s->name, value, INT64_MAX, &number, e) < 0)
			return -1;
		*(uint64_t *)at = (uint64_t)number;
		return 0;
	case SET_DENY:
		return parse_deny(s->name, value, at, e);
	case SET_HIDE:
		return hide_add(at, s->name, value, e);
	}
	return 0;
}

/* -- keys with a meaning of their own ------------------------------------- */

static int set_tristate(enum config_bool *out, const char *name,
			const char *value, struct err *e)
{
	bool is_true;

	if (parse_bool(name, value, &is_true, e) < 0)
		return -1;
	*out = is_true ? CONFIG_TRUE : CONFIG_FALSE;
	return 0;
}

static int special_bare(struct reading *r, const char *name, const char *value)
{
	return set_tristate(&r->bare, name, value, r->e);
}

static int special_log(struct reading *r, const char *name, const char *value)
{
	r->c->log_odd_refs = value && !strcasecmp(value, "always");
	if (r->c->log_odd_refs) {
		r->log = CONFIG_TRUE;
		return 0;
	}
	return set_tristate(&r->log, name, value, r->e);
}

static int special_fsync(struct reading *r, const char *name, const char *value)
{
	(void)name;
	r->c->fsync_is_off = value && !strcmp(value, "none");
	return 0;
}

static int special_format(struct reading *r, const char *name,
			  const char *value)
{
	return parse_number(name, value, INT32_MAX, &r->format, r->e);
}

static int special_fsck_receive(struct reading *r, const char *name,
				const char *value)
{
	return set_tristate(&r->fsck_receive, name, value, r->e);
}

static int special_fsck_transfer(struct reading *r, const char *name,
				 const char *value)
{
	return set_tristate(&r->fsck_transfer, name, value, r->e);
}

static int special_unborn(struct reading *r, const char *name,
			  const char *value)
{
	(void)name;
	r->c->lsrefs_unborn_advertise = value && !strcmp(value, "advertise");
	r->c->lsrefs_unborn_allow = r->c->lsrefs_unborn_advertise ||
				    (value && !strcmp(value, "allow"));
	return 0;
}

static int keep(char **out, const char *value, struct err *e)
{
	free(*out);
	*out = strdup(value ? value : "");
	return *out ? 0 : err_nomem(e);
}

static int special_object_format(struct reading *r, const char *name,
				 const char *value)
{
	(void)name;
	return keep(&r->object_format, value, r->e);
}

static int special_ref_storage(struct reading *r, const char *name,
			       const char *value)
{
	(void)name;
	return keep(&r->ref_storage, value, r->e);
}

/* Extensions that change nothing we do. */
static int special_none(struct reading *r, const char *name, const char *value)
{
	(void)r;
	(void)name;
	(void)value;
	return 0;
}

static const struct {
	const char *name;
	int (*apply)(struct reading *r, const char *name, const char *value);
} specials[] = {
	{ "core.bare", special_bare },
	{ "core.fsync", special_fsync },
	{ "core.logallrefupdates", special_log },
	{ "core.repositoryformatversion", special_format },
	{ "extensions.noop", special_none },
	{ "extensions.objectformat", special_object_format },
	{ "extensions.partialclone", special_none },
	{ "extensions.preciousobjects", special_none },
	{ "extensions.refstorage", special_ref_storage },
	{ "extensions.worktreeconfig", special_none },
	{ "lsrefs.unborn", special_unborn },
	{ "receive.fsckobjects", special_fsck_receive },
	{ "transfer.fsckobjects", special_fsck_transfer },
};

static int fsck_add(struct reading *r, const char *id, const char *value)
{
	char *item;

	if (asprintf(&item, "%s=%s", id, value ? value : "") < 0)
		return err_nomem(r->e);
	return list_add(&r->c->fsck_levels, item, r->e);
}

static int entry_apply(struct reading *r, const char *name, const char *value)
{
	static const char fsck[] = "receive.fsck.";
	static const char extension[] = "extensions.";

	if (!strchr(name, '.')) /* libgit2 lets pass what has no section */
		return err_set(r->e, ERR_CORRUPT, "config: bad line '%s'",
			       name);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(name, settings[i].name) &&
		    setting_apply(r->c, &settings[i], value, r->e) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
		if (!strcmp(name, specials[i].name))
			return specials[i].apply(r, name, value);
	if (!strncmp(name, fsck, sizeof fsck - 1))
		return fsck_add(r, name + sizeof fsck - 1, value);
	if (!strncmp(name, extension, sizeof extension - 1))
		return keep(&r->unknown_extension, name, r->e);
	return 0;
}

/* -- judgement ------------------------------------------------------------ */

static int format_check(const struct reading *r, struct err *e)
{
	if (r->format > 1)
		return err_set(e, ERR_MALFORMED,
			       "repository format %" PRId64
			       " is not known here: 0 and 1 are",
			       r->format);
	if (r->object_format && strcasecmp(r->object_format, "sha1"))
		return err_set(e, ERR_MALFORMED,
			       "object format '%s' is not supported: only sha1",
			       r->object_format);
	if (r->ref_storage && strcasecmp(r->ref_storage, "files"))
		return err_set(e, ERR_MALFORMED,
			       "ref storage '%s' is not supported: only files",
			       r->ref_storage);
	if (r->format == 1 && r->unknown_extension)
		return err_set(e, ERR_MALFORMED,
			       "unknown repository extension '%s'",
			       r->unknown_extension);
	return 0;
}

static bool is_work_tree_dir(const char *git_dir)
{
	size_t n = strlen(git_dir);

	while (n && git_dir[n - 1] == '/')
		n--;
	return n >= 4 && !strncmp(git_dir + n - 4, ".git", 4) &&
	       (n == 4 || git_dir[n - 5] == '/');
}

static void values_finish(struct reading *r, const char *git_dir)
{
	struct repo_config *c = r->c;

	c->is_bare = r->bare == CONFIG_UNSET ? !is_work_tree_dir(git_dir)
					     : r->bare == CONFIG_TRUE;
	c->log_all_ref_updates =
		r->log == CONFIG_UNSET ? !c->is_bare : r->log == CONFIG_TRUE;
	c->fsck_objects = r->fsck_receive != CONFIG_UNSET ? r->fsck_receive
							  : r->fsck_transfer;
	c->allow_tip_sha1 |= c->allow_any_sha1;
	c->allow_reachable_sha1 |= c->allow_any_sha1;
}

static void defaults_set(struct repo_config *c)
{
	*c = (struct repo_config){
		.keepalive_s = 5,
		.filter_allow = CONFIG_UNSET,
		.filter_blob_none = CONFIG_UNSET,
		.filter_blob_limit = CONFIG_UNSET,
		.filter_tree = CONFIG_UNSET,
		.filter_object_type = CONFIG_UNSET,
		.filter_sparse_oid = CONFIG_UNSET,
		.filter_combine = CONFIG_UNSET,
		.filter_tree_max_depth = UINT64_MAX,
		.advertise_object_info = CONFIG_UNSET,
		.lsrefs_unborn_advertise = true,
		.lsrefs_unborn_allow = true,
		.deny_current_branch = DENY_UNSET,
		.deny_delete_current = DENY_UNSET,
		.advertise_atomic = true,
		.fsck_objects = CONFIG_UNSET,
		.receive_keepalive_s = 5,
	};
}

DEFINE_FREEP(repo_config)

static int each_entry(void *arg, const char *name, const char *value,
		      struct err *e)
{
	(void)e; /* the reading has the same */
	return entry_apply(arg, name, value);
}

static int read_all(struct reading *r, const char *git_dir,
		    bool use_environment)
{
	CLEANUP(freep) char *path = path_join(git_dir, "config");

	if (!path)
		return err_nomem(r->e);
	if (config_each(path, use_environment, each_entry, r, r->e) < 0)
		return -1;
	return format_check(r, r->e);
}

struct repo_config *repo_config_load(const char *git_dir, bool use_environment,
				     struct err *e)
{
	CLEANUP(repo_config_freep) struct repo_config *c = malloc(sizeof *c);
	struct reading r = {
		.c = c,
		.bare = CONFIG_UNSET,
		.log = CONFIG_UNSET,
		.fsck_receive = CONFIG_UNSET,
		.fsck_transfer = CONFIG_UNSET,
		.e = e,
	};
	int result;

	if (!c)
		return err_nomem(e), NULL;
	defaults_set(c);
	result = read_all(&r, git_dir, use_environment);
	free(r.object_format);
	free(r.ref_storage);
	free(r.unknown_extension);
	if (result < 0)
		return NULL;
	values_finish(&r, git_dir);
	return TAKE(c);
}

static void list_fini(struct config_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

struct repo_config *repo_config_free(struct repo_config *c)
{
	if (!c)
		return NULL;
	list_fini(&c->upload_hide);
	list_fini(&c->receive_hide);
	list_fini(&c->fsck_levels);
	free(c);
	return NULL;
}
