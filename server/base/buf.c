/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing bytes. The memory doubles, so that appending costs amortised
 * constant time, and always has one byte more than the content for the NUL.
 * Invariant: data is NULL and cap 0, or len < cap and len <= max.
 */
#include "base/buf.h"

#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The smallest allocation: most bufs hold a line or a path. */
#define BUF_MIN_CAP ((size_t)64)

void buf_init_max(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->failed = false;
	b->passed_max = false;
	buf_truncate(b, 0);
}

/* Twice what is there, or what is needed if that is more, and never more than
 * the cap can use. `need` counts the NUL. */
static size_t grown_cap(const struct buf *b, size_t need)
{
	size_t cap = b->cap > BUF_MIN_CAP / 2 ? b->cap : BUF_MIN_CAP / 2;

	cap = cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * cap;
	if (cap - 1 > b->max)
		cap = b->max + 1; /* max < cap - 1, so this does not wrap */
	return cap < need ? need : cap;
}

/* Room for `n` more bytes and a NUL. */
static bool make_room(struct buf *b, size_t n)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return false;
	if (n > b->max - b->len || n > SIZE_MAX - 1 - b->len) {
		b->failed = true;
		b->passed_max = true;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	cap = grown_cap(b, need);
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

/* Count `n` bytes that were put behind the content. */
static void advance(struct buf *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	if (!make_room(b, n))
		return;
	if (n)
		memcpy(b->data + b->len, data, n);
	advance(b, n);
}

void buf_adds(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addspan(struct buf *b, struct span s)
{
	buf_add(b, s.data, s.len);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(b, format, args);
	va_end(args);
}

void buf_vaddf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int n;

	if (b->failed)
		return;
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		b->failed = true;
	else if (make_room(b, (size_t)n)) {
		vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
		b->len += (size_t)n;
	}
}

void buf_addhex(struct buf *b, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;
	char *to;

	to = n > SIZE_MAX / 2 ? buf_reserve(b, SIZE_MAX)
			      : buf_reserve(b, 2 * n);
	if (!to)
		return;
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[p[i] >> 4];
		to[2 * i + 1] = digits[p[i] & 15];
	}
	advance(b, 2 * n);
}

void *buf_reserve(struct buf *b, size_t n)
{
	if (!make_room(b, n))
		return NULL;
	b->data[b->len] = '\0';
	b->data[b->len + n] = '\0';
	return b->data + b->len;
}

void buf_consume(struct buf *b, size_t n)
{
	if (!b->data || !n)
		return;
	if (n > b->len)
		n = b->len;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

void buf_truncate(struct buf *b, size_t len)
{
	if (!b->data)
		return;
	if (len < b->len)
		b->len = len;
	b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	if (!b->data)
		return "";
	assert(b->len < b->cap);
	/* Only after buf_reserve() is there work; a finished buf that several
	 * threads read is not written to. */
	if (b->data[b->len])
		b->data[b->len] = '\0';
	return b->data;
}

struct span buf_span(const struct buf *b)
{
	return span_of(b->data, b->len);
}

char *buf_take(struct buf *b)
{
	char *taken;

	if (!make_room(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	taken = b->data;
	*b = (struct buf){ .max = b->max };
	return taken;
}

int buf_check(const struct buf *b, struct err *e)
{
	if (!b->failed)
		return 0;
	if (b->passed_max)
		return err_set(e, ERR_LIMIT, "more than %zu bytes", b->max);
	return err_nomem(e);
}
