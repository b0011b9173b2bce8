/* SPDX-License-Identifier: Apache-2.0 */
/* headwater status, sync, known-hosts. */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct column status_columns[] = {
	{ "Version", "version" },
	{ "Data", "data" },
	{ "SSH", "ssh.address" },
	{ "HTTP", "http.address" },
	{ "HTTPS", "https.address" },
	{ "Probe", "probe.address" },
	{ "Host key", "ssh.fingerprint" },
	{ "Names", "names" },
	{ "Repositories", "repos" },
	{ "Keys", "keys" },
	{ "Keys that wait", "pending_keys" },
	{ "Tokens", "tokens" },
	{ "Hooks", "hooks" },
	{ "Sessions", "sessions" },
	{ "Webhooks waiting", "outbox.backlog" },
	{ "Oldest of them, seconds", "outbox.oldest_age_seconds" },
	{ "Maintenance", "maintenance.state" },
	{ "At repository", "maintenance.repo" },
	{ "Last maintained", "maintenance.last_repo" },
	{ "Maintenance failed", "maintenance.last_error" },
	{ "Configuration", "configuration" },
};

static void show_status(struct cli *c, const struct api_answer *a)
{
	const json_t *errors = json_object_get(a->json, "last_errors");
	json_t *line;
	size_t i;

	(void)c;
	show_lines(a->json, status_columns, ARRAY_SIZE(status_columns));
	if (json_array_size(errors))
		puts("Last errors:");
	json_array_foreach(errors, i, line)
	{
		printf("  %s\n", json_string_value(line));
	}
}

static int run_status(struct cli *c)
{
	return api_show(
		c,
		&(struct api_request){ .method = "GET", .path = "/v1/status" },
		show_status);
}

static int run_sync(struct cli *c)
{
	CLEANUP(freep) char *path = api_path("repos", c->names[0], "/sync");

	return fire(c, path);
}

static void show_known_hosts(struct cli *c, const struct api_answer *a)
{
	json_t *line;
	size_t i;

	(void)c;
	json_array_foreach(json_object_get(a->json, "lines"), i, line)
	{
		puts(json_string_value(line));
	}
}

static int run_known_hosts(struct cli *c)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;

	buf_adds(&path, "/v1/known-hosts");
	for (size_t i = 0; i < c->n_names; i++) {
		/* A parameter is never sent twice: host0, host1, ... */
		buf_addf(&path, "%chost%zu=", i ? '&' : '?', i);
		for (const char *p = c->names[i]; *p; p++)
			buf_addf(&path,
				 isalnum((unsigned char)*p) ? "%c" : "%%%02X",
				 (unsigned char)*p);
	}
	return api_show(c,
			&(struct api_request){ .method = "GET",
					       .path = buf_str(&path) },
			show_known_hosts);
}

static const struct cli_command commands[] = {
	{ NULL, "status", "", "addresses, counts, last errors", NULL, 0, 0, 0,
	  run_status },
	{ NULL, "sync", "REPO", "call the repository's hooks now", NULL, 0, 1,
	  1, run_sync },
	{ NULL, "known-hosts", "[HOST[:PORT]]...", "lines for known_hosts",
	  NULL, 0, 0, CLI_NAMES_MAX, run_known_hosts },
};

const struct command_table server_commands = { commands, ARRAY_SIZE(commands) };
