/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox against a receiver made of a listening socket: what is on disk
 * when, what is told in which order, what survives a stop.
 */
#include "test.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "base/workers.h"
#include "hooks/delivery.h"
#include "hooks/hook_set.h"
#include "hooks/outbox.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define WAIT_MS 10000

static const char *id_text[] = {
	"1111111111111111111111111111111111111111",
	"2222222222222222222222222222222222222222",
	"3333333333333333333333333333333333333333",
};

struct fixture {
	char dir[64];
	int listener;
	int port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int status; /* to answer with; 0: close without a word */
	bool is_ended;
	unsigned n_requests;
	char last[8192]; /* the last request */
	struct oid ref;	 /* what refs/heads/main is; len 0: absent */
	bool everyone_is_dead;
};

static void answer(struct fixture *f, int fd)
{
	char request[8192];
	char response[128];
	size_t n = 0;
	ssize_t got;
	int status;

	while (n < sizeof request - 1) {
		const char *body, *length;

		got = read(fd, request + n, sizeof request - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		request[n] = '\0';
		body = strstr(request, "\r\n\r\n");
		length = strstr(request, "Content-Length: ");
		if (body && length &&
		    strlen(body + 4) >= strtoul(length + 16, NULL, 10))
			break;
	}
	request[n] = '\0';
	pthread_mutex_lock(&f->lock);
	status = f->status;
	memcpy(f->last, request, n + 1);
	f->n_requests++;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	if (!status)
		return;
	snprintf(response, sizeof response,
		 "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
	(void)!write(fd, response, strlen(response));
}

static void *receive(void *arg)
{
	struct fixture *f = arg;

	for (;;) {
		struct pollfd p = { .fd = f->listener, .events = POLLIN };
		int fd;

		poll(&p, 1, 50);
		pthread_mutex_lock(&f->lock);
		if (f->is_ended) {
			pthread_mutex_unlock(&f->lock);
			return NULL;
		}
		pthread_mutex_unlock(&f->lock);
		if (!(p.revents & POLLIN))
			continue;
		fd = accept(f->listener, NULL, NULL);
		if (fd < 0)
			continue;
		answer(f, fd);
		close(fd);
	}
}

static int ref_value(void *arg, const char *repo, const char *ref,
		     struct oid *out, struct err *e)
{
	struct fixture *f = arg;

	(void)repo;
	(void)e;
	if (strcmp(ref, "refs/heads/main") || !f->ref.len)
		return 0;
	*out = f->ref;
	return 1;
}

static char *default_ref(void *arg, const char *repo)
{
	(void)arg;
	(void)repo;
	return strdup("refs/heads/main");
}

static bool is_dead(void *arg, const char *id)
{
	struct fixture *f = arg;

	(void)id;
	return f->everyone_is_dead;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;
	struct err e;

	strcpy(f->dir, "/tmp/headwater-outbox-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->status = 200;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (void *)&sa, sizeof sa), 0);
	assert_int_equal(listen(f->listener, 16), 0);
	getsockname(f->listener, (void *)&sa, &len);
	f->port = ntohs(sa.sin_port);
	assert_int_equal(thread_start("receiver", 256 << 10, false, receive, f,
				      &f->thread, &e),
			 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct err e;

	pthread_mutex_lock(&f->lock);
	f->is_ended = true;
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	close(f->listener);
	assert_int_equal(dir_remove(f->dir, &e), 0);
	free(f);
	return 0;
}

static struct hook_set *hooks(struct fixture *f, const char *branch)
{
	static const char *const all[] = { "**" };
	static const char *const repos[] = { "cluster" };
	char url[64];
	struct hook_spec h = {
		.name = "flux",
		.dialect = dialect_find("generic-hmac"),
		.repos = { all, 1 },
		.branches = { &branch, branch ? 1 : 0 },
		.url = url,
		.secret = span_str("s3cr3t-token"),
	};
	struct err e;
	struct hook_set *s;

	snprintf(url, sizeof url, "http://127.0.0.1:%d/hook/{name}", f->port);
	s = hook_set_new(&h, 1, repos, 1, &e);
	assert_non_null(s);
	return s;
}

static struct outbox *open_outbox(struct fixture *f, const char *id,
				  const char *branch)
{
	struct hook_set *set = hooks(f, branch);
	struct outbox_options options = {
		.data_dir = f->dir,
		.daemon_id = id,
		.hooks = set,
		.ref_value = ref_value,
		.default_ref = default_ref,
		.is_dead = is_dead,
		.arg = f,
	};
	struct err e;
	struct outbox *o = outbox_open(&options, &e);

	assert_non_null(o);
	hook_set_put(set);
	return o;
}

static void start(struct outbox *o)
{
	struct err e;

	assert_int_equal(outbox_start(o, &e), 0);
}

static struct event push_of(int n, const char *ref)
{
	struct event ev = {
		.kind = EVENT_PUSH,
		.repo = strdup("cluster"),
		.ref = strdup(ref),
		.pusher = strdup("alice"),
		.default_branch = strdup("main"),
		.before = oid_zero(OID_SHA1),
	};

	event_id_make(ev.id);
	oid_parse(span_str(id_text[n]), OID_SHA1, &ev.after);
	return ev;
}

static struct outbox_ticket *stage(struct outbox *o, int n, const char *ref)
{
	struct event ev = push_of(n, ref);
	struct outbox_ticket *t;
	struct err e;

	assert_int_equal(outbox_stage(o, &ev, 1, &t, &e), 0);
	event_fini(&ev);
	return t;
}

static unsigned files_in(struct fixture *f, const char *kind)
{
	char path[128];
	struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/outbox/%s", f->dir, kind);
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Until the receiver has had `n` requests. */
static void await_requests(struct fixture *f, unsigned n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&f->lock);
	while (f->n_requests < n)
		if (pthread_cond_timedwait(&f->changed, &f->lock, &until))
			break;
	assert_true(f->n_requests >= n);
	pthread_mutex_unlock(&f->lock);
}

struct heard {
	unsigned n;
	int status;
	char text[256];
};

static void note(void *arg, const struct outbox_answer *a)
{
	struct heard *h = arg;

	h->n++;
	h->status = a->status;
	snprintf(h->text, sizeof h->text, "%s", a->text);
}

static void tells_a_push_and_what_was_answered(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	struct outbox_ticket *t;
	struct heard heard = { 0 };

	start(o);
	await_requests(f, 0);
	t = stage(o, 0, "refs/heads/main");
	assert_int_equal(files_in(f, "staged"), 1);
	outbox_release(t, &(bool){ true });
	outbox_wait(t, WAIT_MS, note, &heard);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.status, 200);
	assert_non_null(strstr(f->last, "POST /hook/cluster HTTP/1.1\r\n"));
	assert_non_null(strstr(f->last, "X-Signature: sha256="));
	assert_non_null(strstr(f->last, id_text[0]));
	assert_int_equal(files_in(f, "staged"), 0);
	outbox_close(o, 1000);
	assert_int_equal(files_in(f, "ready"), 0);
}

static void tells_nothing_of_a_push_that_did_not_happen(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	struct outbox_ticket *t;

	start(o);
	t = stage(o, 0, "refs/heads/main");
	outbox_release(t, &(bool){ false });
	outbox_wait(t, 0, NULL, NULL);
	assert_int_equal(files_in(f, "staged"), 0);
	assert_int_equal(files_in(f, "ready"), 0);
	outbox_close(o, 1000);
	assert_int_equal(f->n_requests, 0);
}

static void writes_nothing_where_no_hook_listens(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "release-*");
	struct outbox_ticket *t = stage(o, 0, "refs/heads/main");

	assert_int_equal(files_in(f, "staged"), 0);
	outbox_release(t, &(bool){ true });
	outbox_wait(t, 0, NULL, NULL);
	outbox_close(o, 0);
}

static void keeps_only_the_newest_for_a_dead_receiver(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	struct outbox_stats stats;
	struct heard heard = { 0 };

	f->status = 503;
	start(o);
	for (int i = 0; i < 30; i++) {
		struct outbox_ticket *t = stage(o, i % 3, "refs/heads/main");

		outbox_release(t, &(bool){ true });
		outbox_wait(t, i == 0 ? WAIT_MS : 0, i == 0 ? note : NULL,
			    &heard);
	}
	assert_int_equal(heard.status, 503);
	assert_true(files_in(f, "ready") <= 2);
	outbox_stats(o, &stats);
	assert_int_equal(stats.backlog, 1);
	outbox_close(o, 0);
	assert_true(files_in(f, "ready") <= 2);
	assert_true(files_in(f, "ready") >= 1);
}

/* Branches that come and go while nobody listens leave nothing for each. */
static void forgets_old_deletions_for_a_dead_receiver(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", NULL);
	char ref[64];

	f->status = 503;
	start(o);
	for (unsigned i = 0; i < OUTBOX_DELETIONS_MAX + 80; i++) {
		snprintf(ref, sizeof ref, "refs/heads/passing-%u", i);
		for (int gone = 0; gone < 2; gone++) {
			struct event ev = push_of(0, ref);
			struct outbox_ticket *t;
			struct err e;

			ev.is_deleted = gone;
			assert_int_equal(outbox_stage(o, &ev, 1, &t, &e), 0);
			event_fini(&ev);
			outbox_release(t, &(bool){ true });
			outbox_wait(t, 0, NULL, NULL);
		}
	}
	/* Those in flight are counted when they come back. */
	assert_in_range(files_in(f, "ready"), 1,
			OUTBOX_DELETIONS_MAX + DELIVERY_IN_FLIGHT_MAX);
	outbox_close(o, 0);
}

static void tells_after_a_restart_what_was_not_heard(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	struct outbox_ticket *t;

	f->status = 0;
	start(o);
	t = stage(o, 1, "refs/heads/main");
	outbox_release(t, &(bool){ true });
	outbox_wait(t, WAIT_MS, NULL, NULL);
	outbox_close(o, 0);
	assert_int_equal(files_in(f, "ready"), 1);
	pthread_mutex_lock(&f->lock);
	f->status = 200;
	f->n_requests = 0;
	pthread_mutex_unlock(&f->lock);
	o = open_outbox(f, "b", "main");
	start(o);
	await_requests(f, 1);
	assert_non_null(strstr(f->last, id_text[1]));
	outbox_close(o, 1000);
	assert_int_equal(files_in(f, "ready"), 0);
}

/* The crash between staging and releasing, with the ref moved or not. */
static void recovers_staged(struct fixture *f, bool has_moved)
{
	struct outbox *o = open_outbox(f, "a", "main");

	/* Neither released nor dropped: as a crash leaves it. */
	outbox_wait(stage(o, 2, "refs/heads/main"), 0, NULL, NULL);
	outbox_close(o, 0);
	assert_int_equal(files_in(f, "staged"), 1);
	oid_parse(span_str(id_text[has_moved ? 2 : 0]), OID_SHA1, &f->ref);
	f->everyone_is_dead = true;
	o = open_outbox(f, "b", "main");
	assert_int_equal(files_in(f, "staged"), 0);
	assert_int_equal(files_in(f, "ready"), has_moved ? 1 : 0);
	outbox_close(o, 0);
}

static void releases_a_dead_daemons_push_that_happened(void **state)
{
	recovers_staged(*state, true);
}

static void drops_a_dead_daemons_push_that_did_not(void **state)
{
	recovers_staged(*state, false);
}

static void leaves_a_living_daemons_push_alone(void **state)
{
	struct fixture *f = *state;
	struct outbox *a = open_outbox(f, "a", "main");
	struct outbox_ticket *t = stage(a, 2, "refs/heads/main");
	struct outbox *b = open_outbox(f, "b", "main");

	assert_int_equal(files_in(f, "staged"), 1);
	outbox_close(b, 0);
	outbox_release(t, &(bool){ true });
	outbox_wait(t, 0, NULL, NULL);
	outbox_close(a, 0);
	assert_int_equal(files_in(f, "ready"), 1);
}

static void fires_once_at_the_start(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	struct buf log = BUF_INIT;
	struct err e;

	oid_parse(span_str(id_text[1]), OID_SHA1, &f->ref);
	start(o);
	await_requests(f, 1);
	assert_non_null(strstr(f->last, id_text[1]));
	outbox_close(o, 1000);
	assert_int_equal(f->n_requests, 1);
	assert_int_equal(outbox_log(f->dir, "flux", &log, &e), 0);
	assert_non_null(strstr(buf_str(&log), "\"kind\":\"start\""));
	buf_fini(&log);
}

static void sets_a_damaged_batch_aside(void **state)
{
	struct fixture *f = *state;
	struct outbox *o = open_outbox(f, "a", "main");
	char path[128];
	struct err e;

	outbox_close(o, 0);
	snprintf(path, sizeof path, "%s/outbox/staged/z-1.events", f->dir);
	assert_int_equal(file_replace(path, "{\"id\":", 6, 0600, &e), 0);
	f->everyone_is_dead = true;
	o = open_outbox(f, "b", "main");
	assert_int_equal(files_in(f, "staged"), 0);
	assert_int_equal(files_in(f, "damaged"), 1);
	outbox_close(o, 0);
}

int main(void)
{
#define WITH_RECEIVER(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_RECEIVER(tells_a_push_and_what_was_answered),
		WITH_RECEIVER(tells_nothing_of_a_push_that_did_not_happen),
		WITH_RECEIVER(writes_nothing_where_no_hook_listens),
		WITH_RECEIVER(keeps_only_the_newest_for_a_dead_receiver),
		WITH_RECEIVER(forgets_old_deletions_for_a_dead_receiver),
		WITH_RECEIVER(tells_after_a_restart_what_was_not_heard),
		WITH_RECEIVER(releases_a_dead_daemons_push_that_happened),
		WITH_RECEIVER(drops_a_dead_daemons_push_that_did_not),
		WITH_RECEIVER(leaves_a_living_daemons_push_alone),
		WITH_RECEIVER(fires_once_at_the_start),
		WITH_RECEIVER(sets_a_damaged_batch_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
