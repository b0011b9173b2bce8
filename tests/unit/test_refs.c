/* SPDX-License-Identifier: Apache-2.0 */
#include "git_fixture.h"

#include "git/objects.h"
#include "git/packed_refs.h"
#include "git/refs.h"

#include <fcntl.h>
#include <time.h>

#define ID_A "1111111111111111111111111111111111111111"
#define ID_B "2222222222222222222222222222222222222222"
#define ID_C "3333333333333333333333333333333333333333"
#define ID_0 "0000000000000000000000000000000000000000"

static int enter(void **state)
{
	if (fixture_enter(state))
		return -1;
	sh("mkdir -p refs/heads refs/tags objects");
	put("HEAD", "ref: refs/heads/main\n");
	return 0;
}

static struct refs *load(struct refs *previous)
{
	struct err e;
	struct refs *r = refs_load(".", OID_SHA1, NULL, previous, &e);

	if (!r)
		fail_msg("%s", e.message);
	return r;
}

static void assert_id(const struct ref *r, const char *hex)
{
	char text[OID_MAX_HEX + 1];

	assert_non_null(r);
	assert_string_equal(oid_hex(&r->id, text), hex);
}

/* Long enough for a time stamp to be believed. */
static void settle(void)
{
	struct timespec t = { 0, 60000000 };

	nanosleep(&t, NULL);
}

static void takes_the_names_git_takes(void **state)
{
	static const struct {
		const char *name;
		bool is_good;
	} names[] = {
		{ "refs/heads/main", true },
		{ "refs/heads/a/b/c", true },
		{ "refs/heads/\xc3\xa9t\xc3\xa9", true },
		{ "refs/heads/@", true },
		{ "refs/heads/-x", true },
		{ "refs/heads/a.b", true },
		{ "refs/heads/a{b", true },
		{ "refs/heads/lock", true },
		{ "refs/heads/x.lockk", true },
		{ "", false },
		{ "HEAD", false },
		{ "refs", false },
		{ "/", false },
		{ "/refs/heads/a", false },
		{ "refs/heads/", false },
		{ "refs//heads/a", false },
		{ "refs/heads/.a", false },
		{ "refs/heads/a..b", false },
		{ "refs/heads/a.", false },
		{ "refs/heads/a./b", true },
		{ "refs/heads/a.lock", false },
		{ "refs/heads/a.lock/b", false },
		{ "refs/heads/a b", false },
		{ "refs/heads/a\tb", false },
		{ "refs/heads/a\x7f", false },
		{ "refs/heads/a\nb", false },
		{ "refs/heads/a~1", false },
		{ "refs/heads/a^", false },
		{ "refs/heads/a:b", false },
		{ "refs/heads/a?", false },
		{ "refs/heads/a*", false },
		{ "refs/heads/a[b", false },
		{ "refs/heads/a\\b", false },
		{ "refs/heads/a@{b", false },
		{ "refs/heads/..", false },
		{ "../refs/heads/a", false },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int n = ref_name_check(span_str(names[i].name), &e);

		if (!n != names[i].is_good)
			fail_msg("%s", names[i].name);
		if (n)
			assert_int_equal(e.code, ERR_MALFORMED);
	}
	assert_int_equal(ref_name_check(span_of("refs/heads/a\0b", 14), &e),
			 -1);
}

static void agrees_with_git_about_names(void **state)
{
	static const char letters[] = "ab/./@{-*?~^:[ \\lock";
	char name[24], command[128];
	unsigned seed = 7;
	struct err e;

	(void)state;
	NEED_GIT();
	for (int i = 0; i < 300; i++) {
		int n = snprintf(name, sizeof name, "refs/");
		int end = n + 1 + (int)(seed >> 16) % 12;

		for (; n < end; n++) {
			seed = seed * 1103515245 + 12345;
			name[n] = letters[(seed >> 16) % (sizeof letters - 1)];
		}
		name[n] = '\0';
		snprintf(command, sizeof command, "git check-ref-format '%s'",
			 name);
		if (!system(command) != !ref_name_check(span_str(name), &e))
			fail_msg("%s", name);
	}
}

static void refuses_names_that_are_too_long(void **state)
{
	char name[3000];
	struct err e;

	(void)state;
	memset(name, 'a', sizeof name);
	memcpy(name, "refs/heads/", 11);
	assert_int_equal(ref_name_check(span_of(name, 11 + 255), &e), 0);
	assert_int_equal(ref_name_check(span_of(name, 11 + 256), &e), -1);
	for (size_t i = 100; i < sizeof name; i += 100)
		name[i] = '/';
	assert_int_equal(ref_name_check(span_of(name, 2048), &e), 0);
	assert_int_equal(ref_name_check(span_of(name, 2049), &e), -1);
}

static void loose_wins_over_packed(void **state)
{
	struct refs *r;

	(void)state;
	put("packed-refs",
	    "# pack-refs with: peeled fully-peeled sorted \n" ID_A
	    " refs/heads/main\n" ID_A " refs/heads/zoo\n" ID_A
	    " refs/tags/v1\n^" ID_C "\n");
	put("refs/heads/main", ID_B "\n");
	put("refs/heads/alpha", ID_C);
	r = load(NULL);
	assert_int_equal(refs_count(r), 4);
	assert_string_equal(refs_at(r, 0)->name, "refs/heads/alpha");
	assert_id(refs_find(r, "refs/heads/main"), ID_B);
	assert_id(refs_find(r, "refs/heads/zoo"), ID_A);
	assert_int_equal(refs_find(r, "refs/tags/v1")->peeled.len, 20);
	assert_int_equal(refs_find(r, "refs/heads/zoo")->peeled.len, 0);
	assert_null(refs_find(r, "refs/heads/mai"));
	assert_string_equal(refs_head(r)->target, "refs/heads/main");
	assert_true(refs_is_tip(r, &refs_at(r, 0)->id));
	assert_false(refs_is_tip(r, &(struct oid){ .len = 20 }));
	assert_int_equal(refs_lower_bound(r, span_str("refs/tags/")), 3);
	assert_int_equal(refs_lower_bound(r, span_str("z")), 4);
	refs_put(r);
}

static void leaves_broken_ones_out_and_counts_them(void **state)
{
	struct refs *r;

	(void)state;
	put("packed-refs",
	    "# pack-refs with: peeled fully-peeled sorted \n" ID_A
	    " refs/heads/a..b\n" ID_A " refs/heads/empty\n" ID_A
	    " refs/heads/fine\n");
	put("refs/heads/empty", "");
	put("refs/heads/zero", ID_0 "\n");
	put("refs/heads/short", "1111\n");
	put("refs/heads/junk", ID_A "x\n");
	put("refs/heads/bad~name", ID_A "\n");
	put("refs/heads/held.lock", ID_A "\n");
	put("refs/heads/.hidden", ID_A "\n");
	assert_int_equal(mkfifo("refs/heads/fifo", 0600), 0);
	assert_int_equal(symlink("loop", "refs/heads/loop"), 0);
	assert_int_equal(symlink("/", "refs/heads/root"), 0);
	r = load(NULL);
	assert_int_equal(refs_count(r), 1);
	assert_id(refs_at(r, 0), ID_A);
	assert_int_equal(refs_broken(r), 8);
	refs_put(r);
}

static void follows_symbolic_refs(void **state)
{
	struct refs *r;

	(void)state;
	sh("mkdir -p refs/remotes/o");
	put("refs/heads/main", ID_A "\n");
	put("refs/remotes/o/HEAD", "ref: refs/heads/main\n");
	put("refs/heads/two", "ref: refs/remotes/o/HEAD\n");
	put("refs/heads/nowhere", "ref: refs/heads/none\n");
	put("refs/heads/x", "ref: refs/heads/y\n");
	put("refs/heads/y", "ref: refs/heads/x\n");
	assert_int_equal(symlink("refs/heads/main", "refs/heads/old"), 0);
	put("HEAD", "ref: refs/heads/two\n");
	r = load(NULL);
	assert_int_equal(refs_count(r), 4);
	assert_id(refs_find(r, "refs/heads/two"), ID_A);
	assert_string_equal(refs_find(r, "refs/heads/two")->symref_target,
			    "refs/heads/main");
	assert_string_equal(refs_find(r, "refs/heads/old")->symref_target,
			    "refs/heads/main");
	assert_string_equal(refs_head(r)->target, "refs/heads/main");
	assert_int_equal(refs_head(r)->id.len, 20);
	refs_put(r);
}

static void reads_an_unborn_and_a_detached_head(void **state)
{
	struct refs *r = load(NULL);

	(void)state;
	assert_string_equal(refs_head(r)->target, "refs/heads/main");
	assert_int_equal(refs_head(r)->id.len, 0);
	refs_put(r);
	put("HEAD", ID_A "\n");
	r = load(NULL);
	assert_null(refs_head(r)->target);
	assert_int_equal(refs_head(r)->id.len, 20);
	assert_true(refs_is_tip(r, &refs_head(r)->id));
	refs_put(r);
}

static void names_what_is_damaged(void **state)
{
	static const struct {
		const char *command, *word;
	} cases[] = {
		{ "echo junk >HEAD", "HEAD" },
		{ "echo ref: ../../etc/passwd >HEAD", "HEAD" },
		{ "rm HEAD", "HEAD" },
		{ "echo 'ref: refs/heads/main' >HEAD; echo junk >packed-refs",
		  "packed-refs" },
		{ "printf " ID_A " >packed-refs", "packed-refs" },
		{ "printf '%s refs/heads/a' " ID_A " >packed-refs",
		  "packed-refs" },
		{ "printf '^%s\\n' " ID_A " >packed-refs", "packed-refs" },
		{ "rm packed-refs; mkdir packed-refs", "packed-refs" },
		{ "rmdir packed-refs; mkfifo packed-refs", "packed-refs" },
		{ "rm packed-refs; rm -r refs", "refs" },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sh(cases[i].command);
		assert_null(refs_load(".", OID_SHA1, NULL, NULL, &e));
		if (!strstr(e.message, cases[i].word))
			fail_msg("%s: %s", cases[i].command, e.message);
	}
}

static void takes_an_unsorted_old_file(void **state)
{
	struct refs *r;

	(void)state;
	put("packed-refs",
	    "# pack-refs with: peeled \n" ID_B " refs/tags/z\n^" ID_C "\n" ID_A
	    " refs/heads/b\n" ID_A " refs/heads/a\n");
	r = load(NULL);
	assert_int_equal(refs_count(r), 3);
	assert_string_equal(refs_at(r, 0)->name, "refs/heads/a");
	assert_int_equal(refs_at(r, 2)->peeled.len, 20);
	refs_put(r);
}

static void sorts_a_file_that_is_not_sorted_as_it_says(void **state)
{
	struct refs *r;
	struct err e;

	(void)state;
	put("packed-refs",
	    "# pack-refs with: peeled fully-peeled sorted \n" ID_B
	    " refs/tags/b\n^" ID_C "\n" ID_A " refs/heads/a\n" ID_A
	    " refs/heads/a\n");
	r = load(NULL);
	assert_int_equal(refs_count(r), 2);
	assert_string_equal(refs_at(r, 0)->name, "refs/heads/a");
	assert_id(refs_find(r, "refs/tags/b"), ID_B);
	assert_int_equal(refs_find(r, "refs/tags/b")->peeled.id[0], 0x33);
	refs_put(r);
	put("packed-refs",
	    "# pack-refs with: peeled fully-peeled sorted \n" ID_A
	    " refs/heads/a\n" ID_B " refs/heads/a\n");
	assert_null(refs_load(".", OID_SHA1, NULL, NULL, &e));
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_non_null(strstr(e.message, "'refs/heads/a' stands there twice"));
}

static struct oid head_of(struct object_reader *reader)
{
	struct refs *r;
	struct oid id;
	struct err e;

	r = refs_load(".", OID_SHA1, reader, NULL, &e);
	if (!r)
		fail_msg("%s", e.message);
	id = refs_head(r)->id;
	assert_null(refs_find(r, "refs/heads/main"));
	refs_put(r);
	return id;
}

/* Else a clone of a damaged repository would be an empty one. */
static void a_head_whose_commit_is_lost_is_not_unborn(void **state)
{
	struct object_reader *reader;
	struct objects *objects;
	struct err e;

	(void)state;
	objects = objects_open("objects", OID_SHA1, NULL, &e);
	reader = object_reader_new(objects, 1 << 20, &e);
	assert_int_equal(head_of(reader).len, 0);
	put("packed-refs", ID_B " refs/heads/main\n");
	assert_int_equal(head_of(reader).id[0], 0x22);
	put("refs/heads/main", ID_A "\n");
	assert_int_equal(head_of(reader).id[0], 0x11);
	put("HEAD", ID_C "\n");
	assert_int_equal(head_of(reader).id[0], 0x33);
	object_reader_free(reader);
	objects_put(objects);
}

static void notices_every_change(void **state)
{
	static const char *const changes[] = {
		"echo " ID_B " >x && mv x refs/heads/main",
		"echo " ID_C " >refs/heads/main", /* in place */
		"mkdir -p refs/a/b/c && echo " ID_A " >refs/a/b/c/d",
		"rm -r refs/a",
		"echo " ID_A " refs/heads/p >packed-refs",
		"echo " ID_B " refs/heads/p >packed-refs",
		"rm packed-refs",
		"echo 'ref: refs/heads/other' >HEAD",
		"rm refs/heads/main",
	};
	struct refs *r, *next;

	(void)state;
	put("refs/heads/main", ID_A "\n");
	settle();
	r = load(NULL);
	assert_true(refs_fresh(r));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		sh(changes[i]);
		if (refs_fresh(r))
			fail_msg("%s", changes[i]);
		settle();
		next = load(r);
		assert_true(refs_fresh(next));
		refs_put(r);
		r = next;
	}
	refs_put(r);
}

static void does_not_trust_a_young_signature(void **state)
{
	struct refs *r;

	(void)state;
	put("refs/heads/main", ID_A "\n");
	r = load(NULL);
	assert_false(refs_fresh(r));
	refs_put(r);
}

static void takes_over_what_has_not_changed(void **state)
{
	struct refs *r, *next;
	const struct ref *tag, *branch;

	(void)state;
	put("packed-refs",
	    "# pack-refs with: peeled fully-peeled sorted \n" ID_A
	    " refs/tags/v1\n");
	sh("mkdir refs/x");
	put("refs/x/one", ID_A "\n");
	put("refs/heads/main", ID_A "\n");
	settle();
	r = load(NULL);
	tag = refs_find(r, "refs/tags/v1");
	branch = refs_find(r, "refs/x/one");
	put("refs/heads/new", ID_B "\n");
	next = load(r);
	refs_put(r);
	/* The same memory, still alive. */
	assert_ptr_equal(refs_find(next, "refs/tags/v1"), tag);
	assert_ptr_equal(refs_find(next, "refs/x/one"), branch);
	assert_id(refs_find(next, "refs/heads/new"), ID_B);
	refs_put(next);
}

/* "NAME HEX PEELED|-" lines, as for-each-ref prints them below. */
static char *print(const struct refs *r)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < refs_count(r); i++) {
		const struct ref *ref = refs_at(r, i);

		buf_adds(&b, ref->name);
		buf_addc(&b, ' ');
		buf_addhex(&b, ref->id.id, ref->id.len);
		buf_addc(&b, ' ');
		buf_addhex(&b, ref->peeled.id, ref->peeled.len);
		if (i + 1 < refs_count(r))
			buf_addc(&b, '\n');
	}
	return buf_take(&b);
}

static void peels_as_git_does(void **state)
{
	static const char *const steps[] = {
		"git pack-refs --all",
		/* a header that knows nothing */
		"sed -i -e /^#/d -e /^^/d packed-refs",
		"git update-ref refs/tags/last refs/tags/nested",
		"git pack-refs --all && git update-ref -d refs/tags/light",
	};
	struct objects *o;
	struct object_reader *reader;
	struct refs *r, *previous = NULL;
	struct err e;

	(void)state;
	NEED_GIT();
	sh("rm -r HEAD refs objects && git init -q --bare . &&"
	   "t=$(git hash-object -t tree -w /dev/null) &&"
	   "c=$(git commit-tree -m one $t) &&"
	   "git update-ref refs/heads/main $c &&"
	   "git update-ref refs/tags/light $c &&"
	   "git tag -m annotated v1 $c &&"
	   "git -c advice.nestedTag=false tag -m nested nested v1 &&"
	   "git tag -m tree tree $t");
	for (size_t i = 0; i <= ARRAY_SIZE(steps); i++) {
		CLEANUP(freep) char *ours = NULL;
		CLEANUP(freep) char *theirs = NULL;

		/* A ref whose object is not there. */
		put("refs/heads/gone", ID_A "\n");
		o = objects_open("objects", OID_SHA1, NULL, &e);
		assert_non_null(o);
		reader = object_reader_new(o, 1 << 20, &e);
		assert_non_null(reader);
		r = refs_load(".", OID_SHA1, reader, previous, &e);
		assert_non_null(r);
		ours = print(r);
		remove("refs/heads/gone");
		theirs = sh_out("git show-ref -d | awk "
				"'{ if (sub(/\\^\\{\\}$/,\"\",$2)) p[$2]=$1;"
				" else { n[++k]=$2; v[$2]=$1 } } END { for"
				" (i=1;i<=k;i++) print n[i], v[n[i]],"
				" p[n[i]] }'");
		assert_string_equal(ours, theirs);
		assert_int_equal(refs_broken(r), 1);
		refs_put(previous);
		previous = r;
		object_reader_free(reader);
		objects_put(o);
		if (i < ARRAY_SIZE(steps))
			sh(steps[i]);
	}
	refs_put(previous);
}

static void bisects_text(void **state)
{
	struct packed_text t;
	struct packed_line line;
	struct err e;
	FILE *f = fopen("packed-refs", "w");
	char name[40];

	(void)state;
	fputs("# pack-refs with: peeled fully-peeled sorted \n", f);
	for (int i = 0; i < 1000; i += 2)
		fprintf(f, "%s refs/tags/%04d\n%s", ID_A, i,
			i % 3 ? "" : "^" ID_B "\n");
	fclose(f);
	assert_int_equal(packed_text_read(".", OID_SHA1, &t, &e), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "refs/tags/%04d", i);
		assert_int_equal(packed_text_find(&t, OID_SHA1, span_str(name),
						  &line, &e),
				 !(i % 2));
		if (!(i % 2))
			assert_int_equal(line.peeled.len, i % 3 ? 0 : 20);
	}
	assert_int_equal(packed_text_bound(&t, span_str("a")), 0);
	assert_int_equal(packed_text_bound(&t, span_str("z")), t.lines.len);
	packed_text_fini(&t);
}

static void loads_a_hundred_thousand_in_no_time(void **state)
{
	FILE *f = fopen("packed-refs", "w");
	struct refs *r, *next;
	struct oid absent = { .len = 20 };

	(void)state;
	fputs("# pack-refs with: peeled fully-peeled sorted \n", f);
	for (int i = 0; i < 100000; i++)
		fprintf(f, "%08x%032x refs/tags/%06d\n", i + 1, 0, i);
	fclose(f);
	settle();
	r = load(NULL);
	assert_int_equal(refs_count(r), 100000);
	put("refs/heads/main", ID_A "\n");
	next = load(r);
	assert_int_equal(refs_count(next), 100001);
	assert_true(refs_is_tip(next, &refs_at(r, 99999)->id));
	assert_false(refs_is_tip(next, &absent));
	refs_put(r);
	refs_put(next);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(takes_the_names_git_takes),
		CASE(agrees_with_git_about_names),
		CASE(refuses_names_that_are_too_long),
		CASE(loose_wins_over_packed),
		CASE(leaves_broken_ones_out_and_counts_them),
		CASE(follows_symbolic_refs),
		CASE(reads_an_unborn_and_a_detached_head),
		CASE(names_what_is_damaged),
		CASE(takes_an_unsorted_old_file),
		CASE(sorts_a_file_that_is_not_sorted_as_it_says),
		CASE(a_head_whose_commit_is_lost_is_not_unborn),
		CASE(notices_every_change),
		CASE(does_not_trust_a_young_signature),
		CASE(takes_over_what_has_not_changed),
		CASE(peels_as_git_does),
		CASE(bisects_text),
		CASE(loads_a_hundred_thousand_in_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
