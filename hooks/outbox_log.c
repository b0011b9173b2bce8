/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last deliveries of each hook: DATA/outbox/log/HOOK, one JSON object a
 * line, oldest first. Appended without fsync (it is a diary, not a promise)
 * and cut back to OUTBOX_LOG_MAX lines when it has twice as many.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "hooks/outbox_state.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#define LOG_FILE_MAX ((size_t)4 << 20)

static char *log_path(const char *dir, const char *hook)
{
	char *path;

	return asprintf(&path, "%s/log/%s", dir, hook) < 0 ? NULL : path;
}

static size_t count_lines(struct span text)
{
	struct span line;
	size_t n = 0;

	while (span_until(&text, '\n', &line))
		n++;
	return n;
}

/* Skip all but the last `keep` lines. */
static struct span last_lines(struct span text, size_t keep)
{
	size_t n = count_lines(text);
	struct span line;

	for (; n > keep; n--)
		(void)span_until(&text, '\n', &line);
	return text;
}

/* Nothing is lost if this fails but old lines; the next one tries again. */
static void cut_back(const char *dir, const char *path,
		     struct hook_status *status)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct err ignored;
	struct span kept;

	if (file_read(path, LOG_FILE_MAX, &text, &ignored) < 0) {
		status->n_logged = 0;
		return;
	}
	status->n_logged = (unsigned)count_lines(buf_span(&text));
	if (status->n_logged <= 2 * OUTBOX_LOG_MAX)
		return;
	kept = last_lines(buf_span(&text), OUTBOX_LOG_MAX);
	if (file_replace(path, kept.data, kept.len, file_mode_in(dir),
			 &ignored) == 0)
		status->n_logged = OUTBOX_LOG_MAX;
}

static int line_print(const struct told *t, const struct delivery_answer *a,
		      const char *sentence, unsigned attempt, struct buf *out)
{
	CLEANUP(buf_fini) struct buf event = BUF_INIT;
	CLEANUP(json_decrefp) json_t *line = NULL;
	CLEANUP(freep) char *text = NULL;
	char now[CLOCK_ISO_SIZE];
	struct err ignored;
	json_t *whole;

	if (event_print(&t->event, &event, &ignored) < 0)
		return -1;
	whole = json_loads(buf_str(&event), 0, NULL);
	/* Whatever is not UTF-8 in an answer becomes a question mark. */
	line = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:i, s:o}", "id",
			 t->event.id, "time", clock_iso(now), "status",
			 a->status, "duration_ms", (json_int_t)a->duration_ms,
			 "answer", sentence, "body", a->text, "attempt",
			 (int)attempt, "event", whole);
	text = line ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (!text)
		return -1;
	buf_adds(out, text);
	buf_addc(out, '\n');
	return out->failed ? -1 : 0;
}

void outbox_log_add(struct outbox *o, struct hook_status *status,
		    const struct told *t, const struct delivery_answer *a,
		    const char *sentence, unsigned attempt)
{
	CLEANUP(freep) char *path = log_path(o->dir, status->name);
	CLEANUP(buf_fini) struct buf line = BUF_INIT;
	CLEANUP(closep) int fd = -1;
	struct err ignored;

	if (!path || line_print(t, a, sentence, attempt, &line) < 0)
		return;
	if (status->n_logged >= 2 * OUTBOX_LOG_MAX)
		cut_back(o->dir, path, status);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		  file_mode_in(o->dir));
	if (fd < 0)
		return;
	if (fd_write_full(fd, line.data, line.len, &ignored) == 0)
		status->n_logged++;
}

static int log_read(const char *data_dir, const char *hook, struct buf *text,
		    struct err *e)
{
	CLEANUP(freep) char *dir = path_join(data_dir, "outbox");
	CLEANUP(freep) char *path = dir ? log_path(dir, hook) : NULL;

	if (!path)
		return err_nomem(e);
	if (file_read(path, LOG_FILE_MAX, text, e) < 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

/* The file has base64, since a ref may be any bytes; people get a name. */
static void unveil_ref(json_t *line)
{
	json_t *event = json_object_get(line, "event");
	const char *ref = json_string_value(json_object_get(event, "ref"));
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	if (!ref)
		return;
	event_ref_text(ref, &text);
	json_object_set_new(event, "ref", json_string(buf_str(&text)));
}

int outbox_log(const char *data_dir, const char *hook, struct buf *json_out,
	       struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	CLEANUP(json_decrefp) json_t *list = json_array();
	CLEANUP(freep) char *printed = NULL;
	struct span rest, line;

	if (log_read(data_dir, hook, &text, e) < 0)
		return -1;
	rest = last_lines(buf_span(&text), OUTBOX_LOG_MAX);
	while (span_until(&rest, '\n', &line)) {
		json_t *j =
			json_loadb((const char *)line.data, line.len, 0, NULL);

		/* A line that a crash cut short is left out. */
		if (!j)
			continue;
		unveil_ref(j);
		json_array_append_new(list, j);
	}
	printed = list ? json_dumps(list, JSON_COMPACT) : NULL;
	if (!printed)
		return err_nomem(e);
	buf_adds(json_out, printed);
	return buf_check(json_out, e);
}

int outbox_log_event(const char *data_dir, const char *hook, const char *id,
		     struct event *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct span rest, line;
	int found = 0;

	if (log_read(data_dir, hook, &text, e) < 0)
		return -1;
	rest = buf_span(&text);
	while (span_until(&rest, '\n', &line)) {
		CLEANUP(json_decrefp) json_t *j = NULL;
		CLEANUP(freep) char *event = NULL;
		struct event ev;

		j = json_loadb((const char *)line.data, line.len, 0, NULL);
		event = json_dumps(json_object_get(j, "event"), JSON_COMPACT);
		if (!event || event_parse(span_str(event), &ev, e) < 0)
			continue;
		if (id && strcmp(id, ev.id)) {
			event_fini(&ev);
			continue;
		}
		if (found)
			event_fini(out);
		*out = ev;
		found = 1;
	}
	return found;
}
