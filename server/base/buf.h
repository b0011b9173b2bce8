/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing bytes with a cap.
 *
 * Append freely and check once: an append that finds no memory or passes the
 * cap sets `failed`, which sticks, and every later append does nothing.
 * The bytes are followed by a NUL that `len` does not count; after a
 * buf_reserve() it is there again from the next call of any function here.
 * What is appended must not lie in the buf itself.
 * Ownership: the buf owns `data`; buf_take() hands it on.
 * Limits: `max` bytes (BUF_DEFAULT_MAX unless buf_init_max() says otherwise).
 * Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

#define BUF_DEFAULT_MAX ((size_t)64 << 20)

struct buf {
	char *data; /* NULL as long as nothing was appended */
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
	bool passed_max; /* why it failed: the cap, not memory */
};

#define BUF_INIT                       \
	{                              \
		.max = BUF_DEFAULT_MAX \
	}

void buf_init_max(struct buf *b, size_t max);
void buf_fini(struct buf *b);

/* Forget the content and the failure, keep the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addspan(struct buf *b, struct span s);
void buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *format, va_list args)
	PRINTF_LIKE(2, 0);

/* Lower-case hexadecimal digits of `n` bytes. */
void buf_addhex(struct buf *b, const void *data, size_t n);

/* Make room for `n` more bytes and return where they go, for a reader that
 * fills them and then adds to `len`; NULL where there is no room. */
void *buf_reserve(struct buf *b, size_t n);

/* Drop the first `n` bytes (all if there are fewer). */
void buf_consume(struct buf *b, size_t n);

/* Cut down to `len` bytes if there are more. */
void buf_truncate(struct buf *b, size_t len);

/* The content as a C string: "" where nothing was appended. */
const char *buf_str(const struct buf *b);

struct span buf_span(const struct buf *b);

/* Hand the bytes on as a C string that the caller frees; the buf is empty
 * afterwards. NULL where the buf has failed. */
char *buf_take(struct buf *b);

/* 0, or -1 with ERR_NOMEM or ERR_LIMIT where an append has failed. */
int buf_check(const struct buf *b, struct err *e) MUST_CHECK;
