/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans and packs held against stock git: repositories made at random, then
 * requests made at random; our set of objects is git pack-objects' (or, where
 * the client has something, no more than git's and enough for a whole history),
 * and git index-pack takes what we emit. Skipped where there is no git.
 */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "git/graph.h"
#include "git/history.h"
#include "git/pack_file.h"
#include "git/pack_plan.h"
#include "git/reach.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_TYPES	 5
#define N_ROUNDS 18

struct ids {
	struct oid *items;
	size_t n;
};

struct lab {
	char dir[64];
	uint64_t seed;
	struct objects *objects;
	struct graph *graph;
	struct reach *reach;
	struct ids ids[N_TYPES]; /* by type */
};

/* SplitMix64: the same repositories on every machine. */
static uint32_t draw(struct lab *l, uint32_t below)
{
	uint64_t z = l->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % below);
}

/* Run in the lab's directory; its exit code. */
PRINTF_LIKE(2, 3)
static int sh(const struct lab *l, const char *format, ...)
{
	char command[4096], line[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	snprintf(line, sizeof line,
		 "cd %s && export GIT_CONFIG_NOSYSTEM=1 HOME=%s && { %s; } "
		 ">>log 2>&1",
		 l->dir, l->dir, command);
	return system(line);
}

static void path_in(const struct lab *l, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", l->dir, name);
}

static void write_file(const struct lab *l, const char *name,
		       const struct buf *b)
{
	char path[128];
	FILE *f;

	assert_false(b->failed);
	path_in(l, name, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(buf_str(b), 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

/* -- a repository ---------------------------------------------------------- */

/* Text whose versions differ in a line or two, so that deltas pay. */
static void add_text(struct lab *l, struct buf *b, uint32_t topic)
{
	struct buf text = BUF_INIT;
	uint32_t lines = 10 + topic % 40;
	uint32_t changed = draw(l, lines);

	for (uint32_t i = 0; i < lines; i++)
		buf_addf(&text, "line %u of topic %u says %u\n", i, topic,
			 i == changed ? draw(l, 1000000) : topic * i);
	buf_addf(b, "data %zu\n", text.len);
	buf_addspan(b, buf_span(&text));
	buf_addc(b, '\n');
	buf_fini(&text);
}

static void add_path(struct lab *l, struct buf *b, uint32_t topic)
{
	static const char *const shapes[] = { "f%u", "d%u/f", "d%u/e/f",
					      "same/d%u/e/g/f",
					      "copy/d%u/e/g/f" };
	char path[64];
	/* One of the five, chosen by us. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(path, sizeof path, shapes[draw(l, 5)], topic % 12);
#pragma GCC diagnostic pop
	buf_adds(b, path);
}

/* `n` commits from mark `first` on, with merges and roots, a branch for each.
 */
static void add_commits(struct lab *l, struct buf *b, uint32_t first,
			uint32_t n)
{
	for (uint32_t k = first; k < first + n; k++) {
		uint32_t n_files = 1 + draw(l, 3);
		bool is_root = k % 23 == 1;

		for (uint32_t i = 0; i < n_files; i++) {
			buf_addf(b, "blob\nmark :%u\n", 100000 + k * 4 + i);
			add_text(l, b, draw(l, 30));
		}
		buf_addf(b, "commit refs/heads/b%u\nmark :%u\n", k, k);
		buf_addf(b, "committer A <a@b> %u +0000\ndata 3\nm%02u",
			 1000000000 + k * 100, k % 100);
		if (!is_root)
			buf_addf(b, "\nfrom :%u",
				 k - 1 - draw(l, k < 6 ? 1 : 5));
		if (!is_root && k > 8 && draw(l, 5) == 0)
			buf_addf(b, "\nmerge :%u", k - 6 - draw(l, 2));
		for (uint32_t i = 0; i < n_files; i++) {
			buf_addf(b, "\nM 100644 :%u ", 100000 + k * 4 + i);
			add_path(l, b, draw(l, 30));
		}
		/* An old blob comes back, at any place. */
		if (k > first && draw(l, 3) == 0) {
			buf_addf(b, "\nM 100644 :%u ",
				 100000 + (first + draw(l, k - first)) * 4);
			add_path(l, b, draw(l, 30));
		}
		if (draw(l, 10) == 0)
			buf_addf(b, "\nM 160000 %040u sub", k);
		buf_adds(b, "\n\n");
		if (draw(l, 6) == 0)
			buf_addf(b,
				 "tag v%u\nfrom :%u\ntagger A <a@b> 1000000000 "
				 "+0000\ndata 1\nx\n",
				 k, k);
	}
}

static void import(struct lab *l, uint32_t first, uint32_t n)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	add_commits(l, &b, first, n);
	write_file(l, "stream", &b);
	assert_int_equal(
		sh(l, "git --git-dir=r.git fast-import --quiet --force "
		      "--import-marks-if-exists=marks --export-marks=marks "
		      "<stream && sed -i '/^:1[0-9][0-9][0-9][0-9][0-9] /d' "
		      "marks"),
		0);
}

/* Three packs, the second with deltas against copies of the first's objects,
 * and loose objects; tags of tags, of a tree, of a blob. */
static void make_repository(struct lab *l)
{
	assert_int_equal(sh(l, "git init -q --bare r.git && git -C r.git "
			       "config fastimport.unpackLimit 0"),
			 0);
	import(l, 1, 60);
	assert_int_equal(sh(l, "git -C r.git repack -qadf --depth=6 && "
			       "git -C r.git for-each-ref --format="
			       "'^%%(objectname)' >old"),
			 0);
	import(l, 61, 40);
	assert_int_equal(
		sh(l, "cd r.git && (git for-each-ref --format='%%(objectname)';"
		      " cat ../old) | git pack-objects -q --revs --thin "
		      "--stdout --delta-base-offset >../thin.pack && "
		      "rm $(ls -t objects/pack/* | head -2) && "
		      "git index-pack --stdin --fix-thin <../thin.pack"),
		0);
	import(l, 101, 15);
	assert_int_equal(sh(l, "git -C r.git config fastimport.unpackLimit "
			       "1000"),
			 0);
	import(l, 116, 10);
	assert_int_equal(
		sh(l, "cd r.git && export GIT_COMMITTER_NAME=A "
		      "GIT_COMMITTER_EMAIL=a@b && "
		      "git tag -a -m t tt1 b30 && git tag -a -m t tt2 tt1 && "
		      "git tag -a -m t tree b31^{tree} && "
		      "git tag -a -m t blob $(git ls-tree -r b30 | grep blob | "
		      "head -1 | cut -c13-52) && git fsck --full --strict"),
		0);
}

static void list_ids(struct lab *l)
{
	char path[128], line[256], type[16], hex[64];
	FILE *f;

	assert_int_equal(sh(l,
			    "cd r.git && git rev-list --objects --all | "
			    "cut -c1-40 | git cat-file --batch-check >../ids"),
			 0);
	path_in(l, "ids", path);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		struct ids *ids;

		assert_int_equal(sscanf(line, "%40s %15s", hex, type), 2);
		ids = &l->ids[object_type_parse(span_str(type))];
		ids->items =
			realloc(ids->items, (ids->n + 1) * sizeof *ids->items);
		assert_true(oid_parse(span_str(hex), OID_SHA1,
				      &ids->items[ids->n++]));
	}
	fclose(f);
	for (int i = 1; i < N_TYPES; i++)
		assert_true(l->ids[i].n > 0);
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof *l);
	char path[128];
	struct err e;

	*state = l;
	l->seed = 2026;
	snprintf(l->dir, sizeof l->dir, "/tmp/pack_emit-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	if (sh(l, "git --version >/dev/null") != 0)
		return 0;
	make_repository(l);
	list_ids(l);
	path_in(l, "r.git/objects", path);
	l->objects = objects_open(path, OID_SHA1, NULL, &e);
	assert_non_null(l->objects);
	path_in(l, "r.git", path);
	l->graph = graph_new(path, OID_SHA1);
	l->reach = reach_new();
	assert_int_equal(
		sh(l, "git init -q --bare list.git && echo $PWD/r.git/objects "
		      ">list.git/objects/info/alternates"),
		0);
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	struct err e;

	reach_free(l->reach);
	graph_free(l->graph);
	if (l->objects)
		objects_put(l->objects);
	for (int i = 0; i < N_TYPES; i++)
		free(l->ids[i].items);
	assert_int_equal(dir_remove(l->dir, &e), 0);
	free(l);
	return 0;
}

/* -- a request ------------------------------------------------------------- */

struct trial {
	struct lab *lab;
	struct pack_request request;
	struct oid wants[16];
	struct oid haves[16];
	/* What git is told besides. */
	const char *filter;
	struct buf shallow; /* "--shallow ID" lines */
	struct buf more_wants;
	struct buf more_haves;
	bool is_cut;
};

static int to_file(void *arg, struct span piece, struct err *e)
{
	assert_true(piece.len > 0 && piece.len <= PACK_PIECE_MAX);
	return fwrite(piece.data, 1, piece.len, arg) == piece.len
		       ? 0
		       : err_set(e, ERR_IO, "a short write");
}

/* Our pack into "our.pack", its objects into "our.set". */
static void emit(struct trial *t, struct pack_plan_stats *stats)
{
	struct lab *l = t->lab;
	const struct pack_source source = {
		.objects = l->objects,
		.graph = l->graph,
		.reach = l->reach,
	};
	CLEANUP(buf_fini) struct buf set = BUF_INIT;
	struct pack_plan *plan;
	struct err e = { 0 };
	char path[128], hex[OID_MAX_HEX + 1];
	uint32_t i = 0;
	FILE *f;

	plan = pack_plan_make(&source, &t->request, NULL, &e);
	if (!plan)
		fail_msg("%s", e.message);
	path_in(l, "our.pack", path);
	f = fopen(path, "w");
	assert_non_null(f);
	if (pack_emit(plan, to_file, f, &e) < 0)
		fail_msg("%s", e.message);
	assert_int_equal(fclose(f), 0);
	for (;; i++) {
		struct object_at at;
		struct oid id;

		i = object_set_next(&plan->send, i);
		if (i == UINT32_MAX)
			break;
		object_numbers_at(&plan->numbers, i, &at, &id);
		buf_addf(&set, "%s\n", oid_hex(&id, hex));
	}
	write_file(l, "our.set", &set);
	assert_int_equal(sh(l, "sort -o our.set our.set"), 0);
	pack_plan_stats(plan, stats);
	pack_plan_free(plan);
}

static void add_lines(struct buf *b, const struct oid *ids, size_t n)
{
	char hex[OID_MAX_HEX + 1];

	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s\n", oid_hex(&ids[i], hex));
}

/* git's pack into "git.pack". */
static void ask_git(struct trial *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	buf_addspan(&b, buf_span(&t->shallow));
	add_lines(&b, t->request.wants, t->request.n_wants);
	buf_addspan(&b, buf_span(&t->more_wants));
	buf_adds(&b, "--not\n");
	add_lines(&b, t->request.haves, t->request.n_haves);
	buf_addspan(&b, buf_span(&t->more_haves));
	write_file(t->lab, "asked", &b);
	assert_int_equal(
		sh(t->lab,
		   "git --git-dir=r.git %s pack-objects -q --revs --stdout "
		   "%s %s %s %s <asked >git.pack",
		   t->is_cut ? "--shallow-file ''" : "",
		   t->is_cut ? "--shallow" : "",
		   t->request.is_thin ? "--thin" : "",
		   t->filter ? "--filter" : "", t->filter ? t->filter : ""),
		0);
}

/* The objects of NAME.pack, without the bases that complete it, into
 * NAME.list. */
static void list_pack(struct lab *l, const char *name)
{
	assert_int_equal(
		sh(l,
		   "n=$((0x$(od -An -tx1 -j8 -N4 %s.pack | tr -d ' '))); "
		   "if [ $n = 0 ]; then : >%s.list; else "
		   "p=$(git -C list.git index-pack --stdin --fix-thin "
		   "<%s.pack | cut -f2) && "
		   "git show-index <list.git/objects/pack/pack-$p.idx | "
		   "sort -n | head -n $n | cut -d' ' -f2 | sort >%s.list && "
		   "rm -f list.git/objects/pack/*; fi",
		   name, name, name, name),
		0);
}

static void random_wants(struct trial *t, uint32_t max)
{
	struct lab *l = t->lab;

	t->request.wants = t->wants;
	t->request.n_wants = 1 + draw(l, max);
	for (size_t i = 0; i < t->request.n_wants; i++) {
		/* Mostly commits, newer ones more often. */
		uint32_t die = draw(l, 10);
		enum object_type type = die == 9 ? OBJECT_TAG : OBJECT_COMMIT;
		struct ids *ids = &l->ids[type];
		uint32_t range = (uint32_t)ids->n;

		if (die < 4 && range > 20)
			range = 20;
		t->wants[i] = ids->items[draw(l, range)];
	}
}

static void random_haves(struct trial *t, uint32_t max)
{
	struct lab *l = t->lab;

	t->request.haves = t->haves;
	t->request.n_haves = 1 + draw(l, max);
	for (size_t i = 0; i < t->request.n_haves; i++)
		t->haves[i] = l->ids[OBJECT_COMMIT].items[draw(
			l, (uint32_t)l->ids[OBJECT_COMMIT].n)];
}

static struct trial trial_new(struct lab *l)
{
	struct trial t = {
		.lab = l,
		.shallow = BUF_INIT,
		.more_wants = BUF_INIT,
		.more_haves = BUF_INIT,
	};

	t.request.has_ofs_delta = draw(l, 3) > 0;
	t.request.is_thin = draw(l, 2);
	return t;
}

static void trial_fini(struct trial *t)
{
	buf_fini(&t->shallow);
	buf_fini(&t->more_wants);
	buf_fini(&t->more_haves);
}

static void same_as_git(struct trial *t)
{
	struct pack_plan_stats stats;

	t->request.wants = t->wants;
	emit(t, &stats);
	list_pack(t->lab, "our");
	assert_int_equal(sh(t->lab, "cmp our.list our.set"), 0);
	ask_git(t);
	list_pack(t->lab, "git");
	if (sh(t->lab, "cmp our.list git.list") != 0)
		fail_msg("another set than git's (%s)",
			 t->filter ? t->filter : "no filter");
}

/* -- cases ----------------------------------------------------------------- */

static struct lab *need_git(void **state)
{
	struct lab *l = *state;

	if (!l->objects) {
		print_message("no git here\n");
		skip();
	}
	return l;
}

static void clones_what_git_clones(void **state)
{
	struct lab *l = need_git(state);

	for (int i = 0; i < N_ROUNDS / 2; i++) {
		struct trial t = trial_new(l);

		random_wants(&t, 5);
		same_as_git(&t);
		assert_int_equal(
			sh(l, "rm -rf c.git && git init -q --bare c.git && "
			      "git -C c.git index-pack --strict --stdin "
			      "<our.pack"),
			0);
		trial_fini(&t);
	}
}

static void sends_trees_and_blobs_that_are_named(void **state)
{
	struct lab *l = need_git(state);

	for (int i = 0; i < 10; i++) {
		struct trial t = trial_new(l);

		random_wants(&t, 2);
		for (int k = OBJECT_TREE; k <= OBJECT_BLOB; k++) {
			struct ids *ids = &l->ids[k];

			t.wants[t.request.n_wants++] =
				ids->items[draw(l, (uint32_t)ids->n)];
		}
		same_as_git(&t);
		trial_fini(&t);
	}
}

struct filter_case {
	const char *text;
	struct filter filter;
	const char *also;
};

static const struct filter_case filter_cases[] = {
	{ .text = "blob:none",
	  .filter = { .is_set = true, .has_blob_limit = true } },
	{ .text = "blob:limit=700",
	  .filter = { .is_set = true,
		      .has_blob_limit = true,
		      .blob_limit = 700 } },
	{ .text = "tree:0",
	  .filter = { .is_set = true, .has_tree_depth = true } },
	{ .text = "tree:1",
	  .filter = { .is_set = true,
		      .has_tree_depth = true,
		      .tree_depth = 1 } },
	{ .text = "tree:2",
	  .filter = { .is_set = true,
		      .has_tree_depth = true,
		      .tree_depth = 2 } },
	{ .text = "tree:4",
	  .filter = { .is_set = true,
		      .has_tree_depth = true,
		      .tree_depth = 4 } },
	{ .text = "object:type=commit",
	  .filter = { .is_set = true,
		      .has_type = true,
		      .type = OBJECT_COMMIT } },
	{ .text = "object:type=tree",
	  .filter = { .is_set = true, .has_type = true, .type = OBJECT_TREE } },
	{ .text = "tree:3",
	  .filter = { .is_set = true,
		      .has_tree_depth = true,
		      .tree_depth = 3,
		      .has_blob_limit = true,
		      .blob_limit = 700 },
	  .also = "blob:limit=700" },
};

/* What passes both. (git's own "combine:" leaves out trees that it meets first
 * where they are too deep, so it cannot be asked.) */
static void same_as_both(struct trial *t, const char *also)
{
	struct pack_plan_stats stats;

	emit(t, &stats);
	ask_git(t);
	list_pack(t->lab, "git");
	assert_int_equal(sh(t->lab, "mv git.list one.list"), 0);
	t->filter = also;
	ask_git(t);
	list_pack(t->lab, "git");
	assert_int_equal(sh(t->lab, "comm -12 one.list git.list | "
				    "cmp our.set -"),
			 0);
}

static void filters_as_git_filters(void **state)
{
	struct lab *l = need_git(state);

	for (int i = 0; i < N_ROUNDS; i++) {
		const struct filter_case *c =
			&filter_cases[(size_t)i % ARRAY_SIZE(filter_cases)];
		struct trial t = trial_new(l);

		t.filter = c->text;
		t.request.filter = c->filter;
		/* git judges a named commit by whether another leads to it, so
		 * one at a time where the filter leaves commits out. */
		random_wants(&t, c->filter.has_type ? 1 : 3);
		if (c->also)
			same_as_both(&t, c->also);
		else
			same_as_git(&t);
		trial_fini(&t);
	}
}

/* "object:type=blob": git sends the named commit and all blobs. */
static void sends_a_named_commit_whatever_the_filter(void **state)
{
	struct lab *l = need_git(state);
	struct trial t = trial_new(l);

	t.filter = "object:type=blob";
	t.request.filter = (struct filter){ .is_set = true,
					    .has_type = true,
					    .type = OBJECT_BLOB };
	t.wants[0] = l->ids[OBJECT_COMMIT].items[3];
	t.wants[1] = l->ids[OBJECT_TREE].items[5];
	t.wants[2] = l->ids[OBJECT_BLOB].items[7];
	t.request.n_wants = 3;
	same_as_git(&t);
	trial_fini(&t);
}

/* A client that has the closure of the haves and nothing else. */
static void make_client(struct trial *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	add_lines(&b, t->request.haves, t->request.n_haves);
	write_file(t->lab, "haves", &b);
	assert_int_equal(sh(t->lab,
			    "rm -rf c.git && git init -q --bare c.git && "
			    "git -C r.git pack-objects -q --revs --stdout "
			    "<haves | git -C c.git index-pack --stdin"),
			 0);
}

/* How many objects git's set has, and how many we send beside it: git's own
 * depends on the order in which it happens to meet commits. */
static void compare_with_git(struct trial *t, unsigned *n_git, unsigned *n_more)
{
	char path[128];
	unsigned counts[2];
	FILE *f;

	ask_git(t);
	list_pack(t->lab, "git");
	assert_int_equal(sh(t->lab,
			    "wc -l <git.list >counts; comm -23 our.list "
			    "git.list | wc -l >>counts"),
			 0);
	path_in(t->lab, "counts", path);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u %u", &counts[0], &counts[1]), 2);
	fclose(f);
	*n_git += counts[0];
	*n_more += counts[1];
}

/* The client takes the pack and has the whole history of the wants. */
static void client_takes(struct trial *t)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	add_lines(&b, t->request.wants, t->request.n_wants);
	write_file(t->lab, "wants", &b);
	assert_int_equal(sh(t->lab,
			    "git -C c.git index-pack %s --stdin %s "
			    "<our.pack",
			    t->is_cut ? "" : "--strict",
			    t->request.is_thin ? "--fix-thin" : ""),
			 0);
	assert_int_equal(sh(t->lab, "git -C c.git rev-list --objects --stdin "
				    "<wants >/dev/null"),
			 0);
}

static void fetches_no_more_than_git_and_enough(void **state)
{
	struct lab *l = need_git(state);
	unsigned n_git = 0, n_more = 0;

	for (int i = 0; i < N_ROUNDS; i++) {
		struct trial t = trial_new(l);
		struct pack_plan_stats stats;

		/* Half of them without what earlier requests taught. */
		if (draw(l, 2))
			reach_trim(l->reach);
		random_wants(&t, 4);
		random_haves(&t, 4);
		make_client(&t);
		emit(&t, &stats);
		list_pack(l, "our");
		assert_int_equal(sh(l, "cmp our.list our.set"), 0);
		compare_with_git(&t, &n_git, &n_more);
		client_takes(&t);
		trial_fini(&t);
	}
	assert_true(n_more * 100 < n_git * 3);
}

static void numbers_of(struct lab *l, const struct oid *ids, size_t n,
		       uint32_t *out)
{
	struct object_reader *r;
	struct err e;

	r = object_reader_new(l->objects, 1 << 20, &e);
	assert_non_null(r);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(graph_load(l->graph, r, &ids[i], &out[i], &e),
				 0);
	object_reader_free(r);
}

static void add_set(struct lab *l, struct buf *b, const char *before,
		    const struct commit_set *set)
{
	char hex[OID_MAX_HEX + 1];

	for (uint32_t i = 0; i < graph_count(l->graph); i++) {
		if (commit_set_has(set, i))
			buf_addf(b, "%s%s\n", before,
				 oid_hex(&graph_node(l->graph, i)->id, hex));
	}
}

static void random_commits(struct lab *l, struct oid *out, size_t n)
{
	struct ids *ids = &l->ids[OBJECT_COMMIT];

	for (size_t i = 0; i < n; i++)
		out[i] = ids->items[draw(l, (uint32_t)ids->n)];
}

/* A shallow clone into c.git, and its boundary. */
static void shallow_clone(struct trial *t, uint64_t depth,
			  struct commit_set *boundary)
{
	CLEANUP(commit_set_fini) struct commit_set inside = { NULL, 0 };
	CLEANUP(buf_fini) struct buf lines = BUF_INIT;
	struct lab *l = t->lab;
	struct pack_plan_stats stats;
	uint32_t wants[2];
	struct err e;

	t->is_cut = true;
	random_commits(l, t->wants, 2);
	t->request.wants = t->wants;
	t->request.n_wants = 2;
	numbers_of(l, t->wants, 2, wants);
	assert_int_equal(graph_cut_depth(l->graph, wants, 2, depth, NULL,
					 boundary, &inside, &e),
			 0);
	t->request.shallow = boundary;
	add_set(l, &t->shallow, "--shallow ", boundary);
	emit(t, &stats);
	list_pack(l, "our");
	ask_git(t);
	list_pack(l, "git");
	if (sh(l, "cmp our.list git.list") != 0)
		fail_msg("another set than git's, in %s", l->dir);
	assert_int_equal(sh(l, "rm -rf c.git && git init -q --bare c.git"), 0);
	add_set(l, &lines, "", boundary);
	write_file(l, "c.git/shallow", &lines);
	client_takes(t);
}

/* Cut the trial's history at `depth` for a client with `old` boundary. */
static void deepen(struct trial *t, uint64_t depth,
		   const struct commit_set *old, struct commit_set *boundary,
		   struct commit_set *unshallow)
{
	CLEANUP(commit_set_fini) struct commit_set inside = { NULL, 0 };
	struct lab *l = t->lab;
	uint32_t wants[16];
	struct err e;

	numbers_of(l, t->wants, t->request.n_wants, wants);
	assert_int_equal(graph_cut_depth(l->graph, wants, t->request.n_wants,
					 depth, NULL, boundary, &inside, &e),
			 0);
	for (uint32_t i = 0; i < graph_count(l->graph); i++) {
		const struct graph_node *node = graph_node(l->graph, i);

		if (!commit_set_has(old, i) || commit_set_has(boundary, i))
			continue;
		if (!commit_set_has(&inside, i)) {
			assert_int_equal(commit_set_add(boundary, i, &e), 0);
			continue;
		}
		assert_int_equal(commit_set_add(unshallow, i, &e), 0);
		for (uint32_t k = 0; k < node->n_parents; k++)
			add_lines(&t->more_wants,
				  &graph_node(l->graph, node->parents[k])->id,
				  1);
	}
	add_set(l, &t->shallow, "--shallow ", boundary);
	add_set(l, &t->shallow, "--shallow ", unshallow);
	add_set(l, &t->more_haves, "", unshallow);
}

static void cuts_and_deepens_as_git_does(void **state)
{
	struct lab *l = need_git(state);
	unsigned n_git = 0, n_more = 0;

	for (int i = 0; i < N_ROUNDS / 2; i++) {
		CLEANUP(commit_set_fini) struct commit_set old = { NULL, 0 };
		CLEANUP(commit_set_fini) struct commit_set now = { NULL, 0 };
		CLEANUP(commit_set_fini) struct commit_set whole = { NULL, 0 };
		CLEANUP(buf_fini) struct buf lines = BUF_INIT;
		struct trial first = trial_new(l), t = trial_new(l);
		struct pack_plan_stats stats;

		shallow_clone(&first, 1 + draw(l, 4), &old);
		random_commits(l, t.wants, 2);
		t.wants[2] = first.wants[0];
		t.request.wants = t.wants;
		t.request.n_wants = 3;
		t.request.haves = first.wants;
		t.request.n_haves = 2;
		t.is_cut = true;
		deepen(&t, 1 + draw(l, 9), &old, &now, &whole);
		t.request.shallow = &now;
		t.request.unshallow = &whole;
		emit(&t, &stats);
		list_pack(l, "our");
		compare_with_git(&t, &n_git, &n_more);
		add_set(l, &lines, "", &now);
		write_file(l, "c.git/shallow", &lines);
		client_takes(&t);
		trial_fini(&first);
		trial_fini(&t);
	}
	assert_true(n_more * 100 < n_git * 3);
}

static int to_nowhere(void *arg, struct span piece, struct err *e)
{
	(void)arg;
	(void)piece;
	(void)e;
	return 0;
}

/* Another clone finds that the pack is wrong, after this one was planned. */
static void emit_what_rots(struct trial *t, struct pack *pack)
{
	const struct pack_source source = {
		.objects = t->lab->objects,
		.graph = t->lab->graph,
		.reach = t->lab->reach,
	};
	struct pack_plan *plan;
	struct err e = { 0 };

	plan = pack_plan_make(&source, &t->request, NULL, &e);
	assert_non_null(plan);
	pack_set_sum(pack, PACK_SUM_WRONG);
	assert_int_equal(pack_emit(plan, to_nowhere, NULL, &e), -1);
	assert_int_equal(e.code, ERR_CORRUPT);
	pack_plan_free(plan);
}

static void copies_a_whole_pack_as_it_is(void **state)
{
	struct lab *l = need_git(state);
	struct objects *before = l->objects;
	struct pack_plan_stats stats;
	struct trial t = trial_new(l);
	char path[128];
	struct err e;

	assert_int_equal(sh(l, "rm -rf w.git && git clone -q --bare r.git "
			       "w.git && git -C w.git repack -qad"),
			 0);
	path_in(l, "w.git/objects", path);
	l->objects = objects_open(path, OID_SHA1, NULL, &e);
	assert_non_null(l->objects);
	t.request.has_ofs_delta = true;
	t.request.wants = t.wants;
	assert_int_equal(sh(l, "git -C w.git for-each-ref --format="
			       "'%%(objectname)' >tips"),
			 0);
	{
		CLEANUP(buf_fini) struct buf b = BUF_INIT;
		struct oid *all = calloc(200, sizeof *all);
		struct span rest, line;

		path_in(l, "tips", path);
		assert_int_equal(file_read(path, 1 << 20, &b, &e), 0);
		rest = buf_span(&b);
		while (span_until(&rest, '\n', &line) &&
		       t.request.n_wants < 200)
			assert_true(oid_parse(line, OID_SHA1,
					      &all[t.request.n_wants++]));
		t.request.wants = all;
		emit(&t, &stats);
		assert_true(stats.is_whole_pack);
		assert_int_equal(
			sh(l, "cmp our.pack w.git/objects/pack/*.pack"), 0);
		assert_int_equal(pack_sum(objects_pack(l->objects, 0)),
				 PACK_SUM_RIGHT);
		/* One that rotted is not taken for what it says it is. */
		emit_what_rots(&t, objects_pack(l->objects, 0));
		emit(&t, &stats);
		assert_false(stats.is_whole_pack);
		list_pack(l, "our");
		free(all);
	}
	objects_put(l->objects);
	l->objects = before;
	trial_fini(&t);
	reach_trim(l->reach);
}

static void names_an_object_that_is_missing(void **state)
{
	struct lab *l = need_git(state);
	struct trial t = trial_new(l);
	struct pack_source source = { .graph = l->graph };
	char path[128], hex[OID_MAX_HEX + 1];
	struct oid lost = l->ids[OBJECT_BLOB].items[0];
	struct err e = { 0 };

	assert_int_equal(
		sh(l,
		   "rm -rf m.git && git clone -q --bare r.git m.git && "
		   "cd m.git && git repack -qad && mv objects/pack/*.pack "
		   "../whole.pack && rm -f objects/pack/* && "
		   "git unpack-objects -q <../whole.pack && "
		   "rm -f objects/$(echo %s | sed 's,^..,&/,')",
		   oid_hex(&lost, hex)),
		0);
	path_in(l, "m.git/objects", path);
	source.objects = objects_open(path, OID_SHA1, NULL, &e);
	assert_non_null(source.objects);
	t.request.wants = l->ids[OBJECT_COMMIT].items;
	t.request.n_wants = l->ids[OBJECT_COMMIT].n;
	assert_null(pack_plan_make(&source, &t.request, NULL, &e));
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_non_null(strstr(e.message, oid_hex(&lost, hex)));
	objects_put(source.objects);
	trial_fini(&t);
}

static int stop(void *arg, const char *stage, uint64_t done, uint64_t total,
		struct err *e)
{
	(void)stage, (void)done, (void)total;
	++*(int *)arg;
	return err_set(e, ERR_CLOSED, "the client went away");
}

static void stops_when_progress_says_so(void **state)
{
	struct lab *l = need_git(state);
	struct pack_source source = {
		.objects = l->objects,
		.graph = l->graph,
	};
	struct trial t = trial_new(l);
	int n_calls = 0;
	struct pack_progress progress = { stop, &n_calls };
	struct err e = { 0 };

	t.request.wants = l->ids[OBJECT_COMMIT].items;
	t.request.n_wants = l->ids[OBJECT_COMMIT].n;
	assert_null(pack_plan_make(&source, &t.request, &progress, &e));
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(n_calls, 1);
	trial_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clones_what_git_clones),
		cmocka_unit_test(sends_trees_and_blobs_that_are_named),
		cmocka_unit_test(filters_as_git_filters),
		cmocka_unit_test(sends_a_named_commit_whatever_the_filter),
		cmocka_unit_test(fetches_no_more_than_git_and_enough),
		cmocka_unit_test(cuts_and_deepens_as_git_does),
		cmocka_unit_test(copies_a_whole_pack_as_it_is),
		cmocka_unit_test(names_an_object_that_is_missing),
		cmocka_unit_test(stops_when_progress_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
