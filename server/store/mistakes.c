/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes are collected and never fail: where memory is short they are
 * counted, so that a broken configuration is never taken for a good one.
 */
#include "store/mistakes.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdlib.h>

void mistakes_fini(struct mistakes *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->items[i]);
	free(m->items);
	*m = (struct mistakes)MISTAKES_INIT;
}

/* Keeps the line, or counts it. Takes `text`, which may be NULL. */
static void keep(struct mistakes *m, char *text)
{
	if (text && !m->items)
		m->items = calloc(MISTAKES_MAX, sizeof *m->items);
	if (!text || !m->items || m->n == MISTAKES_MAX) {
		free(text);
		m->n_dropped++;
		return;
	}
	m->items[m->n++] = text;
}

void mistake_add(struct mistakes *m, const char *file, unsigned line,
		 const char *format, ...)
{
	struct buf b = BUF_INIT;
	va_list args;

	if (file)
		buf_adds(&b, file);
	if (file && line)
		buf_addf(&b, ":%u", line);
	if (file)
		buf_adds(&b, ": ");
	va_start(args, format);
	buf_vaddf(&b, format, args);
	va_end(args);
	buf_truncate(&b, MISTAKE_TEXT_MAX);
	for (size_t i = 0; i < b.len; i++) {
		if ((unsigned char)b.data[i] < ' ' || b.data[i] == 0x7f)
			b.data[i] = '?';
	}
	keep(m, buf_take(&b));
	buf_fini(&b);
}

int mistakes_err(const struct mistakes *m, struct err *e)
{
	if (!m->n)
		return err_nomem(e);
	if (mistakes_count(m) == 1)
		return err_set(e, ERR_MALFORMED, "%s", m->items[0]);
	return err_set(e, ERR_MALFORMED, "%s (and %zu more)", m->items[0],
		       mistakes_count(m) - 1);
}
