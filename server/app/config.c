/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options, and the three ways a value gets into one. */
#include "app/config.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "net/address.h"
#include "net/identity.h"
#include "store/values.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_NAMES,
	KIND_COUNT,
	KIND_SIZE,
	KIND_DURATION,
	KIND_PERCENT,
};

/* Values are read again on SIGHUP; those of doors only at the start. */
enum when { AT_ONCE, AT_START };

#define AT(field) offsetof(struct config_values, field)

static const struct option {
	const char *section;
	const char *key;
	enum option_kind kind;
	enum when when;
	size_t offset;
	const char *fallback;
	uint64_t min, max; /* of numbers */
	const char *help;
} options[] = {
	{ "server", "ssh", KIND_ADDRESS, AT_START, AT(ssh), "*:2222", 0, 0,
	  "where the SSH door listens, or none" },
	{ "server", "http", KIND_ADDRESS, AT_START, AT(http), "*:8080", 0, 0,
	  "where the read-only HTTP door listens, or none" },
	{ "server", "https", KIND_ADDRESS, AT_START, AT(https), "none", 0, 0,
	  "the same with TLS" },
	{ "server", "probe", KIND_ADDRESS, AT_START, AT(probe), "*:9090", 0, 0,
	  "where /healthz, /readyz and /metrics are" },
	{ "server", "admin", KIND_TEXT, AT_START, AT(admin), "", 0, 0,
	  "the admin socket (DATA/run/admin.sock where unset), or none" },
	{ "server", "tls-cert", KIND_TEXT, AT_START, AT(tls_cert), "", 0, 0,
	  "PEM file of the certificate chain, read again when it changes" },
	{ "server", "tls-key", KIND_TEXT, AT_START, AT(tls_key), "", 0, 0,
	  "PEM file of its key" },
	{ "server", "name", KIND_NAMES, AT_START, AT(names), "", 0, 0,
	  "HOST[:PORT] this server is known by; may be repeated" },
	{ "server", "host-key", KIND_TEXT, AT_START, AT(host_key), "", 0, 0,
	  "OpenSSH private key file (DATA/ssh/ssh_host_ed25519_key where "
	  "unset)" },
	{ "server", "drain-timeout", KIND_DURATION, AT_ONCE,
	  AT(drain_timeout_ms), "25s", 0, 86400000,
	  "how long transfers may finish after SIGTERM" },
	{ "server", "receiver-service", KIND_TEXT, AT_ONCE,
	  AT(receiver_service), "webhook-receiver.flux-system.svc", 0, 0,
	  "where Flux's receivers listen, HOST[:PORT]" },
	{ "server", "hook-wait", KIND_DURATION, AT_ONCE, AT(hook_wait_ms), "1s",
	  0, 30000,
	  "how long a pusher is shown what hooks answer, after the report" },
	{ "server", "log-format", KIND_TEXT, AT_START, AT(log_format), "text",
	  0, 0, "text or json" },
	{ "server", "log-level", KIND_TEXT, AT_START, AT(log_level), "info", 0,
	  0, "error, warn, info or debug" },

	{ "limits", "sessions", KIND_COUNT, AT_ONCE, AT(sessions), "2000", 1,
	  1000000, "SSH connections at once" },
	{ "limits", "unauthenticated", KIND_COUNT, AT_ONCE, AT(unauthenticated),
	  "1000", 1, 1000000,
	  "of them not logged in; the oldest goes when there are more" },
	{ "limits", "channels", KIND_COUNT, AT_ONCE, AT(channels), "4", 1, 64,
	  "channels open at once on a connection" },
	{ "limits", "refused-keys", KIND_COUNT, AT_ONCE, AT(refused_keys), "30",
	  1, 1000, "unknown keys a connection may offer" },
	{ "limits", "login-timeout", KIND_DURATION, AT_ONCE, AT(login_timeout),
	  "30s", 1000, 600000, "from connection to login" },
	{ "limits", "idle-timeout", KIND_DURATION, AT_ONCE, AT(idle_timeout),
	  "5m", 1000, 86400000, "logged in without a command" },
	{ "limits", "stall-timeout", KIND_DURATION, AT_ONCE, AT(stall_timeout),
	  "60s", 1000, 86400000, "a client that takes no byte" },
	{ "limits", "silence-timeout", KIND_DURATION, AT_ONCE,
	  AT(silence_timeout), "10m", 1000, 86400000,
	  "a client that sends none while it is waited for" },
	{ "limits", "session-timeout", KIND_DURATION, AT_ONCE,
	  AT(session_timeout), "6h", 1000, 604800000,
	  "a whole SSH connection" },
	{ "limits", "keepalive", KIND_DURATION, AT_ONCE, AT(keepalive), "30s",
	  1000, 86400000, "silence after which a client is asked" },
	{ "limits", "http-connections", KIND_COUNT, AT_START,
	  AT(http_connections), "2000", 1, 1000000,
	  "HTTP connections at once, per door" },
	{ "limits", "http-head-timeout", KIND_DURATION, AT_START,
	  AT(http_head_timeout), "30s", 1000, 75000,
	  "until a request's head is complete" },
	{ "limits", "http-request-timeout", KIND_DURATION, AT_START,
	  AT(http_request_timeout), "45s", 1000, 75000,
	  "from the head to the end of its body" },
	{ "limits", "http-stall-timeout", KIND_DURATION, AT_START,
	  AT(http_stall_timeout), "75s", 1000, 86400000,
	  "a client that takes no byte of an answer" },
	{ "limits", "http-rate", KIND_SIZE, AT_START, AT(http_rate), "1k", 0,
	  1 << 30, "bytes a second a client must take in the long run" },
	{ "limits", "http-body", KIND_SIZE, AT_START, AT(http_body), "10m",
	  1024, (uint64_t)1 << 30, "a request's body, inflated or not" },
	{ "limits", "push-size", KIND_SIZE, AT_ONCE, AT(push_size), "2g", 0,
	  (uint64_t)1 << 50, "a pushed pack" },
	{ "limits", "object-size", KIND_SIZE, AT_ONCE, AT(object_size), "2g", 0,
	  (uint64_t)1 << 40, "one pushed object, inflated" },
	{ "limits", "inflated-size", KIND_SIZE, AT_ONCE, AT(inflated_size),
	  "64g", 0, (uint64_t)1 << 50, "all objects of a push, inflated" },
	{ "limits", "push-objects", KIND_COUNT, AT_ONCE, AT(push_objects),
	  "10000000", 1, UINT32_MAX - 1, "objects of a push" },
	{ "limits", "push-refs", KIND_COUNT, AT_ONCE, AT(push_refs), "100000",
	  1, 10000000, "refs a push may change" },
	{ "limits", "push-options", KIND_COUNT, AT_ONCE, AT(push_options),
	  "256", 0, 100000, "push options" },
	{ "limits", "push-memory", KIND_SIZE, AT_ONCE, AT(push_memory), "64m",
	  (uint64_t)4 << 20, (uint64_t)1 << 40,
	  "memory of the indexer, per push" },
	{ "limits", "disk-reserve", KIND_PERCENT, AT_ONCE, AT(disk_reserve),
	  "5%", 0, 90, "of the volume that pushes leave free" },
	{ "limits", "fetch-wants", KIND_COUNT, AT_ONCE, AT(fetch_wants),
	  "100000", 1, 100000000, "want lines of a fetch" },
	{ "limits", "fetch-haves", KIND_COUNT, AT_ONCE, AT(fetch_haves),
	  "1000000", 1, 100000000, "have lines of a fetch" },
	{ "limits", "fetch-lines", KIND_COUNT, AT_ONCE, AT(fetch_lines),
	  "2000000", 1, 1000000000, "lines of a fetch in all" },
	{ "limits", "fetch-prefixes", KIND_COUNT, AT_ONCE, AT(fetch_prefixes),
	  "65536", 1, 10000000, "ref-prefix lines of a listing" },
	{ "limits", "fetch-commands", KIND_COUNT, AT_ONCE, AT(fetch_commands),
	  "10000", 1, 100000000, "requests in one connection" },
	{ "limits", "cache-size", KIND_SIZE, AT_START, AT(cache_size), "1g", 0,
	  (uint64_t)1 << 50, "finished answers kept on disk" },
	{ "limits", "repository-memory", KIND_SIZE, AT_START,
	  AT(repository_memory), "64m", 0, (uint64_t)1 << 40,
	  "memory of all repositories' caches" },
};

#define N_OPTIONS (sizeof options / sizeof options[0])
#define TEXTS_MAX ((size_t)64 << 20) /* of all loads together */

struct config {
	pthread_mutex_t lock;
	struct arena texts; /* under lock; grows with every load that differs */
	struct config_values now; /* under lock */
	struct config_values next;
	bool is_flag[N_OPTIONS];
};

static bool is_text(enum option_kind kind)
{
	return kind == KIND_TEXT || kind == KIND_ADDRESS;
}

static int number_parse(const struct option *o, const char *value,
			uint64_t *out, struct err *e)
{
	int64_t ms;
	unsigned percent;

	switch (o->kind) {
	case KIND_SIZE:
		return value_size(value, out, e);
	case KIND_DURATION:
		if (value_duration_ms(value, &ms, e) < 0)
			return -1;
		*out = (uint64_t)ms;
		return 0;
	case KIND_PERCENT:
		if (value_percent(value, &percent, e) < 0)
			return -1;
		*out = percent;
		return 0;
	default:
		return value_number(value, out, e);
	}
}

static int check_words(const struct option *o, const char *value, struct err *e)
{
	static const char *const formats[] = { "text", "json", NULL };
	static const char *const levels[] = { "error", "warn", "info", "debug",
					      NULL };
	const char *const *words = NULL;

	if (!strcmp(o->key, "log-format"))
		words = formats;
	if (!strcmp(o->key, "log-level"))
		words = levels;
	if (!words)
		return 0;
	for (; *words; words++)
		if (!strcmp(*words, value))
			return 0;
	return err_set(e, ERR_MALFORMED, "%s is %s, not \"%.40s\"", o->key,
		       o->help, value);
}

static int text_check(const struct option *o, const char *value, struct err *e)
{
	struct address ignored;

	if (o->kind == KIND_ADDRESS)
		return address_parse(value, &ignored, e);
	return check_words(o, value, e);
}

/* Unchanged texts are not copied again, so reloads do not add up. */
static const char *keep(struct config *c, const char *before, const char *value)
{
	if (before && !strcmp(before, value))
		return before;
	return arena_strdup(&c->texts, span_str(value));
}

static const struct option *option_find(const char *section, const char *key,
					size_t *index_out)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (section && strcmp(options[i].section, section))
			continue;
		if (strcmp(options[i].key, key))
			continue;
		*index_out = i;
		return &options[i];
	}
	return NULL;
}

static void *field_of(struct config_values *v, const struct option *o)
{
	return (char *)v + o->offset;
}

static int add_name(struct config *c, const char *value, struct err *e)
{
	struct config_values *v = &c->next;

	if (identity_name_check(value, e) < 0)
		return -1;
	if (v->n_names == CONFIG_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "at most %d names",
			       CONFIG_NAMES_MAX);
	v->names[v->n_names] = keep(c, c->now.names[v->n_names], value);
	return v->names[v->n_names++] ? 0 : err_nomem(e);
}

static int set(struct config *c, const struct option *o, const char *value,
	       struct err *e)
{
	uint64_t number;

	if (!value)
		return err_set(e, ERR_MALFORMED, "%s needs a value", o->key);
	if (o->kind == KIND_NAMES)
		return add_name(c, value, e);
	if (is_text(o->kind)) {
		const char **text = field_of(&c->next, o);

		if (text_check(o, value, e) < 0)
			return err_wrap(e, "%s", o->key);
		*text = keep(c, *text, value);
		return *text ? 0 : err_nomem(e);
	}
	if (number_parse(o, value, &number, e) < 0)
		return err_wrap(e, "%s", o->key);
	if (number < o->min || number > o->max)
		return err_set(e, ERR_MALFORMED,
			       "%s lies outside its bounds (%s)", o->key,
			       o->help);
	*(uint64_t *)field_of(&c->next, o) = number;
	return 0;
}

/* Everything but flags back to its default. */
static void reset(struct config *c)
{
	struct err ignored;

	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (c->is_flag[i])
			continue;
		if (options[i].kind == KIND_NAMES)
			c->next.n_names = 0;
		else if (set(c, &options[i], options[i].fallback, &ignored) < 0)
			abort(); /* the table's own defaults are good */
	}
}

struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	arena_init(&c->texts, TEXTS_MAX);
	reset(c);
	c->now = c->next;
	return c;
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	arena_fini(&c->texts);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

int config_flag(struct config *c, const char *name, const char *value,
		struct err *e)
{
	size_t i;
	const struct option *o = option_find("server", name, &i);

	if (!o || o->kind == KIND_NAMES)
		return err_set(e, ERR_NOT_FOUND, "there is no option --%s",
			       name);
	if (set(c, o, value, e) < 0)
		return -1;
	c->is_flag[i] = true;
	c->now = c->next;
	return 0;
}

static void on_begin(void *arg)
{
	struct config *c = arg;

	pthread_mutex_lock(&c->lock);
	reset(c);
	pthread_mutex_unlock(&c->lock);
}

static bool on_entry(void *arg, const struct state_foreign *entry,
		     struct mistakes *m)
{
	struct config *c = arg;
	const struct option *o;
	struct err e;
	size_t i;

	if (strcmp(entry->section, "server") &&
	    strcmp(entry->section, "limits"))
		return false;
	if (entry->subsection) {
		mistake_add(m, entry->file, entry->line,
			    "[%s] has no name behind it", entry->section);
		return true;
	}
	if (!entry->key)
		return true;
	o = option_find(entry->section, entry->key, &i);
	if (!o) {
		mistake_add(m, entry->file, entry->line,
			    "[%s] has no key \"%.60s\"", entry->section,
			    entry->key);
		return true;
	}
	pthread_mutex_lock(&c->lock);
	if (!c->is_flag[i] && set(c, o, entry->value, &e) < 0)
		mistake_add(m, entry->file, entry->line, "%s", e.message);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static void on_end(void *arg, bool is_good)
{
	struct config *c = arg;

	pthread_mutex_lock(&c->lock);
	if (is_good)
		c->now = c->next;
	pthread_mutex_unlock(&c->lock);
}

struct state_hooks config_hooks(struct config *c)
{
	return (struct state_hooks){
		.arg = c,
		.foreign = on_entry,
		.load_begin = on_begin,
		.load_end = on_end,
	};
}

void config_now(struct config *c, struct config_values *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->now;
	pthread_mutex_unlock(&c->lock);
}

void config_apply_log(struct config *c)
{
	static const char *const levels[] = { "error", "warn", "info",
					      "debug" };
	struct config_values v;

	config_now(c, &v);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(levels[i], v.log_level))
			log_configure((enum log_level)i,
				      strcmp(v.log_format, "json") ? LOG_TEXT
								   : LOG_JSON);
}

static bool same_names(const struct config_values *a,
		       const struct config_values *b)
{
	if (a->n_names != b->n_names)
		return false;
	for (size_t i = 0; i < a->n_names; i++)
		if (strcmp(a->names[i], b->names[i]))
			return false;
	return true;
}

static bool same(const struct option *o, const struct config_values *a,
		 const struct config_values *b)
{
	const void *x = (const char *)a + o->offset;
	const void *y = (const char *)b + o->offset;

	if (o->kind == KIND_NAMES)
		return same_names(a, b);
	if (is_text(o->kind))
		return !strcmp(*(const char *const *)x,
			       *(const char *const *)y);
	return *(const uint64_t *)x == *(const uint64_t *)y;
}

const char *config_needs_restart(const struct config_values *was,
				 const struct config_values *is, size_t *i)
{
	while (*i < N_OPTIONS) {
		const struct option *o = &options[(*i)++];

		if (o->when == AT_START && !same(o, was, is))
			return o->key;
	}
	return NULL;
}

void config_print(struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];

		if (strcmp(section, o->section))
			buf_addf(out, "%s[%s]\n", *section ? "\n" : "",
				 o->section);
		section = o->section;
		buf_addf(out, "\t; %s\n\t; %s = %s\n", o->help, o->key,
			 o->fallback);
	}
}
