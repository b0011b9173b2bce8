/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of repositories, keys, tokens and hooks, and what each may hold.
 * What is refused here never reaches a path, a header or a terminal.
 */
#include "store/state_schema.h"

#include "base/err.h"
#include "store/names.h"
#include "store/values.h"

#include <string.h>
#include <strings.h>

#define TEXT_MAX       1000 /* bytes of a description */
#define PATH_BYTES_MAX 4000 /* bytes of a path, below the kernel's 4096 */
#define URL_MAX	       2000 /* bytes, what servers commonly take */

static const struct state_option repo_options[] = {
	{ "public", OPTION_BOOL, false, "false",
	  "anybody may read it over HTTP" },
	{ "branch", OPTION_BRANCH, false, "main",
	  "the branch that HEAD names when it is made, main if not set" },
	{ "description", OPTION_TEXT, false, "", "a line for people" },
	{ "seed", OPTION_PATH, false, NULL,
	  "a bundle on the server to fill it with while it has no ref" },
	{ "quota", OPTION_SIZE, false, NULL, "bytes its directory may take" },
	{ "protect-branch", OPTION_REF_PATTERN, true, NULL,
	  "branches that are neither forced nor deleted" },
	{ "protect-path", OPTION_PATH_PATTERN, true, NULL,
	  "files that only keys with bypass change" },
};

static const struct state_option key_options[] = {
	{ "public-key", OPTION_PUBLIC_KEY, false, NULL,
	  "the line of the .pub file" },
	{ "file", OPTION_PATH, false, NULL, "or the file that holds it" },
	{ "previous-key", OPTION_PUBLIC_KEY, false, NULL,
	  "stands for it until it first logs in" },
	{ "read", OPTION_REPO_PATTERN, true, NULL, "repositories it may read" },
	{ "write", OPTION_REPO_PATTERN, true, NULL,
	  "repositories it may read and write" },
	{ "bypass", OPTION_BOOL, false, "false",
	  "it may change protected files" },
};

static const struct state_option keys_options[] = {
	{ "directory", OPTION_PATH, false, NULL,
	  "where every *.pub and authorized_keys holds keys" },
	{ "read", OPTION_REPO_PATTERN, true, NULL,
	  "repositories they may read" },
	{ "write", OPTION_REPO_PATTERN, true, NULL,
	  "repositories they may read and write" },
	{ "bypass", OPTION_BOOL, false, "false",
	  "they may change protected files" },
};

static const struct state_option token_options[] = {
	{ "file", OPTION_PATH, false, NULL,
	  "the file that holds the clear token" },
	{ "read", OPTION_REPO_PATTERN, true, NULL,
	  "repositories it may read over HTTP" },
};

static const struct state_option hook_options[] = {
	{ "repo", OPTION_REPO_PATTERN, true, NULL, "whose pushes it tells of" },
	{ "url", OPTION_URL, false, NULL, "where it is sent" },
	{ "receiver", OPTION_RECEIVER, false, NULL,
	  "or the Flux Receiver it is sent to, NAMESPACE/NAME" },
	{ "service", OPTION_SERVICE, false, NULL,
	  "where receivers listen, HOST[:PORT]" },
	{ "type", OPTION_HOOK_TYPE, false, "generic-hmac",
	  "generic-hmac, generic, github, gitea or gitlab" },
	{ "secret-file", OPTION_PATH, false, NULL,
	  "the file whose bytes are the secret" },
	{ "no-secret", OPTION_BOOL, false, "false", "it is sent unsigned" },
	{ "bearer-file", OPTION_PATH, false, NULL,
	  "the file that holds a bearer token to send" },
	{ "ca-file", OPTION_PATH, false, NULL,
	  "the certificates that the receiver's is checked against" },
	{ "branch", OPTION_REF_PATTERN, true, NULL, "only these branches" },
	{ "tag", OPTION_REF_PATTERN, true, NULL, "only these tags" },
};

#define KIND(name, options)                        \
	{                                          \
		name, options, ARRAY_SIZE(options) \
	}

static const struct kind {
	const char *name;
	const struct state_option *options;
	size_t n;
} kinds[STATE_KINDS] = {
	[STATE_REPO] = KIND("repo", repo_options),
	[STATE_KEY] = KIND("key", key_options),
	[STATE_KEYS] = KIND("keys", keys_options),
	[STATE_TOKEN] = KIND("token", token_options),
	[STATE_HOOK] = KIND("hook", hook_options),
};

static const struct hook_type {
	const char *name;
	bool signs_always;
} hook_types[] = {
	{ "generic-hmac", true }, { "generic", false }, { "github", false },
	{ "gitea", false },	  { "gitlab", false },
};

const char *state_kind_name(enum state_kind kind)
{
	return kinds[kind].name;
}

bool state_kind_of(const char *section, enum state_kind *out)
{
	for (unsigned i = 0; i < STATE_KINDS; i++) {
		if (!strcmp(section, kinds[i].name)) {
			*out = (enum state_kind)i;
			return true;
		}
	}
	return false;
}

const struct state_option *state_schema(enum state_kind kind, size_t *n_out)
{
	*n_out = kinds[kind].n;
	return kinds[kind].options;
}

const struct state_option *state_option(enum state_kind kind, const char *key)
{
	for (size_t i = 0; i < kinds[kind].n; i++) {
		if (!strcmp(key, kinds[kind].options[i].key))
			return &kinds[kind].options[i];
	}
	return NULL;
}

int state_name_check(enum state_kind kind, const char *name, struct err *e)
{
	if (kind == STATE_REPO)
		return repo_name_check(span_str(name), e);
	return object_name_check(span_str(name), e);
}

bool hook_type_signs_always(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(hook_types); i++) {
		if (!strcmp(type, hook_types[i].name))
			return hook_types[i].signs_always;
	}
	return true;
}

/* -- values --------------------------------------------------------------- */

/* Text of one line and at most `max` bytes. */
static int check_line(const char *value, size_t max, struct err *e)
{
	if (strlen(value) > max)
		return err_set(e, ERR_MALFORMED,
			       "the value has more than %zu bytes", max);
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(e, ERR_MALFORMED,
				       "a control character in the value");
	}
	return 0;
}

static int check_path(const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, ERR_MALFORMED, "the path is empty");
	return check_line(value, PATH_BYTES_MAX, e);
}

/* git-check-ref-format(1), as far as a branch name alone can break it. */
static int check_branch(const char *value, struct err *e)
{
	size_t n = strlen(value);

	if (check_line(value, REPO_NAME_MAX, e) < 0)
		return -1;
	if (!n || strpbrk(value, " ~^:?*[\\") || strstr(value, "..") ||
	    strstr(value, "//") || strstr(value, "@{") || strstr(value, "/.") ||
	    strstr(value, ".lock/") || strchr("/.-", value[0]) ||
	    strchr("/.", value[n - 1]) || !strcmp(value, "@") ||
	    !strcmp(value, "HEAD") ||
	    (n >= 5 && !strcmp(value + n - 5, ".lock")))
		return err_set(e, ERR_MALFORMED,
			       "\"%.60s\" is no name for a branch", value);
	if (!strncmp(value, "refs/", 5))
		return err_set(e, ERR_MALFORMED,
			       "a branch is named without refs/heads/");
	return 0;
}

/* Patterns over names that may hold anything: branches, tags, files. */
static int check_pattern(const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, ERR_MALFORMED, "a pattern is not empty");
	if (check_line(value, PATTERN_MAX, e) < 0)
		return -1;
	if (value[0] == '/' || value[strlen(value) - 1] == '/' ||
	    strstr(value, "//"))
		return err_set(e, ERR_MALFORMED,
			       "a pattern neither begins nor ends with / and "
			       "has no //; all below a directory is DIR/**");
	for (const char *at = strstr(value, "**"); at;
	     at = strstr(at + 2, "**")) {
		if ((at != value && at[-1] != '/') || (at[2] && at[2] != '/'))
			return err_set(e, ERR_MALFORMED,
				       "** stands for whole elements, alone "
				       "between slashes");
	}
	return 0;
}

static int check_ref_pattern(const char *value, struct err *e)
{
	if (!strncmp(value, "refs/", 5))
		return err_set(e, ERR_MALFORMED,
			       "branches and tags are named without "
			       "refs/heads/ and refs/tags/");
	return check_pattern(value, e);
}

static int check_repo_pattern(const char *value, struct err *e)
{
	return pattern_check(span_str(value), e);
}

static int check_public_key(const char *value, struct err *e)
{
	struct public_key k;

	if (public_key_parse(span_str(value), &k, e) < 0)
		return -1;
	public_key_fini(&k);
	return 0;
}

/* A host name or address and perhaps ":PORT"; no more is known here. */
static int check_service(const char *value, struct err *e)
{
	const char *port = strrchr(value, ':');
	const char *close = strrchr(value, ']');
	uint64_t n = 1;

	if (check_line(value, URL_MAX, e) < 0)
		return -1;
	if (port && (port < close || (!close && strchr(value, ':') != port)))
		port = close ? NULL : value; /* "[::1]"; "::1" is none */
	if (!*value || port == value || strpbrk(value, "/@?# \\\"<>") ||
	    (close && value[0] != '[') ||
	    (port && (value_number(port + 1, &n, e) < 0 || !n || n > 65535)))
		return err_set(e, ERR_MALFORMED,
			       "\"%.60s\" is no HOST or HOST:PORT", value);
	return 0;
}

static int check_url(const char *value, struct err *e)
{
	const char *host = NULL;

	if (!strncasecmp(value, "http://", 7))
		host = value + 7;
	if (!strncasecmp(value, "https://", 8))
		host = value + 8;
	if (!host)
		return err_set(e, ERR_MALFORMED,
			       "a URL begins with http:// or https://");
	if (check_line(value, URL_MAX, e) < 0)
		return -1;
	if (!*host || strchr("/:?#", *host) || strpbrk(value, " \"<>\\^`#"))
		return err_set(e, ERR_MALFORMED, "\"%.60s\" is no URL", value);
	return 0;
}

/* Kubernetes' names (RFC 1123 labels and subdomains), and "{name}" and
 * "{basename}" where a pattern stands for several repositories. */
static int check_receiver(const char *value, struct err *e)
{
	const char *slash = strchr(value, '/');
	size_t n = strlen(value);

	if (slash && slash != value && slash[1] && !strchr(slash + 1, '/') &&
	    n <= 63 + 1 + 253 &&
	    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-./{}") == n)
		return 0;
	return err_set(e, ERR_MALFORMED,
		       "\"%.60s\" is no Receiver: write NAMESPACE/NAME", value);
}

static int check_hook_type(const char *value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(hook_types); i++) {
		if (!strcmp(value, hook_types[i].name))
			return 0;
	}
	return err_set(e, ERR_MALFORMED,
		       "\"%.60s\" is none of generic-hmac, generic, github, "
		       "gitea, gitlab",
		       value);
}

static int check_bool(const char *value, struct err *e)
{
	bool is_true;

	return value_bool(value, &is_true, e);
}

static int check_size(const char *value, struct err *e)
{
	uint64_t size;

	return value_size(value, &size, e);
}

static int check_text(const char *value, struct err *e)
{
	return check_line(value, TEXT_MAX, e);
}

static int (*const checks[])(const char *value, struct err *e) = {
	[OPTION_TEXT] = check_text,
	[OPTION_BOOL] = check_bool,
	[OPTION_SIZE] = check_size,
	[OPTION_PATH] = check_path,
	[OPTION_BRANCH] = check_branch,
	[OPTION_REPO_PATTERN] = check_repo_pattern,
	[OPTION_REF_PATTERN] = check_ref_pattern,
	[OPTION_PATH_PATTERN] = check_pattern,
	[OPTION_PUBLIC_KEY] = check_public_key,
	[OPTION_URL] = check_url,
	[OPTION_RECEIVER] = check_receiver,
	[OPTION_SERVICE] = check_service,
	[OPTION_HOOK_TYPE] = check_hook_type,
};

int state_value_check(const struct state_option *option, const char *value,
		      struct err *e)
{
	if (!value && option->type != OPTION_BOOL)
		return err_set(e, ERR_MALFORMED, "%s needs a value",
			       option->key);
	return checks[option->type](value, e);
}

static bool keys_eq(const char *a, const char *b)
{
	struct public_key ka = { 0 }, kb = { 0 };
	struct err e;
	bool is_eq = !public_key_parse(span_str(a), &ka, &e) &&
		     !public_key_parse(span_str(b), &kb, &e) &&
		     public_key_eq(&ka, &kb);

	public_key_fini(&ka);
	public_key_fini(&kb);
	return is_eq;
}

bool state_value_eq(const struct state_option *option, const char *a,
		    const char *b)
{
	uint64_t na = 0, nb = 1;
	bool ba = false, bb = true;
	struct err e;

	switch (option->type) {
	case OPTION_BOOL:
		return !value_bool(a, &ba, &e) && !value_bool(b, &bb, &e) &&
		       ba == bb;
	case OPTION_SIZE:
		return !value_size(a, &na, &e) && !value_size(b, &nb, &e) &&
		       na == nb;
	case OPTION_PUBLIC_KEY:
		return keys_eq(a, b);
	default:
		return !strcmp(a, b);
	}
}
