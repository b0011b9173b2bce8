/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ref update as a value, as the outbox's line and as GitHub's push event.
 *
 * The body's keys never depend on the event: a CEL filter of Flux that names a
 * missing key answers 500, and Argo's reader wants numbers to stay numbers.
 */
#include "hooks/event.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A line of the outbox: names are at most 1 KiB each, written with escapes. */
#define EVENT_LINE_MAX ((size_t)64 << 10)

static const char *const kind_names[] = {
	[EVENT_PUSH] = "push",
	[EVENT_START] = "start",
	[EVENT_TEST] = "test",
	[EVENT_SYNC] = "sync",
};

const char *event_kind_name(enum event_kind kind)
{
	return kind_names[kind];
}

void event_id_make(char out[EVENT_ID_SIZE])
{
	unsigned char bytes[16];
	uint64_t now = (uint64_t)clock_unix();

	/* Six bytes of time in front make names sort by age. */
	for (int i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(now >> (8 * (5 - i)));
	random_bytes(bytes + 6, sizeof bytes - 6);
	hex_encode(bytes, sizeof bytes, out);
}

void event_fini(struct event *ev)
{
	free(ev->repo);
	free(ev->ref);
	free(ev->pusher);
	free(ev->default_branch);
	memset(ev, 0, sizeof *ev);
}

/* NULL stays NULL; out of memory is told by `*failed`. */
static char *copy_text(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*failed = true;
	return copy;
}

int event_copy(const struct event *ev, struct event *out, struct err *e)
{
	struct event copy = *ev;
	bool failed = false;

	copy.repo = copy_text(ev->repo, &failed);
	copy.ref = copy_text(ev->ref, &failed);
	copy.pusher = copy_text(ev->pusher, &failed);
	copy.default_branch = copy_text(ev->default_branch, &failed);
	if (failed) {
		event_fini(&copy);
		return err_nomem(e);
	}
	*out = copy;
	return 0;
}

/* The length of the UTF-8 character that `p` begins with; 0: it is none. */
static size_t utf8_length(const char *p)
{
	for (size_t n = 1; n <= 4 && strnlen(p, n) == n; n++) {
		json_t *one = json_stringn(p, n);

		json_decref(one);
		if (one)
			return n;
	}
	return 0;
}

/*
 * A JSON string of bytes that need not be UTF-8 (a ref name): every byte that
 * is not part of a valid sequence becomes U+FFFD, as git's own JSON peers do.
 */
static json_t *json_of_bytes(const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	json_t *whole = json_string(text ? text : "");

	if (whole)
		return whole;
	for (const char *p = text; *p;) {
		size_t n = utf8_length(p);

		if (n)
			buf_add(&b, p, n);
		else
			buf_adds(&b, "\xef\xbf\xbd");
		p += n ? n : 1;
	}
	return b.failed ? NULL : json_string(buf_str(&b));
}

/* A stable number for a name: receivers want one and look no further. */
static json_int_t number_of(const char *name)
{
	unsigned char digest[SHA256_SIZE];

	sha256(name, strlen(name), digest);
	return (json_int_t)(load_u32be(digest) >> 1);
}

static const char *last_element(const char *repo)
{
	const char *slash = strrchr(repo, '/');

	return slash ? slash + 1 : repo;
}

static json_t *repository_json(const struct event *ev,
			       const struct event_urls *urls)
{
	return json_pack("{s:I, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:o}", "id",
			 number_of(ev->repo), "name", last_element(ev->repo),
			 "full_name", ev->repo, "private", 1, "html_url",
			 urls->html ? urls->html : "", "url",
			 urls->html ? urls->html : "", "clone_url",
			 urls->clone ? urls->clone : "", "ssh_url",
			 urls->ssh ? urls->ssh : "", "default_branch",
			 json_of_bytes(ev->default_branch));
}

static int json_into(json_t *j, struct buf *out, struct err *e)
{
	CLEANUP(freep) char *text = NULL;

	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text)
		return err_nomem(e);
	buf_adds(out, text);
	return buf_check(out, e);
}

int event_body(const struct event *ev, const struct event_urls *urls,
	       struct buf *out, struct err *e)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	const char *pusher = ev->pusher ? ev->pusher : "headwater";
	char before[OID_MAX_HEX + 1], after[OID_MAX_HEX + 1];

	oid_hex(&ev->before, before);
	oid_hex(&ev->after, after);
	body = json_pack(
		"{s:o, s:s, s:s, s:b, s:b, s:b, s:n, s:s, s:[], s:n, s:o,"
		" s:{s:s, s:s}, s:{s:s, s:I}}",
		"ref", json_of_bytes(ev->ref), "before", before, "after", after,
		"created", (int)ev->is_created, "deleted", (int)ev->is_deleted,
		"forced", (int)ev->is_forced, "base_ref", "compare", "",
		"commits", "head_commit", "repository",
		repository_json(ev, urls), "pusher", "name", pusher, "email",
		"", "sender", "login", pusher, "id", number_of(pusher));
	return json_into(body, out, e);
}

int event_print(const struct event *ev, struct buf *out, struct err *e)
{
	CLEANUP(json_decrefp) json_t *line = NULL;
	CLEANUP(freep) char *ref = NULL;
	char before[OID_MAX_HEX + 1], after[OID_MAX_HEX + 1];

	/* A ref name may be any bytes, and this form must give them back. */
	ref = base64_encode(ev->ref, strlen(ev->ref));
	if (!ref)
		return err_nomem(e);
	line = json_pack(
		"{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:s, s:o}",
		"id", ev->id, "kind", event_kind_name(ev->kind), "time",
		(json_int_t)ev->time, "repo", ev->repo, "ref", ref, "before",
		oid_hex(&ev->before, before), "after",
		oid_hex(&ev->after, after), "created", (int)ev->is_created,
		"deleted", (int)ev->is_deleted, "forced", (int)ev->is_forced,
		"pusher", ev->pusher ? ev->pusher : "", "default_branch",
		json_of_bytes(ev->default_branch));
	return json_into(line, out, e);
}

static int kind_parse(const char *name, enum event_kind *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (strcmp(kind_names[i], name))
			continue;
		*out = (enum event_kind)i;
		return 0;
	}
	return -1;
}

/* The decoded ref name; NULL where it is none. */
static char *ref_decode(const char *text)
{
	size_t n;
	CLEANUP(freep) char *bytes = base64_decode(text, strlen(text), &n);
	char *ref;

	if (!bytes || memchr(bytes, '\0', n))
		return NULL;
	ref = malloc(n + 1);
	if (!ref)
		return NULL;
	memcpy(ref, bytes, n);
	ref[n] = '\0';
	return ref;
}

void event_ref_text(const char *base64, struct buf *out)
{
	CLEANUP(freep) char *ref = ref_decode(base64);

	for (const char *p = ref; p && *p;) {
		size_t n = utf8_length(p);

		if (n)
			buf_add(out, p, n);
		else
			buf_addf(out, "\\x%02x", (unsigned char)*p);
		p += n ? n : 1;
	}
}

static int fill(struct event *ev, const char *kind, const char *id,
		const char *before, const char *after)
{
	if (strlen(id) != EVENT_ID_SIZE - 1 || kind_parse(kind, &ev->kind) < 0)
		return -1;
	memcpy(ev->id, id, EVENT_ID_SIZE);
	if (!oid_parse(span_str(before), OID_SHA1, &ev->before) ||
	    !oid_parse(span_str(after), OID_SHA1, &ev->after))
		return -1;
	return 0;
}

int event_parse(struct span line, struct event *out, struct err *e)
{
	CLEANUP(json_decrefp) json_t *j = NULL;
	CLEANUP(event_fini) struct event ev = { 0 };
	const char *id, *kind, *repo, *ref, *before, *after, *pusher, *branch;
	json_int_t at;
	int created, deleted, forced;
	bool failed = false;

	if (line.len > EVENT_LINE_MAX)
		return err_set(e, ERR_CORRUPT, "an event of %zu bytes",
			       line.len);
	j = json_loadb((const char *)line.data, line.len,
		       JSON_REJECT_DUPLICATES, NULL);
	if (!j || json_unpack(j,
			      "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:b, s:b,"
			      " s:b, s:s, s:s}",
			      "id", &id, "kind", &kind, "time", &at, "repo",
			      &repo, "ref", &ref, "before", &before, "after",
			      &after, "created", &created, "deleted", &deleted,
			      "forced", &forced, "pusher", &pusher,
			      "default_branch", &branch) < 0)
		return err_set(e, ERR_CORRUPT, "not an event");
	if (fill(&ev, kind, id, before, after) < 0)
		return err_set(e, ERR_CORRUPT, "an event that makes no sense");
	ev.time = at;
	ev.is_created = created;
	ev.is_deleted = deleted;
	ev.is_forced = forced;
	ev.repo = copy_text(repo, &failed);
	ev.ref = ref_decode(ref);
	ev.pusher = copy_text(pusher, &failed);
	ev.default_branch = copy_text(branch, &failed);
	if (failed || !ev.ref)
		return err_set(e, ERR_CORRUPT, "an event without a ref");
	*out = ev;
	memset(&ev, 0, sizeof ev);
	return 0;
}
