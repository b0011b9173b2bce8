/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "app/config.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every case runs in an empty directory of its own, with a config. */
struct fixture {
	char dir[64];
	struct config *config;
	struct state_store *store;
};

static int enter(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	*state = f;
	if (!f || !(f->config = config_new()))
		return -1;
	strcpy(f->dir, "/tmp/config-XXXXXX");
	return mkdtemp(f->dir) ? chdir(f->dir) : -1;
}

static int leave(void **state)
{
	struct fixture *f = *state;
	struct err e;
	int result;

	state_store_free(f->store);
	config_free(f->config);
	result = chdir("/") || dir_remove(f->dir, &e);
	free(f);
	return result;
}

static void put(const char *path, const char *text)
{
	struct err e;

	if (file_replace(path, text, strlen(text), 0600, &e) < 0)
		fail_msg("%s", e.message);
}

/* Read the files; their mistakes must be exactly these lines. */
static void load(struct fixture *f, size_t n, const char *expected)
{
	static const char *const files[] = { "a.conf", "b.conf" };
	struct state_options options = {
		.configs = files,
		.n_configs = n,
		.hooks = config_hooks(f->config),
	};
	struct mistakes m = MISTAKES_INIT;
	struct buf b = BUF_INIT;
	struct err e;

	state_store_free(f->store);
	f->store = state_store_open(&options, &m, &e);
	for (size_t i = 0; i < m.n; i++)
		buf_addf(&b, "%s\n", m.items[i]);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
	mistakes_fini(&m);
}

static struct config_values now(struct fixture *f)
{
	struct config_values v;

	config_now(f->config, &v);
	return v;
}

static void begins_with_the_defaults(void **state)
{
	struct config_values v = now(*state);

	assert_string_equal(v.ssh, "*:2222");
	assert_string_equal(v.http, "*:8080");
	assert_string_equal(v.https, "none");
	assert_string_equal(v.probe, "*:9090");
	assert_string_equal(v.receiver_service,
			    "webhook-receiver.flux-system.svc");
	assert_int_equal(v.drain_timeout_ms, 25000);
	assert_int_equal(v.sessions, 2000);
	assert_true(v.push_size == (uint64_t)2 << 30);
	assert_int_equal(v.disk_reserve, 5);
	assert_int_equal(v.n_names, 0);
}

static void a_later_file_wins_and_a_flag_over_all(void **state)
{
	struct fixture *f = *state;
	struct config_values v;
	struct err e;

	assert_int_equal(config_flag(f->config, "ssh", "127.0.0.1:0", &e), 0);
	put("a.conf", "[server]\n\tssh = *:1\n\thttp = *:1\n\tname = one\n"
		      "\tname = two:22\n[limits]\n\tsessions = 7\n"
		      "\tpush-size = 10m\n");
	put("b.conf", "[server]\n\thttp = *:2\n\tname = three\n"
		      "[limits]\n\tsessions = 8\n");
	load(f, 2, "");
	v = now(f);
	assert_string_equal(v.ssh, "127.0.0.1:0");
	assert_string_equal(v.http, "*:2");
	assert_int_equal(v.n_names, 1);
	assert_string_equal(v.names[0], "three");
	assert_int_equal(v.sessions, 8);
	assert_int_equal(v.push_size, 10 << 20);
	load(f, 1, "");
	v = now(f);
	assert_int_equal(v.n_names, 2);
	assert_string_equal(v.http, "*:1");
}

static void says_every_mistake(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(config_flag(f->config, "probe", "none", &e), 0);
	put("a.conf", "[limits]\n\tsessions = 7\n");
	load(f, 1, "");
	put("a.conf", "[limits]\n\tsessions = many\n\tsesions = 3\n"
		      "\tlogin-timeout = 1ms\n\tpush-size = 1g\n"
		      "\tpush-size = 2g\n\tdisk-reserve\n[server \"x\"]\n"
		      "[server]\n\tssh = here\n\tprobe = here\n"
		      "\tlog-level = loud\n");
	load(f, 1,
	     "a.conf:2: sessions: \"many\" is no number\n"
	     "a.conf:3: [limits] has no key \"sesions\"\n"
	     "a.conf:4: login-timeout is 1s to 10m: from connection to login\n"
	     "a.conf:6: push-size stands twice in [limits]\n"
	     "a.conf:7: disk-reserve needs a value\n"
	     "a.conf:8: [server] has no name behind it\n"
	     "a.conf:10: ssh: address 'here' does not end in a colon and a "
	     "port "
	     "from 0 to 65535\n"
	     "a.conf:11: probe: address 'here' does not end in a colon and a "
	     "port "
	     "from 0 to 65535\n"
	     "a.conf:12: log-level: it is error, warn, info or debug, not "
	     "\"loud\"\n");
	assert_int_equal(now(f).sessions, 7);
	assert_true(now(f).push_size == (uint64_t)2 << 30);
}

static void what_is_no_longer_said_is_the_default_again(void **state)
{
	struct fixture *f = *state;
	struct config_values before, after;
	const char *changed;
	size_t i = 0;

	put("a.conf", "[server]\n\tssh = *:1\n[limits]\n\tsessions = 7\n");
	load(f, 1, "");
	before = now(f);
	put("a.conf", "");
	load(f, 1, "");
	assert_int_equal(now(f).sessions, 2000);
	assert_string_equal(now(f).ssh, "*:2222");
	/* texts of before are still good */
	assert_string_equal(before.ssh, "*:1");
	after = now(f);
	changed = config_needs_restart(&before, &after, &i);
	assert_string_equal(changed, "ssh");
	assert_null(config_needs_restart(&before, &after, &i));
}

static void unknown_and_bad_flags_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(config_flag(f->config, "sssh", "*:1", &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(config_flag(f->config, "ssh", "example.org:22", &e),
			 -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_string_equal(now(f).ssh, "*:2222");
}

/* The printed defaults, taken out of their comments, change nothing. */
static void prints_what_it_reads(void **state)
{
	struct fixture *f = *state;
	struct config_values before = now(f);
	struct buf all = BUF_INIT, file = BUF_INIT;
	struct span text, line;

	config_print(&all);
	text = buf_span(&all);
	while (span_word(&text, '\n', &line)) {
		bool is_header = span_starts(line, "[");
		bool is_unset = line.len > 2 &&
				!memcmp(line.data + line.len - 2, "= ", 2);

		(void)span_skip(&line, "\t; ");
		if (is_header ||
		    (memmem(line.data, line.len, " = ", 3) && !is_unset))
			buf_addf(&file, "%.*s\n", (int)line.len, line.data);
	}
	put("a.conf", buf_str(&file));
	load(f, 1, "");
	assert_non_null(strstr(buf_str(&file), "\nsessions = 2000\n"));
	assert_int_equal(now(f).sessions, before.sessions);
	assert_string_equal(now(f).ssh, before.ssh);
	assert_int_equal(now(f).cache_size, before.cache_size);
	buf_fini(&all);
	buf_fini(&file);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		CASE(begins_with_the_defaults),
		CASE(a_later_file_wins_and_a_flag_over_all),
		CASE(says_every_mistake),
		CASE(what_is_no_longer_said_is_the_default_again),
		CASE(unknown_and_bad_flags_are_refused),
		CASE(prints_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
