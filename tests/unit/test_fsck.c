/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/attr.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/fsck_checks.h"

#include <stdio.h>

#define HEX    "89e6c98d92887913cadf06b2adb97f26cde4849b"
#define WHO    "A <a@b> 1700000000 +0000\n"
#define TREE   "tree " HEX "\n"
#define PARENT "parent " HEX "\n"
#define COMMIT TREE "author " WHO "committer " WHO "\nm\n"
#define TAG    "object " HEX "\ntype commit\ntag v1\n"

/* Judge as receive-pack does; `id` is what must be named, NULL for nothing. */
static void expect_with(struct fsck *f, enum object_type type, struct span data,
			const char *id)
{
	struct oid object = { .len = OID_SHA1_SIZE };
	struct err e = { .code = ERR_OK };
	char name[64];
	int r = fsck_object(f, &object, type, data, &e);

	if (!id) {
		if (r < 0)
			fail_msg("\"%.*s\": %s", (int)data.len,
				 (const char *)data.data, e.message);
		return;
	}
	snprintf(name, sizeof name, ": %s: ", id);
	if (r == 0 || e.code != ERR_MALFORMED || !strstr(e.message, name))
		fail_msg("\"%.*s\": not %s but %s", (int)data.len,
			 (const char *)data.data, id, r ? e.message : "good");
}

static void expect(enum object_type type, struct span data, const char *id)
{
	struct err e;
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", true, &e);

	assert_non_null(f);
	expect_with(f, type, data, id);
	fsck_free(f);
}

struct sample {
	const char *text;
	const char *id;
};

static void judges_commits(void **state)
{
	static const struct sample samples[] = {
		{ COMMIT, NULL },
		{ TREE PARENT PARENT "author " WHO "committer " WHO, NULL },
		{ TREE "author " WHO "committer " WHO "encoding x\n\n", NULL },
		{ TREE "author " WHO "committer A <a@b> 0 -1200\n", NULL },
		{ "", "unterminatedHeader" },
		{ "tree " HEX, "unterminatedHeader" },
		{ "author " WHO "\n", "missingTree" },
		{ "tree 89e6\n\n", "badTreeSha1" },
		{ "tree " HEX " \n\n", "badTreeSha1" },
		{ TREE "parent x\n\n", "badParentSha1" },
		{ TREE "committer " WHO "\n", "missingAuthor" },
		{ TREE "author " WHO "author " WHO "committer " WHO "\n",
		  "multipleAuthors" },
		{ TREE "author " WHO "\n", "missingCommitter" },
		{ TREE PARENT TREE "author " WHO "\n", "missingAuthor" },
		{ TREE "author <a@b> 1 +0000\n", "missingNameBeforeEmail" },
		{ TREE "author A> <a@b> 1 +0000\n", "badName" },
		{ TREE "author A 1 +0000\n", "missingEmail" },
		{ TREE "author A<a@b> 1 +0000\n", "missingSpaceBeforeEmail" },
		{ TREE "author A <a<b> 1 +0000\n", "badEmail" },
		{ TREE "author A <a@b 1 +0000\n", "badEmail" },
		{ TREE "author A <a@b>1 +0000\n", "missingSpaceBeforeDate" },
		{ TREE "author A <a@b> 01 +0000\n", "zeroPaddedDate" },
		{ TREE "author A <a@b> 9223372036854775808 +0000\n",
		  "badDateOverflow" },
		{ TREE "author A <a@b> 99999999999999999999999 +0000\n",
		  "badDateOverflow" },
		{ TREE "author A <a@b> x +0000\n", "badDate" },
		{ TREE "author A <a@b> \n", "badDate" },
		{ TREE "author A <a@b> 1x +0000\n", "badDate" },
		{ TREE "author A <a@b> 1 0000\n", "badTimezone" },
		{ TREE "author A <a@b> 1 +000\n", "badTimezone" },
		{ TREE "author A <a@b> 1 +00000\n", "badTimezone" },
		{ TREE "author A <a@b> 1 \n", "badTimezone" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect(OBJECT_COMMIT, span_str(samples[i].text), samples[i].id);
	expect(OBJECT_COMMIT, span_of(TREE "\0\n\n", sizeof TREE + 2),
	       "nulInHeader");
	expect(OBJECT_COMMIT, span_of(COMMIT "\0x", sizeof COMMIT + 1),
	       "nulInCommit");
}

static void judges_tags(void **state)
{
	static const struct sample samples[] = {
		{ TAG "tagger " WHO "\nm\n", NULL },
		{ TAG "\nm\n", NULL }, /* missingTaggerEntry is information */
		{ "object " HEX "\ntype commit\ntag a..b\ntagger " WHO "\n",
		  NULL }, /* so is badTagName */
		{ TAG "tagger " WHO "extra x\n\n", NULL },
		{ "type commit\n\n", "missingObject" },
		{ "object 89\n\n", "badObjectSha1" },
		{ "object " HEX "\n\n", "missingTypeEntry" },
		{ "object " HEX "\ntype thing\n\n", "badType" },
		{ "object " HEX "\ntype commit\n\n", "missingTagEntry" },
		{ TAG "tagger A <a@b> 1 0000\n", "badTimezone" },
		{ "object", "unterminatedHeader" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect(OBJECT_TAG, span_str(samples[i].text), samples[i].id);
}

/* -- trees --------------------------------------------------------------------
 */

static void add(struct buf *tree, const char *mode_and_name)
{
	static const unsigned char id[OID_SHA1_SIZE] = { 1 };

	buf_adds(tree, mode_and_name);
	buf_addc(tree, '\0');
	buf_add(tree, id, sizeof id);
}

/* A tree of "MODE NAME" entries. */
static void expect_tree(const char *const *entries, const char *id)
{
	CLEANUP(buf_fini) struct buf tree = BUF_INIT;

	for (; *entries; entries++)
		add(&tree, *entries);
	expect(OBJECT_TREE, buf_span(&tree), id);
}

static void expect_entry(const char *entry, const char *id)
{
	const char *const entries[] = { entry, NULL };

	expect_tree(entries, id);
}

static void judges_the_order_of_a_tree(void **state)
{
	static const struct {
		const char *entries[6];
		const char *id;
	} trees[] = {
		{ { "100644 a", "100644 b" }, NULL },
		{ { "100644 foo", "100644 foo.bar", "40000 fop" }, NULL },
		{ { "100644 foo.bar", "40000 foo", "100644 foo0" }, NULL },
		{ { "100644 b", "100644 a" }, "treeNotSorted" },
		{ { "40000 foo", "100644 foo.bar" }, "treeNotSorted" },
		{ { "100644 a", "100644 a" }, "duplicateEntries" },
		{ { "100644 a", "40000 a" }, "duplicateEntries" },
		{ { "100644 foo", "100644 foo.bar", "40000 foo" },
		  "duplicateEntries" },
		{ { "100644 foo", "100644 foo.bar", "100644 foo.bar.baz",
		    "40000 foo.bar", "40000 foo" },
		  "duplicateEntries" },
		{ { "100644 foo", "100644 foo.bar", "100644 foo.baz",
		    "40000 foo" },
		  "duplicateEntries" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		expect_tree(trees[i].entries, trees[i].id);
}

static void judges_names(void **state)
{
	static const struct sample names[] = {
		{ "100644 .gitignore", NULL },
		{ "100644 .github", NULL },
		{ "100644 git", NULL },
		{ "100644 git~2", NULL },
		{ "100644 a/b", "fullPathname" },
		{ "40000 .", "hasDot" },
		{ "40000 ..", "hasDotdot" },
		{ "40000 .git", "hasDotgit" },
		{ "40000 .GIT", "hasDotgit" },
		{ "40000 .gIt. .", "hasDotgit" },
		{ "40000 .git:stream", "hasDotgit" },
		{ "40000 git~1", "hasDotgit" },
		{ "40000 GIT~1 ", "hasDotgit" },
		{ "100644 a\\.git\\hooks", "hasDotgit" },
		{ "100644 a\\git~1", "hasDotgit" },
		{ "40000 .g\xe2\x80\x8cit", "hasDotgit" },
		{ "40000 \xef\xbb\xbf.git\xe2\x81\xaf", "hasDotgit" },
		{ "40000 .git\xff", "hasDotgit" },
		{ "40000 .git\xe2\x80", "hasDotgit" },
		{ "40000 .g\xc3\xaft", NULL },
		{ "0100644 a", "zeroPaddedFilemode" },
		{ "100664 a", NULL }, /* badFilemode is information */
		{ "100645 a", NULL },
		{ "8 a", "badTree" },
		{ "100644  ", NULL },
		{ "100644 ", "badTree" },
		{ " a", "badTree" },
		{ "1000000000100644 a", "badTree" },
		{ "120000 .gitmodules", "gitmodulesSymlink" },
		{ "120000 .GITMODULES ", "gitmodulesSymlink" },
		{ "120000 gitmod~1", "gitmodulesSymlink" },
		{ "120000 gitmod~4", "gitmodulesSymlink" },
		{ "120000 gitmod~5", NULL },
		{ "120000 gi7eba~1", "gitmodulesSymlink" },
		{ "120000 GI7EB~10", "gitmodulesSymlink" },
		{ "120000 gi7eb~01", NULL },
		{ "120000 ~1000000", "gitmodulesSymlink" },
		{ "120000 a\\.gitmodules", "gitmodulesSymlink" },
		{ "120000 .git\xe2\x80\x8dmodules", "gitmodulesSymlink" },
		{ "120000 .gitmodulesx", NULL },
		{ "120000 .gitattributes", NULL }, /* information */
		{ "120000 .gitignore", NULL },
		{ "120000 .mailmap", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect_entry(names[i].text, names[i].id);
}

static void judges_trees_as_a_whole(void **state)
{
	char name[4200] = "100644 ";
	CLEANUP(buf_fini) struct buf tree = BUF_INIT;

	(void)state;
	expect(OBJECT_TREE, span_str(""), NULL);
	memset(name + 7, 'a', 4097);
	expect_entry(name, "largePathname");
	name[7 + 4096] = '\0';
	expect_entry(name, NULL);
	buf_add(&tree, "100644 a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		29);
	expect(OBJECT_TREE, buf_span(&tree), "nullSha1");
	buf_truncate(&tree, 28);
	expect(OBJECT_TREE, buf_span(&tree), "badTree");
	buf_truncate(&tree, 5);
	expect(OBJECT_TREE, buf_span(&tree), "badTree");
}

static void a_million_entries_are_linear(void **state)
{
	CLEANUP(buf_fini) struct buf tree = BUF_INIT;
	char entry[32];

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		snprintf(entry, sizeof entry, "100644 a.%07d", i);
		add(&tree, i ? entry : "100644 a");
	}
	expect(OBJECT_TREE, buf_span(&tree), NULL);
}

/* -- special blobs
 * ------------------------------------------------------------- */

static void expect_blob(int (*judge)(struct fsck *, struct span, struct err *),
			const char *text, const char *id)
{
	struct oid object = { .len = OID_SHA1_SIZE };
	struct err e = { .code = ERR_OK };
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", true, &e);
	int r;

	assert_non_null(f);
	f->object = &object;
	r = judge(f, span_str(text), &e);
	if (id ? r == 0 || !strstr(e.message, id) : r < 0)
		fail_msg("\"%s\": not %s but %s", text, id ? id : "good",
			 r ? e.message : "good");
	fsck_free(f);
}

static void judges_gitmodules(void **state)
{
#define SUB "[submodule \"a\"]\n\t"
	static const struct sample texts[] = {
		{ "", NULL },
		{ SUB "path = a\n\turl = https://host/a.git\n", NULL },
		{ SUB "url = ../a.git\n", NULL },
		{ SUB "url = ./a.git\n", NULL },
		{ SUB "url = ssh://git@host/a\n", NULL },
		{ SUB "url = host:a\n", NULL },
		{ SUB "url = https://user:pass@host:8080/a?b#c\n", NULL },
		{ SUB "update = none\n", NULL },
		{ SUB "update\n", NULL },
		{ "[other \"..\"]\n\turl = -x\n", NULL },
		{ "[submodule]\n\turl = -x\n", NULL },
		{ "garbage\n=", NULL }, /* gitmodulesParse is information */
		{ "[submodule \"..\"]\n\turl = a\n", "gitmodulesName" },
		{ "[submodule \"\"]\n\turl = a\n", "gitmodulesName" },
		{ "[submodule \"a/../b\"]\n\turl = a\n", "gitmodulesName" },
		{ "[submodule \"a\\\\..\"]\n\turl = a\n", "gitmodulesName" },
		{ "[submodule \"a..b\"]\n\turl = a\n", NULL },
		{ "[SUBMODULE \"..\"] url = a", "gitmodulesName" },
		{ "[submodule...]\nurl = a\n", "gitmodulesName" },
		{ "\xef\xbb\xbf[submodule \"..\"]\r\nurl=a\r\n",
		  "gitmodulesName" },
		{ SUB "url = -x\n", "gitmodulesUrl" },
		{ SUB "url = \"-x\" ; comment\n", "gitmodulesUrl" },
		{ SUB "URL = -\\\nx\n", "gitmodulesUrl" },
		{ SUB "url = \"https://host/a\\nb\"\n", "gitmodulesUrl" },
		{ SUB "url = https://host/%0ab\n", "gitmodulesUrl" },
		{ SUB "url = https://ho%0Ast/b\n", "gitmodulesUrl" },
		{ SUB "url = git://host/%0ab\n", "gitmodulesUrl" },
		{ SUB "url = ./%0ahost\n", "gitmodulesUrl" },
		{ SUB "url = ../../../:host/a\n", "gitmodulesUrl" },
		{ SUB "url = ..\\\\..//host/a\n", "gitmodulesUrl" },
		{ SUB "url = https:///a\n", "gitmodulesUrl" },
		{ SUB "url = http://user@/a\n", "gitmodulesUrl" },
		{ SUB "url = https::host\n", "gitmodulesUrl" },
		{ SUB "url = http::https://host/a\n", NULL },
		{ SUB "url = ftps://?a\n", "gitmodulesUrl" },
		{ SUB "path = -x\n", "gitmodulesPath" },
		{ SUB "path = \"sub\r\"\n", "gitmodulesPath" },
		{ SUB "update = !sh\n", "gitmodulesUpdate" },
		{ SUB "update = \"!\"sh\n\n[", "gitmodulesUpdate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_blob(fsck_gitmodules, texts[i].text, texts[i].id);
}

static void judges_gitattributes(void **state)
{
	char line[4100];

	(void)state;
	memset(line, 'a', sizeof line);
	line[2047] = '\n';
	line[4095] = '\0';
	expect_blob(fsck_gitattributes, line, NULL);
	line[2047] = 'a';
	line[2048] = '\n';
	expect_blob(fsck_gitattributes, line, "gitattributesLineLength");
}

static void remembers_special_blobs(void **state)
{
	CLEANUP(buf_fini) struct buf tree = BUF_INIT;
	struct oid object = { .len = OID_SHA1_SIZE };
	struct err e;
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", true, &e);

	(void)state;
	assert_non_null(f);
	add(&tree, "100644 README");
	expect_with(f, OBJECT_TREE, buf_span(&tree), NULL);
	assert_false(fsck_has_pending(f));
	buf_clear(&tree);
	add(&tree, "100644 .gitattributes");
	add(&tree, "100644 .gitmodules");
	add(&tree, "100644 gitmod~1");
	assert_int_equal(
		fsck_object(f, &object, OBJECT_TREE, buf_span(&tree), &e), 0);
	assert_true(fsck_has_pending(f));
	assert_int_equal(f->modules.n, 1);
	assert_int_equal(f->attributes.n, 1);
	fsck_free(f);
}

/* -- levels
 * -------------------------------------------------------------------- */

static struct fsck *with_levels(bool is_strict, const char *item, struct err *e)
{
	char *items[1] = { strdup(item) };
	struct config_list list = { items, 1 };
	struct fsck *f = fsck_new(OID_SHA1, &list, "/tmp", is_strict, e);

	free(items[0]);
	return f;
}

static void warnings_are_errors_only_when_strict(void **state)
{
	CLEANUP(buf_fini) struct buf tree = BUF_INIT;
	struct err e;
	struct fsck *f = fsck_new(OID_SHA1, NULL, "/", false, &e);

	(void)state;
	assert_non_null(f);
	add(&tree, "40000 .git");
	expect_with(f, OBJECT_TREE, buf_span(&tree), NULL);
	assert_non_null(strstr(fsck_warnings(f), ": hasDotgit: contains"));
	fsck_free(f);
}

static void levels_can_be_set_by_id(void **state)
{
	static const char bad_zone[] =
		TREE "author A <a@b> 1 x\ncommitter " WHO;
	struct err e;
	struct fsck *f;

	(void)state;
	f = with_levels(true, "badtimezone=warn", &e);
	assert_non_null(f);
	expect_with(f, OBJECT_COMMIT, span_str(bad_zone), NULL);
	assert_non_null(strstr(fsck_warnings(f), "badTimezone"));
	fsck_free(f);
	f = with_levels(true, "badTimezone=ignore", &e);
	assert_non_null(f);
	expect_with(f, OBJECT_COMMIT, span_str(bad_zone), NULL);
	assert_string_equal(fsck_warnings(f), "");
	fsck_free(f);
	f = with_levels(true, "missingTaggerEntry=error", &e);
	assert_non_null(f);
	expect_with(f, OBJECT_TAG, span_str(TAG "\n"), "missingTaggerEntry");
	fsck_free(f);
	f = with_levels(true, "nosuchid=error", &e);
	assert_non_null(f);
	fsck_free(f);
	assert_null(with_levels(true, "badTimezone=loud", &e));
	assert_null(with_levels(true, "nulInHeader=warn", &e));
	assert_null(with_levels(true, "skipList=/does/not/exist", &e));
}

static void the_skip_list_exempts_objects(void **state)
{
	static const char list[] = "# known\n\n" HEX " # old one\n";
	char path[] = "/tmp/headwater-XXXXXX", item[64];
	struct oid id;
	struct err e;
	struct fsck *f;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, list, strlen(list), &e), 0);
	close(fd);
	snprintf(item, sizeof item, "skipList=%s", path);
	f = with_levels(true, item, &e);
	assert_non_null(f);
	assert_true(oid_parse(span_str(HEX), OID_SHA1, &id));
	assert_int_equal(
		fsck_object(f, &id, OBJECT_COMMIT, span_str("junk"), &e), 0);
	id.id[0] ^= 1;
	assert_int_equal(
		fsck_object(f, &id, OBJECT_COMMIT, span_str("junk"), &e), -1);
	fsck_free(f);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_commits),
		cmocka_unit_test(judges_tags),
		cmocka_unit_test(judges_the_order_of_a_tree),
		cmocka_unit_test(judges_names),
		cmocka_unit_test(judges_trees_as_a_whole),
		cmocka_unit_test(a_million_entries_are_linear),
		cmocka_unit_test(judges_gitmodules),
		cmocka_unit_test(judges_gitattributes),
		cmocka_unit_test(remembers_special_blobs),
		cmocka_unit_test(warnings_are_errors_only_when_strict),
		cmocka_unit_test(levels_can_be_set_by_id),
		cmocka_unit_test(the_skip_list_exempts_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
