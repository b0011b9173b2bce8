/* SPDX-License-Identifier: Apache-2.0 */
/* The three ways a value gets into an option: default, file, flag. */
#include "app/config.h"

#include "app/config_table.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "net/address.h"
#include "net/identity.h"
#include "store/values.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX ((size_t)64 << 20) /* of all loads together */

/* A text that a value is or was. */
struct text {
	struct text *next;
	const char *value;
};

struct config {
	pthread_mutex_t lock;
	/* under lock */
	struct arena texts; /* whoever copied the values may hold one */
	struct text *kept;  /* each once: only new ones take memory */
	struct config_values now;
	struct config_values next;
	bool is_flag[CONFIG_OPTIONS];
	const char *file[CONFIG_OPTIONS]; /* this load: where it was set last */
};

static bool is_text(enum config_kind kind)
{
	return kind == KIND_TEXT || kind == KIND_ADDRESS;
}

static int number_parse(const struct config_option *o, const char *value,
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

static const char *number_text(const struct config_option *o, uint64_t n,
			       char out[VALUE_TEXT_SIZE])
{
	if (o->kind == KIND_SIZE)
		return value_size_text(n, out);
	if (o->kind == KIND_DURATION)
		return value_duration_text((int64_t)n, out);
	snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64 "%s", n,
		 o->kind == KIND_PERCENT ? "%" : "");
	return out;
}

static int refuse_number(const struct config_option *o, struct err *e)
{
	char min[VALUE_TEXT_SIZE], max[VALUE_TEXT_SIZE];

	return err_set(e, ERR_MALFORMED, "%s is %s to %s: %s", o->key,
		       number_text(o, o->min, min), number_text(o, o->max, max),
		       o->help);
}

static int check_words(const struct config_option *o, const char *value,
		       struct err *e)
{
	static const char *const formats[] = { "text", "json", NULL };
	static const char *const levels[] = { "error", "warn", "info", "debug",
					      NULL };
	static const char *const bools[] = { "true", "false", NULL };
	const char *const *words = NULL;

	if (!strcmp(o->key, "log-format"))
		words = formats;
	if (!strcmp(o->key, "log-level"))
		words = levels;
	if (!strcmp(o->key, "maintenance"))
		words = bools;
	if (!words)
		return 0;
	for (; *words; words++)
		if (!strcmp(*words, value))
			return 0;
	return err_set(e, ERR_MALFORMED, "it is %s, not \"%.40s\"", o->help,
		       value);
}

static int text_check(const struct config_option *o, const char *value,
		      struct err *e)
{
	struct address ignored;

	if (o->kind == KIND_ADDRESS)
		return address_parse(value, &ignored, e);
	return check_words(o, value, e);
}

/* The text, copied where no value has been it before. */
static const char *keep(struct config *c, const char *value)
{
	struct text *t;

	for (t = c->kept; t; t = t->next) {
		if (!strcmp(t->value, value))
			return t->value;
	}
	t = arena_alloc(&c->texts, sizeof *t);
	if (!t || !(t->value = arena_strdup(&c->texts, span_str(value))))
		return NULL;
	t->next = c->kept;
	c->kept = t;
	return t->value;
}

static const struct config_option *
option_find(const char *section, const char *key, size_t *index_out)
{
	for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
		if (strcmp(config_table[i].section, section) != 0 ||
		    strcmp(config_table[i].key, key) != 0)
			continue;
		*index_out = i;
		return &config_table[i];
	}
	return NULL;
}

static void *field_of(struct config_values *v, const struct config_option *o)
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
	v->names[v->n_names] = keep(c, value);
	return v->names[v->n_names++] ? 0 : err_nomem(e);
}

static int set(struct config *c, const struct config_option *o,
	       const char *value, struct err *e)
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
		*text = keep(c, value);
		return *text ? 0 : err_nomem(e);
	}
	if (number_parse(o, value, &number, e) < 0)
		return err_wrap(e, "%s", o->key);
	if (number < o->min || number > o->max)
		return refuse_number(o, e);
	*(uint64_t *)field_of(&c->next, o) = number;
	return 0;
}

/* Everything but flags back to its default. */
static void reset(struct config *c)
{
	struct err ignored;

	for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
		if (c->is_flag[i])
			continue;
		if (config_table[i].kind == KIND_NAMES)
			c->next.n_names = 0;
		else if (set(c, &config_table[i], config_table[i].fallback,
			     &ignored) < 0)
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
	const struct config_option *o = option_find("server", name, &i);

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
	memset(c->file, 0, sizeof c->file);
	pthread_mutex_unlock(&c->lock);
}

/*
 * One entry of a file. A later file replaces what an earlier one said, all of
 * a list too; within a file only a list may be repeated. What a flag decides is
 * judged and not taken.
 */
static int take(struct config *c, const struct config_option *o,
		const struct state_foreign *entry, struct err *e)
{
	struct config_values before = c->next;
	size_t i = (size_t)(o - config_table);
	bool is_again = c->file[i] && !strcmp(c->file[i], entry->file);
	int result;

	if (is_again && o->kind != KIND_NAMES)
		return err_set(e, ERR_MALFORMED, "%s stands twice in [%s]",
			       o->key, o->section);
	if (!is_again && o->kind == KIND_NAMES)
		c->next.n_names = 0;
	c->file[i] = entry->file; /* lives as long as the load */
	result = set(c, o, entry->value, e);
	if (c->is_flag[i])
		c->next = before;
	return result;
}

static bool on_entry(void *arg, const struct state_foreign *entry,
		     struct mistakes *m)
{
	struct config *c = arg;
	const struct config_option *o;
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
	if (take(c, o, entry, &e) < 0)
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

struct fetch_limits config_fetch_limits(const struct config_values *v)
{
	return (struct fetch_limits){
		.wants = (uint32_t)v->fetch_wants,
		.haves = (uint32_t)v->fetch_haves,
		.lines = (uint32_t)v->fetch_lines,
		.ref_prefixes = (uint32_t)v->fetch_prefixes,
		.commands = (uint32_t)v->fetch_commands,
	};
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

static bool same(const struct config_option *o, const struct config_values *a,
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
	while (*i < CONFIG_OPTIONS) {
		const struct config_option *o = &config_table[(*i)++];

		if (o->when == AT_START && !same(o, was, is))
			return o->key;
	}
	return NULL;
}

void config_print(struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
		const struct config_option *o = &config_table[i];

		if (strcmp(section, o->section))
			buf_addf(out, "%s[%s]\n", *section ? "\n" : "",
				 o->section);
		section = o->section;
		buf_addf(out, "\t; %s\n\t; %s = %s\n", o->help, o->key,
			 o->fallback);
	}
}
