/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/data_dir.h"
#include "store/state_change.h"
#include "store/state_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every case runs in an empty directory of its own, with "data" in it. */
static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct data_dir *d;
	struct err e;
	char *dir;

	if (asprintf(&dir, "%s/state-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return -1;
	*state = dir;
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	d = data_dir_open("data", &e);
	data_dir_free(d);
	return d ? 0 : -1;
}

static int leave(void **state)
{
	CLEANUP(freep) char *dir = *state;
	struct err e;

	return chdir("/") || dir_remove(dir, &e);
}

static void put(const char *path, const char *text)
{
	struct err e;

	if (file_replace(path, text, strlen(text), 0600, &e) < 0)
		fail_msg("%s", e.message);
}

static char *get(const char *path)
{
	struct buf b = BUF_INIT;
	struct err e;

	if (file_read(path, 1 << 20, &b, &e) < 0)
		fail_msg("%s", e.message);
	if (!b.data)
		buf_adds(&b, "");
	return buf_take(&b);
}

/* Public keys that differ in their first byte. */
static const char *key_line(unsigned char which)
{
	static char lines[4][128];
	static unsigned turn;
	char *line = lines[turn++ % 4];
	unsigned char blob[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";
	char *text;

	blob[19] = which;
	text = base64_encode(blob, sizeof blob);
	snprintf(line, sizeof lines[0], "ssh-ed25519 %s", text);
	free(text);
	return line;
}

static struct state_store *open_with(const char *config, const char *data,
				     struct mistakes *m)
{
	struct state_options options = {
		.data_dir = data,
		.configs = &config,
		.n_configs = config ? 1 : 0,
	};
	struct err e;

	return state_store_open(&options, m, &e);
}

static struct state_store *open_good(const char *config)
{
	struct mistakes m = MISTAKES_INIT;
	struct state_store *s = open_with(config, "data", &m);

	if (!s)
		fail_msg("%s", m.n ? m.items[0] : "?");
	return s;
}

/* The mistakes of a configuration, a line each. */
static void assert_mistakes(const char *config, const char *expected)
{
	struct mistakes m = MISTAKES_INIT;
	struct buf b = BUF_INIT;
	struct state_store *s = open_with(config, NULL, &m);

	for (size_t i = 0; i < m.n; i++)
		buf_addf(&b, "%s\n", m.items[i]);
	assert_string_equal(buf_str(&b), expected);
	assert_true(!s == (*expected != '\0'));
	state_store_free(s);
	buf_fini(&b);
	mistakes_fini(&m);
}

/* -- declared -------------------------------------------------------------- */

static void reads_the_page_s_example(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	CLEANUP(state_putp) struct state *s = NULL;
	struct buf b = BUF_INIT;
	const struct repo_settings *repo;
	const struct hook_settings *hook;

	(void)state;
	mkdir("owners", 0700);
	put("flux.pub", key_line(1));
	put("owners/bob.pub", key_line(2));
	put("owners/README", "not a key");
	put("ci", "s3cret\n");
	put("secret", "with a newline\n");
	buf_addf(&b,
		 "[server]\n\tname = a.b\n[limits]\n\tsessions = 2000\n"
		 "[repo \"cluster\"]\n\tpublic = false\n\tbranch = main\n"
		 "\tdescription = the cluster's manifests\n\tquota = 10g\n"
		 "\tseed = /seed/cluster.bundle\n\tprotect-branch = main\n"
		 "\tprotect-path = clusters/*/flux-system/**\n"
		 "[repo \"bare\"]\n"
		 "[key \"alice\"]\n\tpublic-key = %s alice\n\twrite = cluster\n"
		 "\tbypass = true\n"
		 "[key \"flux\"]\n\tfile = flux.pub\n\tread = **\n"
		 "[keys \"owners\"]\n\tdirectory = owners\n\twrite = **\n"
		 "[token \"ci\"]\n\tfile = ci\n\tread = cluster\n"
		 "[hook \"flux\"]\n\trepo = cluster\n\ttype = generic-hmac\n"
		 "\treceiver = flux-system/cluster\n\tsecret-file = secret\n"
		 "\tbranch = main\n",
		 key_line(3));
	put("./headwater.conf", buf_str(&b));
	buf_fini(&b);
	store = open_good("./headwater.conf");
	s = state_store_get(store);
	repo = state_repo(s, "cluster");
	assert_non_null(repo);
	assert_true(repo->object.is_declared);
	assert_int_equal(repo->object.line, 5);
	assert_true(repo->quota == (uint64_t)10 << 30);
	assert_string_equal(repo->protect_paths.items[0],
			    "clusters/*/flux-system/**");
	assert_string_equal(state_repo(s, "bare")->branch, "main");
	assert_null(state_repo(s, "none"));
	assert_true(state_key(s, "alice")->bypass);
	assert_string_equal(state_key(s, "alice")->key.comment, "alice");
	assert_non_null(state_key(s, "flux"));
	assert_string_equal(state_key(s, "owners/bob")->write.items[0], "**");
	assert_int_equal(state_key_count(s), 3);
	assert_true(state_token(s, "ci")->has_hash);
	hook = state_hook(s, "flux");
	assert_true(span_is(hook->secret, "with a newline\n"));
	assert_null(hook->object.problem);
}

static void says_every_mistake_with_file_and_line(void **state)
{
	(void)state;
	put("c", "[repo]\n[repo \"a.git\"]\n[repo \"ok\"]\n\tpublc = 1\n"
		 "\tbranch = a\n\tbranch = b\n\tquota = much\n[what \"x\"]\n"
		 "[key \"k\"]\n\tpublic-key = ssh-dss AAAA\n\tread = **x\n");
	assert_mistakes(
		"c",
		"c:1: [repo] needs a name: [repo \"NAME\"]\n"
		"c:2: [repo \"a.git\"]: no element of a repository name ends "
		"in .git or .lock\n"
		"c:8: unknown section [what]: there are server, limits, repo, "
		"key, keys, token and hook\n"
		"c:4: unknown key \"publc\" in [repo \"ok\"]: there are "
		"public, branch, description, seed, quota, protect-branch, "
		"protect-path\n"
		"c:6: branch stands twice in [repo \"ok\"]\n"
		"c:7: quota in [repo \"ok\"]: \"much\" is no size such as "
		"500k, 10m or 2g\n"
		"c:10: public-key in [key \"k\"]: ssh-dss keys are too weak: "
		"make one with ssh-keygen -t ed25519\n"
		"c:11: read in [key \"k\"]: ** stands for whole elements, "
		"alone between slashes\n");
}

static void objects_must_be_whole(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	put("empty", "");
	buf_addf(&b,
		 "[key \"a\"]\n\tpublic-key = %s\n"
		 "[key \"b\"]\n\tread = **\n"
		 "[token \"t\"]\n\tread = **\n"
		 "[token \"u\"]\n\tfile = empty\n\tread = **\n"
		 "[hook \"h\"]\n\turl = http://x/\n\treceiver = a/b\n"
		 "[hook \"i\"]\n\trepo = **\n\turl = ftp://x/\n"
		 "[hook \"j\"]\n\trepo = **\n\turl = http://x/\n"
		 "\tno-secret\n"
		 "[hook \"k\"]\n\trepo = **\n\turl = http://x/\n"
		 "\tsecret-file = gone\n",
		 key_line(1));
	put("c", buf_str(&b));
	buf_fini(&b);
	assert_mistakes(
		"c",
		"c:1: [key \"a\"]: it may touch nothing: add read = PATTERN "
		"or write = PATTERN, \"**\" for every repository\n"
		"c:3: [key \"b\"]: it needs public-key = LINE or file = PATH, "
		"one of them\n"
		"c:5: [token \"t\"]: it needs file = PATH of the clear token\n"
		"c:7: [token \"u\"]: empty holds no token: one line of 1 to "
		"4096 bytes\n"
		"c:10: [hook \"h\"]: it needs repo = PATTERN\n"
		"c:10: [hook \"h\"]: it needs url = URL or receiver = "
		"NAMESPACE/NAME, one of them\n"
		"c:15: url in [hook \"i\"]: a URL begins with http:// or "
		"https://\n"
		"c:16: [hook \"j\"]: generic-hmac needs a secret\n"
		"c:20: [hook \"k\"]: secret-file: opening gone: No such file "
		"or directory\n");
}

static void a_directory_means_its_conf_files(void **state)
{
	(void)state;
	mkdir("d", 0700);
	put("d/b.conf", "[repo \"b\"]\n[repo \"x\"]\n");
	put("d/a.conf", "[repo \"a\"]\n[repo \"x\"]\n\tpublic\n");
	put("d/.hidden.conf", "nonsense");
	put("d/notes.txt", "nonsense");
	assert_mistakes("d", "d/b.conf:2: [repo \"x\"] is declared in "
			     "d/a.conf:2 already\n");
	put("d/b.conf", "[repo \"b\"]\n[repo \"b\"]\n\tpublic\n");
	assert_mistakes("d", "");
	assert_mistakes("gone", "gone: there is no such file or directory\n");
}

static void one_public_key_has_one_name(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_addf(&b,
		 "[key \"a\"]\n\tpublic-key = %s one\n\tread = **\n"
		 "[key \"b\"]\n\tpublic-key = %s two\n\tread = **\n",
		 key_line(1), key_line(1));
	put("c", buf_str(&b));
	buf_fini(&b);
	assert_mistakes("c", "c:4: the public key of \"b\" is registered as "
			     "\"a\" already (c:1): one public key has one "
			     "name\n");
}

static void a_key_directory_has_files_and_lines(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	CLEANUP(state_putp) struct state *s = NULL;
	struct buf b = BUF_INIT;

	(void)state;
	mkdir("k", 0700);
	put("k/alice.pub", key_line(1));
	buf_addf(&b, "# ours\n\n%s bob\n%s\n%s alice again\n%s bob\n",
		 key_line(2), key_line(3), key_line(1), key_line(4));
	put("k/authorized_keys", buf_str(&b));
	put("c", "[keys \"o\"]\n\tdirectory = k\n\tread = **\n");
	store = open_good("c");
	s = state_store_get(store);
	assert_int_equal(state_key_count(s), 4);
	assert_non_null(state_key(s, "o/alice"));
	assert_non_null(state_key(s, "o/bob"));
	assert_non_null(state_key(s, "o/authorized_keys:4"));
	assert_int_equal(state_count(s, STATE_KEYS), 1);

	put("k/bad name.pub", key_line(5));
	put("k/authorized_keys", "\nno-pty ssh-ed25519 AAAA\n");
	assert_mistakes("c",
			"k/authorized_keys:2: options before the key are not "
			"supported: the line begins with no-pty\n"
			"k/bad name.pub: the file's name is the key's: a name "
			"consists of letters, digits, . _ @ and -\n");
	buf_fini(&b);
}

/* -- verbs ----------------------------------------------------------------- */

static struct state_value value(const char *key, const char *const *items,
				size_t n)
{
	return (struct state_value){ key, { items, n } };
}

#define VALUE(key, ...)                                  \
	value(key, (const char *const[]){ __VA_ARGS__ }, \
	      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define UNSET(key) value(key, NULL, 0)

/* Runs a change; its outcome, or minus its error's code. */
static int run_change(struct state_store *s, struct state_change c, char *text,
		      size_t size)
{
	struct change_result r = CHANGE_RESULT_INIT;
	struct err e;
	int result = state_change(s, &c, &r, &e);

	snprintf(text, size, "%s", result < 0 ? e.message : buf_str(&r.text));
	change_result_fini(&r);
	return result < 0 ? -(int)e.code : (int)r.outcome;
}

#define assert_change(outcome, says, ...)                                   \
	do {                                                                \
		char text_[300];                                            \
		int got_ = run_change(store,                                \
				      (struct state_change){ __VA_ARGS__ }, \
				      text_, sizeof text_);                 \
		if (got_ != (outcome) || !strstr(text_, (says)))            \
			fail_msg("line %d: %d, \"%s\"", __LINE__, got_,     \
				 text_);                                    \
	} while (0)

static int delete_one(struct state_store *s, enum state_kind kind,
		      const char *name)
{
	struct change_result r = CHANGE_RESULT_INIT;
	struct err e;
	int result = state_delete(s, kind, name, &r, &e);

	change_result_fini(&r);
	return result < 0 ? -(int)e.code : (int)r.outcome;
}

static void creating_is_idempotent(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_good(NULL);
	CLEANUP(freep) char *text = NULL;
	const struct state_value one[] = { VALUE("public", "yes"),
					   VALUE("description", "x; [y]") };
	const struct state_value same[] = { VALUE("public", "true"),
					    VALUE("branch", "main") };
	const struct state_value other[] = { VALUE("public", "false") };

	(void)state;
	assert_change(CHANGE_CREATED, "", .kind = STATE_REPO, .name = "a",
		      .values = one, .n_values = 2);
	assert_change(CHANGE_SAME, "", .kind = STATE_REPO, .name = "a");
	assert_change(CHANGE_SAME, "", .kind = STATE_REPO, .name = "a",
		      .values = same, .n_values = 2);
	assert_change(CHANGE_DIFFERS, "public is \"yes\", not \"false\"",
		      .kind = STATE_REPO, .name = "a", .values = other,
		      .n_values = 1);
	assert_change(CHANGE_DONE, "", .kind = STATE_REPO, .name = "a",
		      .mode = CHANGE_REPLACE, .values = other, .n_values = 1);
	text = get("data/state.conf");
	assert_string_equal(text, "[headwater]\n\tformat = 1\n[repo \"a\"]\n"
				  "\tpublic = false\n"
				  "\tdescription = \"x; [y]\"\n");
	assert_int_equal(delete_one(store, STATE_REPO, "a"), CHANGE_DONE);
	assert_int_equal(delete_one(store, STATE_REPO, "a"), CHANGE_ABSENT);
	assert_change(CHANGE_ABSENT, "", .kind = STATE_REPO, .name = "a",
		      .mode = CHANGE_SET, .values = other, .n_values = 1);
}

static void a_bad_value_changes_nothing(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_good(NULL);
	const struct state_value bad[] = { VALUE("description", "a\nb") };
	const struct state_value unknown[] = { VALUE("format", "2") };
	const struct state_value twice[] = { VALUE("public", "true", "false") };

	(void)state;
	assert_change(-ERR_MALFORMED, "description: a control character",
		      .kind = STATE_REPO, .name = "a", .values = bad,
		      .n_values = 1);
	assert_change(-ERR_MALFORMED, "a repo has no \"format\"",
		      .kind = STATE_REPO, .name = "a", .values = unknown,
		      .n_values = 1);
	assert_change(-ERR_MALFORMED, "too many values", .kind = STATE_REPO,
		      .name = "a", .values = twice, .n_values = 1);
	assert_change(-ERR_MALFORMED, "", .kind = STATE_REPO, .name = "../a");
	assert_change(-ERR_MALFORMED, "", .kind = STATE_KEY,
		      .name = "a\n[key \"b\"]");
	assert_int_equal(access("data/state.conf", F_OK), -1);
}

static void a_key_is_created_once(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_good(NULL);
	const struct state_value a[] = { VALUE("public-key", key_line(1)),
					 VALUE("read", "x", "y/**") };
	const struct state_value reordered[] = {
		VALUE("public-key", key_line(1)), VALUE("read", "y/**", "x")
	};
	const struct state_value none[] = { VALUE("public-key", key_line(2)) };
	const struct state_value unset[] = { UNSET("read") };

	(void)state;
	assert_change(CHANGE_CREATED, "", .kind = STATE_KEY, .name = "a",
		      .values = a, .n_values = 2);
	assert_change(CHANGE_SAME, "", .kind = STATE_KEY, .name = "a",
		      .values = reordered, .n_values = 2);
	assert_change(-ERR_CONFLICT, "registered as \"a\" already",
		      .kind = STATE_KEY, .name = "b", .values = a,
		      .n_values = 2);
	assert_change(-ERR_MALFORMED, "add read = PATTERN", .kind = STATE_KEY,
		      .name = "c", .values = none, .n_values = 1);
	assert_change(-ERR_MALFORMED, "add read = PATTERN", .kind = STATE_KEY,
		      .name = "a", .mode = CHANGE_SET, .values = unset,
		      .n_values = 1);
}

static void a_declaration_hides_and_gives_back(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	struct state_value pub = VALUE("public", "true");
	struct state_value priv = VALUE("public", "false");
	struct mistakes m = MISTAKES_INIT;
	struct state *s;

	(void)state;
	put("c", "");
	store = open_good("c");
	assert_change(CHANGE_CREATED, "", .kind = STATE_REPO, .name = "a",
		      .values = &pub, .n_values = 1);
	put("c", "[repo \"a\"]\n\tbranch = trunk\n");
	assert_int_equal(state_store_refresh(store, &m), 1);
	s = state_store_get(store);
	assert_false(state_repo(s, "a")->is_public);
	assert_string_equal(state_repo(s, "a")->branch, "trunk");
	state_put(s);
	assert_change(CHANGE_DECLARED, "declared in c:1", .kind = STATE_REPO,
		      .name = "a", .mode = CHANGE_REPLACE, .values = &pub,
		      .n_values = 1);
	assert_change(CHANGE_SAME, "", .kind = STATE_REPO, .name = "a",
		      .values = &priv, .n_values = 1);
	assert_int_equal(delete_one(store, STATE_REPO, "a"), CHANGE_DECLARED);
	put("c", "");
	assert_int_equal(state_store_refresh(store, &m), 1);
	s = state_store_get(store);
	assert_true(state_repo(s, "a")->is_public);
	assert_false(state_repo(s, "a")->object.is_declared);
	state_put(s);
}

static void a_declared_key_takes_over_the_blob(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	CLEANUP(state_putp) struct state *s = NULL;
	const struct state_value a[] = { VALUE("public-key", key_line(1)),
					 VALUE("read", "**") };
	struct mistakes m = MISTAKES_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	put("c", "");
	store = open_good("c");
	assert_change(CHANGE_CREATED, "", .kind = STATE_KEY, .name = "a",
		      .values = a, .n_values = 2);
	buf_addf(&b, "[key \"z\"]\n\tpublic-key = %s\n\twrite = **\n",
		 key_line(1));
	put("c", buf_str(&b));
	buf_fini(&b);
	assert_int_equal(state_store_refresh(store, &m), 1);
	s = state_store_get(store);
	assert_int_equal(state_key_count(s), 1);
	assert_non_null(state_key(s, "z"));
	assert_non_null(strstr(state_object(s, STATE_KEY, "a")->problem,
			       "declared as key \"z\""));
}

/* -- secrets --------------------------------------------------------------- */

static void tokens_are_kept_as_hashes(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_good(NULL);
	CLEANUP(freep) char *text = NULL, *hash = NULL;
	struct state_value read = VALUE("read", "**");
	struct change_secret secret = { "file", span_str("abc"), true };
	struct stat st;

	(void)state;
	assert_change(CHANGE_CREATED, "", .kind = STATE_TOKEN, .name = "ci",
		      .values = &read, .n_values = 1, .secrets = &secret,
		      .n_secrets = 1);
	hash = get("data/secrets/token-ci");
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396"
				  "177a9cb410ff61f20015ad\n");
	assert_int_equal(stat("data/secrets/token-ci", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	text = get("data/state.conf");
	assert_null(strstr(text, "abc"));
	/* again: the one that was made for nothing is not taken */
	secret.bytes = span_str("def");
	assert_change(CHANGE_SAME, "", .kind = STATE_TOKEN, .name = "ci",
		      .values = &read, .n_values = 1, .secrets = &secret,
		      .n_secrets = 1);
	assert_change(CHANGE_DONE, "", .kind = STATE_TOKEN, .name = "ci",
		      .mode = CHANGE_REPLACE, .secrets = &secret,
		      .n_secrets = 1);
	free(hash);
	hash = get("data/secrets/token-ci");
	assert_memory_equal(hash, "cb8379ac", 8);
	assert_int_equal(delete_one(store, STATE_TOKEN, "ci"), CHANGE_DONE);
	assert_int_equal(access("data/secrets/token-ci", F_OK), -1);
}

static void a_hook_gets_a_secret_once(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	CLEANUP(freep) char *one = NULL, *two = NULL;
	const struct state_value v[] = { VALUE("repo", "**"),
					 VALUE("receiver", "a/b") };
	const struct state_value url[] = { VALUE("url", "http://x/") };
	struct change_secret secrets[] = {
		{ "secret-file", span_str("own\n"), false },
		{ "bearer-file", span_str("b"), false },
	};
	struct state *s;

	(void)state;
	put("c", "[hook \"d\"]\n\trepo = **\n\turl = http://x/\n");
	store = open_good("c");
	one = get("data/secrets/hook-d");
	assert_int_equal(strlen(one), 64);
	assert_change(CHANGE_CREATED, "", .kind = STATE_HOOK, .name = "h",
		      .values = v, .n_values = 2);
	two = get("data/secrets/hook-h");
	assert_int_equal(strlen(two), 64);
	assert_string_not_equal(one, two);
	assert_change(CHANGE_SAME, "", .kind = STATE_HOOK, .name = "h",
		      .values = v, .n_values = 2);
	assert_change(CHANGE_DIFFERS, "its secret-file is another one",
		      .kind = STATE_HOOK, .name = "h", .secrets = secrets,
		      .n_secrets = 2);
	assert_change(CHANGE_DONE, "", .kind = STATE_HOOK, .name = "h",
		      .mode = CHANGE_SET, .values = url, .n_values = 1,
		      .secrets = secrets, .n_secrets = 2);
	assert_change(CHANGE_SAME, "", .kind = STATE_HOOK, .name = "h",
		      .secrets = secrets, .n_secrets = 2);
	s = state_store_get(store);
	assert_true(span_is(state_hook(s, "h")->secret, "own\n"));
	assert_true(span_is(state_hook(s, "h")->bearer, "b"));
	assert_null(state_hook(s, "h")->receiver);
	state_put(s);
}

/* -- reading again --------------------------------------------------------- */

static void a_broken_configuration_is_refused_whole(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	CLEANUP(state_putp) struct state *before = NULL;
	CLEANUP(state_putp) struct state *after = NULL;
	struct mistakes m = MISTAKES_INIT;

	(void)state;
	put("c", "[repo \"a\"]\n");
	store = open_good("c");
	before = state_store_get(store);
	put("c", "[repo \"b\"]\n[repo \"a\n");
	assert_int_equal(state_store_refresh(store, &m), -1);
	assert_string_equal(m.items[0],
			    "c:2: the quotes of the section header are not "
			    "closed");
	mistakes_fini(&m);
	/* said once, but SIGHUP is always answered */
	assert_int_equal(state_store_refresh(store, &m), 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(state_store_reload(store, &m), -1);
	mistakes_fini(&m);
	assert_int_equal(unlink("c"), 0);
	assert_int_equal(state_store_refresh(store, &m), -1);
	mistakes_fini(&m);
	after = state_store_get(store);
	assert_ptr_equal(before, after);
	put("c", "[repo \"a\"]\n[repo \"b\"]\n");
	assert_int_equal(state_store_refresh(store, &m), 1);
	assert_int_equal(state_store_reload(store, &m), 0);
}

/* As kubelet updates a mounted ConfigMap: DIR/x.conf -> ..data/x.conf, and
 * ..data -> a directory of the moment. */
static void sees_kubernetes_swap_a_mount(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	struct mistakes m = MISTAKES_INIT;
	struct state *s;

	(void)state;
	mkdir("d", 0700);
	mkdir("d/..1", 0700);
	mkdir("d/..2", 0700);
	put("d/..1/x.conf", "[repo \"a\"]\n");
	put("d/..2/x.conf", "[repo \"b\"]\n");
	assert_int_equal(symlink("..1", "d/..data"), 0);
	assert_int_equal(symlink("..data/x.conf", "d/x.conf"), 0);
	store = open_good("d");
	usleep(30000); /* past the tick of the kernel's clock */
	assert_int_equal(state_store_refresh(store, &m), 0);
	assert_int_equal(symlink("..2", "d/..tmp"), 0);
	assert_int_equal(rename("d/..tmp", "d/..data"), 0);
	assert_int_equal(state_store_refresh(store, &m), 1);
	s = state_store_get(store);
	assert_null(state_repo(s, "a"));
	assert_non_null(state_repo(s, "b"));
	state_put(s);
}

static void sees_a_mounted_secret_change(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	struct mistakes m = MISTAKES_INIT;
	struct state *s;

	(void)state;
	put("t", "one");
	put("c", "[token \"x\"]\n\tfile = t\n\tread = **\n");
	store = open_good("c");
	put("t", "two");
	assert_int_equal(state_store_refresh(store, &m), 1);
	s = state_store_get(store);
	assert_int_equal(state_token(s, "x")->hash[0], 0x3f);
	state_put(s);
}

static void sees_what_another_process_created(void **state)
{
	CLEANUP(state_store_freep) struct state_store *store = open_good(NULL);
	struct mistakes m = MISTAKES_INIT;
	struct state *s;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		char text[300];
		struct state_store *own = open_good(NULL);
		int n = 0;

		for (int i = 0; i < 20; i++) {
			char name[16];

			snprintf(name, sizeof name, "child-%d", i);
			n += run_change(
				     own,
				     (struct state_change){ .kind = STATE_REPO,
							    .name = name },
				     text, sizeof text) == CHANGE_CREATED;
		}
		_exit(n == 20 ? 0 : 1);
	}
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof name, "parent-%d", i);
		assert_change(CHANGE_CREATED, "", .kind = STATE_REPO,
			      .name = name);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(state_store_refresh(store, &m) >= 0);
	s = state_store_get(store);
	assert_int_equal(state_count(s, STATE_REPO), 40);
	state_put(s);
}

static void a_default_file_may_be_absent_but_not_vanish(void **state)
{
	struct state_options options = {
		.data_dir = "data",
		.default_config = "default.conf",
	};
	CLEANUP(state_store_freep) struct state_store *store = NULL;
	struct mistakes m = MISTAKES_INIT;
	struct err e;

	(void)state;
	store = state_store_open(&options, &m, &e);
	assert_non_null(store);
	put("default.conf", "[repo \"a\"]\n");
	assert_int_equal(state_store_refresh(store, &m), 1);
	assert_int_equal(unlink("default.conf"), 0);
	assert_int_equal(state_store_refresh(store, &m), -1);
	assert_string_equal(m.items[0],
			    "default.conf: it was there and is gone");
	mistakes_fini(&m);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		CASE(reads_the_page_s_example),
		CASE(says_every_mistake_with_file_and_line),
		CASE(objects_must_be_whole),
		CASE(a_directory_means_its_conf_files),
		CASE(one_public_key_has_one_name),
		CASE(a_key_directory_has_files_and_lines),
		CASE(creating_is_idempotent),
		CASE(a_bad_value_changes_nothing),
		CASE(a_key_is_created_once),
		CASE(a_declaration_hides_and_gives_back),
		CASE(a_declared_key_takes_over_the_blob),
		CASE(tokens_are_kept_as_hashes),
		CASE(a_hook_gets_a_secret_once),
		CASE(a_broken_configuration_is_refused_whole),
		CASE(sees_kubernetes_swap_a_mount),
		CASE(sees_a_mounted_secret_change),
		CASE(sees_what_another_process_created),
		CASE(a_default_file_may_be_absent_but_not_vanish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
