/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes by stock git, through this very program run as a receive-pack, and
 * pushes written byte by byte. */
#include "git_fixture.h"

#include "base/digest.h"
#include "git/object.h"
#include "git/pktline.h"
#include "git/receive_pack.h"
#include "git/refs.h"
#include "git/repository.h"

#include <signal.h>
#include <unistd.h>

#define ID_0 "0000000000000000000000000000000000000000"
#define ID_A "1111111111111111111111111111111111111111"

static char self[4096];

/* -- a handler that writes down what it hears ----------------------------- */

static int each_path(void *arg, struct span path)
{
	buf_addf(arg, " %.*s", (int)path.len, (const char *)path.data);
	return 0;
}

static int on_check(void *arg, struct push *p, const struct push_update *u,
		    struct buf *reason)
{
	struct err e;

	buf_addf(arg, "check %s%s:", u->ref, u->is_forced ? " forced" : "");
	if (push_diff(p, &u->old_id, &u->new_id, each_path, arg, &e) < 0)
		buf_addf(arg, " failed: %s", e.message);
	buf_addc(arg, '\n');
	if (!strstr(u->ref, "forbidden"))
		return 0;
	buf_adds(reason, "this branch is\nprotected");
	return 1;
}

static int on_prepared(void *arg, struct push *p,
		       const struct push_update *updates, size_t n,
		       struct err *e)
{
	buf_adds(arg, "prepared");
	for (size_t i = 0; i < push_options(p)->n; i++)
		buf_addf(arg, " option=%s", push_options(p)->items[i]);
	buf_addf(arg, " %zu %s\n", n, updates[0].ref);
	return strstr(updates[0].ref, "unready")
		       ? err_set(e, ERR_NO_SPACE, "the outbox is full")
		       : 0;
}

static void on_committed(void *arg, struct push *p,
			 const struct push_update *updates, size_t n)
{
	(void)p;
	for (size_t i = 0; i < n; i++)
		buf_addf(arg, "committed %s %s\n", updates[i].ref,
			 updates[i].is_rejected ? updates[i].reason : "ok");
}

static void on_settled(void *arg, const struct push_update *u)
{
	buf_addf(arg, "settled %s %s\n", u->ref,
		 u->is_rejected ? u->reason : "ok");
}

static void on_reported(void *arg, struct push *p)
{
	buf_adds(arg, "reported\n");
	push_message(p, "hooks: \x1b[31mheard");
}

/* -- as a program --------------------------------------------------------- */

static int serve(const char *dir)
{
	struct buf heard = BUF_INIT;
	const struct push_handler handler = { &heard,	   on_check,
					      on_prepared, on_committed,
					      on_settled,  on_reported };
	const struct receive_pack_options options = {
		.adopt_first_head = true,
		.fsck_default = true,
		.quarantine_id = "test",
		.handler = &handler,
		.limits.commands = 20000,
		.limits.pack_bytes = 1 << 20,
	};
	struct receive_pack_result result;
	struct stream_fd s;
	struct repository *r;
	FILE *log;
	struct err e;
	int n;

	signal(SIGPIPE, SIG_IGN);
	stream_fd_init(&s, 0, 1);
	s.base.idle_ms = 20000;
	r = repository_open(dir, &e);
	if (!r)
		return 2;
	repository_use_environment(r);
	n = receive_pack(r, &s.base, &options, &result, &e);
	repository_put(r);
	log = fopen("../heard", "w");
	if (log) {
		fputs(buf_str(&heard), log);
		fclose(log);
	}
	buf_fini(&heard);
	return n < 0;
}

/* -- by stock git --------------------------------------------------------- */

static void make_server(const char *config)
{
	struct err e;
	FILE *f;

	if (repository_create("r.git", "main", &e) < 0)
		fail_msg("%s", e.message);
	f = fopen("r.git/config", "a");
	fputs(config, f);
	fclose(f);
}

static void make_client(void)
{
	sh("git init -q -b main w && cd w && echo 1 >file && mkdir -p a/b &&"
	   "echo 2 >a/b/c && git add . && git commit -q -m one &&"
	   "git remote add origin ../r.git");
}

/* Run git in the client; its output is in "out". */
static int git(const char *arguments)
{
	char command[8192];

	snprintf(command, sizeof command,
		 "cd w && git -c advice.nestedTag=false"
		 " -c remote.origin.receivepack='%s --serve' %s >../out 2>&1",
		 self, arguments);
	return system(command);
}

static void assert_said(const char *text)
{
	struct buf b = BUF_INIT;
	struct err e;

	assert_int_equal(file_read("out", 1 << 20, &b, &e), 0);
	if (!strstr(buf_str(&b), text))
		fail_msg("'%s' is not in: %s", text, buf_str(&b));
	buf_fini(&b);
}

/* git runs the server in the client's directory, below ours. */
static void assert_heard(const char *text)
{
	assert_file("heard", text);
}

static void assert_sound(void)
{
	sh("test -z \"$(ls r.git/objects | grep incoming)\" &&"
	   "test -z \"$(find r.git -name '*.lock')\" &&"
	   "git -C r.git fsck --full --strict >/dev/null 2>fsck ||"
	   "{ cat fsck; false; }");
}

static void assert_same(const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof command,
		 "test \"$(git -C w rev-parse %s)\" ="
		 " \"$(git -C r.git rev-parse %s)\"",
		 a, b);
	sh(command);
}

static void takes_a_first_push_and_what_follows(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main"), 0);
	assert_said("remote: hooks: ?[31mheard");
	assert_heard("check refs/heads/main: a/b/c file\n"
		     "prepared 1 refs/heads/main\n"
		     "committed refs/heads/main ok\n"
		     "settled refs/heads/main ok\nreported\n");
	assert_same("main", "main");
	assert_sound();
	sh("cd w && echo 3 >a/b/c && mkdir d && mv file d/file && git add -A &&"
	   "git commit -q -m two && git tag -m v1 v1");
	assert_int_equal(git("push -o hello -o '' origin main v1"), 0);
	assert_heard("check refs/heads/main: a/b/c d/file file\n"
		     "check refs/tags/v1: a/b/c d/file\n"
		     "prepared option=hello option= 2 refs/heads/main\n"
		     "committed refs/heads/main ok\ncommitted refs/tags/v1 ok\n"
		     "settled refs/heads/main ok\nsettled refs/tags/v1 ok\n"
		     "reported\n"
		     /* the tag was created: against the empty tree */);
	assert_same("v1", "v1");
	assert_sound();
	sh("cd w && git commit -q --amend -m other");
	assert_int_not_equal(git("push origin main"), 0);
	assert_int_equal(git("push -f origin main"), 0);
	assert_heard("check refs/heads/main forced:\n"
		     "prepared 1 refs/heads/main\n"
		     "committed refs/heads/main ok\n"
		     "settled refs/heads/main ok\nreported\n");
	assert_same("main", "main");
	/* A new branch on a commit that is there: a pack without objects. */
	assert_int_equal(git("push origin main:refs/heads/copy"), 0);
	assert_same("main", "copy");
	assert_int_equal(git("push origin :copy :v1"), 0);
	sh("test $(git -C r.git for-each-ref | wc -l) = 1");
	assert_sound();
	sh("git clone -q r.git c && test -f c/d/file");
}

static void points_an_unborn_head_at_what_comes(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main:topic main:master"), 0);
	assert_said("remote: HEAD points at refs/heads/master now");
	assert_file("r.git/HEAD", "ref: refs/heads/master\n");
	assert_int_equal(git("push origin main"), 0);
	assert_file("r.git/HEAD", "ref: refs/heads/master\n");
	assert_sound();
}

static void refuses_in_gits_words(void **state)
{
	static const struct {
		const char *config, *arguments, *words;
	} cases[] = {
		{ "[receive]\n\tdenyDeletes = true\n", "push origin :topic",
		  "(deletion prohibited)" },
		{ "[receive]\n\tdenyDeletes = false\n", "push origin :main",
		  "(deletion of the current branch prohibited)" },
		{ "[receive]\n\tdenyNonFastForwards = true\n",
		  "push -f origin other:topic", "(non-fast-forward)" },
		{ "[transfer]\n\thideRefs = refs/hidden\n",
		  "push origin main:refs/hidden/x",
		  "(deny updating a hidden ref)" },
		{ "", "push origin main:refs/single", "(funny refname" },
		{ "", "push origin main:refs/heads/topic/below",
		  "(failed to update ref: 'refs/heads/topic' exists; cannot "
		  "create 'refs/heads/topic/below')" },
		{ "", "push origin main:refs/heads/forbidden",
		  "(this branch is?protected)" },
		{ "", "push origin main:refs/heads/unready",
		  "(the outbox is full)" },
		{ "", "push origin main^{tree}:refs/heads/tree",
		  "(bad ref: a branch holds a commit, not a tree)" },
		{ "[core]\n\tbare = false\n", "push origin other:main -f",
		  "(branch is currently checked out)" },
		{ "[receive]\n\tmaxInputSize = 20\n", "push -f origin new:new",
		  "unpacker error" },
	};

	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main main:topic"), 0);
	sh("cd w && git checkout -q --orphan other && git commit -q -m other &&"
	   "git checkout -q -b new && git commit -q --allow-empty -m new");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(freep) char *before = sh_out("git -C r.git show-ref");
		CLEANUP(freep) char *after = NULL;
		FILE *f = fopen("r.git/config", "a");

		fputs(cases[i].config, f);
		fclose(f);
		assert_int_not_equal(git(cases[i].arguments), 0);
		assert_said(cases[i].words);
		sh("sed -i -e '/bare = false/d' r.git/config");
		after = sh_out("git -C r.git show-ref");
		assert_string_equal(before, after);
	}
	assert_sound();
}

static void an_atomic_push_is_whole_or_nothing(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main main:topic"), 0);
	sh("cd w && git commit -q --allow-empty -m two && git branch good");
	assert_int_not_equal(
		git("push --atomic origin main good main:topic/below"), 0);
	assert_said("(atomic transaction failed: ");
	assert_said("good -> good (atomic transaction failed)");
	assert_int_not_equal(git("push --atomic origin main main:forbidden"),
			     0);
	assert_said("main -> main (atomic push failure)");
	sh("test $(git -C r.git for-each-ref | wc -l) = 2");
	assert_int_equal(git("push --atomic origin main good :topic"), 0);
	assert_same("main", "main");
	sh("test $(git -C r.git for-each-ref | wc -l) = 2");
	assert_sound();
}

static void a_branch_may_make_room_for_another(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main main:a"), 0);
	assert_int_equal(git("push origin main:a/b :a"), 0);
	assert_same("main", "a/b");
	assert_int_equal(git("push origin main:a :a/b"), 0);
	assert_same("main", "a");
	assert_sound();
}

static void takes_thousands_of_refs(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	sh("cd w && id=$(git rev-parse main) && for i in $(seq 3000); do"
	   " echo create refs/tags/t$i $id; done | git update-ref --stdin");
	assert_int_equal(git("push --mirror origin"), 0);
	sh("test $(git -C r.git for-each-ref | wc -l) = 3001 &&"
	   "test $(find r.git/refs -type f | wc -l) = 0");
	sh("cd w && git tag -l | xargs git tag -d >/dev/null");
	assert_int_equal(git("push --mirror origin"), 0);
	sh("test -z \"$(git -C r.git tag -l)\"");
	assert_sound();
}

static void a_pack_over_the_limit_is_read_to_its_end(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	sh("cd w && head -c 6000000 /dev/urandom >big && git add big &&"
	   "git commit -q -m big");
	assert_int_not_equal(git("push origin main"), 0);
	assert_said("main -> main (unpacker error)");
	assert_said("remote unpack failed");
	assert_sound();
}

static void refuses_what_fsck_refuses(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	sh("cd w && git cat-file commit HEAD | sed s/@/\\>/ >../commit &&"
	   "git update-ref refs/heads/bad $(git hash-object -t commit -w"
	   " --literally ../commit)");
	assert_int_not_equal(git("push origin bad"), 0);
	assert_said("bad -> bad (unpacker error)");
	assert_sound();
	sh("test -z \"$(git -C r.git for-each-ref)\"");
}

/* A clone of depth 1, of what the server has not. */
static void make_shallow_client(void)
{
	make_client();
	sh("cd w && git commit -q --allow-empty -m two && cd .. &&"
	   "git clone -q --depth=1 file://$PWD/w shallow &&"
	   "mv w full && mv shallow w && cd w &&"
	   "git remote set-url origin ../r.git");
}

static void refuses_a_hole_in_history(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_shallow_client();
	assert_int_not_equal(git("push origin main"), 0);
	assert_said("(shallow update not allowed");
	assert_false(exists("r.git/shallow"));
	sh("test -z \"$(git -C r.git for-each-ref)\"");
	sh("mv w shallow && mv full w");
	assert_int_equal(git("push origin main"), 0);
	sh("mv w full && mv shallow w && cd w &&"
	   "git commit -q --allow-empty -m three");
	/* The server has what the client has not. */
	assert_int_equal(git("push origin main"), 0);
	assert_same("main", "main");
	assert_sound();
}

/* What it counts on could vanish meanwhile. */
static void without_its_lock_no_push_begins(void **state)
{
	(void)state;
	make_server("");
	make_client();
	sh("mkdir r.git/headwater-pushes");
	assert_int_not_equal(git("push -q origin main"), 0);
	assert_said("headwater-pushes");
	sh("rmdir r.git/headwater-pushes");
	assert_int_equal(git("push -q origin main"), 0);
}

static void becomes_shallow_where_that_is_allowed(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("[receive]\n\tshallowUpdate = true\n"
		    "\tdenyNonFastForwards = true\n");
	make_shallow_client();
	sh("git -C w rev-parse main >end");
	/* What is refused cuts nothing. */
	assert_int_not_equal(git("push origin main:forbidden"), 0);
	assert_false(exists("r.git/shallow"));
	assert_int_equal(git("push origin main"), 0);
	sh("cmp r.git/shallow end");
	assert_same("main", "main");
	assert_sound();
	sh("cd w && git commit -q --allow-empty -m three");
	assert_int_equal(git("push origin main"), 0);
	/* In version 2 git's client fails at its own server's ref-in-want. */
	sh("cmp r.git/shallow end && git -c protocol.version=0 clone -q"
	   " file://$PWD/r.git c && test $(git -C c rev-list --count HEAD) = "
	   "2");
	assert_sound();
}

/* Run git send-pack, which asks for what git push itself refuses. */
static int send_pack(const char *arguments)
{
	char command[8192];

	snprintf(command, sizeof command,
		 "cd w && git send-pack --receive-pack='%s --serve' ../r.git"
		 " %s >../out 2>&1",
		 self, arguments);
	return system(command);
}

static void of_two_updates_of_a_ref_the_first_counts(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	sh("cd w && git branch a && git commit -q --allow-empty -m two");
	assert_int_not_equal(send_pack("a:foo main:foo"), 0);
	assert_said("multiple updates for ref 'refs/heads/foo' not allowed");
	assert_same("a", "foo");
	assert_int_not_equal(send_pack("--atomic a:bar main:bar"), 0);
	sh("test $(git -C r.git for-each-ref | wc -l) = 1");
	assert_sound();
}

/* The client sends another file in place of one. git's fsck follows what
 * objects name, and has no pack at all then. */
static void where_objects_are_checked_a_hole_fails_the_pack(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	sh("cd w && git branch good && echo 4 >file && git commit -q -a -m two"
	   "&& cd .git/objects && path() { echo $1 | sed 's!^..!&/!'; } &&"
	   "cp -f $(path $(echo other | git hash-object -w --stdin))"
	   " $(path $(git rev-parse main:file))");
	assert_int_not_equal(git("push origin good main"), 0);
	assert_said("main -> main (unpacker error)");
	assert_said("good -> good (unpacker error)");
	sh("test -z \"$(git -C r.git for-each-ref)\" &&"
	   "git -C r.git config receive.fsckObjects false");
	assert_int_not_equal(git("push origin good main"), 0);
	assert_said("main -> main (missing necessary objects)");
	assert_same("good", "good");
	assert_sound();
}

static void writes_the_reflog_where_asked(void **state)
{
	(void)state;
	NEED_GIT();
	make_server("[core]\n\tlogAllRefUpdates = true\n");
	make_client();
	assert_int_equal(git("push origin main"), 0);
	sh("grep -q '^" ID_0 " .* C <c@example.org> [0-9]* +0000\tpush$'"
	   " r.git/logs/refs/heads/main && cmp r.git/logs/refs/heads/main"
	   " r.git/logs/HEAD && git -C r.git reflog main | grep -q push");
}

/* -- byte by byte --------------------------------------------------------- */

/* A pack without objects. */
static void add_empty_pack(struct buf *b)
{
	static const unsigned char header[] = "PACK\0\0\0\2\0\0\0\0";
	unsigned char sum[SHA1_SIZE];
	struct digest *d = digest_new(DIGEST_SHA1);

	digest_update(d, header, 12);
	digest_final(d, sum);
	digest_free(d);
	buf_add(b, header, 12);
	buf_add(b, sum, sizeof sum);
}

static int push_bytes(const struct buf *request, struct buf *answer,
		      const struct receive_pack_options *options)
{
	struct receive_pack_result result;
	struct stream_mem s;
	struct repository *r;
	struct err e;
	int n;

	r = repository_open("r.git", &e);
	assert_non_null(r);
	stream_mem_init(&s, buf_span(request), answer);
	n = receive_pack(r, &s.base, options, &result, &e);
	repository_put(r);
	return n;
}

static void offers_everything_to_the_first_push(void **state)
{
	static const struct receive_pack_options only = {
		.advertise_only = true,
		.http_service_line = true,
		.version = 1,
		.session_id = "sid",
	};
	struct buf none = BUF_INIT, out = BUF_INIT;

	(void)state;
	make_server("[transfer]\n\tadvertiseSID = true\n");
	assert_int_equal(push_bytes(&none, &out, &only), 0);
	assert_memory_equal(out.data,
			    "001f# service=git-receive-pack\n0000"
			    "000eversion 1\n",
			    49);
	assert_string_equal(out.data + 49 + 4 + 40, " capabilities^{}");
	assert_string_equal(out.data + 49 + 4 + 40 + 17,
			    "report-status report-status-v2 delete-refs "
			    "side-band-64k quiet atomic ofs-delta push-options "
			    "session-id=sid object-format=sha1 "
			    "agent=headwater/" HEADWATER_VERSION "\n0000");
	buf_fini(&out);
}

/* As go-git writes it: no LF, no space behind the NUL, no side-band. */
static void answers_a_plain_client_plainly(void **state)
{
	static const struct receive_pack_options options = {
		.is_stateless = true,
	};
	struct buf in = BUF_INIT, out = BUF_INIT;

	(void)state;
	make_server("");
	pkt_addf(&in, "%s %s refs/heads/main%cagent=go-git/5.x report-status",
		 ID_0, ID_A, '\0');
	pkt_add_flush(&in);
	add_empty_pack(&in);
	assert_int_equal(push_bytes(&in, &out, &options), 0);
	assert_string_equal(buf_str(&out),
			    "000eunpack ok\n"
			    "0031ng refs/heads/main missing necessary "
			    "objects\n"
			    "0000");
	buf_fini(&in);
	buf_fini(&out);
}

/* One request in plain bytes; "%" stands for a NUL. */
static char *ask(const char *const lines[], bool with_pack)
{
	static const struct receive_pack_options options = {
		.is_stateless = true,
		.limits = { .commands = 5, .push_options = 2 },
	};
	struct buf in = BUF_INIT, out = BUF_INIT;

	for (; *lines; lines++) {
		char line[4096];
		size_t n = strlen(*lines);

		if (!n) {
			pkt_add_flush(&in);
			continue;
		}
		memcpy(line, *lines, n + 1);
		for (char *c = line; (c = strchr(c, '%'));)
			*c = '\0';
		pkt_add(&in, line, n);
	}
	if (with_pack)
		add_empty_pack(&in);
	(void)!push_bytes(&in, &out, &options);
	buf_fini(&in);
	buf_addc(&out, '\0');
	return buf_take(&out);
}

static void assert_answer(const char *const lines[], bool with_pack,
			  const char *words)
{
	CLEANUP(freep) char *answer = ask(lines, with_pack);

	if (!strstr(answer, words))
		fail_msg("%s: %s", lines[0], answer);
	sh("test -z \"$(ls r.git/objects | grep incoming)\"");
}

#define ASK(with_pack, words, ...)                                           \
	assert_answer((const char *const[]){ __VA_ARGS__, NULL }, with_pack, \
		      words)

static void tells_what_is_wrong_with_a_request(void **state)
{
	(void)state;
	make_server("");
	ASK(false, "ERR protocol error: expected old/new/ref, got 'junk'",
	    "junk", "");
	ASK(false, "ERR protocol error", ID_0 " " ID_A " ", "");
	ASK(false, "ERR protocol error", ID_0 " 11 refs/heads/a", "");
	ASK(false, "ERR protocol error: expected shallow", "shallow 12", "");
	ASK(false, "ERR push certificates", "push-cert%x", "");
	ASK(false, "ERR ", ID_0 " " ID_A " refs/heads/a%object-format=sha256",
	    "");
	ASK(false, "unpack ok\n", ID_0 " " ID_0 " refs/heads/a%report-status",
	    "");
	ASK(true, "ng refs/heads/a multiple updates",
	    ID_0 " " ID_A " refs/heads/a% report-status",
	    ID_0 " " ID_A " refs/heads/a", "");
	ASK(true, "ng HEAD funny refname",
	    ID_0 " " ID_A " HEAD% report-status\n", "");
	ASK(true, "ng refs/heads/../../config funny refname",
	    ID_0 " " ID_A " refs/heads/../../config% report-status\n", "");
	ASK(true, "ng refs/heads/a?b funny refname",
	    ID_0 " " ID_A " refs/heads/a\001b% report-status\n", "");
	ASK(true, "unpack more than 5 refs",
	    ID_0 " " ID_A " refs/heads/a% report-status", ID_0 " " ID_A " b",
	    ID_0 " " ID_A " c", ID_0 " " ID_A " d", ID_0 " " ID_A " e",
	    ID_0 " " ID_A " f", "");
	ASK(true, "unpack more than 2 push options",
	    ID_0 " " ID_A " refs/heads/a% report-status push-options", "", "a",
	    "b", "c", "");
	ASK(true, "unpack ok",
	    ID_0 " " ID_A " refs/heads/a% report-status push-options", "", "");
	ASK(false, "unpack ", ID_0 " " ID_A " refs/heads/a% report-status", "");
	ASK(true, "ng refs/heads/a failed to delete",
	    ID_A " " ID_0 " refs/heads/a% report-status", "");
	assert_false(exists("r.git/refs/heads/a"));
}

static bool is_dead(void *arg, const char *id)
{
	return !strcmp(id, arg);
}

static void sweeps_what_the_dead_left(void **state)
{
	char dead[] = "a-b";
	struct err e;

	(void)state;
	make_server("");
	sh("cd r.git/objects && mkdir incoming-a-b-XYZ123 incoming-c-XYZ123"
	   " incoming-XYZ123 &&"
	   "ln -s incoming-a-b-XYZ123 ../refs/heads/x.lock &&"
	   "ln -s incoming-a-b-XYZ123 ../packed-refs.lock &&"
	   "ln -s incoming-a-b-XYZ123 ../shallow.lock &&"
	   "touch ../refs/heads/y.lock");
	assert_int_equal(receive_pack_sweep("r.git", is_dead, dead, &e), 0);
	assert_false(exists("r.git/objects/incoming-a-b-XYZ123"));
	assert_false(exists("r.git/refs/heads/x.lock"));
	assert_false(exists("r.git/packed-refs.lock"));
	assert_false(exists("r.git/shallow.lock"));
	assert_true(exists("r.git/refs/heads/y.lock"));
	assert_true(exists("r.git/objects/incoming-c-XYZ123"));
	assert_true(exists("r.git/objects/incoming-XYZ123"));
	assert_int_equal(receive_pack_sweep("none", is_dead, dead, &e), 0);
}

/* As a process leaves it that dies between the renames of pack and index. */
static void finishes_what_the_dead_were_publishing(void **state)
{
	char dead[] = "a-b";
	struct err e;

	(void)state;
	NEED_GIT();
	make_server("");
	make_client();
	assert_int_equal(git("push origin main"), 0);
	sh("cd r.git/objects && mkdir incoming-a-b-XYZ123 &&"
	   " mv pack/*.idx incoming-a-b-XYZ123/incoming.idx");
	assert_int_equal(receive_pack_sweep("r.git", is_dead, dead, &e), 0);
	assert_false(exists("r.git/objects/incoming-a-b-XYZ123"));
	assert_same("main", "main");
	assert_sound();
	/* Half an index says nothing, and is no reason to stop. */
	sh("cd r.git/objects && mkdir incoming-a-b-XYZ123 &&"
	   " printf half > incoming-a-b-XYZ123/incoming.idx");
	assert_int_equal(receive_pack_sweep("r.git", is_dead, dead, &e), 0);
	assert_false(exists("r.git/objects/incoming-a-b-XYZ123"));
}

int main(int argc, char **argv)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_enter, fixture_leave)
	const struct CMUnitTest tests[] = {
		CASE(takes_a_first_push_and_what_follows),
		CASE(points_an_unborn_head_at_what_comes),
		CASE(refuses_in_gits_words),
		CASE(an_atomic_push_is_whole_or_nothing),
		CASE(a_branch_may_make_room_for_another),
		CASE(takes_thousands_of_refs),
		CASE(a_pack_over_the_limit_is_read_to_its_end),
		CASE(refuses_what_fsck_refuses),
		CASE(refuses_a_hole_in_history),
		CASE(without_its_lock_no_push_begins),
		CASE(becomes_shallow_where_that_is_allowed),
		CASE(of_two_updates_of_a_ref_the_first_counts),
		CASE(where_objects_are_checked_a_hole_fails_the_pack),
		CASE(writes_the_reflog_where_asked),
		CASE(offers_everything_to_the_first_push),
		CASE(answers_a_plain_client_plainly),
		CASE(tells_what_is_wrong_with_a_request),
		CASE(sweeps_what_the_dead_left),
		CASE(finishes_what_the_dead_were_publishing),
	};

	if (argc == 3 && !strcmp(argv[1], "--serve"))
		return serve(argv[2]);
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
