/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed bytes, and a cursor over them.
 *
 * Everything from the network or the disk is read through these, never by
 * pointer arithmetic. A function that takes bytes off the front returns false
 * and changes nothing where there are not enough.
 * Ownership: none; whoever made the span keeps the bytes alive.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const unsigned char *data;
	size_t len;
};

static inline struct span span_of(const void *data, size_t len)
{
	return (struct span){ data, len };
}

static inline struct span span_str(const char *text)
{
	return (struct span){ (const unsigned char *)text, strlen(text) };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static inline bool span_is(struct span a, const char *text)
{
	return span_eq(a, span_str(text));
}

static inline bool span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && (!n || !memcmp(s.data, prefix, n));
}

/* Take `n` bytes off the front. */
static inline bool span_take(struct span *s, size_t n, struct span *out)
{
	if (s->len < n)
		return false;
	*out = (struct span){ s->data, n };
	if (n) /* data may be NULL, to which C adds nothing, not even 0 */
		s->data += n;
	s->len -= n;
	return true;
}

/* Take `prefix` off the front if it stands there. */
static inline bool span_skip(struct span *s, const char *prefix)
{
	struct span skipped;

	return span_starts(*s, prefix) &&
	       span_take(s, strlen(prefix), &skipped);
}

/* Take everything before the next `stop` and the stop itself; false, and
 * nothing taken, where it does not occur. */
static inline bool span_until(struct span *s, unsigned char stop,
			      struct span *out)
{
	const unsigned char *at;

	at = s->len ? memchr(s->data, stop, s->len) : NULL;
	if (!at)
		return false;
	*out = (struct span){ s->data, (size_t)(at - s->data) };
	s->len -= out->len + 1;
	s->data = at + 1;
	return true;
}

/* Take up to the next `stop`, or all that is left where there is none;
 * false only on an empty span. For lists separated by `stop`. */
static inline bool span_word(struct span *s, unsigned char stop,
			     struct span *out)
{
	if (!s->len)
		return false;
	if (span_until(s, stop, out))
		return true;
	*out = *s;
	s->data += s->len;
	s->len = 0;
	return true;
}

static inline bool span_u8(struct span *s, uint8_t *out)
{
	struct span b;

	if (!span_take(s, 1, &b))
		return false;
	*out = b.data[0];
	return true;
}

static inline uint32_t load_u32be(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_u64be(const unsigned char *p)
{
	return (uint64_t)load_u32be(p) << 32 | load_u32be(p + 4);
}

static inline void store_u32be(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static inline bool span_u32be(struct span *s, uint32_t *out)
{
	struct span b;

	if (!span_take(s, 4, &b))
		return false;
	*out = load_u32be(b.data);
	return true;
}

static inline bool span_u64be(struct span *s, uint64_t *out)
{
	struct span b;

	if (!span_take(s, 8, &b))
		return false;
	*out = load_u64be(b.data);
	return true;
}
