/* SPDX-License-Identifier: Apache-2.0 */
/* Maintenance of repositories that stock git made, judged by stock git. */
#include "git_fixture.h"

#include "git/maintain_state.h"
#include "git/object.h"
#include "git/objects.h"
#include "git/pack_geometry.h"
#include "git/repo_lock.h"
#include "git/repository.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

DEFINE_PUTP(repository)

static const struct maintain_options step = {
	.kind = MAINTAIN_STEP,
	.packs_max = 4,
	.loose_max = 10,
	.refs_max = 10,
	.grace_s = 3600,
	.is_alone = true,
};

static struct maintain_options with_kind(enum maintain_kind kind)
{
	struct maintain_options o = step;

	o.kind = kind;
	return o;
}

static struct maintain_result maintain(const struct maintain_options *o)
{
	struct maintain_result result;
	struct err e;
	CLEANUP(repository_putp)
	struct repository *r = repository_open("r.git", &e);

	if (!r || repository_maintain(r, o, &result, &e) < 0)
		fail_msg("%s", e.message);
	return result;
}

static int refused(const struct maintain_options *o, struct err *e)
{
	struct maintain_result result;
	CLEANUP(repository_putp) struct repository *r = NULL;

	r = repository_open("r.git", e);
	assert_non_null(r);
	return repository_maintain(r, o, &result, e);
}

/* A work tree "w" beside "r.git"; commits are pushed into packs of their own,
 * each a delta of a file of some size. */
static void make_repository(void)
{
	sh("git init -q --bare r.git && git init -q -b main w");
	sh("git -C r.git config receive.unpackLimit 1 && "
	   "git -C r.git symbolic-ref HEAD refs/heads/main && "
	   "git -C r.git config gc.auto 0");
	sh("cd w && seq 1 2000 > f && git add f && git commit -qm 0 && "
	   "git push -q ../r.git main");
}

static void push_more(int n)
{
	char command[256];

	snprintf(command, sizeof command,
		 "cd w && for i in $(seq %d); do echo $i >> f && git commit "
		 "-qam $i && git push -q ../r.git main || exit 1; done",
		 n);
	sh(command);
}

#define N_PACKS "ls r.git/objects/pack/*.pack | wc -l"
#define ALL_OBJECTS                                                      \
	"git -C r.git cat-file --batch-all-objects --batch-check | sort" \
	" | git hash-object --stdin"
#define REACHABLE                                            \
	"git -C r.git rev-list --objects --all | sort | git" \
	" hash-object --stdin"

static int number(const char *command)
{
	CLEANUP(freep) char *text = sh_out(command);

	return atoi(text);
}

/* Whatever was done: git finds nothing to complain about. */
static void assert_sound(void)
{
	CLEANUP(freep) char *garbage = NULL;

	sh("git -C r.git fsck --full --strict >fsck 2>&1 || "
	   "{ cat fsck; exit 1; }");
	garbage = sh_out("git -C r.git count-objects -v | grep -E "
			 "'^(garbage|size-garbage): [^0]' | cat");
	assert_string_equal(garbage, "");
	assert_int_equal(number("ls -d r.git/objects/incoming-* 2>/dev/null | "
				"wc -l"),
			 0);
	assert_false(exists("r.git/gc.pid"));
}

/* The index of every pack is what git would make of it. */
static void assert_indexes_are_gits(void)
{
	sh("for p in r.git/objects/pack/*.pack; do "
	   "git index-pack -o idx $p >/dev/null && "
	   "cmp idx ${p%.pack}.idx || exit 1; done");
}

static int enter(void **state)
{
	return fixture_enter(state);
}

/* -- the geometry ---------------------------------------------------------- */

static void splits_where_the_progression_ends(void **state)
{
	static const struct {
		uint32_t counts[6];
		size_t n, split;
	} cases[] = {
		{ { 0 }, 0, 0 },
		{ { 7 }, 1, 0 },
		{ { 1, 2, 4, 8 }, 4, 0 },
		{ { 3, 3 }, 2, 2 },
		{ { 1, 1, 100 }, 3, 2 },
		{ { 3, 3, 3, 10, 40 }, 5, 4 }, /* 9 outgrows 10, 19 not 40 */
		{ { 1, 3, 5, 100 }, 4, 3 },
		{ { 5, 5, 9, 30, 60, 1000 }, 6, 5 },
		{ { UINT32_MAX - 1, UINT32_MAX }, 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			pack_geometry_split(cases[i].counts, cases[i].n),
			cases[i].split);
}

/* A thousand equal packs, one by one: few are left at any time. */
static void keeps_the_number_logarithmic(void **state)
{
	uint32_t counts[64];
	size_t n = 0, most = 0;
	uint64_t copied = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		size_t split;
		uint32_t sum = 0;

		memmove(counts + 1, counts, n++ * sizeof *counts);
		counts[0] = 3;
		split = pack_geometry_split(counts, n);
		for (size_t j = 0; j < split; j++)
			sum += counts[j];
		copied += sum;
		if (split) {
			counts[split - 1] = sum;
			memmove(counts, counts + split - 1,
				(n - split + 1) * sizeof *counts);
			n -= split - 1;
		}
		most = n > most ? n : most;
	}
	assert_true(most <= 11);
	assert_true(copied <= 3 * 1000 * 11);
}

/* -- packs ----------------------------------------------------------------- */

static void small_packs_become_one(void **state)
{
	CLEANUP(freep) char *before = NULL, *after = NULL;
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(8);
	before = sh_out(ALL_OBJECTS);
	assert_int_equal(number(N_PACKS), 9);
	result = maintain(&step);
	after = sh_out(ALL_OBJECTS);
	assert_string_equal(before, after);
	assert_int_equal(number(N_PACKS), 1);
	assert_int_equal(result.n_packs_before, 9);
	assert_int_equal(result.n_packs, 1);
	assert_true(result.bytes > 0);
	assert_sound();
	assert_indexes_are_gits();
}

/* Each push brought the whole base of its delta along. */
static void a_base_that_came_again_and_again_is_kept_once(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	push_more(8);
	maintain(&step);
	assert_int_equal(number("git verify-pack -v r.git/objects/pack/*.idx |"
				" awk '$2==\"blob\" && NF==5' | wc -l"),
			 1);
}

static void chains_do_not_grow_without_end(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	push_more(40);
	maintain(&step);
	push_more(40);
	maintain(&step);
	assert_int_equal(number(N_PACKS), 1);
	assert_true(number("git verify-pack -v r.git/objects/pack/*.idx | "
			   "sed -n 's/^chain length = \\([0-9]*\\):.*/\\1/p' "
			   "| sort -n | tail -1") <= 50);
	assert_sound();
}

static void few_packs_are_left_alone(void **state)
{
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(3);
	result = maintain(&step);
	assert_int_equal(number(N_PACKS), 4);
	assert_int_equal(result.bytes, 0);
	assert_sound();
}

static void kept_packs_are_left_alone(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("for p in r.git/objects/pack/*.pack; do : > ${p%.pack}.keep; done");
	push_more(8);
	maintain(&step);
	assert_int_equal(number(N_PACKS), 2);
	maintain(&(struct maintain_options){ .kind = MAINTAIN_ALL });
	assert_int_equal(number(N_PACKS), 2);
	assert_sound();
}

static void a_multi_pack_index_goes_with_what_it_names(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	push_more(8);
	sh("git -C r.git multi-pack-index write");
	maintain(&step);
	assert_false(exists("r.git/objects/pack/multi-pack-index"));
	assert_sound();
}

static void loose_objects_are_packed(void **state)
{
	CLEANUP(freep) char *before = NULL, *after = NULL;
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	sh("git -C r.git config receive.unpackLimit 1000");
	push_more(5);
	assert_int_equal(number("git -C r.git count-objects"), 15);
	before = sh_out(ALL_OBJECTS);
	result = maintain(&step);
	after = sh_out(ALL_OBJECTS);
	assert_string_equal(before, after);
	assert_int_equal(result.n_loose, 15);
	assert_int_equal(number("git -C r.git count-objects"), 0);
	assert_sound();
	assert_indexes_are_gits();
}

/* A snapshot that was taken before reads on. */
static void a_reader_keeps_what_it_has(void **state)
{
	CLEANUP(freep) char *hex = NULL;
	CLEANUP(object_fini) struct object o = { 0 };
	struct object_reader *reader;
	struct repository *r;
	struct snapshot *s;
	struct oid id;
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(8);
	hex = sh_out("git -C r.git rev-parse main:f");
	assert_true(oid_parse(span_str(hex), OID_SHA1, &id));
	r = repository_open("r.git", &e);
	assert_non_null(r);
	s = repository_snapshot(r, &e);
	assert_non_null(s);
	maintain(&step);
	reader = object_reader_new(snapshot_objects(s), 1 << 20, &e);
	assert_non_null(reader);
	assert_int_equal(object_read(reader, &id, 1 << 20, &o, &e), 0);
	assert_true(o.size > 8000);
	object_reader_free(reader);
	snapshot_put(s);
	repository_put(r);
}

static void beside_other_daemons_replaced_packs_wait(void **state)
{
	struct maintain_options o = step;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(8);
	o.is_alone = false;
	maintain(&o);
	assert_int_equal(number(N_PACKS), 1);
	assert_int_equal(number("ls r.git/objects/replaced | wc -l"), 9);
	maintain(&o);
	assert_int_equal(number("ls r.git/objects/replaced | wc -l"), 9);
	maintain(&step);
	assert_false(exists("r.git/objects/replaced"));
	assert_sound();
}

/* A disk that fails under an index shows zeroes where ids were. */
static int lose_the_indexes(void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	sh("truncate -s 0 r.git/objects/pack/*.idx");
	return 0;
}

static void a_pack_whose_index_fails_is_left_alone(void **state)
{
	static const enum maintain_kind kinds[] = { MAINTAIN_STEP,
						    MAINTAIN_ALL };
	struct err e;

	(void)state;
	NEED_GIT();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct maintain_options o = with_kind(kinds[i]);

		sh("rm -rf r.git w");
		make_repository();
		push_more(8);
		o.tick = lose_the_indexes;
		assert_int_equal(refused(&o, &e), -1);
		assert_int_equal(e.code, ERR_CORRUPT);
		assert_int_equal(number(N_PACKS), 9);
		sh("for p in r.git/objects/pack/*.pack; do "
		   "git index-pack $p >/dev/null || exit 1; done");
		assert_sound();
	}
}

static int stop(void *arg, struct err *e)
{
	int *left = arg;

	return (*left)-- > 0 ? 0 : err_set(e, ERR_CLOSED, "stopping");
}

/* Wherever it is stopped, nothing is lost and nothing lies about. */
static void can_be_stopped_anywhere(void **state)
{
	CLEANUP(freep) char *before = NULL;
	struct maintain_options o = with_kind(MAINTAIN_ALL);
	struct err e;
	int n = 0, left;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(4);
	before = sh_out(ALL_OBJECTS);
	o.tick = stop;
	o.tick_arg = &left;
	do {
		CLEANUP(freep) char *after = NULL;

		assert_true(n < 1000);
		left = n++;
		if (refused(&o, &e) == 0)
			break;
		assert_int_equal(e.code, ERR_CLOSED);
		after = sh_out(ALL_OBJECTS);
		assert_string_equal(before, after);
		assert_sound();
	} while (true);
	assert_true(n > 5);
	assert_int_equal(number(N_PACKS), 1);
}

/* -- what is unreachable --------------------------------------------------- */

static void forget_a_branch(void)
{
	sh("cd w && git checkout -q -b gone && echo gone > g && git add g && "
	   "git commit -qm gone && git push -q ../r.git gone && "
	   "git push -q ../r.git :gone && git checkout -q main");
}

#define HAS_GONE "git -C r.git cat-file -e $(git -C w rev-parse gone)"

static void unreachable_objects_wait_in_a_cruft_pack(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_EXPIRE);
	CLEANUP(freep) char *before = NULL, *after = NULL;
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	before = sh_out(REACHABLE);
	result = maintain(&o);
	assert_int_equal(result.n_cruft, 3);
	assert_int_equal(result.n_expired, 0);
	assert_string_equal(result.problem, "");
	assert_int_equal(number("ls r.git/objects/pack/*.mtimes | wc -l"), 1);
	sh(HAS_GONE);
	/* Until the grace period is over; and it does not begin anew. */
	maintain(&o);
	sh(HAS_GONE);
	o.grace_s = 0;
	result = maintain(&o);
	assert_int_equal(result.n_expired, 3);
	assert_int_equal(number(HAS_GONE " 2>/dev/null; echo $?"), 1);
	assert_int_equal(
		number("ls r.git/objects/pack/*.mtimes 2>/dev/null | wc -l"),
		0);
	after = sh_out(REACHABLE);
	assert_string_equal(before, after);
	assert_sound();
	assert_indexes_are_gits();
}

/* However old it is: the grace period begins when it is found. */
static void nothing_goes_the_first_time_it_is_found(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	sh("touch -d '3 years ago' r.git/objects/pack/*");
	o.grace_s = 0;
	maintain(&o);
	sh(HAS_GONE);
	maintain(&o);
	assert_int_equal(number(HAS_GONE " 2>/dev/null; echo $?"), 1);
	assert_sound();
}

static void git_agrees_on_the_cruft_pack(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	maintain(&(struct maintain_options){ .kind = MAINTAIN_ALL,
					     .grace_s = 3600 });
	/* git's own gc reads the times and keeps what is young ... */
	sh("git -C r.git gc -q --cruft --prune=1.hour.ago");
	sh(HAS_GONE);
	/* ... and we read its. */
	maintain(&(struct maintain_options){ .kind = MAINTAIN_ALL,
					     .grace_s = 3600 });
	sh(HAS_GONE);
	assert_sound();
}

static void what_is_pushed_again_stays(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	maintain(&o);
	sh("git -C r.git update-ref refs/heads/back $(git -C w rev-parse "
	   "gone)");
	o.grace_s = 0;
	maintain(&o);
	maintain(&o);
	sh(HAS_GONE);
	assert_int_equal(
		number("ls r.git/objects/pack/*.mtimes 2>/dev/null | wc -l"),
		0);
	assert_sound();
}

static void nothing_goes_while_somebody_pushes(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);
	struct maintain_result result;
	struct err e;
	int push;

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	o.grace_s = 0;
	maintain(&o);
	push = repo_lock_pushes("r.git", &e);
	assert_true(push >= 0);
	result = maintain(&o);
	assert_int_equal(result.n_expired, 0);
	assert_string_not_equal(result.problem, "");
	sh(HAS_GONE);
	close(push);
	result = maintain(&o);
	assert_int_equal(result.n_expired, 3);
	assert_sound();
}

/* git writes what only a cruft pack has once more, loose, before a ref may lead
 * there: then it is not old. */
static void what_git_wrote_again_is_not_old(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	maintain(&o);
	sh("git init -q --bare x.git && "
	   "echo gone | git -C x.git hash-object -w --stdin >/dev/null && "
	   "cp -r x.git/objects/?? r.git/objects/");
	o.grace_s = 0;
	assert_int_equal(maintain(&o).n_expired, 2);
	sh("git -C r.git cat-file -e $(git -C w rev-parse gone:g)");
	assert_int_equal(maintain(&o).n_expired, 1);
	assert_sound();
}

static int bring_back(void *arg, struct err *e)
{
	bool *is_done = arg;

	(void)e;
	if (!*is_done && number("ls r.git/objects/incoming-*/* 2>/dev/null | "
				"wc -l"))
		sh("git -C r.git update-ref refs/heads/back "
		   "$(git -C w rev-parse gone)");
	*is_done |= exists("r.git/refs/heads/back");
	return 0;
}

static void what_a_ref_leads_to_again_meanwhile_stays(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);
	struct maintain_result result;
	bool is_done = false;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(1);
	forget_a_branch();
	maintain(&o);
	push_more(1);
	o.grace_s = 0;
	o.tick = bring_back;
	o.tick_arg = &is_done;
	result = maintain(&o);
	assert_true(is_done);
	assert_int_equal(result.n_expired, 0);
	assert_string_not_equal(result.problem, "");
	sh(HAS_GONE);
	assert_sound();
}

/* Reflogs and pseudo-refs keep alive, as for git. */
static void other_roots_count(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);

	(void)state;
	NEED_GIT();
	make_repository();
	sh("git -C r.git config core.logAllRefUpdates true");
	sh("cd w && git commit -q --amend -m again && "
	   "git push -q -f ../r.git main");
	forget_a_branch();
	sh("git -C w rev-parse gone > r.git/ORIG_HEAD");
	o.grace_s = 0;
	maintain(&o);
	maintain(&o);
	sh(HAS_GONE);
	sh("git -C r.git cat-file -e main@{1}");
	assert_sound();
}

static void a_broken_ref_stops_expiry(void **state)
{
	struct maintain_options o = with_kind(MAINTAIN_ALL);
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	forget_a_branch();
	push_more(2);
	put("r.git/refs/heads/broken", "nonsense\n");
	o.grace_s = 0;
	maintain(&o);
	result = maintain(&o);
	assert_string_not_equal(result.problem, "");
	sh(HAS_GONE);
	assert_int_equal(number(N_PACKS), 1);
}

/* -- refs ------------------------------------------------------------------ */

static void loose_refs_are_packed(void **state)
{
	CLEANUP(freep) char *before = NULL, *after = NULL;
	struct maintain_result result;

	(void)state;
	NEED_GIT();
	make_repository();
	sh("cd r.git && for i in $(seq 30); do git update-ref "
	   "refs/heads/d$i/b main && git tag -a -m t t$i main || exit 1; "
	   "done");
	before = sh_out("git -C r.git for-each-ref "
			"--format='%(refname) %(objectname) %(*objectname)'");
	result = maintain(&step);
	after = sh_out("git -C r.git for-each-ref "
		       "--format='%(refname) %(objectname) %(*objectname)'");
	assert_string_equal(before, after);
	assert_int_equal(result.n_refs, 61);
	assert_int_equal(number("find r.git/refs -type f | wc -l"), 0);
	assert_int_equal(number("find r.git/refs -mindepth 2 | wc -l"), 0);
	assert_sound();
}

static void a_ref_that_is_locked_is_left_out(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("cd r.git && for i in $(seq 20); do git update-ref "
	   "refs/heads/b$i main || exit 1; done");
	put("r.git/refs/heads/b7.lock", "");
	maintain(&step);
	assert_true(exists("r.git/refs/heads/b7"));
	assert_false(exists("r.git/refs/heads/b8"));
	sh("rm r.git/refs/heads/b7.lock");
	assert_sound();
}

/* -- left-overs and locks -------------------------------------------------- */

static void old_left_overs_are_swept(void **state)
{
	(void)state;
	NEED_GIT();
	make_repository();
	sh("cd r.git/objects && : > pack/tmp_pack_abc && "
	   ": > pack/pack-1234.pack && mkdir -p 00 incoming-0-abcdef "
	   "incoming-refs-abcdef && : > 00/tmp_obj_x && "
	   ": > incoming-0-abcdef/incoming.pack");
	/* Young ones may be somebody's. */
	maintain(&step);
	assert_true(exists("r.git/objects/pack/tmp_pack_abc"));
	assert_true(exists("r.git/objects/incoming-0-abcdef"));
	sh("touch -d '2 days ago' r.git/objects/incoming-*/* "
	   "r.git/objects/incoming-*");
	maintain(&step);
	assert_false(exists("r.git/objects/incoming-0-abcdef"));
	assert_false(exists("r.git/objects/incoming-refs-abcdef"));
}

/* Whoever pushes may be taking one of them for its own. */
static void left_overs_of_packs_wait_for_pushes(void **state)
{
	struct maintain_options o = step;
	struct err e;
	int push;

	(void)state;
	NEED_GIT();
	make_repository();
	o.is_alone = false;
	sh("cd r.git/objects && mkdir replaced && : > replaced/pack-12.pack && "
	   ": > pack/pack-12.idx");
	push = repo_lock_pushes("r.git", &e);
	assert_true(push >= 0);
	maintain(&o);
	assert_true(exists("r.git/objects/pack/pack-12.idx"));
	close(push);
	maintain(&o);
	assert_false(exists("r.git/objects/pack/pack-12.idx"));
}

static void git_gc_and_we_exclude_each_other(void **state)
{
	char text[300];
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	push_more(5);
	snprintf(text, sizeof text, "%d %s", (int)getpid(),
		 "another.example.org");
	put("r.git/gc.pid", text);
	assert_int_equal(refused(&step, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.message, "another.example.org"));
	/* A process of this machine that is gone. */
	sh("sh -c 'echo $$ $(uname -n)' > r.git/gc.pid");
	maintain(&step);
	assert_sound();
}

static void two_at_once_are_one(void **state)
{
	struct gc_lock lock;
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	assert_int_equal(gc_lock_take("r.git", NULL, NULL, NULL, &lock, &e), 0);
	assert_int_equal(refused(&step, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_int_equal(number("git -C r.git gc -q >/dev/null 2>&1; echo $?"),
			 128);
	gc_lock_drop(&lock);
	maintain(&step);
	assert_sound();
}

static bool knows_of_death(void *arg, const char *id)
{
	(void)arg;
	return !strcmp(id, "dead");
}

/* It may have been the dead one's a moment ago. */
static void a_lock_that_is_held_is_nobodys_to_sweep(void **state)
{
	struct gc_lock lock;
	struct err e;

	(void)state;
	NEED_GIT();
	make_repository();
	assert_int_equal(gc_lock_take("r.git", "dead", NULL, NULL, &lock, &e),
			 0);
	gc_lock_sweep("r.git", knows_of_death, NULL);
	assert_true(exists("r.git/gc.pid"));
	gc_lock_drop(&lock);
	put("r.git/gc.pid", "1 somewhere dead\n");
	gc_lock_sweep("r.git", knows_of_death, NULL);
	assert_false(exists("r.git/gc.pid"));
}

/* A file that cannot be looked at is no file that is missing. */
static void when_in_doubt_a_part_of_a_pack_is_there(void **state)
{
	char stem[300];

	(void)state;
	memset(stem, 'x', sizeof stem - 1);
	stem[sizeof stem - 1] = '\0';
	assert_true(old_pack_has(stem, "pack"));
	assert_false(old_pack_has("nowhere", "pack"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_where_the_progression_ends),
		cmocka_unit_test(keeps_the_number_logarithmic),
		CASE(small_packs_become_one),
		CASE(a_base_that_came_again_and_again_is_kept_once),
		CASE(chains_do_not_grow_without_end),
		CASE(few_packs_are_left_alone),
		CASE(kept_packs_are_left_alone),
		CASE(a_multi_pack_index_goes_with_what_it_names),
		CASE(loose_objects_are_packed),
		CASE(a_reader_keeps_what_it_has),
		CASE(beside_other_daemons_replaced_packs_wait),
		CASE(a_pack_whose_index_fails_is_left_alone),
		CASE(can_be_stopped_anywhere),
		CASE(unreachable_objects_wait_in_a_cruft_pack),
		CASE(nothing_goes_the_first_time_it_is_found),
		CASE(git_agrees_on_the_cruft_pack),
		CASE(what_is_pushed_again_stays),
		CASE(nothing_goes_while_somebody_pushes),
		CASE(what_git_wrote_again_is_not_old),
		CASE(what_a_ref_leads_to_again_meanwhile_stays),
		CASE(other_roots_count),
		CASE(a_broken_ref_stops_expiry),
		CASE(loose_refs_are_packed),
		CASE(a_ref_that_is_locked_is_left_out),
		CASE(old_left_overs_are_swept),
		CASE(left_overs_of_packs_wait_for_pushes),
		CASE(git_gc_and_we_exclude_each_other),
		CASE(two_at_once_are_one),
		CASE(a_lock_that_is_held_is_nobodys_to_sweep),
		CASE(when_in_doubt_a_part_of_a_pack_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
