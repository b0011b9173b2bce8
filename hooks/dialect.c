/* SPDX-License-Identifier: Apache-2.0 */
/* One row per type of receiver; each row is a function that adds its lines. */
#include "hooks/dialect.h"

#include "base/digest.h"

#include <string.h>

struct dialect {
	const char *name;
	bool needs_secret;
	void (*headers)(const struct event *ev, struct span secret,
			struct span body, struct buf *out);
};

/* "Name: value" and the NUL that ends it. */
static void line(struct buf *out, const char *name, const char *prefix,
		 const char *value)
{
	buf_addf(out, "%s: %s%s", name, prefix, value);
	buf_addc(out, '\0');
}

static void hmac_line(struct buf *out, const char *name, const char *prefix,
		      struct span secret, struct span body)
{
	unsigned char mac[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	if (!secret.len)
		return;
	hmac_sha256(secret.data, secret.len, body.data, body.len, mac);
	hex_encode(mac, sizeof mac, hex);
	line(out, name, prefix, hex);
}

/* Older consumers (Argo Workflows) read only this one. */
static void hmac_sha1_line(struct buf *out, struct span secret,
			   struct span body)
{
	unsigned char mac[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	if (!secret.len)
		return;
	hmac_sha1(secret.data, secret.len, body.data, body.len, mac);
	hex_encode(mac, sizeof mac, hex);
	line(out, "X-Hub-Signature", "sha1=", hex);
}

/* The first 16 bytes of the id as a UUID is written. */
static void uuid_of(const struct event *ev, char out[37])
{
	static const int groups[] = { 8, 4, 4, 4, 12 };
	const char *from = ev->id;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		memcpy(out, from, (size_t)groups[i]);
		out += groups[i];
		from += groups[i];
		*out++ = '-';
	}
	out[-1] = '\0';
}

static void generic_headers(const struct event *ev, struct span secret,
			    struct span body, struct buf *out)
{
	(void)ev;
	(void)secret;
	(void)body;
	(void)out;
}

static void generic_hmac_headers(const struct event *ev, struct span secret,
				 struct span body, struct buf *out)
{
	(void)ev;
	hmac_line(out, "X-Signature", "sha256=", secret, body);
}

static void github_headers(const struct event *ev, struct span secret,
			   struct span body, struct buf *out)
{
	char uuid[37];

	uuid_of(ev, uuid);
	line(out, "X-GitHub-Event", "", "push");
	line(out, "X-GitHub-Delivery", "", uuid);
	hmac_line(out, "X-Hub-Signature-256", "sha256=", secret, body);
	hmac_sha1_line(out, secret, body);
}

/* Gitea's own headers stand alone: next to GitHub's, Argo CD would take the
 * request for Gogs's. */
static void gitea_headers(const struct event *ev, struct span secret,
			  struct span body, struct buf *out)
{
	char uuid[37];

	uuid_of(ev, uuid);
	line(out, "X-Gitea-Event", "", "push");
	line(out, "X-Gitea-Delivery", "", uuid);
	hmac_line(out, "X-Gitea-Signature", "", secret, body);
}

static void gitlab_headers(const struct event *ev, struct span secret,
			   struct span body, struct buf *out)
{
	bool is_tag = !strncmp(ev->ref, "refs/tags/", 10);

	(void)body;
	line(out, "X-Gitlab-Event", "", is_tag ? "Tag Push Hook" : "Push Hook");
	if (!secret.len)
		return;
	buf_adds(out, "X-Gitlab-Token: ");
	buf_addspan(out, secret);
	buf_addc(out, '\0');
}

static const struct dialect dialects[] = {
	{ "generic-hmac", true, generic_hmac_headers },
	{ "generic", false, generic_headers },
	{ "github", false, github_headers },
	{ "gitea", false, gitea_headers },
	{ "gitlab", false, gitlab_headers },
};

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		if (!strcmp(dialects[i].name, name))
			return &dialects[i];
	return NULL;
}

const char *dialect_name(const struct dialect *d)
{
	return d->name;
}

bool dialect_needs_secret(const struct dialect *d)
{
	return d->needs_secret;
}

void dialect_headers(const struct dialect *d, const struct event *ev,
		     struct span secret, struct span body, struct buf *out)
{
	d->headers(ev, secret, body, out);
}
