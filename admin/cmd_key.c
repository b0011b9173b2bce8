/* SPDX-License-Identifier: Apache-2.0 */
/* headwater key ... */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PRIVATE_KEY_MAX ((size_t)64 << 10)
#define FINGERPRINT_MIN 8 /* characters that tell keys apart */

static const struct column list_columns[] = {
	{ "NAME", "name" },
	{ "TYPE", "type" },
	{ "FINGERPRINT", "fingerprint" },
	{ "READ", "read" },
	{ "WRITE", "write" },
	{ "DECLARED", "declared" },
};

static const struct column pending_columns[] = {
	{ "FINGERPRINT", "fingerprint" }, { "TYPE", "type" },
	{ "ADDRESS", "address" },	  { "LAST SEEN", "last_time" },
	{ "TRIES", "connections" },
};

static const struct column show_columns[] = {
	{ "Name", "name" },
	{ "Type", "type" },
	{ "Fingerprint", "fingerprint" },
	{ "Public key", "public_key" },
	{ "Previous key", "previous_key" },
	{ "Last login", "last_login" },
	{ "Read", "read" },
	{ "Write", "write" },
	{ "Bypass", "bypass" },
	{ "Declared in", "declared_in" },
	{ "Problem", "problem" },
};

static void show_list(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "keys"), list_columns,
		   ARRAY_SIZE(list_columns),
		   "There is no key yet: headwater key create NAME "
		   "--public-key FILE --write PATTERN");
}

static void show_key(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_lines(a->json, show_columns, ARRAY_SIZE(show_columns));
}

static void show_made(struct cli *c, const struct api_answer *a)
{
	CLEANUP(freep) char *fingerprint = show_text(a->json, "fingerprint");

	printf("key '%s' %s: %s\n", c->names[0],
	       a->status == 201 ? "created" : "is there already", fingerprint);
}

/* Never overwrites: the file is made, or it was there. */
static int write_new(const char *path, mode_t mode, const struct buf *text)
{
	CLEANUP(closep) int fd = -1;
	struct err e;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	if (fd_write_full(fd, text->data, text->len, &e) < 0 || fsync(fd) < 0) {
		unlink(path);
		return complain("%s cannot be written", path);
	}
	return CLI_DONE;
}

/* FILE and FILE.pub, as ssh-keygen(1) writes them. */
static int write_pair(const char *path, const struct buf *private,
		      const struct buf *public)
{
	CLEANUP(buf_fini) struct buf beside = BUF_INIT;
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	int result = write_new(path, 0600, private);

	if (result)
		return result;
	buf_addf(&beside, "%s.pub", path);
	buf_addf(&line, "%s\n", buf_str(public));
	result = write_new(buf_str(&beside), 0644, &line);
	if (result)
		unlink(path);
	return result;
}

/* The key in `path`, made anew where there is none. */
static int generate(struct cli *c, const char *path, struct buf *private,
		    struct buf *public)
{
	bool is_stdout = !strcmp(path, "-");
	struct err e;

	if (!is_stdout && !access(path, F_OK)) {
		if (file_read(path, PRIVATE_KEY_MAX, private, &e) < 0 ||
		    keygen_public_of(buf_span(private), public, &e) < 0)
			return complain("%s: %s", path, e.message);
		return CLI_DONE;
	}
	if (keygen_ed25519(c->names[0], private, public, &e) < 0)
		return complain("%s", e.message);
	return is_stdout ? CLI_DONE : write_pair(path, private, public);
}

/* On standard output a key stands alone, and only if it lets somebody in. */
static int put_then_print(struct cli *c, const struct buf *private)
{
	bool is_json = c->is_json;
	int result;

	c->is_json = false;
	result = put_object(c, "keys", NULL);
	c->is_json = is_json;
	if (result)
		return result;
	fwrite(private->data, 1, private->len, stdout);
	return fflush(stdout) ? complain("standard output is gone") : CLI_DONE;
}

/* A .pub file ends its line; the key does not. */
static void trim_key(struct cli *c)
{
	const char *text =
		json_string_value(json_object_get(c->fields, "public_key"));
	size_t n = text ? strlen(text) : 0;

	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (text)
		json_object_set_new(c->fields, "public_key",
				    json_stringn(text, n));
}

static int run_create(struct cli *c)
{
	const char *file = cli_local(c, "--generate");
	CLEANUP(buf_fini) struct buf private = BUF_INIT;
	CLEANUP(buf_fini) struct buf public = BUF_INIT;
	bool has_key = json_object_get(c->fields, "public_key");
	int result;

	if (has_key == !!file) {
		complain("a key comes from --public-key FILE or --generate "
			 "FILE, one of them");
		return CLI_USAGE;
	}
	trim_key(c);
	if (file) {
		result = generate(c, file, &private, &public);
		if (result)
			return result;
		json_object_set_new(c->fields, "public_key",
				    json_string(buf_str(&public)));
	}
	if (file && !strcmp(file, "-"))
		return put_then_print(c, &private);
	return put_object(c, "keys", show_made);
}

static int run_list(struct cli *c)
{
	return list_objects(c, "keys", show_list);
}

static int run_show(struct cli *c)
{
	return get_object(c, "keys", show_key);
}

static int run_set(struct cli *c)
{
	return set_object(c, "keys");
}

static int run_delete(struct cli *c)
{
	return delete_object(c, "keys");
}

static void show_pending(struct cli *c, const struct api_answer *a)
{
	(void)c;
	show_table(json_object_get(a->json, "pending"), pending_columns,
		   ARRAY_SIZE(pending_columns),
		   "Nobody has tried with a key that is not known.");
}

#define PENDING_PATH "/v1/keys/pending"

static int run_pending(struct cli *c)
{
	return api_show(
		c,
		&(struct api_request){ .method = "GET", .path = PENDING_PATH },
		show_pending);
}

/* A fingerprint may be given without "SHA256:", and without its end. */
static bool is_meant(const json_t *one, const char *given)
{
	const char *fingerprint =
		json_string_value(json_object_get(one, "fingerprint"));
	size_t prefix = strlen("SHA256:");

	if (!fingerprint || !*given)
		return false;
	if (!strncmp(given, "SHA256:", prefix))
		given += prefix;
	return strlen(given) >= FINGERPRINT_MIN &&
	       !strncmp(fingerprint + prefix, given, strlen(given));
}

/* The public key that is meant, NULL after saying why there is none. */
static const char *find_pending(const json_t *list, const char *given)
{
	const json_t *found = NULL;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (!is_meant(one, given))
			continue;
		if (found) {
			complain("more than one key begins with %s", given);
			return NULL;
		}
		found = one;
	}
	if (found)
		return json_string_value(json_object_get(found, "public_key"));
	complain("no key with the fingerprint %s has tried to log in", given);
	hint("`headwater key pending` lists those that have, and `ssh-keygen "
	     "-lf FILE.pub` shows a key's");
	return NULL;
}

static int run_approve(struct cli *c)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	const char *key;
	int result;

	result = api_call(
		c,
		&(struct api_request){ .method = "GET", .path = PENDING_PATH },
		&a);
	if (result)
		return result;
	key = find_pending(json_object_get(a.json, "pending"), c->names[0]);
	if (!key)
		return CLI_REFUSED;
	json_object_set_new(c->fields, "public_key", json_string(key));
	c->names[0] = c->names[1];
	return put_object(c, "keys", show_made);
}

static const struct cli_option create_options[] = {
	{ "--public-key", "public_key", OPTION_FILE },
	{ "--generate", "file", OPTION_LOCAL },
	{ "--read", "read", OPTION_LIST },
	{ "--write", "write", OPTION_LIST },
	{ "--bypass", "bypass", OPTION_SWITCH },
	{ "--replace", NULL, OPTION_LOCAL },
};

static const struct cli_option approve_options[] = {
	{ "--read", "read", OPTION_LIST },
	{ "--write", "write", OPTION_LIST },
	{ "--bypass", "bypass", OPTION_SWITCH },
	{ "--replace", NULL, OPTION_LOCAL },
};

static const struct cli_command commands[] = {
	{ "key", "create",
	  "NAME (--public-key FILE | --generate FILE) [--read PATTERN]... "
	  "[--write PATTERN]... [--bypass] [--replace]",
	  "let a key in", create_options, ARRAY_SIZE(create_options), 1, 1,
	  run_create },
	{ "key", "list", "", "all keys", NULL, 0, 0, 0, run_list },
	{ "key", "show", "NAME", "one key", NULL, 0, 1, 1, run_show },
	{ "key", "set", "NAME KEY=VALUE...", "change what it may do", NULL, 0,
	  2, CLI_NAMES_MAX, run_set },
	{ "key", "pending", "", "keys that tried and are not known", NULL, 0, 0,
	  0, run_pending },
	{ "key", "approve",
	  "FINGERPRINT NAME [--read PATTERN]... [--write PATTERN]... "
	  "[--bypass] [--replace]",
	  "let one of those in", approve_options, ARRAY_SIZE(approve_options),
	  2, 2, run_approve },
	{ "key", "delete", "NAME", "let it in no longer", NULL, 0, 1, 1,
	  run_delete },
};

const struct command_table key_commands = { commands, ARRAY_SIZE(commands) };
