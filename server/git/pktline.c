/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git's framing. A line is four hexadecimal digits that count themselves and
 * what follows; 0000, 0001 and 0002 are signs without content, 0003 is none.
 *
 * The reader fetches as much as there is, up to one buffer, so that a request
 * of a thousand lines costs a few reads; a line is handed out where it lies.
 * The buffer holds the longest line, so one move of the rest to its front
 * always makes room. It begins small, since most requests are: a session that
 * waits for a client's wants holds no more.
 */
#include "git/pktline.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PKT_DIGITS   4
#define BUFFER_FIRST 4096

/* Packets handed to the stream in one call: header and payload each. */
#define SIDEBAND_BATCH 16

void pkt_reader_init(struct pkt_reader *r, struct stream *s)
{
	*r = (struct pkt_reader){ .stream = s };
}

void pkt_reader_fini(struct pkt_reader *r)
{
	free(r->buffer);
	*r = (struct pkt_reader){ .stream = r->stream };
}

/* Give the buffer room for `need` bytes; who has filled a small one sends many
 * and gets the large one. */
static int make_room(struct pkt_reader *r, size_t need, struct err *e)
{
	bool is_small = need <= BUFFER_FIRST && r->end < BUFFER_FIRST;
	size_t size = is_small ? BUFFER_FIRST : PKT_MAX;
	unsigned char *buffer;

	if (size <= r->size)
		return 0;
	buffer = realloc(r->buffer, size);
	if (!buffer)
		return err_nomem(e);
	r->buffer = buffer;
	r->size = size;
	return 0;
}

/* Make `need` bytes lie in the buffer: 1; 0 where the input ends before the
 * first of them; -1. */
static int fill(struct pkt_reader *r, size_t need, struct err *e)
{
	assert(need <= PKT_MAX);
	if (r->end - r->start >= need)
		return 1;
	if (make_room(r, need, e) < 0)
		return -1;
	if (r->start) {
		memmove(r->buffer, r->buffer + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	while (r->end < need) {
		ssize_t got;

		got = stream_read(r->stream, r->buffer + r->end,
				  r->size - r->end, e);
		if (got < 0)
			return -1;
		if (!got && !r->end)
			return 0;
		if (!got)
			return err_set(e, ERR_CLOSED,
				       "the input ended inside a pkt-line");
		r->end += (size_t)got;
	}
	return 1;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The number four digits stand for, or -1. */
static int line_length(const unsigned char digits[PKT_DIGITS])
{
	int length = 0;

	for (int i = 0; i < PKT_DIGITS; i++) {
		int digit = hex_digit(digits[i]);

		if (digit < 0)
			return -1;
		length = length * 16 + digit;
	}
	return length;
}

static int refuse_length(const unsigned char digits[PKT_DIGITS], struct err *e)
{
	char shown[PKT_DIGITS + 1] = { 0 };

	for (int i = 0; i < PKT_DIGITS; i++)
		shown[i] = digits[i] > ' ' && digits[i] < 0x7f ? (char)digits[i]
							       : '?';
	return err_set(e, ERR_MALFORMED,
		       "protocol error: bad pkt-line length '%s'", shown);
}

int pkt_read(struct pkt_reader *r, struct pkt *out, struct err *e)
{
	static const enum pkt_kind signs[] = { PKT_FLUSH, PKT_DELIM,
					       PKT_RESPONSE_END };
	const unsigned char *digits;
	struct span data;
	int length, got;

	got = fill(r, PKT_DIGITS, e);
	if (got < 0)
		return -1;
	*out = (struct pkt){ .kind = PKT_EOF };
	if (!got)
		return 0;
	digits = r->buffer + r->start;
	length = line_length(digits);
	if (length < 0 || length == 3 || length > PKT_MAX)
		return refuse_length(digits, e);
	r->n_lines++;
	if (length < PKT_DIGITS) {
		out->kind = signs[length];
		r->start += PKT_DIGITS;
		return 0;
	}
	if (fill(r, (size_t)length, e) < 0)
		return -1;
	data = span_of(r->buffer + r->start + PKT_DIGITS,
		       (size_t)length - PKT_DIGITS);
	r->start += (size_t)length;
	out->kind = PKT_DATA;
	out->has_lf = data.len && data.data[data.len - 1] == '\n';
	if (out->has_lf)
		data.len--;
	out->data = data;
	return 0;
}

bool pkt_reader_is_drained(const struct pkt_reader *r)
{
	size_t have = r->end - r->start;
	int length;

	if (have < PKT_DIGITS)
		return true;
	length = line_length(r->buffer + r->start);
	return length > PKT_DIGITS && have < (size_t)length;
}

ssize_t pkt_reader_raw(struct pkt_reader *r, void *data, size_t n,
		       struct err *e)
{
	size_t have = r->end - r->start;

	if (!have)
		return stream_read(r->stream, data, n, e);
	if (n > have)
		n = have;
	memcpy(data, r->buffer + r->start, n);
	r->start += n;
	return (ssize_t)n;
}

/* `length` counts the digits themselves. */
static void put_digits(char *out, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	assert(length <= PKT_MAX);
	for (int i = 0; i < PKT_DIGITS; i++)
		out[i] = digits[length >> (4 * (PKT_DIGITS - 1 - i)) & 15];
}

void pkt_add(struct buf *b, const void *data, size_t n)
{
	char digits[PKT_DIGITS];

	assert(n <= PKT_DATA_MAX);
	put_digits(digits, n + PKT_DIGITS);
	buf_add(b, digits, sizeof digits);
	buf_add(b, data, n);
}

void pkt_addf(struct buf *b, const char *format, ...)
{
	size_t start = b->len;
	va_list args;

	buf_adds(b, "0000");
	va_start(args, format);
	buf_vaddf(b, format, args);
	va_end(args);
	if (b->failed)
		return;
	assert(b->len - start <= PKT_MAX);
	put_digits(b->data + start, b->len - start);
}

void pkt_add_flush(struct buf *b)
{
	buf_adds(b, "0000");
}

void pkt_add_delim(struct buf *b)
{
	buf_adds(b, "0001");
}

void pkt_add_response_end(struct buf *b)
{
	buf_adds(b, "0002");
}

void pkt_add_err(struct buf *b, const char *text)
{
	size_t at = b->len + PKT_DIGITS;
	size_t n = strnlen(text, PKT_DATA_MAX - strlen("ERR "));

	pkt_addf(b, "ERR %.*s", (int)n, text);
	if (b->failed)
		return;
	for (; at < b->len; at++)
		if ((unsigned char)b->data[at] < ' ' || b->data[at] == 0x7f)
			b->data[at] = '?';
}

struct sideband_header {
	char bytes[PKT_DIGITS + 1];
};

/* Frame as much of `data` as one call takes and write it. */
static int write_batch(struct stream *s, size_t payload_max, int band,
		       struct span *data, struct err *e)
{
	struct sideband_header headers[SIDEBAND_BATCH];
	struct iovec iov[2 * SIDEBAND_BATCH];
	int n = 0;

	for (int i = 0; i < SIDEBAND_BATCH && data->len; i++) {
		struct span piece;
		size_t len = data->len < payload_max ? data->len : payload_max;

		if (!span_take(data, len, &piece))
			break;
		put_digits(headers[i].bytes, len + sizeof headers[i].bytes);
		headers[i].bytes[PKT_DIGITS] = (char)band;
		iov[n++] = (struct iovec){ headers[i].bytes,
					   sizeof headers[i].bytes };
		iov[n++] = iov_of(piece);
	}
	return stream_writev(s, iov, n, e);
}

int sideband_write(struct stream *s, enum sideband kind, int band,
		   struct span data, struct err *e)
{
	size_t payload_max = kind == SIDEBAND_64K ? SIDEBAND_64K_DATA_MAX
						  : SIDEBAND_DATA_MAX;

	assert(band >= 1 && band <= 3);
	if (!data.len)
		return 0;
	if (kind == SIDEBAND_NONE)
		return band == 1 ? stream_write(s, data.data, data.len, e) : 0;
	while (data.len)
		if (write_batch(s, payload_max, band, &data, e) < 0)
			return -1;
	return 0;
}

int sideband_write_empty(struct stream *s, int band, struct err *e)
{
	char packet[PKT_DIGITS + 1];

	put_digits(packet, sizeof packet);
	packet[PKT_DIGITS] = (char)band;
	return stream_write(s, packet, sizeof packet, e);
}
