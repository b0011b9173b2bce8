/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of what is offered: name, the key it hangs on, the value that
 * goes with it. Their order is git's, which some people compare.
 */
#include "git/capabilities.h"

#include "base/err.h"
#include "git/pktline.h"
#include "git/repo_config.h"

#include <stdio.h>
#include <string.h>

#define AGENT	      "headwater/" HEADWATER_VERSION
#define OBJECT_FORMAT "sha1"

/* A session id is ours, but it travels in one line with everything else. */
#define SESSION_ID_SHOWN 128

/* What an offer can depend on; ALWAYS depends on nothing. */
enum condition {
	ALWAYS,
	IF_STATELESS,
	IF_TIP,
	IF_REACHABLE,
	IF_FILTER,
	IF_REF_IN_WANT,
	IF_SIDEBAND_ALL,
	IF_UNBORN,
	IF_OBJECT_INFO,
	IF_HEAD,
	IF_SESSION_ID,
	IF_ATOMIC,
	IF_PUSH_OPTIONS,
};

struct offer {
	const char *name;
	enum condition condition;
};

static const struct offer upload_offers[] = {
	{ "multi_ack", ALWAYS },
	{ "thin-pack", ALWAYS },
	{ "side-band", ALWAYS },
	{ "side-band-64k", ALWAYS },
	{ "ofs-delta", ALWAYS },
	{ "shallow", ALWAYS },
	{ "deepen-since", ALWAYS },
	{ "deepen-not", ALWAYS },
	{ "deepen-relative", ALWAYS },
	{ "no-progress", ALWAYS },
	{ "include-tag", ALWAYS },
	{ "multi_ack_detailed", ALWAYS },
	{ "allow-tip-sha1-in-want", IF_TIP },
	{ "allow-reachable-sha1-in-want", IF_REACHABLE },
	/* Over a pipe it would end what the client still writes to. */
	{ "no-done", IF_STATELESS },
	{ "symref=HEAD:", IF_HEAD },
	{ "filter", IF_FILTER },
	{ "session-id=", IF_SESSION_ID },
	{ "object-format=" OBJECT_FORMAT, ALWAYS },
	{ "agent=" AGENT, ALWAYS },
};

static const struct offer receive_offers[] = {
	{ "report-status", ALWAYS },
	{ "report-status-v2", ALWAYS },
	{ "delete-refs", ALWAYS },
	{ "side-band-64k", ALWAYS },
	{ "quiet", ALWAYS },
	{ "atomic", IF_ATOMIC },
	{ "ofs-delta", ALWAYS },
	{ "push-options", IF_PUSH_OPTIONS },
	{ "session-id=", IF_SESSION_ID },
	{ "object-format=" OBJECT_FORMAT, ALWAYS },
	{ "agent=" AGENT, ALWAYS },
};

/* Words behind "fetch=" and "ls-refs=". */
static const struct offer fetch_features[] = {
	{ "shallow", ALWAYS },
	{ "wait-for-done", ALWAYS },
	{ "filter", IF_FILTER },
	{ "ref-in-want", IF_REF_IN_WANT },
	{ "sideband-all", IF_SIDEBAND_ALL },
};

static const struct offer ls_refs_features[] = {
	{ "unborn", IF_UNBORN },
};

static bool is_offered(enum condition condition,
		       const struct capability_context *c)
{
	const struct repo_config *config = c->config;

	switch (condition) {
	case ALWAYS:
		return true;
	case IF_STATELESS:
		return c->is_stateless;
	case IF_TIP:
		return config->allow_tip_sha1 || config->allow_any_sha1;
	case IF_REACHABLE:
		return config->allow_reachable_sha1 || config->allow_any_sha1;
	case IF_FILTER:
		return config->allow_filter;
	case IF_REF_IN_WANT:
		return config->allow_ref_in_want;
	case IF_SIDEBAND_ALL:
		return config->allow_sideband_all;
	case IF_UNBORN:
		return config->lsrefs_unborn_advertise;
	case IF_OBJECT_INFO:
		return config->advertise_object_info == CONFIG_TRUE;
	case IF_HEAD:
		return c->head_target != NULL;
	case IF_SESSION_ID:
		return config->advertise_sid && c->session_id;
	case IF_ATOMIC:
		return config->advertise_atomic;
	case IF_PUSH_OPTIONS:
		return config->advertise_push_options;
	}
	return false;
}

static void add_offer(struct buf *b, const struct offer *offer,
		      const struct capability_context *c)
{
	buf_adds(b, offer->name);
	if (offer->condition == IF_HEAD)
		buf_adds(b, c->head_target);
	if (offer->condition == IF_SESSION_ID)
		buf_addf(b, "%.*s", SESSION_ID_SHOWN, c->session_id);
}

/* `first` goes before the first word, a space before each other one. */
static void add_words(struct buf *b, const struct offer *offers, size_t n,
		      const struct capability_context *c, const char *first)
{
	const char *before = first;

	for (size_t i = 0; i < n; i++) {
		if (!is_offered(offers[i].condition, c))
			continue;
		buf_adds(b, before);
		before = " ";
		add_offer(b, &offers[i], c);
	}
}

void capabilities_add(struct buf *b, enum capability_list list,
		      const struct capability_context *c)
{
	if (list == UPLOAD_CAPABILITIES)
		add_words(b, upload_offers, ARRAY_SIZE(upload_offers), c, "");
	else
		add_words(b, receive_offers, ARRAY_SIZE(receive_offers), c, "");
}

void capabilities_add_v2(struct buf *b, const struct capability_context *c)
{
	struct buf words = BUF_INIT;

	pkt_addf(b, "version 2\n");
	pkt_addf(b, "agent=%s\n", AGENT);
	add_words(&words, ls_refs_features, ARRAY_SIZE(ls_refs_features), c,
		  "=");
	pkt_addf(b, "ls-refs%s\n", buf_str(&words));
	buf_clear(&words);
	add_words(&words, fetch_features, ARRAY_SIZE(fetch_features), c, "=");
	pkt_addf(b, "fetch%s\n", buf_str(&words));
	pkt_addf(b, "server-option\n");
	pkt_addf(b, "object-format=%s\n", OBJECT_FORMAT);
	if (is_offered(IF_SESSION_ID, c))
		pkt_addf(b, "session-id=%.*s\n", SESSION_ID_SHOWN,
			 c->session_id);
	if (is_offered(IF_OBJECT_INFO, c))
		pkt_addf(b, "object-info=size\n");
	pkt_add_flush(b);
	if (words.failed)
		b->failed = true;
	buf_fini(&words);
}

static const char *const names[N_CAPABILITIES] = {
	[CAP_AGENT] = "agent=",
	[CAP_ATOMIC] = "atomic",
	[CAP_DEEPEN_NOT] = "deepen-not",
	[CAP_DEEPEN_RELATIVE] = "deepen-relative",
	[CAP_DEEPEN_SINCE] = "deepen-since",
	[CAP_DELETE_REFS] = "delete-refs",
	[CAP_FILTER] = "filter",
	[CAP_INCLUDE_TAG] = "include-tag",
	[CAP_MULTI_ACK] = "multi_ack",
	[CAP_MULTI_ACK_DETAILED] = "multi_ack_detailed",
	[CAP_NO_DONE] = "no-done",
	[CAP_NO_PROGRESS] = "no-progress",
	[CAP_OBJECT_FORMAT] = "object-format=",
	[CAP_OFS_DELTA] = "ofs-delta",
	[CAP_PUSH_OPTIONS] = "push-options",
	[CAP_QUIET] = "quiet",
	[CAP_REPORT_STATUS] = "report-status",
	[CAP_REPORT_STATUS_V2] = "report-status-v2",
	[CAP_SESSION_ID] = "session-id=",
	[CAP_SHALLOW] = "shallow",
	[CAP_SIDE_BAND] = "side-band",
	[CAP_SIDE_BAND_64K] = "side-band-64k",
	[CAP_THIN_PACK] = "thin-pack",
};

/* Where the value of a word with one is kept. */
static struct span *value_of(struct capabilities *c, enum capability cap)
{
	if (cap == CAP_AGENT)
		return &c->agent;
	if (cap == CAP_OBJECT_FORMAT)
		return &c->object_format;
	return cap == CAP_SESSION_ID ? &c->session_id : NULL;
}

static void parse_word(struct span word, struct capabilities *c)
{
	for (unsigned i = 0; i < N_CAPABILITIES; i++) {
		struct span *value = value_of(c, (enum capability)i);
		struct span rest = word;

		if (!span_skip(&rest, names[i]) || (rest.len && !value))
			continue;
		if (value && !(c->bits >> i & 1))
			*value = rest;
		c->bits |= UINT32_C(1) << i;
	}
}

void capabilities_parse(struct span text, struct capabilities *c)
{
	struct span word;

	while (span_word(&text, ' ', &word))
		if (word.len)
			parse_word(word, c);
}

int object_format_check(struct span format, struct err *e)
{
	char shown[32];

	if (span_is(format, OBJECT_FORMAT))
		return 0;
	agent_copy(format, shown, sizeof shown);
	return err_set(e, ERR_MALFORMED,
		       "mismatched object format: server %s; client %s",
		       OBJECT_FORMAT, shown);
}

void agent_copy(struct span agent, char *out, size_t size)
{
	size_t n = agent.len < size - 1 ? agent.len : size - 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = agent.data[i];

		out[i] = c > ' ' && c < 0x7f ? (char)c : '?';
	}
	out[n] = '\0';
}
