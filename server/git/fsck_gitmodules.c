/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a clone would trip over in .gitmodules: a name that leaves the directory
 * of submodules, a URL or path that a program would take for an option, a URL
 * that smuggles a line into the credential protocol or moves the host, a
 * command. And .gitattributes that git would not read.
 */
#include "git/fsck_checks.h"

#include "base/err.h"

#include <ctype.h>
#include <stdlib.h>

#define ATTRIBUTE_LINE_MAX 2048
/* How much of a strange value is repeated. */
#define SHOWN "%.96s"

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* Not empty, and no part of it is "..". */
static bool is_good_name(const char *name)
{
	const char *part = name;

	if (!*name)
		return false;
	while (part) {
		if (part[0] == '.' && part[1] == '.' &&
		    (!part[2] || is_separator(part[2])))
			return false;
		part = strpbrk(part, "/\\");
		if (part)
			part++;
	}
	return true;
}

static bool is_option(const char *text)
{
	return text[0] == '-';
}

/* -- URLs ---------------------------------------------------------------------
 */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line break, as it stands or percent-encoded. */
static bool has_newline(const char *url)
{
	for (; *url; url++) {
		if (*url == '\n')
			return true;
		if (url[0] == '%' && hex_digit(url[1]) == 0 &&
		    hex_digit(url[2]) == 10)
			return true;
	}
	return false;
}

static bool is_dot_slash(const char *url)
{
	return url[0] == '.' && is_separator(url[1]);
}

static bool is_dotdot_slash(const char *url)
{
	return url[0] == '.' && is_dot_slash(url + 1);
}

/* "../" eats the end of the superproject's URL; what then begins with ":" or
 * "/" would stand where the host was. */
static bool moves_host(const char *url)
{
	bool has_dotdot = false;

	for (;;) {
		if (is_dotdot_slash(url)) {
			has_dotdot = true;
			url += 3;
		} else if (is_dot_slash(url)) {
			url += 2;
		} else {
			break;
		}
	}
	return has_dotdot && (*url == ':' || *url == '/');
}

static bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* The URL that git-remote-curl would get; NULL for another transport. */
static const char *curl_url(const char *url)
{
	static const char *const protocols[] = { "http", "https", "ftp",
						 "ftps" };
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		n = strlen(protocols[i]);
		if (strncmp(url, protocols[i], n))
			continue;
		if (starts_with(url + n, "::"))
			return url + n + 2;
		if (starts_with(url + n, "://"))
			return url;
	}
	return NULL;
}

/* A scheme, a host, and nothing that breaks a line. */
static bool is_good_curl_url(const char *url)
{
	const char *host = strstr(url, "://"), *user;
	size_t n;

	if (!host || host == url || has_newline(url))
		return false;
	host += 3;
	n = strcspn(host, "/?#");
	user = memchr(host, '@', n);
	return user ? user + 1 < host + n : n > 0;
}

static bool is_good_url(const char *url)
{
	const char *http;

	if (is_option(url))
		return false;
	if (is_dot_slash(url) || is_dotdot_slash(url) ||
	    starts_with(url, "git://"))
		return !has_newline(url) && !moves_host(url);
	http = curl_url(url);
	return !http || is_good_curl_url(http);
}

/* -- .gitmodules
 * --------------------------------------------------------------- */

/* git cuts a CR at the end of a value when it writes it elsewhere: the path
 * that is checked out would be another than the one that was judged. */
static bool is_good_path(const char *path)
{
	size_t n = strlen(path);

	return !is_option(path) && (!n || path[n - 1] != '\r');
}

static int check_pair(void *arg, const char *stem, const char *key,
		      const char *value, struct err *e)
{
	struct fsck *f = arg;
	const char *name = stem + strlen("submodule.");

	if (!starts_with(stem, "submodule."))
		return 0;
	if (!is_good_name(name) &&
	    fsck_report(f, FSCK_GITMODULES_NAME_ID, e,
			"disallowed submodule name: " SHOWN, name) < 0)
		return -1;
	if (!value)
		return 0;
	if (!strcmp(key, "url") && !is_good_url(value))
		return fsck_report(f, FSCK_GITMODULES_URL_ID, e,
				   "disallowed submodule url: " SHOWN, value);
	if (!strcmp(key, "path") && !is_good_path(value))
		return fsck_report(f, FSCK_GITMODULES_PATH_ID, e,
				   "disallowed submodule path: " SHOWN, value);
	if (!strcmp(key, "update") && value[0] == '!')
		return fsck_report(
			f, FSCK_GITMODULES_UPDATE_ID, e,
			"disallowed submodule update setting: " SHOWN, value);
	return 0;
}

int fsck_gitmodules(struct fsck *f, struct span data, struct err *e)
{
	int r = fsck_config(data, check_pair, f, e);

	if (r > 0)
		return fsck_report(f, FSCK_GITMODULES_PARSE_ID, e,
				   "could not parse gitmodules blob");
	return r;
}

int fsck_gitattributes(struct fsck *f, struct span data, struct err *e)
{
	struct span line, text;

	/* git reads it as a C string. */
	if (!span_until(&data, '\0', &text))
		text = data;
	while (span_word(&text, '\n', &line)) {
		if (line.len >= ATTRIBUTE_LINE_MAX)
			return fsck_report(f, FSCK_GITATTRIBUTES_LINE_LENGTH_ID,
					   e,
					   ".gitattributes has too long lines "
					   "to parse");
	}
	return 0;
}
