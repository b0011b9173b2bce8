/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of fsck share; everybody else sees fsck.h.
 *
 *   fsck             levels, skip list, reports, the special blobs at the end
 *   fsck_commit/tag  headers and who did it when
 *   fsck_tree        entries, their order, their names
 *   fsck_paths       names that some file system takes for .git and friends
 *   fsck_gitmodules  .gitmodules, and fsck_config the grammar it is in
 */
#pragma once

#include "base/buf.h"
#include "git/fsck.h"
#include "git/oid_set.h"

struct err;

enum fsck_level {
	FSCK_IGNORE, /* git's IGNORE, silent unless asked for */
	FSCK_INFO,   /* said, never refused, also when strict */
	FSCK_WARN,   /* said; refused when strict */
	FSCK_ERROR,
	FSCK_FATAL, /* refused, and no level may say otherwise */
};

/* git's ids in git's order, with its default levels (git-fsck(1)). */
#define FSCK_MESSAGES(X)                                                \
	X(NUL_IN_HEADER, "nulInHeader", FATAL)                          \
	X(UNTERMINATED_HEADER, "unterminatedHeader", FATAL)             \
	X(BAD_DATE, "badDate", ERROR)                                   \
	X(BAD_DATE_OVERFLOW, "badDateOverflow", ERROR)                  \
	X(BAD_EMAIL, "badEmail", ERROR)                                 \
	X(BAD_NAME, "badName", ERROR)                                   \
	X(BAD_OBJECT_SHA1, "badObjectSha1", ERROR)                      \
	X(BAD_PARENT_SHA1, "badParentSha1", ERROR)                      \
	X(BAD_TIMEZONE, "badTimezone", ERROR)                           \
	X(BAD_TREE, "badTree", ERROR)                                   \
	X(BAD_TREE_SHA1, "badTreeSha1", ERROR)                          \
	X(BAD_TYPE, "badType", ERROR)                                   \
	X(DUPLICATE_ENTRIES, "duplicateEntries", ERROR)                 \
	X(MISSING_AUTHOR, "missingAuthor", ERROR)                       \
	X(MISSING_COMMITTER, "missingCommitter", ERROR)                 \
	X(MISSING_EMAIL, "missingEmail", ERROR)                         \
	X(MISSING_NAME_BEFORE_EMAIL, "missingNameBeforeEmail", ERROR)   \
	X(MISSING_OBJECT, "missingObject", ERROR)                       \
	X(MISSING_SPACE_BEFORE_DATE, "missingSpaceBeforeDate", ERROR)   \
	X(MISSING_SPACE_BEFORE_EMAIL, "missingSpaceBeforeEmail", ERROR) \
	X(MISSING_TAG, "missingTag", ERROR)                             \
	X(MISSING_TAG_ENTRY, "missingTagEntry", ERROR)                  \
	X(MISSING_TREE, "missingTree", ERROR)                           \
	X(MISSING_TYPE, "missingType", ERROR)                           \
	X(MISSING_TYPE_ENTRY, "missingTypeEntry", ERROR)                \
	X(MULTIPLE_AUTHORS, "multipleAuthors", ERROR)                   \
	X(TREE_NOT_SORTED, "treeNotSorted", ERROR)                      \
	X(UNKNOWN_TYPE, "unknownType", ERROR)                           \
	X(ZERO_PADDED_DATE, "zeroPaddedDate", ERROR)                    \
	X(GITMODULES_MISSING, "gitmodulesMissing", ERROR)               \
	X(GITMODULES_BLOB, "gitmodulesBlob", ERROR)                     \
	X(GITMODULES_LARGE, "gitmodulesLarge", ERROR)                   \
	X(GITMODULES_NAME, "gitmodulesName", ERROR)                     \
	X(GITMODULES_SYMLINK, "gitmodulesSymlink", ERROR)               \
	X(GITMODULES_URL, "gitmodulesUrl", ERROR)                       \
	X(GITMODULES_PATH, "gitmodulesPath", ERROR)                     \
	X(GITMODULES_UPDATE, "gitmodulesUpdate", ERROR)                 \
	X(GITATTRIBUTES_MISSING, "gitattributesMissing", ERROR)         \
	X(GITATTRIBUTES_LARGE, "gitattributesLarge", ERROR)             \
	X(GITATTRIBUTES_LINE_LENGTH, "gitattributesLineLength", ERROR)  \
	X(GITATTRIBUTES_BLOB, "gitattributesBlob", ERROR)               \
	X(EMPTY_NAME, "emptyName", WARN)                                \
	X(FULL_PATHNAME, "fullPathname", WARN)                          \
	X(HAS_DOT, "hasDot", WARN)                                      \
	X(HAS_DOTDOT, "hasDotdot", WARN)                                \
	X(HAS_DOTGIT, "hasDotgit", WARN)                                \
	X(LARGE_PATHNAME, "largePathname", WARN)                        \
	X(NULL_SHA1, "nullSha1", WARN)                                  \
	X(ZERO_PADDED_FILEMODE, "zeroPaddedFilemode", WARN)             \
	X(NUL_IN_COMMIT, "nulInCommit", WARN)                           \
	X(BAD_FILEMODE, "badFilemode", INFO)                            \
	X(GITMODULES_PARSE, "gitmodulesParse", INFO)                    \
	X(GITIGNORE_SYMLINK, "gitignoreSymlink", INFO)                  \
	X(GITATTRIBUTES_SYMLINK, "gitattributesSymlink", INFO)          \
	X(MAILMAP_SYMLINK, "mailmapSymlink", INFO)                      \
	X(BAD_TAG_NAME, "badTagName", INFO)                             \
	X(MISSING_TAGGER_ENTRY, "missingTaggerEntry", INFO)             \
	X(EXTRA_HEADER_ENTRY, "extraHeaderEntry", IGNORE)

#define FSCK_ENUM(name, text, level) FSCK_##name##_ID,
enum fsck_id { FSCK_MESSAGES(FSCK_ENUM) FSCK_N_IDS };
#undef FSCK_ENUM

struct fsck {
	enum oid_kind kind;
	bool is_strict;
	enum fsck_level levels[FSCK_N_IDS];
	struct oid_set skip;
	struct oid_set modules; /* blobs to be judged at the end, and judged */
	struct oid_set attributes;
	size_t modules_done, attributes_done; /* the first so many are */
	const struct oid *object;	      /* that is being judged */
	struct buf warnings;
};

/* Something is wrong with f->object. 0 where that is tolerated; -1. */
int fsck_report(struct fsck *f, enum fsck_id id, struct err *e,
		const char *format, ...) PRINTF_LIKE(4, 5) MUST_CHECK;

/* ERR_CORRUPT naming the item that is none. */
int fsck_levels_read(struct fsck *f, const struct config_list *levels,
		     const char *git_dir, struct err *e) MUST_CHECK;

int fsck_commit(struct fsck *f, struct span data, struct err *e) MUST_CHECK;
int fsck_tag(struct fsck *f, struct span data, struct err *e) MUST_CHECK;
int fsck_tree(struct fsck *f, struct span data, struct err *e) MUST_CHECK;
int fsck_gitmodules(struct fsck *f, struct span data, struct err *e) MUST_CHECK;
int fsck_gitattributes(struct fsck *f, struct span data,
		       struct err *e) MUST_CHECK;

/* Shared by commit and tag (fsck_commit.c): the lines down to the first empty
 * one, and "NAME <EMAIL> DATE ZONE". */
int fsck_headers(struct fsck *f, struct span data, struct err *e) MUST_CHECK;
int fsck_ident(struct fsck *f, struct span line, struct err *e) MUST_CHECK;

/* Would HFS+ or NTFS take `name` for it? */
bool fsck_is_dotgit(struct span name);
enum fsck_dotfile {
	FSCK_GITMODULES,
	FSCK_GITATTRIBUTES,
	FSCK_GITIGNORE,
	FSCK_MAILMAP
};
bool fsck_is_dotfile(struct span name, enum fsck_dotfile file);
/* The two halves, for what follows a backslash. */
bool fsck_is_ntfs_dotgit(struct span name);
bool fsck_is_ntfs_dotfile(struct span name, enum fsck_dotfile file);

/*
 * Read git's config grammar: `each` gets "section.subsection" (without the
 * subsection "section"), the key in lower case and the value, NULL where there
 * is no "=". 0; 1 where `data` does not parse from somewhere on; -1 from
 * `each`.
 */
int fsck_config(struct span data,
		int (*each)(void *arg, const char *stem, const char *key,
			    const char *value, struct err *e),
		void *arg, struct err *e) MUST_CHECK;
