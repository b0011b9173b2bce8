/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a repository's own git config that the server heeds, as values.
 *
 * Read by libgit2 (the repository's file, and GIT_CONFIG_COUNT,
 * GIT_CONFIG_KEY_n, GIT_CONFIG_VALUE_n of the environment when
 * `use_environment`); no system or user file. Names and defaults are git's:
 * git-config(1). Threads: immutable and counted inside its snapshot.
 */
#pragma once

#include "base/attr.h"
#include "git/oid.h"

#include <stdint.h>

struct err;

enum config_bool { CONFIG_FALSE, CONFIG_TRUE, CONFIG_UNSET };

enum deny_mode {
	DENY_REFUSE,
	DENY_WARN,
	DENY_IGNORE,
	DENY_UPDATE_INSTEAD,
	DENY_UNSET
};

struct config_list {
	char **items;
	size_t n;
};

struct repo_config {
	bool is_bare;
	bool log_all_ref_updates; /* core.logAllRefUpdates; unset: not bare */
	bool log_odd_refs;	  /* it is "always": also outside branches */
	bool fsync_is_off;	  /* core.fsync=none: tests only */

	/* uploadpack.* */
	bool allow_filter;
	bool allow_tip_sha1;
	bool allow_reachable_sha1;
	bool allow_any_sha1;
	bool allow_ref_in_want;
	bool allow_sideband_all;
	bool advertise_bundle_uris;
	int keepalive_s; /* uploadpack.keepAlive, 5 */
	struct config_list
		upload_hide; /* transfer.hideRefs, uploadpack.hideRefs */

	/* uploadpackfilter.* */
	enum config_bool filter_allow; /* uploadpackfilter.allow, true */
	enum config_bool filter_blob_none;
	enum config_bool filter_blob_limit;
	enum config_bool filter_tree;
	enum config_bool filter_object_type;
	enum config_bool filter_sparse_oid;
	enum config_bool filter_combine;
	uint64_t filter_tree_max_depth;

	/* transfer.*, lsrefs.* */
	bool advertise_sid;
	enum config_bool advertise_object_info;
	bool lsrefs_unborn_advertise; /* lsrefs.unborn = advertise (default) */
	bool lsrefs_unborn_allow;

	/* receive.* */
	bool deny_non_fast_forwards;
	bool deny_deletes;
	enum deny_mode deny_current_branch;
	enum deny_mode deny_delete_current;
	bool advertise_atomic;
	bool advertise_push_options;
	bool shallow_update;
	uint64_t max_input_size;       /* 0: no limit */
	enum config_bool fsck_objects; /* receive., else transfer.fsckObjects */
	struct config_list fsck_levels; /* "msgid=level", "skipList=PATH" */
	bool receive_auto_update_server_info;
	int receive_keepalive_s;
	struct config_list receive_hide; /* transfer. and receive.hideRefs */
};

/* Read `git_dir`/config. */
struct repo_config *repo_config_load(const char *git_dir, bool use_environment,
				     struct err *e) MUST_CHECK;
struct repo_config *repo_config_free(struct repo_config *c);

/* git's rule for hideRefs: the last matching entry decides, "!" un-hides, "^"
 * matches the full name (there are no namespaces here). */
bool ref_is_hidden(const struct config_list *hide, const char *ref_name);
