/* SPDX-License-Identifier: Apache-2.0 */
/* What writing and restoring a backup agree on. Not for anybody else. */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/digest.h"
#include "store/conf_file.h"

struct backup_counts;
struct backup_place;
struct err;
struct stream;

#define BACKUP_HEAD	 "headwater-backup"
#define BACKUP_HEAD_TEXT "format = 1\nversion = " HEADWATER_VERSION "\n"
#define BACKUP_FORMAT	 "format = 1\n" /* what the head begins with */
#define BACKUP_SUMS	 "checksums"
#define BACKUP_STATE	 "state.conf" /* brings the rest into force */
#define BACKUP_FILE_MAX	 CONF_FILE_MAX
#define BACKUP_SMALL_MAX ((size_t)64 << 20) /* all small files together */

/* Files of a repository that may be there, before its HEAD and its bundle. */
static const char *const backup_repo_files[] = { "config", "shallow", NULL };

/* Directories whose files are taken as they are. */
static const char *const backup_directories[] = { "secrets", "ssh", "logins",
						  NULL };

/* A line as sha256sum(1) writes it. */
void backup_add_sum(struct buf *sums, const unsigned char sum[SHA256_SIZE],
		    const char *name);

/* A small file; or a repository that was made, `data` being the HEAD that it
 * had before, if it was there. */
struct part {
	struct part *next;
	char *name;
	struct buf data;
	bool is_filled; /* of a repository: its refs are the backup's */
};

struct restore {
	const struct backup_place *place;
	struct stream *in;
	struct backup_counts *counts;
	struct part *files;
	struct part *made; /* repositories */
	struct buf sums;   /* of what came by */
	size_t held;
	bool has_head, has_sums;
};

/* An empty part in front of `*list`; NULL out of memory. */
struct part *part_add(struct part **list, const char *name) MUST_CHECK;
void parts_free(struct part *p);
/* NULL where it did not come by. */
const struct part *part_find(const struct part *list, const char *name);
/* What it counts for BACKUP_SMALL_MAX: many empty files are not little. */
size_t part_size(const char *name, uint64_t size);

/* -- restore_repo.c -------------------------------------------------------- */

/* NAME of "repos/NAME" and `suffix`, malloc'ed; NULL where it is none. */
char *restore_repo_of(const char *entry, const char *suffix);

/* The repository of a HEAD file, with the configuration that it had: HEAD
 * comes behind its other small files. */
int restore_make_repo(struct restore *r, const char *repo,
		      struct err *e) MUST_CHECK;
/* Its refs and objects from the bundle `in`, read to its end. */
int restore_fill_repo(struct restore *r, const char *repo, struct stream *in,
		      struct err *e) MUST_CHECK;
/* Delete what was made. */
void restore_take_back(struct restore *r);

/* ERR_CONFLICT where something is there that a restore would mix with. */
int restore_check_empty(const struct backup_place *p, struct err *e) MUST_CHECK;
