/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing and answering git's requests.
 *
 * All is judged by the head (what is refused needs no body): service and
 * method, then the name, then the right to read. Nothing before the last step
 * depends on which repositories there are.
 */
#include "net/httpd_git.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/metrics.h"
#include "git/pktline.h"
#include "git/repository.h"
#include "store/names.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_TYPE	   "text/plain; charset=utf-8"
#define ADVERTISEMENT_TYPE "application/x-git-upload-pack-advertisement"
#define RESULT_TYPE	   "application/x-git-upload-pack-result"
#define REQUEST_TYPE	   "application/x-git-upload-pack-request"

/* Answers up to this size are made in memory on the thread that serves all
 * connections; larger lists of refs go through a worker. */
#define INLINE_MAX ((size_t)2 << 20)

static struct metric_family fetches = METRIC_COUNTER(
	"headwater_http_fetches", "Fetches over HTTP by kind.", "kind");

enum route { ROUTE_NONE, ROUTE_LIST, ROUTE_FETCH, ROUTE_PUSH };

/* -- routing -------------------------------------------------------------- */

/* Which route, and how many elements the name has. */
static enum route route_of(const struct http_request *r, size_t *n_name_out)
{
	size_t n = r->n_elements;
	const char *last = n ? r->elements[n - 1] : "";

	if (!strcmp(last, "git-receive-pack")) {
		*n_name_out = n - 1;
		return ROUTE_PUSH;
	}
	if (!strcmp(last, "git-upload-pack")) {
		*n_name_out = n - 1;
		return ROUTE_FETCH;
	}
	if (n < 2 || strcmp(last, "refs") || strcmp(r->elements[n - 2], "info"))
		return ROUTE_NONE;
	*n_name_out = n - 2;
	return ROUTE_LIST;
}

/* The canonical name in `out`; NULL where no repository can be called so. */
static const char *name_of(const struct http_request *r, size_t n_name,
			   char out[REPO_NAME_MAX + 1])
{
	char path[HTTP_TARGET_MAX + 1] UNINITIALIZED;
	char *to = path;
	struct err e;

	*path = '\0';
	for (size_t i = 0; i < n_name; i++) {
		/* An escaped slash is no separator. */
		if (strchr(r->elements[i], '/'))
			return NULL;
		*to++ = '/';
		to = stpcpy(to, r->elements[i]);
	}
	if (repo_name_from_path(span_of(path, (size_t)(to - path)), out, &e) <
	    0)
		return NULL;
	return out;
}

static void refuse_push(const struct httpd_git *git, const char *name,
			struct http_response *out)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "pushing over HTTP is not offered: push over SSH to ");
	git->ssh_url(git->arg, name, &b);
	http_response_buf(out, 403, TEXT_TYPE, &b);
	buf_fini(&b);
	out->what = "push-refused";
}

static void refuse_method(struct http_response *out, const char *allowed)
{
	http_response_text(out, 405, TEXT_TYPE,
			   "this method is not served at this address");
	http_response_header(out, "Allow", allowed);
}

/* A list of refs is asked for with the service's name: without one it would
 * be git's older protocol, which is not spoken. */
static bool is_service_refused(const struct httpd_git *git,
			       const struct http_request *r, const char *name,
			       struct http_response *out)
{
	const char *service = http_request_param(r, "service");

	if (!service) {
		http_response_text(out, 404, TEXT_TYPE,
				   "git's dumb protocol is not served: use a "
				   "git that speaks smart HTTP");
	} else if (!strcmp(service, "git-receive-pack")) {
		refuse_push(git, name, out);
	} else if (strcmp(service, "git-upload-pack")) {
		http_response_text(out, 403, TEXT_TYPE,
				   "the only service offered over HTTP is "
				   "git-upload-pack");
	}
	return out->status != 0;
}

static void refuse_name(enum httpd_git_decision decision,
			struct http_response *out)
{
	if (decision == HTTPD_GIT_NO_TOKEN) {
		http_response_text(
			out, 401, TEXT_TYPE,
			"no public repository has this name: send a read "
			"token as the password (any user name) or as Bearer "
			"token; 'headwater token create' makes one");
		http_response_header(out, "WWW-Authenticate",
				     "Basic realm=\"headwater\", "
				     "charset=\"UTF-8\"");
		return;
	}
	http_response_text(out, 404, TEXT_TYPE,
			   "no repository that this token may read has this "
			   "name: see 'headwater repo list' and 'headwater "
			   "token list'");
}

/* -- answering ------------------------------------------------------------ */

/* One fetch that a worker serves. */
struct fetch {
	struct httpd_git *git;
	struct repository *repository;
	const struct http_request *request;
	struct http_response *answer; /* `what` is set when it is known */
	bool is_list;
};

static void fetch_free(void *arg)
{
	free(arg);
}

static void set_options(const struct httpd_git *git,
			const struct http_request *r, bool is_list,
			struct upload_pack_options *out)
{
	const char *protocol = r->git_protocol ? r->git_protocol : "";

	*out = (struct upload_pack_options){
		.version = protocol_version(span_str(protocol)),
		.is_stateless = true,
		.advertise_only = is_list,
		.http_service_line = is_list,
		.refuse_unreachable = true,
		.session_id = git->session_id,
		.cache = git->cache,
	};
	if (git->limits)
		git->limits(git->arg, &out->limits);
}

/* In memory, read from `input` and written to a stream of any kind. */
struct stream_between {
	struct stream base; /* first */
	struct stream_mem input;
	struct stream *output;
};

static ssize_t between_read(struct stream *s, void *data, size_t n,
			    struct err *e)
{
	struct stream_between *b = (struct stream_between *)s;

	return stream_read(&b->input.base, data, n, e);
}

static int between_writev(struct stream *s, const struct iovec *iov, int n,
			  struct err *e)
{
	struct stream_between *b = (struct stream_between *)s;

	return stream_writev(b->output, iov, n, e);
}

static int between_flush(struct stream *s, struct err *e)
{
	struct stream_between *b = (struct stream_between *)s;

	return stream_flush(b->output, e);
}

static const struct stream_ops between_ops = {
	.read = between_read,
	.writev = between_writev,
	.flush = between_flush,
};

/* Nothing of ours broke where a body ends too early. */
static void blame_body(struct err *e)
{
	if (e->code == ERR_CLOSED)
		err_set(e, ERR_MALFORMED,
			"the request's body ends before the request does");
}

/* An http_produce_fn. What goes wrong is said in the protocol, so that the
 * answer is whole nevertheless, unless nothing could be said. */
static int run_fetch(void *arg, struct stream *output, struct err *e)
{
	struct fetch *f = arg;
	struct stream_between between = {
		.base = { .ops = &between_ops },
		.output = output,
	};
	struct upload_pack_options options;
	struct upload_pack_result result;
	int rc;

	set_options(f->git, f->request, f->is_list, &options);
	stream_mem_init(&between.input, f->request->body, NULL);
	rc = upload_pack(f->repository, &between.base, &options, &result, e);
	f->answer->what = result.kind;
	metric_add(&fetches, 1, result.kind);
	if (rc < 0 && e->code != ERR_CLOSED && e->code != ERR_TIMEOUT &&
	    output->n_written)
		return 0;
	if (rc < 0 && !output->n_written)
		blame_body(e);
	return rc;
}

static void produce(struct httpd_git *git, const struct http_request *r,
		    bool is_list, struct repository *repository,
		    struct http_response *out)
{
	struct fetch *f = calloc(1, sizeof *f);

	if (!f) {
		http_response_text(out, 500, TEXT_TYPE, "out of memory");
		return;
	}
	*f = (struct fetch){ git, repository, r, out, is_list };
	http_response_produced(out, 200,
			       is_list ? ADVERTISEMENT_TYPE : RESULT_TYPE,
			       run_fetch, fetch_free, f);
}

/* Small answers, at once. False where it would be too large. */
static bool answer_inline(struct httpd_git *git, const struct http_request *r,
			  bool is_list, struct repository *repository,
			  struct http_response *out)
{
	struct upload_pack_options options;
	struct upload_pack_result result;
	struct stream_mem s;
	struct buf b;
	struct err e;
	int rc;

	buf_init_max(&b, INLINE_MAX);
	stream_mem_init(&s, r->body, &b);
	set_options(git, r, is_list, &options);
	rc = upload_pack(repository, &s.base, &options, &result, &e);
	if (b.passed_max) {
		buf_fini(&b);
		return false;
	}
	out->what = "list";
	if (rc < 0)
		blame_body(&e);
	if (rc < 0 && !b.len)
		http_response_text(out, http_status_of(e.code), TEXT_TYPE,
				   e.message);
	else
		http_response_buf(out, 200,
				  is_list ? ADVERTISEMENT_TYPE : RESULT_TYPE,
				  &b);
	buf_fini(&b);
	return true;
}

/* In the protocol's own way, for a status of 500 would hide the words. */
static void answer_broken(bool is_list, const struct err *e,
			  struct http_response *out)
{
	struct buf b = BUF_INIT;

	pkt_add_err(&b, e->message);
	http_response_buf(out, 200, is_list ? ADVERTISEMENT_TYPE : RESULT_TYPE,
			  &b);
	buf_fini(&b);
	out->what = "broken";
}

static void serve(struct httpd_git *git, const struct http_request *r,
		  bool is_list, struct repository *repository,
		  struct http_response *out)
{
	bool is_light = is_list;

	http_response_header(out, "Cache-Control",
			     "no-cache, max-age=0, must-revalidate");
	if (!is_light)
		is_light = upload_pack_is_light(
			r->body,
			protocol_version(span_str(
				r->git_protocol ? r->git_protocol : "")));
	if (is_light && answer_inline(git, r, is_list, repository, out))
		return;
	produce(git, r, is_list, repository, out);
}

/* -- the handler ---------------------------------------------------------- */

/* What needs no look-up. False where the request goes on, with its name. */
static bool is_refused_early(const struct httpd_git *git,
			     const struct http_request *r,
			     char buffer[REPO_NAME_MAX + 1],
			     const char **name_out, struct http_response *out)
{
	size_t n_name = 0;
	enum route route = route_of(r, &n_name);
	const char *name;

	if (route == ROUTE_NONE) {
		http_response_text(
			out, 404, TEXT_TYPE,
			"nothing is served at this address: a "
			"repository is cloned from http://HOST/NAME");
		return true;
	}
	name = *name_out = name_of(r, n_name, buffer);
	if (route == ROUTE_PUSH) {
		refuse_push(git, name, out);
	} else if (route == ROUTE_LIST) {
		if (r->method != HTTP_GET)
			refuse_method(out, "GET, HEAD");
		else
			is_service_refused(git, r, name, out);
	} else if (r->method != HTTP_POST) {
		refuse_method(out, "POST");
	} else if (!http_type_is(r->content_type, REQUEST_TYPE)) {
		http_response_text(out, 415, TEXT_TYPE,
				   "the Content-Type must be " REQUEST_TYPE);
	}
	return out->status != 0;
}

/* May this be read? The answer where not. */
static void check_access(struct httpd_git *git, const struct http_request *r,
			 const char *name, struct httpd_git_access *access,
			 struct http_response *out)
{
	enum httpd_git_decision decision;
	struct err e;

	decision = git->authorise(git->arg, name, r->authorization, access, &e);
	memcpy(out->who, access->who, sizeof out->who);
	if (decision == HTTPD_GIT_ALLOWED)
		return;
	if (decision == HTTPD_GIT_BROKEN)
		answer_broken(r->method == HTTP_GET, &e, out);
	else
		refuse_name(decision, out);
}

static void access_free(void *arg)
{
	struct httpd_git_access *access = arg;

	repository_put(access->repository);
	free(access);
}

/* A body is taken only from those who may ask. */
static void take_head(void *arg, const struct http_request *r,
		      struct http_body_plan *plan, struct http_response *out)
{
	struct httpd_git *git = arg;
	struct httpd_git_access *access;
	char buffer[REPO_NAME_MAX + 1];
	const char *name;

	if (is_refused_early(git, r, buffer, &name, out))
		return;
	access = calloc(1, sizeof *access);
	if (!access) {
		http_response_text(out, 500, TEXT_TYPE, "out of memory");
		return;
	}
	plan->carried = access;
	plan->release = access_free;
	check_access(git, r, name, access, out);
}

static void handle(void *arg, const struct http_request *r,
		   struct http_response *out)
{
	const struct httpd_git_access *access = r->carried;

	serve(arg, r, r->method == HTTP_GET, access->repository, out);
}

void httpd_git_handler(struct httpd_git *git, struct http_handler *out)
{
	*out = (struct http_handler){
		.arg = git,
		.head = take_head,
		.handle = handle,
	};
}
