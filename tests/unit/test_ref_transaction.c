/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

#include "git/ref_lock.h"
#include "git/ref_transaction.h"
#include "git/refs.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define ID_A	    "1111111111111111111111111111111111111111"
#define ID_B	    "2222222222222222222222222222222222222222"
#define ID_0	    "0000000000000000000000000000000000000000"
#define HEADER	    "# pack-refs with: peeled fully-peeled sorted \n"
#define MAX_CHANGES 64

static int enter(void **state)
{
	if (fixture_enter(state))
		return -1;
	sh("mkdir -p refs/heads refs/tags objects");
	put("HEAD", "ref: refs/heads/main\n");
	return 0;
}

/* Changes by text: "NAME OLD NEW", OLD "-" for any. */
struct batch {
	struct ref_change changes[MAX_CHANGES];
	struct err errors[MAX_CHANGES];
	size_t n;
};

static struct oid id_of(const char *hex)
{
	struct oid id = { 0 };

	if (strcmp(hex, "-"))
		assert_true(oid_parse(span_str(hex), OID_SHA1, &id));
	return id;
}

static void add(struct batch *b, const char *name, const char *old_id,
		const char *new_id)
{
	struct ref_change *c = &b->changes[b->n];

	assert_true(b->n < MAX_CHANGES);
	*c = (struct ref_change){ name, id_of(old_id), id_of(new_id),
				  &b->errors[b->n] };
	b->n++;
}

static int run(struct batch *b, bool is_atomic)
{
	struct ref_transaction *t;
	struct err e;

	t = ref_transaction_begin(".", OID_SHA1, b->changes, b->n, is_atomic,
				  &e);
	return t ? ref_transaction_commit(t, &e) : -1;
}

static enum err_code one(const char *name, const char *old_id,
			 const char *new_id)
{
	static struct batch b;

	b.n = 0;
	add(&b, name, old_id, new_id);
	(void)!run(&b, false);
	return b.errors[0].code;
}

static void assert_clean(void)
{
	sh("test -z \"$(find . -name '*.lock' -o -name 'incoming*')\"");
}

static void writes_a_loose_file(void **state)
{
	(void)state;
	assert_int_equal(one("refs/heads/main", ID_0, ID_A), ERR_OK);
	assert_file("refs/heads/main", ID_A "\n");
	assert_int_equal(one("refs/heads/main", ID_A, ID_B), ERR_OK);
	assert_file("refs/heads/main", ID_B "\n");
	assert_int_equal(one("refs/heads/deep/er/x", ID_0, ID_B), ERR_OK);
	assert_file("refs/heads/deep/er/x", ID_B "\n");
	assert_false(exists("packed-refs"));
	assert_clean();
}

static void compares_the_old_value(void **state)
{
	(void)state;
	put("refs/heads/main", ID_A "\n");
	put("packed-refs", HEADER ID_A " refs/heads/packed\n");
	assert_int_equal(one("refs/heads/main", ID_0, ID_B), ERR_CONFLICT);
	assert_int_equal(one("refs/heads/main", ID_B, ID_A), ERR_CONFLICT);
	assert_int_equal(one("refs/heads/none", ID_A, ID_B), ERR_CONFLICT);
	assert_int_equal(one("refs/heads/packed", ID_0, ID_B), ERR_CONFLICT);
	assert_int_equal(one("refs/heads/packed", ID_A, ID_B), ERR_OK);
	assert_int_equal(one("refs/heads/main", "-", ID_B), ERR_OK);
	assert_file("refs/heads/main", ID_B "\n");
	assert_int_equal(one("refs/heads/main", ID_A, ID_0), ERR_CONFLICT);
	assert_file("refs/heads/main", ID_B "\n");
	assert_clean();
}

static void deletes_loose_and_packed(void **state)
{
	(void)state;
	put("packed-refs",
	    HEADER ID_A " refs/heads/a\n" ID_A " refs/heads/b\n" ID_B
			" refs/tags/t\n^" ID_A "\n");
	put("refs/heads/a", ID_B "\n");
	assert_int_equal(one("refs/heads/a", ID_B, ID_0), ERR_OK);
	assert_false(exists("refs/heads/a"));
	assert_file("packed-refs", HEADER ID_A " refs/heads/b\n" ID_B
					       " refs/tags/t\n^" ID_A "\n");
	assert_int_equal(one("refs/tags/t", ID_B, ID_0), ERR_OK);
	assert_file("packed-refs", HEADER ID_A " refs/heads/b\n");
	assert_int_equal(one("refs/heads/x/y", ID_0, ID_A), ERR_OK);
	assert_int_equal(one("refs/heads/x/y", ID_A, ID_0), ERR_OK);
	assert_false(exists("refs/heads/x"));
	assert_true(exists("refs/heads"));
	/* What is not there may be deleted where nobody says what it was. */
	assert_int_equal(one("refs/heads/none", "-", ID_0), ERR_OK);
	assert_int_equal(one("refs/heads/none", ID_A, ID_0), ERR_CONFLICT);
	put("refs/heads/broken", "junk\n");
	assert_int_equal(one("refs/heads/broken", "-", ID_0), ERR_OK);
	assert_false(exists("refs/heads/broken"));
	assert_clean();
}

/* Searching it by halves would miss the ref, which then came back. */
static void deletes_from_a_file_that_is_out_of_order(void **state)
{
	(void)state;
	put("packed-refs", HEADER ID_A
	    " refs/heads/b\n" ID_A " refs/heads/c\n" ID_A " refs/heads/a\n");
	assert_int_equal(one("refs/heads/a", ID_A, ID_0), ERR_OK);
	assert_file("packed-refs",
		    HEADER ID_A " refs/heads/b\n" ID_A " refs/heads/c\n");
	assert_clean();
}

static void sees_every_conflict_of_names(void **state)
{
	static const struct {
		const char *setup, *name;
	} cases[] = {
		{ "echo " ID_A ">refs/heads/a", "refs/heads/a/b" },
		{ "echo " ID_A ">refs/heads/a", "refs/heads/a/b/c" },
		{ "mkdir -p refs/heads/a; echo " ID_A ">refs/heads/a/b",
		  "refs/heads/a" },
		{ "echo " ID_A " refs/heads/a >packed-refs",
		  "refs/heads/a/b/c" },
		{ "echo " ID_A " refs/heads/a/b >packed-refs", "refs/heads/a" },
		{ "(echo " ID_A " refs/heads/a-b; echo " ID_A
		  " refs/heads/a/b) >packed-refs",
		  "refs/heads/a" },
		/* Somebody is about to. */
		{ "touch refs/heads/a.lock", "refs/heads/a/b" },
		{ "mkdir refs/heads/a; touch refs/heads/a/b.lock",
		  "refs/heads/a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sh(cases[i].setup);
		if (one(cases[i].name, ID_0, ID_B) != ERR_CONFLICT)
			fail_msg("%s", cases[i].setup);
		sh("rm -rf refs/heads/* packed-refs");
	}
	/* A directory with nothing in it is in nobody's way. */
	sh("mkdir -p refs/heads/a/b/c");
	assert_int_equal(one("refs/heads/a", ID_0, ID_A), ERR_OK);
	assert_file("refs/heads/a", ID_A "\n");
	assert_clean();
}

static void refuses_what_cannot_go_together(void **state)
{
	struct batch b = { 0 };

	(void)state;
	add(&b, "refs/heads/a", ID_0, ID_A);
	add(&b, "refs/heads/a-b", ID_0, ID_A);
	add(&b, "refs/heads/a/b", ID_0, ID_A);
	add(&b, "refs/heads/twice", ID_0, ID_A);
	add(&b, "refs/heads/twice", ID_0, ID_B);
	add(&b, "refs/heads/bad..name", ID_0, ID_B);
	add(&b, "refs/heads/fine", ID_0, ID_B);
	assert_int_equal(run(&b, false), 0);
	assert_int_equal(b.errors[0].code, ERR_OK);
	assert_int_equal(b.errors[1].code, ERR_OK);
	assert_int_equal(b.errors[2].code, ERR_CONFLICT);
	assert_int_equal(b.errors[3].code, ERR_CONFLICT);
	assert_int_equal(b.errors[4].code, ERR_CONFLICT);
	assert_int_equal(b.errors[5].code, ERR_MALFORMED);
	assert_int_equal(b.errors[6].code, ERR_OK);
	assert_false(exists("refs/heads/twice"));
	assert_clean();
}

static void an_atomic_one_is_all_or_nothing(void **state)
{
	struct batch b = { 0 };

	(void)state;
	put("refs/heads/old", ID_A "\n");
	put("packed-refs", HEADER ID_A " refs/heads/gone\n");
	add(&b, "refs/heads/old", ID_A, ID_B);
	add(&b, "refs/heads/new", ID_0, ID_B);
	add(&b, "refs/heads/gone", ID_A, ID_0);
	add(&b, "refs/heads/bad", ID_A, ID_B);
	assert_int_equal(run(&b, true), -1);
	for (size_t i = 0; i < b.n; i++)
		assert_int_not_equal(b.errors[i].code, ERR_OK);
	assert_file("refs/heads/old", ID_A "\n");
	assert_file("packed-refs", HEADER ID_A " refs/heads/gone\n");
	assert_clean();
	b.n = 3;
	assert_int_equal(run(&b, true), 0);
	assert_file("packed-refs",
		    HEADER ID_B " refs/heads/new\n" ID_B " refs/heads/old\n");
	assert_false(exists("refs/heads/old"));
	assert_clean();
}

static void many_updates_go_into_one_file(void **state)
{
	struct batch b = { 0 };
	char names[40][32];

	(void)state;
	put("refs/heads/b07", ID_A "\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(names[i], sizeof names[i], "refs/heads/b%02zu", i);
		add(&b, names[i], "-", ID_B);
	}
	assert_int_equal(run(&b, false), 0);
	sh("test $(grep -c " ID_B " packed-refs) = 40");
	sh("test -z \"$(ls refs/heads)\"");
	assert_clean();
}

static void follows_head_and_symbolic_refs(void **state)
{
	(void)state;
	assert_int_equal(one("HEAD", ID_0, ID_A), ERR_OK);
	assert_file("refs/heads/main", ID_A "\n");
	assert_file("HEAD", "ref: refs/heads/main\n");
	put("refs/heads/alias", "ref: refs/heads/main\n");
	assert_int_equal(one("refs/heads/alias", ID_A, ID_B), ERR_OK);
	assert_file("refs/heads/main", ID_B "\n");
	assert_file("refs/heads/alias", "ref: refs/heads/main\n");
	put("refs/heads/x", "ref: refs/heads/x\n");
	assert_int_not_equal(one("refs/heads/x", "-", ID_B), ERR_OK);
	assert_clean();
}

static void names_a_lock_that_is_held(void **state)
{
	struct batch b = { 0 };

	(void)state;
	put("refs/heads/main.lock", "");
	put("packed-refs", HEADER ID_A " refs/heads/gone\n");
	add(&b, "refs/heads/main", ID_0, ID_A);
	add(&b, "refs/heads/other", ID_0, ID_A);
	assert_int_equal(run(&b, false), 0);
	assert_int_equal(b.errors[0].code, ERR_CONFLICT);
	assert_non_null(strstr(b.errors[0].message, "refs/heads/main.lock"));
	assert_int_equal(b.errors[1].code, ERR_OK);
	assert_true(exists("refs/heads/main.lock"));
	put("packed-refs.lock", "");
	assert_int_equal(one("refs/heads/gone", ID_A, ID_0), ERR_CONFLICT);
	assert_true(exists("packed-refs.lock"));
	sh("rm packed-refs.lock");
	assert_int_equal(one("refs/heads/gone", ID_A, ID_0), ERR_OK);
}

static void abort_leaves_no_trace(void **state)
{
	struct ref_transaction *t;
	struct batch b = { 0 };
	struct err e;

	(void)state;
	add(&b, "refs/heads/a/b/c", ID_0, ID_A);
	t = ref_transaction_begin(".", OID_SHA1, b.changes, b.n, false, &e);
	assert_non_null(t);
	assert_true(exists("refs/heads/a/b/c.lock"));
	ref_transaction_abort(t);
	assert_false(exists("refs/heads/a"));
	assert_clean();
	ref_transaction_abort(NULL);
}

static bool is_work(void *arg, const char *owner, int64_t made_at)
{
	assert_null(arg);
	assert_true(made_at > 0);
	return !strcmp(owner, "work");
}

static void sweeps_the_locks_of_the_dead_only(void **state)
{
	const struct ref_place place = { ".", OID_SHA1, "work" };
	struct ref_transaction *t;
	struct batch b = { 0 };
	struct err e;

	(void)state;
	sh("mkdir work");
	add(&b, "refs/heads/a/b", ID_0, ID_A);
	t = ref_transaction_begin_at(&place, b.changes, b.n, false, &e);
	assert_non_null(t);
	put("refs/heads/other.lock", "");
	sh("ln -s elsewhere refs/heads/living.lock");
	assert_int_equal(ref_locks_sweep(".", is_work, NULL, &e), 0);
	assert_false(exists("refs/heads/a/b.lock"));
	assert_true(exists("refs/heads/living.lock"));
	assert_true(exists("refs/heads/other.lock"));
	ref_transaction_abort(t);
	sh("rm refs/heads/other.lock refs/heads/living.lock && rm -r work");
	assert_clean();
}

static void writes_reflogs_as_git_does(void **state)
{
	const struct ref_log log = { "C <c@example.org> 1 +0000", "push", true,
				     false };
	struct ref_transaction *t;
	struct batch b = { 0 };
	struct err e;

	(void)state;
	add(&b, "refs/heads/main", ID_0, ID_A);
	add(&b, "refs/tags/t", ID_0, ID_A);
	t = ref_transaction_begin(".", OID_SHA1, b.changes, b.n, false, &e);
	assert_non_null(t);
	ref_transaction_use(t, NULL, &log);
	assert_int_equal(ref_transaction_commit(t, &e), 0);
	assert_file("logs/refs/heads/main",
		    ID_0 " " ID_A " C <c@example.org> 1 +0000\tpush\n");
	assert_file("logs/HEAD",
		    ID_0 " " ID_A " C <c@example.org> 1 +0000\tpush\n");
	assert_false(exists("logs/refs/tags/t"));
	b.n = 0;
	add(&b, "refs/heads/main", ID_A, ID_0);
	t = ref_transaction_begin(".", OID_SHA1, b.changes, b.n, false, &e);
	ref_transaction_use(t, NULL, &log);
	assert_int_equal(ref_transaction_commit(t, &e), 0);
	assert_false(exists("logs/refs/heads/main"));
}

static void points_head_elsewhere(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(ref_set_head(".", "refs/heads/x", &e), 0);
	assert_file("HEAD", "ref: refs/heads/x\n");
	assert_int_equal(ref_set_head(".", "refs/heads/..", &e), -1);
	assert_int_equal(ref_set_head(".", "objects/x", &e), -1);
	assert_file("HEAD", "ref: refs/heads/x\n");
	assert_clean();
}

/* -- against stock git ---------------------------------------------------- */

#define N_NAMES 24
#define N_IDS	5

static char ids[N_IDS][64];

static void make_repository(void)
{
	static const char *const revs[N_IDS] = { "a", "b", "c", "tag",
						 "nested" };

	sh("rm -r refs objects HEAD && git init -q --bare . &&"
	   "t=$(git hash-object -t tree -w /dev/null) &&"
	   "for i in a b c; do git update-ref refs/keep/$i"
	   " $(git commit-tree -m $i $t); done &&"
	   "git tag -m t tag refs/keep/a &&"
	   "git -c advice.nestedTag=false tag -m n nested tag &&"
	   "git update-ref refs/keep/tag tag &&"
	   "git update-ref refs/keep/nested nested &&"
	   "git tag -d tag >/dev/null && git tag -d nested >/dev/null");
	for (int i = 0; i < N_IDS; i++) {
		CLEANUP(freep) char *id = NULL;
		char command[64];

		snprintf(command, sizeof command, "git rev-parse refs/keep/%s",
			 revs[i]);
		id = sh_out(command);
		snprintf(ids[i], sizeof ids[i], "%s", id);
	}
}

/* What the refs should be: the index of an id, -1 for none. */
struct model {
	char names[N_NAMES][32];
	int values[N_NAMES];
};

static unsigned next(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % below;
}

static bool collides(const struct model *m, int i, int k)
{
	const char *a = m->names[i], *b = m->names[k];
	size_t n = strlen(a), l = strlen(b);

	return (n < l && !strncmp(a, b, n) && b[n] == '/') ||
	       (l < n && !strncmp(a, b, l) && a[l] == '/');
}

static void random_batch(const struct model *m, struct batch *b, int *picked,
			 int *wanted, unsigned *seed)
{
	b->n = 0;
	for (size_t n = 1 + next(seed, 6); n--;) {
		int i = (int)next(seed, N_NAMES);
		int value = (int)next(seed, N_IDS + 2) - 2;
		const char *old = m->values[i] < 0 ? ID_0 : ids[m->values[i]];

		/* Branches hold commits, or git fsck complains. */
		if (value > 2 && m->names[i][5] == 'h')
			value -= 2;
		if (next(seed, 12) == 0)
			old = ids[next(seed, N_IDS)];
		picked[b->n] = i;
		wanted[b->n] = value < 0 ? -1 : value;
		add(b, m->names[i], old, value < 0 ? ID_0 : ids[value]);
	}
}

/* Take over what was reported as done; nothing else may have happened. */
static void apply(struct model *m, const struct batch *b, const int *picked,
		  const int *wanted)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->errors[i].code == ERR_OK)
			m->values[picked[i]] = wanted[i];
	for (int i = 0; i < N_NAMES; i++)
		for (int k = 0; k < i; k++)
			if (m->values[i] >= 0 && m->values[k] >= 0)
				assert_false(collides(m, i, k));
}

static void compare_with_git(const struct model *m)
{
	CLEANUP(freep) char *theirs = NULL;
	struct buf b = BUF_INIT;

	for (int i = 0; i < N_NAMES; i++)
		if (m->values[i] >= 0)
			buf_addf(&b, "%s %s\n", ids[m->values[i]], m->names[i]);
	put("expected", buf_str(&b));
	buf_fini(&b);
	theirs = sh_out("git for-each-ref --format='%(objectname) %(refname)'"
			" refs/heads refs/tags | sort >actual;"
			"sort expected | diff - actual && echo same");
	assert_string_equal(theirs, "same");
}

static void agrees_with_git_after_random_transactions(void **state)
{
	static struct batch b;
	int picked[MAX_CHANGES], wanted[MAX_CHANGES];
	struct model m;
	unsigned seed = 2026;

	(void)state;
	NEED_GIT();
	make_repository();
	for (int i = 0; i < N_NAMES; i++) {
		static const char *const tails[] = { "", "/x", "/x/y", "" };

		m.values[i] = -1;
		snprintf(m.names[i], sizeof m.names[i], "refs/%s/%c%s",
			 i % 4 < 3 ? "heads" : "tags", 'a' + i / 4,
			 tails[i % 4]);
	}
	for (int i = 0; i < 600; i++) {
		random_batch(&m, &b, picked, wanted, &seed);
		(void)!run(&b, next(&seed, 2));
		apply(&m, &b, picked, wanted);
		if (i % 150 == 99)
			sh("git pack-refs --all");
		if (i % 150 == 29)
			sh("git pack-refs");
		if (i % 50 == 0)
			compare_with_git(&m);
	}
	compare_with_git(&m);
	assert_clean();
	/* Peeled values, as git reads them from the file and from objects. */
	sh("git show-ref -d >one && git pack-refs --all &&"
	   "sed -i -e /^#/d -e /^^/d packed-refs && git show-ref -d >two &&"
	   "cmp one two && git fsck --strict");
}

/* -- at the same time ----------------------------------------------------- */

struct worker {
	int number;
	int n_won;
};

static void *push_many(void *arg)
{
	struct worker *w = arg;
	char mine[32];

	snprintf(mine, sizeof mine, "refs/heads/own%d", w->number);
	for (int i = 0; i < 40; i++) {
		struct err error;
		struct ref_change c = { "refs/heads/shared", id_of(ID_0),
					id_of(ID_A), &error };
		struct ref_transaction *t;
		struct err e;

		if (i % 2)
			c.name = mine;
		t = ref_transaction_begin(".", OID_SHA1, &c, 1, true, &e);
		if (t && !ref_transaction_commit(t, &e)) {
			w->n_won++;
			c.old_id = id_of(ID_A);
			c.new_id = id_of(ID_0);
			t = ref_transaction_begin(".", OID_SHA1, &c, 1, true,
						  &e);
			if (!t || ref_transaction_commit(t, &e) < 0)
				w->n_won = -1000;
		}
	}
	return NULL;
}

static void threads_exclude_each_other(void **state)
{
	struct worker workers[3] = { { 0, 0 }, { 1, 0 }, { 2, 0 } };
	pthread_t threads[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, push_many,
						&workers[i]),
				 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_in_range(workers[i].n_won, 20, 40);
	}
	assert_clean();
}

static void one_of_a_hundred_thousand_touches_no_other(void **state)
{
	FILE *f = fopen("packed-refs", "w");
	struct stat before, after;

	(void)state;
	fputs(HEADER, f);
	for (int i = 0; i < 100000; i++)
		fprintf(f, "%040x refs/tags/%06d\n", i + 1, i);
	fclose(f);
	stat("packed-refs", &before);
	assert_int_equal(one("refs/heads/main", ID_0, ID_A), ERR_OK);
	stat("packed-refs", &after);
	assert_true(before.st_ino == after.st_ino);
	assert_int_equal(one("refs/tags/050000", "-", ID_0), ERR_OK);
	sh("test $(grep -c refs/tags packed-refs) = 99999");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(writes_a_loose_file),
		CASE(compares_the_old_value),
		CASE(deletes_loose_and_packed),
		CASE(deletes_from_a_file_that_is_out_of_order),
		CASE(sees_every_conflict_of_names),
		CASE(refuses_what_cannot_go_together),
		CASE(an_atomic_one_is_all_or_nothing),
		CASE(many_updates_go_into_one_file),
		CASE(follows_head_and_symbolic_refs),
		CASE(names_a_lock_that_is_held),
		CASE(abort_leaves_no_trace),
		CASE(sweeps_the_locks_of_the_dead_only),
		CASE(writes_reflogs_as_git_does),
		CASE(points_head_elsewhere),
		CASE(agrees_with_git_after_random_transactions),
		CASE(threads_exclude_each_other),
		CASE(one_of_a_hundred_thousand_touches_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
