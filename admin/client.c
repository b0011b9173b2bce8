/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP over the admin socket, by libcurl. */
#include "admin/cli.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <curl/curl.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 << 20)

struct call {
	CURL *easy;
	const struct api_request *request;
	struct api_answer *answer;
	bool is_good; /* known once the body begins */
	bool failed;
};

static void curl_freep(CURL **easy)
{
	curl_easy_cleanup(*easy);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	long status = 0;

	n *= size;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (c->request->download && status < 300) {
		if (fwrite(data, 1, n, c->request->download) == n)
			return n;
		c->failed = true;
		return 0;
	}
	buf_add(&c->answer->text, data, n);
	return c->answer->text.failed ? 0 : n;
}

static size_t on_upload(char *data, size_t size, size_t n, void *arg)
{
	const struct call *c = arg;

	return fread(data, 1, size * n, c->request->upload);
}

static void set_body(struct call *c, const char *text)
{
	if (c->request->upload) {
		curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
	} else if (text) {
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, text);
	} else if (!strcmp(c->request->method, "POST")) {
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, "");
	}
	/* After the options that set a method of their own. */
	curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, c->request->method);
}

static int judge(struct call *c, CURLcode code, const char *socket,
		 const char *words, struct err *e)
{
	long status = 0;

	switch (code) {
	case CURLE_OK:
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		c->answer->status = (int)status;
		return 0;
	case CURLE_COULDNT_CONNECT:
		return err_set(e, ERR_NOT_FOUND,
			       "no server answers at the socket %s", socket);
	case CURLE_WRITE_ERROR:
		if (c->failed)
			return err_errno(e, "writing the file");
		FALLTHROUGH;
	default:
		return err_set(e, ERR_CLOSED, "the server at %s went away: %s",
			       socket,
			       *words ? words : curl_easy_strerror(code));
	}
}

int client_call(const char *socket, const struct api_request *r,
		struct api_answer *answer_out, struct err *e)
{
	CLEANUP(curl_freep) CURL *easy = NULL;
	CLEANUP(slist_freep) struct curl_slist *headers = NULL;
	CLEANUP(freep) char *body = NULL;
	CLEANUP(freep) char *url = NULL;
	char words[CURL_ERROR_SIZE] = "";
	struct call c = { .request = r, .answer = answer_out };

	curl_global_init(CURL_GLOBAL_DEFAULT);
	easy = c.easy = curl_easy_init();
	headers = curl_slist_append(
		NULL, r->upload ? "Content-Type: application/octet-"
				  "stream"
				: "Content-Type: application/json");
	if (!easy || !headers ||
	    asprintf(&url, "http://headwater%s", r->path) < 0)
		return err_nomem(e);
	if (r->body)
		body = json_dumps(r->body, JSON_COMPACT);
	buf_init_max(&answer_out->text, ANSWER_MAX);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT,
			 "headwater/" HEADWATER_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &c);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
	set_body(&c, body);
	return judge(&c, curl_easy_perform(easy), socket, words, e);
}
