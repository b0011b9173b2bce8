/* SPDX-License-Identifier: Apache-2.0 */
/* What a check finds in repositories that were damaged on purpose. */
#include "git_fixture.h"

#include "git/repo_check.h"
#include "git/repository.h"

#include <stdlib.h>

struct found {
	struct buf text; /* a line for each problem */
	struct check_result result;
};

static void note(void *arg, const struct check_problem *p)
{
	struct found *f = arg;

	buf_addf(&f->text, "%s %s %s: %s\n", p->file ? p->file : "-",
		 p->ref ? p->ref : "-", p->object ? p->object : "-",
		 p->message);
}

static void check(struct found *out)
{
	const struct check_options options = { note, NULL, out };
	struct repository *r;
	struct err e;

	*out = (struct found){ .text = BUF_INIT };
	r = repository_open("r.git", &e);
	assert_non_null(r);
	if (repository_check(r, &options, &out->result, &e) < 0)
		fail_msg("%s", e.message);
	repository_put(r);
}

static void assert_sound(void)
{
	struct found f;

	check(&f);
	assert_string_equal(f.text.len ? buf_str(&f.text) : "", "");
	assert_int_equal(f.result.n_problems, 0);
	buf_fini(&f.text);
}

static void assert_finds(const char *words)
{
	struct found f;

	check(&f);
	assert_true(f.result.n_problems > 0);
	if (!strstr(buf_str(&f.text), words))
		fail_msg("no \"%s\" in %s", words, buf_str(&f.text));
	buf_fini(&f.text);
}

static void make_repository(void)
{
	sh("git init -q --bare r.git && git init -q -b main w && cd w &&"
	   "git config gc.auto 0 && for i in 1 2 3; do seq $i 500 > f$i &&"
	   "mkdir -p d && echo $i > d/g && git add . && git commit -qm $i; "
	   "done && git tag -a -m t t && git push -q ../r.git main t &&"
	   "git -C ../r.git symbolic-ref HEAD refs/heads/main");
}

static void is_content_with_what_is_whole(void **state)
{
	struct found f;

	(void)state;
	NEED_GIT();
	make_repository();
	assert_sound(); /* loose */
	sh("git -C r.git repack -qad && git -C r.git pack-refs --all");
	check(&f);
	assert_int_equal(f.result.n_problems, 0);
	assert_int_equal(f.result.n_objects, 16);
	assert_int_equal(f.result.n_refs, 2);
	buf_fini(&f.text);
}

static void says_which_object_is_missing_and_for_which_ref(void **state)
{
	CLEANUP(freep) char *blob = NULL;
	char words[200];

	(void)state;
	NEED_GIT();
	make_repository();
	blob = sh_out("git -C r.git rev-parse main~1:f2");
	snprintf(words, sizeof words, "rm -f r.git/objects/%.2s/%s", blob,
		 blob + 2);
	sh(words);
	snprintf(words, sizeof words, "refs/heads/main %s", blob);
	assert_finds(words);
	assert_finds("refs/tags/t");
}

static void sees_a_flipped_bit_in_a_pack(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("git -C r.git repack -qad && chmod u+w r.git/objects/pack/*.pack &&"
	   "printf '\\377' | dd of=$(ls r.git/objects/pack/*.pack) bs=1 "
	   "seek=600 conv=notrunc 2>/dev/null");
	assert_finds("its checksum is wrong");
}

static void sees_a_loose_object_under_another_name(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("cd r.git && a=$(git rev-parse main:f1) && "
	   "b=$(git rev-parse main:f2) && cd objects && "
	   "cp -f $(echo $a | sed 's:..:&/:') $(echo $b | sed 's:..:&/:')");
	assert_finds("its bytes are those of another one");
}

static void judges_formats_as_fsck_does(void **state)
{
	struct found f;

	(void)state;
	NEED_GIT();
	make_repository();
	sh("cd r.git && b=$(git rev-parse main:f1) && "
	   "printf '100644 blob %s\\t.git\\n' $b | git mktree >../tree && "
	   "git update-ref refs/heads/bad "
	   "$(git commit-tree -m x $(cat ../tree))");
	check(&f);
	assert_int_equal(f.result.n_problems, 0);
	assert_non_null(strstr(buf_str(&f.text), "hasDotgit"));
	buf_fini(&f.text);
	sh("cd r.git && printf 'tree %s\n\nx\n' $(git rev-parse main^{tree}) | "
	   "git hash-object -t commit --literally -w --stdin >../commit");
	assert_finds("missingAuthor");
}

static void sees_what_is_wrong_with_refs(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	put("r.git/refs/heads/broken", "nonsense\n");
	assert_finds("refs/heads/broken");
	sh("rm r.git/refs/heads/broken && git -C r.git rev-parse main:f1 > "
	   "r.git/refs/heads/blob");
	assert_finds("refs/heads/blob");
	assert_finds("a branch leads to no commit");
	sh("rm r.git/refs/heads/blob && git -C r.git pack-refs --all && "
	   "sed -i 's/^[0-9a-f]\\{6\\}/ffffff/' r.git/packed-refs");
	assert_finds("refs/heads/main");
}

static void packed_refs_must_be_in_order(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("git -C r.git pack-refs --all && "
	   "h=$(git -C r.git rev-parse main) && "
	   "echo $h refs/heads/a >> r.git/packed-refs");
	assert_finds("out of order");
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(is_content_with_what_is_whole),
		CASE(says_which_object_is_missing_and_for_which_ref),
		CASE(sees_a_flipped_bit_in_a_pack),
		CASE(sees_a_loose_object_under_another_name),
		CASE(judges_formats_as_fsck_does),
		CASE(sees_what_is_wrong_with_refs),
		CASE(packed_refs_must_be_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
