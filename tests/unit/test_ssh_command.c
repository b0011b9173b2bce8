/* SPDX-License-Identifier: Apache-2.0 */
/* What an exec request may be, and all that it may not. */
#include "test.h"

#include "base/attr.h"
#include "base/err.h"
#include "net/ssh_command.h"

struct good {
	const char *command;
	enum sshd_service service;
	const char *path;
};

static const struct good good[] = {
	{ "git-upload-pack '/cluster'", SSHD_UPLOAD_PACK, "/cluster" },
	{ "git-upload-pack 'cluster.git'", SSHD_UPLOAD_PACK, "cluster.git" },
	{ "git upload-pack '/a/b'", SSHD_UPLOAD_PACK, "/a/b" },
	{ "git-receive-pack '/cluster'", SSHD_RECEIVE_PACK, "/cluster" },
	{ "git receive-pack '~/cluster/'", SSHD_RECEIVE_PACK, "~/cluster/" },
	/* as git and go-git quote /it's! x.git */
	{ "git-upload-pack '/it'\\''s'\\!' x.git'", SSHD_UPLOAD_PACK,
	  "/it's! x.git" },
	{ "git-upload-pack cluster", SSHD_UPLOAD_PACK, "cluster" },
	{ "git-upload-pack \\/cluster", SSHD_UPLOAD_PACK, "/cluster" },
	{ "git-upload-pack 'a;b$(c)`d`\n|e'", SSHD_UPLOAD_PACK,
	  "a;b$(c)`d`\n|e" },
};

static const char *const bad[] = {
	"",
	"git",
	"git-upload-pack",
	"git-upload-pack ",
	"git-upload-pack ''",
	"git-upload-pack '",
	"git-upload-pack 'a",
	"git-upload-pack a\\",
	"git-upload-pack a\\\n",
	"git-upload-pack 'a' ",
	"git-upload-pack  'a'",
	" git-upload-pack 'a'",
	"git-upload-pack 'a' 'b'",
	"git-upload-pack 'a';id",
	"git-upload-pack 'a'\nid",
	"git-upload-pack \"a\"",
	"git-upload-pack a$b",
	"git-upload-pack `id`",
	"git-upload-pack a|b",
	"git-upload-pack --help",
	"git-upload-pack '--upload-pack=id' 'a'",
	"git-upload-pack --strict 'a'",
	"git-upload-pack '-a'",
	"git-upload-pack \\-a",
	"git-upload-archive 'a'",
	"GIT-UPLOAD-PACK 'a'",
	"git-upload-packx 'a'",
	"git -c core.pager=id upload-pack 'a'",
	"git\tupload-pack 'a'",
	"sh -c git-upload-pack 'a'",
	"/usr/bin/git-upload-pack 'a'",
	"scp -f a",
	"id",
};

static void takes_what_clients_send(void **state)
{
	struct ssh_command c;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(
			ssh_command_parse(span_str(good[i].command), &c, &e),
			0);
		assert_int_equal(c.service, good[i].service);
		assert_string_equal(c.path, good[i].path);
		assert_int_equal(c.path_len, strlen(good[i].path));
	}
}

static void refuses_everything_else_with_a_sentence(void **state)
{
	struct ssh_command c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = { 0 };

		assert_int_equal(ssh_command_parse(span_str(bad[i]), &c, &e),
				 -1);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_true(strlen(e.message) > 10);
	}
}

static void refuses_a_nul_anywhere(void **state)
{
	static const char nul[] = "git-upload-pack 'a'\0; id";
	struct ssh_command c;
	struct err e;

	(void)state;
	assert_int_equal(
		ssh_command_parse(span_of(nul, sizeof(nul) - 1), &c, &e), -1);
}

static void takes_the_longest_command_and_not_one_more(void **state)
{
	char text[SSH_COMMAND_MAX + 2];
	struct ssh_command c;
	struct err e;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "git-upload-pack ", 16);
	assert_int_equal(
		ssh_command_parse(span_of(text, SSH_COMMAND_MAX), &c, &e), 0);
	assert_int_equal(c.path_len, SSH_COMMAND_MAX - 16);
	assert_int_equal(
		ssh_command_parse(span_of(text, SSH_COMMAND_MAX + 1), &c, &e),
		-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_clients_send),
		cmocka_unit_test(refuses_everything_else_with_a_sentence),
		cmocka_unit_test(refuses_a_nul_anywhere),
		cmocka_unit_test(takes_the_longest_command_and_not_one_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
