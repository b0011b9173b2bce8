/* SPDX-License-Identifier: Apache-2.0 */
/* Answers judged by a table; the sentences stand in it. */
#include "hooks/retry.h"

#include "base/attr.h"

static const struct rule {
	int first, last; /* statuses */
	enum verdict verdict;
	const char *receiver; /* what it means from a Flux Receiver */
	const char *other;    /* and elsewhere */
} rules[] = {
	{ 200, 200, VERDICT_HEARD, NULL, NULL },
	{ 202, 202, VERDICT_FINAL,
	  "that is Flux's events address; use the Service webhook-receiver",
	  "202 says accepted for later, which no receiver of ours means; if "
	  "this is Flux, use the Service webhook-receiver" },
	{ 400, 400, VERDICT_FINAL,
	  "the Receiver refused it: wrong secret, or its type is not the "
	  "hook's",
	  "refused: wrong secret, type or event" },
	{ 401, 401, VERDICT_FINAL,
	  "wrong token or signature; a Receiver itself never answers so: is "
	  "there a proxy in between?",
	  "refused: wrong secret or token" },
	{ 403, 403, VERDICT_FINAL,
	  "wrong token or signature; a Receiver itself never answers so: is "
	  "there a proxy in between?",
	  "refused: wrong secret or token" },
	{ 404, 404, VERDICT_AGAIN,
	  "Flux has no such Receiver yet; it will be tried again",
	  "nothing is at that path; it will be tried again" },
	{ 408, 408, VERDICT_AGAIN, NULL, NULL },
	{ 413, 413, VERDICT_FINAL, "the body is too large for it",
	  "the body is too large for it" },
	{ 429, 429, VERDICT_AGAIN,
	  "too many requests; if this is Flux's events address, use the "
	  "Service webhook-receiver",
	  "too many requests; it will be tried again" },
	{ 500, 502, VERDICT_AGAIN, "it will be tried again",
	  "it will be tried again" },
	{ 503, 503, VERDICT_AGAIN,
	  "the Receiver is suspended or not ready; it will be tried again",
	  "it will be tried again" },
	{ 504, 599, VERDICT_AGAIN, "it will be tried again",
	  "it will be tried again" },
	{ 300, 399, VERDICT_FINAL,
	  "redirects are not followed; give the hook the address it points to",
	  "redirects are not followed; give the hook the address it points "
	  "to" },
};

/* Where nothing was answered, in two words and in one piece of advice; what is
 * tried again says so. */
static const struct trouble {
	const char *what;
	const char *receiver; /* what to do about it, towards a Receiver */
	const char *other;    /* and elsewhere */
} troubles[] = {
	[DELIVERY_NO_HOST] = { "there is no such host",
			       "Flux's Service webhook-receiver is not there "
			       "yet, or the "
			       "hook's service is misspelt",
			       "the URL is misspelt, or its Service is not "
			       "there yet" },
	[DELIVERY_NO_CONNECTION] = { "connection refused",
				     "notification-controller does not listen "
				     "there (yet)",
				     "nothing listens at that address and "
				     "port" },
	[DELIVERY_NO_TLS] = { NULL, "--ca-file names the CA of its certificate",
			      "--ca-file names the CA of its certificate" },
	[DELIVERY_TIMED_OUT] = { "no answer in time",
				 "a NetworkPolicy, or a controller that hangs",
				 "a firewall or NetworkPolicy, or a receiver "
				 "that hangs" },
};

static const struct rule *rule_of(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (status >= rules[i].first && status <= rules[i].last)
			return &rules[i];
	return NULL;
}

enum verdict retry_verdict(const struct delivery_answer *a, bool is_receiver)
{
	const struct rule *r;

	if (a->problem == DELIVERY_FORBIDDEN)
		return VERDICT_FINAL;
	if (a->problem != DELIVERY_ANSWERED)
		return VERDICT_AGAIN;
	if (!is_receiver && (a->status == 201 || a->status == 204))
		return VERDICT_HEARD;
	r = rule_of(a->status);
	return r ? r->verdict : VERDICT_FINAL;
}

int64_t retry_delay_ms(unsigned attempts, const struct delivery_answer *a,
		       uint32_t random)
{
	int64_t ms = RETRY_FIRST_MS;

	if (a->retry_after_s > 0 && a->retry_after_s <= RETRY_AFTER_MAX_S)
		return a->retry_after_s * 1000;
	if (a->retry_after_s > RETRY_AFTER_MAX_S)
		return (int64_t)RETRY_AFTER_MAX_S * 1000;
	for (unsigned i = 1; i < attempts && ms < RETRY_LAST_MS; i++)
		ms *= 2;
	/* A fifth up or down, and never later than the last step allows. */
	ms = ms * (800 + (int64_t)(random % 401)) / 1000;
	return ms < RETRY_LAST_MS ? ms : RETRY_LAST_MS;
}

static void add_trouble(const struct delivery_answer *a, bool is_receiver,
			struct buf *out)
{
	const struct trouble *t = NULL;
	const char *advice;

	if ((size_t)a->problem < ARRAY_SIZE(troubles))
		t = &troubles[a->problem];
	advice = t ? (is_receiver ? t->receiver : t->other) : NULL;
	buf_addf(out, "was not told: %s", t && t->what ? t->what : a->text);
	if (advice)
		buf_addf(out, " (%s)", advice);
	if (retry_verdict(a, is_receiver) == VERDICT_AGAIN)
		buf_adds(out, "; it will be tried again");
}

void retry_sentence(const struct delivery_answer *a, bool is_receiver,
		    struct buf *out)
{
	const struct rule *r = rule_of(a->status);
	const char *meaning = NULL;

	if (a->problem != DELIVERY_ANSWERED) {
		add_trouble(a, is_receiver, out);
		return;
	}
	if (r)
		meaning = is_receiver ? r->receiver : r->other;
	buf_addf(out, "answered %d in %lld ms", a->status,
		 (long long)a->duration_ms);
	if (meaning)
		buf_addf(out, ": %s", meaning);
	else if (retry_verdict(a, is_receiver) == VERDICT_FINAL)
		buf_adds(out, ": not an answer that means it was heard");
}
