/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as text: hexadecimal, and base64 of RFC 4648 section 4. Both are read
 * strictly: no white space, no foreign digit, and for every sequence of bytes
 * one base64 text only (its padding aside).
 */
#include "base/digest.h"

#include <stdint.h>
#include <stdlib.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

int hex_decode(const char *hex, size_t n, unsigned char *out)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(hex[2 * i]);
		int low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);

		if (low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

/* -- base64 --------------------------------------------------------------- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* 1 to 3 bytes as 4 characters. */
static void encode_group(const unsigned char *p, size_t n, char out[4])
{
	uint32_t bits = (uint32_t)p[0] << 16;

	if (n > 1)
		bits |= (uint32_t)p[1] << 8;
	if (n > 2)
		bits |= p[2];
	out[0] = base64_digits[bits >> 18];
	out[1] = base64_digits[bits >> 12 & 63];
	out[2] = n > 1 ? base64_digits[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? base64_digits[bits & 63] : '=';
}

char *base64_encode(const void *data, size_t n)
{
	const unsigned char *p = data;
	char *text, *to;

	if (n > SIZE_MAX / 4 * 3 - 3)
		return NULL;
	text = malloc((n + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	for (to = text; n; to += 4) {
		size_t group = n < 3 ? n : 3;

		encode_group(p, group, to);
		p += group;
		n -= group;
	}
	*to = '\0';
	return text;
}

/* 2 to 4 digits as 1 to 3 bytes; -1 where they are none, or carry bits that
 * no byte takes. */
static int decode_group(const char *digits, size_t n, unsigned char *out)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < n ? base64_value(digits[i]) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	if (bits & ((uint32_t)0xffffff >> 8 * (n - 1)))
		return -1;
	for (size_t i = 0; i + 1 < n; i++)
		out[i] = (unsigned char)(bits >> (16 - 8 * i));
	return 0;
}

/* How many of `len` characters are digits; SIZE_MAX where a padding is not
 * what it should be. */
static size_t without_padding(const char *text, size_t len)
{
	size_t n = len;

	while (n && len - n < 2 && text[n - 1] == '=')
		n--;
	if (n % 4 == 1 || (n != len && len % 4))
		return SIZE_MAX;
	return n;
}

void *base64_decode(const char *text, size_t len, size_t *n_out)
{
	size_t n = without_padding(text, len);
	unsigned char *bytes, *to;

	if (n == SIZE_MAX)
		return NULL;
	bytes = malloc(n / 4 * 3 + 3);
	if (!bytes)
		return NULL;
	for (to = bytes; n;) {
		size_t group = n < 4 ? n : 4;

		if (decode_group(text, group, to) < 0) {
			free(bytes);
			return NULL;
		}
		text += group;
		n -= group;
		to += group - 1;
	}
	*n_out = (size_t)(to - bytes);
	return bytes;
}
