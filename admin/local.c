/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --data DIR: the same routes, called in this process, under the same locks as
 * a daemon's. A daemon that runs notices what changed.
 */
#include "admin/cli.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "base/log.h"
#include "base/stream.h"
#include "net/admin_routes.h"
#include "net/identity.h"
#include "store/data_dir.h"
#include "store/keygen.h"
#include "store/maintenance.h"
#include "store/pending_keys.h"
#include "store/repo_store.h"
#include "store/state_store.h"

#include <string.h>
#include <sys/stat.h>

#define ARENA_MAX      ((size_t)1 << 20)
#define HOST_KEY_MAX   ((size_t)64 << 10)
#define DEFAULT_CONFIG "/etc/headwater/headwater.conf"
#define CACHES_MAX     ((size_t)64 << 20)

/* The public half of the host key, without opening the private one's secrets;
 * empty where there is none yet. */
static void host_key_line(const char *data, struct buf *out)
{
	CLEANUP(freep) char *path = path_join(data, "ssh/ssh_host_ed25519_key");
	CLEANUP(buf_fini) struct buf file = BUF_INIT;
	struct err ignored;

	if (!path || file_read(path, HOST_KEY_MAX, &file, &ignored) < 0 ||
	    keygen_public_of(buf_span(&file), out, &ignored) < 0)
		buf_clear(out);
}

static int request_fill(const struct api_request *r, struct arena *a,
			struct http_request *out, struct err *e)
{
	bool is_head;

	out->peer = "local";
	out->body_fd = -1;
	if (http_method_parse(r->method, &out->method, &is_head) < 0)
		return err_set(e, ERR_MALFORMED, "method %s", r->method);
	if (http_target_parse(out, r->path, a, e) < 0)
		return -1;
	if (r->upload)
		out->body_fd = fileno(r->upload);
	return 0;
}

static int answer_fill(struct http_response *response,
		       const struct api_request *r, struct api_answer *out,
		       struct err *e)
{
	struct stream_fd file;

	out->status = (int)response->status;
	buf_addspan(&out->text, response->bytes);
	if (response->kind != HTTP_BODY_PRODUCED)
		return buf_check(&out->text, e);
	fflush(r->download);
	stream_fd_init(&file, -1, fileno(r->download));
	return response->produce(response->arg, &file.base, e);
}

static int call(struct admin_context *x, const struct api_request *r,
		struct api_answer *out, struct err *e)
{
	CLEANUP(arena_fini) struct arena a;
	CLEANUP(http_response_fini) struct http_response response = { 0 };
	CLEANUP(freep) char *body = NULL;
	struct http_request request = { 0 };

	arena_init(&a, ARENA_MAX);
	if (request_fill(r, &a, &request, e) < 0)
		return -1;
	if (r->body) {
		body = json_dumps(r->body, JSON_COMPACT);
		if (!body)
			return err_nomem(e);
		request.body = span_str(body);
		request.body_len = request.body.len;
	}
	if (admin_routes_handle(x, &request, &response) < 0)
		http_response_json_error(&response, 404, "no-route",
					 "there is no such path", NULL);
	return answer_fill(&response, r, out, e);
}

int local_call(const char *data, const struct api_request *r,
	       struct api_answer *answer_out, struct err *e)
{
	CLEANUP(data_dir_freep) struct data_dir *dir = data_dir_open(data, e);
	CLEANUP(state_store_freep) struct state_store *states = NULL;
	CLEANUP(repo_store_freep) struct repo_store *repos = NULL;
	CLEANUP(pending_keys_freep) struct pending_keys *pending = NULL;
	CLEANUP(maintenance_freep) struct maintenance *maintenance = NULL;
	CLEANUP(mistakes_fini) struct mistakes mistakes = MISTAKES_INIT;
	struct maintenance_options care = { .dir = dir };
	CLEANUP(buf_fini) struct buf key = BUF_INIT;
	struct state_options options = { .data_dir = data,
					 .default_config = DEFAULT_CONFIG };
	struct identity identity = { 0 };
	struct admin_context x = { .data_dir = data, .identity = &identity };

	/* People read the answer; only what goes wrong is worth a line. */
	log_configure(LEVEL_WARN, LOG_TEXT);
	if (!dir)
		return -1;
	umask(data_dir_umask(dir));
	/* What is cut off of an upload is swept as a dead daemon's. */
	if (r->upload && data_dir_live(dir, e) < 0)
		return -1;
	states = state_store_open(&options, &mistakes, e);
	repos = states ? repo_store_new(data, CACHES_MAX, e) : NULL;
	pending = repos ? pending_keys_new(data, e) : NULL;
	care.states = states;
	care.repos = repos;
	maintenance = pending ? maintenance_new(&care, e) : NULL;
	if (!maintenance)
		return -1;
	host_key_line(data, &key);
	identity.host_key_line = key.len ? buf_str(&key) : NULL;
	x.daemon_id = r->upload ? data_dir_id(dir) : "";
	x.states = states;
	x.repos = repos;
	x.pending = pending;
	x.maintenance = maintenance;
	return call(&x, r, answer_out, e);
}
