/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of events on standard error.
 *
 * Both formats quote alike, by JSON's escapes: what is a control character, is
 * invisible or turns the direction of writing is written as \uXXXX, what is
 * not UTF-8 as \ufffd. So every value can be parsed again, and none can move a
 * cursor, hide a part of itself or begin a line.
 * A line that grows too long loses its last pairs as a whole and says so with
 * cut=true.
 * A reader of standard error that stops reading stops nothing: see
 * log_output.h.
 * Lock order: `output_lock` and `recent_lock` are taken last, and held for one
 * write or one copy.
 */
#include "base/log.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log_output.h"
#include "base/metrics.h"
#include "base/span.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Kept free for what ends a line: `,"cut":"true"}` and a newline. */
#define LINE_TAIL_BYTES 24

#define REPLACEMENT 0xfffdu

/* Longer than a reader who works is away; all who log wait meanwhile. */
#define PATIENCE_MS 1000

struct line {
	size_t len;
	bool is_full;
	bool is_json;
	char text[LOG_LINE_MAX];
};

/* What every line begins with. */
struct log_head {
	enum log_level level;
	const char *event;
	const char *time;
};

/* Set before there are threads, then read-only. */
static enum log_level max_level = LEVEL_INFO;
static enum log_format line_format = LOG_TEXT;

static struct metric_family dropped =
	METRIC_COUNTER("headwater_log_dropped",
		       "Lines of the log that nobody took in time.", NULL);

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_output output = {
	.fd = STDERR_FILENO,
	.patience_ms = PATIENCE_MS,
};

/* A ring: the n-th warning or error since the start is at n % LOG_RECENT. */
static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER;
static char recent[LOG_RECENT][LOG_RECENT_BYTES];
static size_t n_recent;

static const char *const level_names[] = {
	[LEVEL_ERROR] = "error",
	[LEVEL_WARN] = "warn",
	[LEVEL_INFO] = "info",
	[LEVEL_DEBUG] = "debug",
};

/* Code points above ASCII that must not reach a terminal as they are. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x80, 0x9f },	      /* C1: escape sequences in one character */
	{ 0xad, 0xad },	      /* soft hyphen */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200f },   /* zero width, direction marks */
	{ 0x2028, 0x202e },   /* line separators, direction overrides */
	{ 0x2060, 0x206f },   /* invisible operators, isolates */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xfff0, 0xfffb },   /* interlinear annotations */
	{ 0xfffe, 0xffff },   /* not characters */
	{ 0xe0000, 0xe0fff }, /* tags, more variation selectors */
};

void log_configure(enum log_level level, enum log_format format)
{
	max_level = level;
	line_format = format;
	metric_register(&dropped);
}

bool log_enabled(enum log_level level)
{
	return level <= max_level;
}

const char *fmt_u64_into(struct fmt_number *n, uint64_t value)
{
	snprintf(n->text, sizeof n->text, "%" PRIu64, value);
	return n->text;
}

static void add(struct line *l, const void *data, size_t n)
{
	if (n > sizeof l->text - LINE_TAIL_BYTES - l->len)
		l->is_full = true;
	if (l->is_full)
		return;
	memcpy(l->text + l->len, data, n);
	l->len += n;
}

static void adds(struct line *l, const char *text)
{
	add(l, text, strlen(text));
}

/* How long the sequence is that `lead` begins (RFC 3629); 0: it begins none. */
static size_t sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead < 0xe0)
		return 2;
	if (lead >= 0xe0 && lead < 0xf0)
		return 3;
	return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/*
 * Take one character off the front of `s`, which is not empty, and store its
 * bytes. Returns its code point; for a byte that belongs to none, takes it and
 * returns REPLACEMENT with no bytes.
 */
static uint32_t take_char(struct span *s, struct span *bytes_out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = sequence_len(s->data[0]);
	struct span rest = *s;
	struct span bad;
	uint32_t c;

	*bytes_out = (struct span){ NULL, 0 };
	if (!n || !span_take(&rest, n, bytes_out))
		goto not_utf8;
	c = n == 1 ? bytes_out->data[0] : bytes_out->data[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((bytes_out->data[i] & 0xc0) != 0x80)
			goto not_utf8;
		c = c << 6 | (bytes_out->data[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		goto not_utf8;
	*s = rest;
	return c;

not_utf8:
	*bytes_out = (struct span){ NULL, 0 };
	(void)span_take(s, 1, &bad);
	return REPLACEMENT;
}

static bool is_seen(uint32_t c)
{
	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return false;
	return true;
}

/* \uXXXX, as a surrogate pair where it must be (RFC 8259, section 7). */
static void add_code_point(struct line *l, uint32_t c)
{
	char text[16];

	if (c < 0x10000)
		snprintf(text, sizeof text, "\\u%04" PRIx32, c);
	else
		snprintf(text, sizeof text, "\\u%04" PRIx32 "\\u%04" PRIx32,
			 0xd800 + ((c - 0x10000) >> 10),
			 0xdc00 + ((c - 0x10000) & 0x3ff));
	adds(l, text);
}

static void add_quoted(struct line *l, struct span s)
{
	struct span bytes;
	uint32_t c;

	adds(l, "\"");
	while (s.len) {
		c = take_char(&s, &bytes);
		if (c == '"' || c == '\\')
			adds(l, "\\");
		if (c == '\n')
			adds(l, "\\n");
		else if (c == '\t')
			adds(l, "\\t");
		else if (bytes.len && is_seen(c))
			add(l, bytes.data, bytes.len);
		else
			add_code_point(l, c);
	}
	adds(l, "\"");
}

/* True where logfmt can have the value as it stands. */
static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f ||
		    strchr("\"=\\", s.data[i]))
			return false;
	return s.len > 0;
}

/* `text` up to `max` bytes, not cutting a character in two. */
static struct span cut(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);
	size_t back = 0;

	if (n <= max)
		return span_of(text, n);
	while (back < 3 && ((unsigned char)text[max - back] & 0xc0) == 0x80)
		back++;
	return span_of(text, max - back);
}

static void add_pair(struct line *l, const char *name, const char *value)
{
	struct span s = cut(value, LOG_VALUE_MAX);
	size_t before = l->len;
	bool is_json = l->is_json;

	if (before)
		adds(l, is_json ? "," : " ");
	else
		adds(l, is_json ? "{" : "");
	if (is_json)
		add_quoted(l, span_str(name));
	else
		adds(l, name);
	adds(l, is_json ? ":" : "=");
	if (is_json || !is_plain(s))
		add_quoted(l, s);
	else
		add(l, s.data, s.len);
	if (l->is_full)
		l->len = before;
}

/* Add what ends the line; LINE_TAIL_BYTES are left for it. */
static void line_end(struct line *l)
{
	const char *says_cut = l->is_json ? ",\"cut\":\"true\"" : " cut=true";

	l->len += (size_t)snprintf(l->text + l->len, LINE_TAIL_BYTES, "%s%s\n",
				   l->is_full ? says_cut : "",
				   l->is_json ? "}" : "");
}

/* `l` is of the text format and ended. */
static void remember(const struct line *l)
{
	struct span s = cut(l->text, LOG_RECENT_BYTES - 1);
	char *to;

	if (s.len && s.data[s.len - 1] == '\n')
		s.len--;
	pthread_mutex_lock(&recent_lock);
	to = recent[n_recent++ % LOG_RECENT];
	memcpy(to, s.data, s.len);
	to[s.len] = '\0';
	pthread_mutex_unlock(&recent_lock);
}

size_t log_recent(char out[LOG_RECENT][LOG_RECENT_BYTES])
{
	size_t n;

	pthread_mutex_lock(&recent_lock);
	n = n_recent < LOG_RECENT ? n_recent : LOG_RECENT;
	for (size_t i = 0; i < n; i++)
		memcpy(out[i], recent[(n_recent - 1 - i) % LOG_RECENT],
		       LOG_RECENT_BYTES);
	pthread_mutex_unlock(&recent_lock);
	return n;
}

static void line_make(struct line *l, enum log_format format,
		      const struct log_head *head, va_list args)
{
	const char *name, *value;

	l->len = 0;
	l->is_full = false;
	l->is_json = format == LOG_JSON;
	add_pair(l, "time", head->time);
	add_pair(l, "level", level_names[head->level]);
	add_pair(l, "event", head->event);
	while ((name = va_arg(args, const char *))) {
		value = va_arg(args, const char *);
		if (value)
			add_pair(l, name, value);
	}
	line_end(l);
}

static __attribute__((sentinel)) void notice_make(struct line *l, ...)
{
	char now[CLOCK_ISO_SIZE];
	struct log_head head = { LEVEL_WARN, "log.dropped", clock_iso(now) };
	va_list args;

	va_start(args, l);
	line_make(l, line_format, &head, args);
	va_end(args);
}

/* Say how many lines are missing where they are missing. Lock held. */
static void tell_dropped(void)
{
	static struct line notice;
	uint64_t n = output.n_dropped;

	if (!n || !log_output_is_ready(&output))
		return;
	notice_make(&notice, "lines", fmt_u64(n), NULL);
	if (log_output_line(&output, span_of(notice.text, notice.len)))
		output.n_dropped = 0;
	else
		output.n_dropped = n;
}

static void line_write(const struct line *l)
{
	bool is_taken;

	pthread_mutex_lock(&output_lock);
	tell_dropped();
	is_taken = log_output_line(&output, span_of(l->text, l->len));
	pthread_mutex_unlock(&output_lock);
	if (!is_taken)
		metric_add(&dropped, 1, NULL);
}

void log_event(enum log_level level, const char *event, ...)
{
	char now[CLOCK_ISO_SIZE];
	struct log_head head = { level, event, clock_iso(now) };
	struct line line;
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, event);
	if (level <= LEVEL_WARN) {
		va_list again;

		va_copy(again, args);
		line_make(&line, LOG_TEXT, &head, again);
		va_end(again);
		remember(&line);
	}
	line_make(&line, line_format, &head, args);
	va_end(args);
	line_write(&line);
}
