/* SPDX-License-Identifier: Apache-2.0 */
/* headwater backup, restore. */
#include "admin/cli.h"

#include "base/cleanup.h"

static int run_backup(struct cli *c)
{
	return transfer_get(c, "/v1/backup", c->names[0]);
}

static int run_restore(struct cli *c)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	int result = transfer_put(c, "/v1/restore", c->names[0], &a);
	json_int_t repos = 0, refs = 0, objects = 0;

	if (result)
		return result;
	if (c->is_json) {
		fputs(buf_str(&a.text), stdout);
		return CLI_DONE;
	}
	json_unpack(a.json, "{s:I, s:I, s:I}", "repos", &repos, "refs", &refs,
		    "objects", &objects);
	printf("restored %lld repositories, %lld refs, %lld objects, keys, "
	       "tokens, hooks and the host key\n",
	       (long long)repos, (long long)refs, (long long)objects);
	if (!c->data)
		hint("restart headwaterd: until then it shows the host key it "
		     "started with");
	return CLI_DONE;
}

static const struct cli_command commands[] = {
	{ NULL, "backup", "FILE|-", "everything into one archive, serving on",
	  NULL, 0, 1, 1, run_backup },
	{ NULL, "restore", "FILE|-", "a backup into an empty data directory",
	  NULL, 0, 1, 1, run_restore },
};

const struct command_table backup_commands = { commands, ARRAY_SIZE(commands) };
