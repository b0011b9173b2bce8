/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread around a libcurl multi handle. While nothing was ever posted the
 * thread waits on a condition, afterwards in curl_multi_poll().
 *
 * Lock order: `lock` alone; libcurl and `done` are called without it.
 */
#include "hooks/delivery.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/workers.h"
#include "hooks/address_guard.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The threaded resolver of libcurl runs inside its own thread. */
#define DELIVERY_STACK ((size_t)256 << 10)

struct post {
	struct post *next;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	int64_t begun_us;
	int64_t wire_us;
	bool is_forbidden;
	size_t n_received;
	size_t n_text;
	struct delivery_answer answer;
	void (*done)(void *arg, const struct delivery_answer *a);
	void *arg;
};

struct delivery {
	/* set once, then read-only */
	int (*tick)(void *arg);
	void *arg;
	pthread_t thread;

	/* delivery thread only */
	CURLM *multi;
	struct post *posts;
	int n_posts;

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	CURLM *to_wake; /* the multi handle, once there is one */
	bool is_woken;
	bool is_ending;
	int64_t end_ms;
};

static void post_free(struct post *p)
{
	if (p->easy)
		curl_easy_cleanup(p->easy);
	curl_slist_free_all(p->headers);
	free(p->body);
	free(p);
}

static void post_freep(struct post **p)
{
	if (*p)
		post_free(*p);
}

/* The socket is made here, when the address is known and not yet used. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *a)
{
	struct post *p = arg;

	(void)purpose;
	if (address_is_forbidden(&a->addr)) {
		p->is_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct post *p = arg;
	size_t room = sizeof p->answer.text - 1 - p->n_text;

	n *= size;
	p->n_received += n;
	if (room > n)
		room = n;
	memcpy(p->answer.text + p->n_text, data, room);
	p->n_text += room;
	/* A short count ends the transfer; the status is known by now. */
	return p->n_received > DELIVERY_ANSWER_MAX ? 0 : n;
}

/* Called when the request has gone out: bytes of ours on the wire. */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t n,
		    void *arg)
{
	struct post *p = arg;

	(void)easy;
	(void)data;
	(void)n;
	if (type == CURLINFO_HEADER_OUT && p->wire_us < 0)
		p->wire_us = clock_us() - p->begun_us;
	return 0;
}

/* What a receiver sends goes to terminals and logs: one line of it, clean. */
static void clean_text(char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	while (n && text[n - 1] == ' ')
		text[--n] = '\0';
}

static const struct problem_of_code {
	CURLcode code;
	enum delivery_problem problem;
	const char *text;
} problems[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, DELIVERY_NO_HOST, "no such host" },
	{ CURLE_COULDNT_CONNECT, DELIVERY_NO_CONNECTION, "connection refused" },
	{ CURLE_OPERATION_TIMEDOUT, DELIVERY_TIMED_OUT, "no answer in time" },
	{ CURLE_PEER_FAILED_VERIFICATION, DELIVERY_NO_TLS,
	  "the certificate is not trusted" },
	{ CURLE_SSL_CONNECT_ERROR, DELIVERY_NO_TLS, "TLS failed" },
	{ CURLE_SSL_CACERT_BADFILE, DELIVERY_NO_TLS,
	  "the CA file cannot be read" },
	{ CURLE_GOT_NOTHING, DELIVERY_BROKEN, "closed without an answer" },
};

static void set_problem(struct delivery_answer *a,
			enum delivery_problem problem, const char *text)
{
	a->problem = problem;
	a->status = 0;
	snprintf(a->text, sizeof a->text, "%s", text);
}

static void judge(struct post *p, CURLcode code)
{
	struct delivery_answer *a = &p->answer;
	long status = 0;
	curl_off_t retry_after = 0;

	a->duration_ms = (clock_us() - p->begun_us) / 1000;
	a->wire_us = p->wire_us;
	a->retry_after_s = -1;
	curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &retry_after);
	a->text[p->n_text] = '\0';
	clean_text(a->text);
	if (p->is_forbidden) {
		set_problem(a, DELIVERY_FORBIDDEN,
			    "a link-local or metadata address; webhooks never "
			    "go there");
		return;
	}
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status)) {
		a->problem = DELIVERY_ANSWERED;
		a->status = (int)status;
		if (retry_after > 0)
			a->retry_after_s = retry_after;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		if (problems[i].code != code)
			continue;
		set_problem(a, problems[i].problem, problems[i].text);
		return;
	}
	set_problem(a, DELIVERY_BROKEN, curl_easy_strerror(code));
}

static int set_headers(struct post *p, const struct delivery_request *r)
{
	static const char *const always[] = {
		"Content-Type: application/json",
		"User-Agent: headwater/" HEADWATER_VERSION,
		"Accept: */*",
		"Expect:", /* no 100-continue: one round trip */
		"Connection: close",
	};
	struct span rest = r->headers, one;
	struct curl_slist *more;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		more = curl_slist_append(p->headers, always[i]);
		if (!more)
			return -1;
		p->headers = more;
	}
	while (span_until(&rest, '\0', &one)) {
		more = curl_slist_append(p->headers, (const char *)one.data);
		if (!more)
			return -1;
		p->headers = more;
	}
	return 0;
}

static void set_options(struct post *p, const struct delivery_request *r)
{
	CURL *h = p->easy;

	curl_easy_setopt(h, CURLOPT_URL, r->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, p->body);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)r->body.len);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)DELIVERY_CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)DELIVERY_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, p);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(h, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(h, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(h, CURLOPT_DEBUGDATA, p);
	curl_easy_setopt(h, CURLOPT_PRIVATE, p);
	if (r->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, r->ca_file);
}

static int start_curl(struct delivery *d, struct err *e)
{
	if (d->multi)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return err_set(e, ERR_IO, "libcurl does not start");
	d->multi = curl_multi_init();
	if (!d->multi)
		return err_nomem(e);
	pthread_mutex_lock(&d->lock);
	d->to_wake = d->multi;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

int delivery_post(struct delivery *d, const struct delivery_request *r,
		  struct err *e)
{
	CLEANUP(post_freep) struct post *p = NULL;

	if (start_curl(d, e) < 0)
		return -1;
	if (d->n_posts >= DELIVERY_IN_FLIGHT_MAX)
		return err_set(e, ERR_LIMIT, "%d deliveries are in flight",
			       d->n_posts);
	p = calloc(1, sizeof *p);
	if (!p)
		return err_nomem(e);
	p->easy = curl_easy_init();
	p->body = malloc(r->body.len + 1);
	if (!p->easy || !p->body || set_headers(p, r) < 0)
		return err_nomem(e);
	memcpy(p->body, r->body.data, r->body.len);
	p->begun_us = clock_us();
	p->wire_us = -1;
	p->done = r->done;
	p->arg = r->arg;
	set_options(p, r);
	if (curl_multi_add_handle(d->multi, p->easy))
		return err_nomem(e);
	p->next = d->posts;
	d->posts = TAKE(p);
	d->n_posts++;
	return 0;
}

static void unlink_post(struct delivery *d, struct post *p)
{
	struct post **at = &d->posts;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	d->n_posts--;
}

static void finish(struct delivery *d, struct post *p, CURLcode code)
{
	curl_multi_remove_handle(d->multi, p->easy);
	unlink_post(d, p);
	judge(p, code);
	p->done(p->arg, &p->answer);
	post_free(p);
}

static void collect(struct delivery *d)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(d->multi, &left))) {
		struct post *p = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		finish(d, p, code);
	}
}

/* Wait on the condition, for a thread that has never needed libcurl. */
static void wait_quietly(struct delivery *d, int ms)
{
	struct timespec until;

	pthread_mutex_lock(&d->lock);
	if (ms >= 0) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ms / 1000;
		until.tv_nsec += (long)(ms % 1000) * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	}
	while (!d->is_woken && !d->is_ending) {
		if (ms < 0)
			pthread_cond_wait(&d->changed, &d->lock);
		else if (pthread_cond_timedwait(&d->changed, &d->lock,
						&until) == ETIMEDOUT)
			break;
	}
	d->is_woken = false;
	pthread_mutex_unlock(&d->lock);
}

static void wait_for_sockets(struct delivery *d, int ms)
{
	int running;

	curl_multi_perform(d->multi, &running);
	collect(d);
	/* -1 has no meaning to libcurl; it is woken anyway. */
	curl_multi_poll(d->multi, NULL, 0, ms < 0 ? 60000 : ms, NULL);
	curl_multi_perform(d->multi, &running);
	collect(d);
}

static bool is_over(struct delivery *d)
{
	bool ending;
	int64_t end_ms;

	pthread_mutex_lock(&d->lock);
	ending = d->is_ending;
	end_ms = d->end_ms;
	pthread_mutex_unlock(&d->lock);
	return ending && (!d->posts || clock_ms() >= end_ms);
}

static void *run(void *arg)
{
	struct delivery *d = arg;

	while (!is_over(d)) {
		int ms = d->tick(d->arg);

		if (!d->multi)
			wait_quietly(d, ms);
		else
			wait_for_sockets(d, ms);
	}
	while (d->posts)
		finish(d, d->posts, CURLE_ABORTED_BY_CALLBACK);
	return NULL;
}

struct delivery *delivery_new(int (*tick)(void *arg), void *arg, struct err *e)
{
	struct delivery *d = calloc(1, sizeof *d);
	pthread_condattr_t attr;

	if (!d) {
		err_nomem(e);
		return NULL;
	}
	d->tick = tick;
	d->arg = arg;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (thread_start("delivery", DELIVERY_STACK, false, run, d, &d->thread,
			 e) < 0) {
		free(d);
		return NULL;
	}
	return d;
}

void delivery_wake(struct delivery *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_woken = true;
	pthread_cond_signal(&d->changed);
	if (d->to_wake)
		curl_multi_wakeup(d->to_wake);
	pthread_mutex_unlock(&d->lock);
}

struct delivery *delivery_free(struct delivery *d, int drain_ms)
{
	if (!d)
		return NULL;
	pthread_mutex_lock(&d->lock);
	d->is_ending = true;
	d->end_ms = clock_ms() + drain_ms;
	pthread_mutex_unlock(&d->lock);
	delivery_wake(d);
	pthread_join(d->thread, NULL);
	if (d->multi) {
		curl_multi_cleanup(d->multi);
		curl_global_cleanup();
	}
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}
