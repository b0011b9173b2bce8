/* SPDX-License-Identifier: Apache-2.0 */
/* tar(5), the part of it that files and nothing else need. */
#include "base/tar.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/stream.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK	 512
#define PAX_MAX	 4096
#define SIZE_OCT ((uint64_t)1 << 33) /* what eleven octal digits cannot say */

/* The fields of a block, at their places. */
struct ustar {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char linkname[100];
	char magic[8]; /* "ustar", a NUL, "00" */
	char owner[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char unused[12];
};

_Static_assert(sizeof(struct ustar) == BLOCK, "a block has no holes");

#define TYPE_FILE '0'
#define TYPE_PAX  'x'

static unsigned sum_of(const struct ustar *u)
{
	const unsigned char *bytes = (const unsigned char *)u;
	unsigned sum = 0;

	/* The sum's own field counts as blanks. */
	for (size_t i = 0; i < BLOCK; i++)
		sum += i - offsetof(struct ustar, checksum) < sizeof u->checksum
			       ? ' '
			       : bytes[i];
	return sum;
}

/* -- writing -------------------------------------------------------------- */

static void set_octal(char *field, size_t n, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%0*" PRIo64, (int)n - 1, value);
	memcpy(field, text, n);
}

static int write_block(struct stream *out, const char *name, char type,
		       uint64_t size, int64_t mtime, struct err *e)
{
	struct ustar u = { .type = type };
	char sum[sizeof u.checksum + 1];
	size_t n = strlen(name);

	memcpy(u.name, name, n < sizeof u.name ? n : sizeof u.name);
	memcpy(u.magic, "ustar", 6); /* with its NUL */
	memcpy(u.magic + 6, "00", 2);
	set_octal(u.mode, sizeof u.mode, 0600);
	set_octal(u.uid, sizeof u.uid, 0);
	set_octal(u.gid, sizeof u.gid, 0);
	set_octal(u.size, sizeof u.size, size < SIZE_OCT ? size : 0);
	set_octal(u.mtime, sizeof u.mtime, mtime > 0 ? (uint64_t)mtime : 0);
	snprintf(sum, sizeof sum, "%06o", sum_of(&u));
	memcpy(u.checksum, sum, 7); /* six digits, a NUL, a blank */
	u.checksum[7] = ' ';
	return stream_write(out, &u, sizeof u, e);
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void add_record(struct buf *b, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3;
	size_t n = rest + 1;

	while (n != rest + (size_t)snprintf(NULL, 0, "%zu", n))
		n = rest + (size_t)snprintf(NULL, 0, "%zu", n);
	buf_addf(b, "%zu %s=%s\n", n, key, value);
}

static int write_records(struct stream *out, const struct buf *records,
			 int64_t mtime, struct err *e)
{
	if (buf_check(records, e) < 0 ||
	    write_block(out, "pax", TYPE_PAX, records->len, mtime, e) < 0 ||
	    stream_write(out, records->data, records->len, e) < 0)
		return -1;
	return tar_pad(out, records->len, e);
}

int tar_begin(struct stream *out, const char *name, uint64_t size,
	      int64_t mtime, struct err *e)
{
	CLEANUP(buf_fini) struct buf records = BUF_INIT;
	char number[32];

	if (strlen(name) > TAR_NAME_MAX)
		return err_set(e, ERR_LIMIT, "'%.40s...' is too long a name",
			       name);
	if (strlen(name) > sizeof((struct ustar *)0)->name)
		add_record(&records, "path", name);
	snprintf(number, sizeof number, "%" PRIu64, size);
	if (size >= SIZE_OCT)
		add_record(&records, "size", number);
	if (records.len && write_records(out, &records, mtime, e) < 0)
		return -1;
	return write_block(out, name, TYPE_FILE, size, mtime, e);
}

static size_t padding(uint64_t size)
{
	return (size_t)(-size % BLOCK);
}

int tar_pad(struct stream *out, uint64_t size, struct err *e)
{
	static const char zeros[BLOCK];

	return padding(size) ? stream_write(out, zeros, padding(size), e) : 0;
}

int tar_file(struct stream *out, const char *name, struct span data,
	     int64_t mtime, struct err *e)
{
	if (tar_begin(out, name, data.len, mtime, e) < 0 ||
	    (data.len && stream_write(out, data.data, data.len, e) < 0))
		return -1;
	return tar_pad(out, data.len, e);
}

int tar_end(struct stream *out, struct err *e)
{
	static const char zeros[2 * BLOCK];

	if (stream_write(out, zeros, sizeof zeros, e) < 0)
		return -1;
	return stream_flush(out, e);
}

/* -- reading -------------------------------------------------------------- */

static int no_archive(struct err *e)
{
	return err_set(e, ERR_MALFORMED,
		       "this is no archive, or a damaged one");
}

static int cut_off(struct err *e)
{
	return err_set(e, ERR_CLOSED, "the archive ends too early");
}

static int get_octal(const char *field, size_t n, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	while (i < n && field[i] == ' ')
		i++;
	for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(field[i] - '0');
	return i == n || field[i] == '\0' || field[i] == ' ' ? 0 : -1;
}

static bool is_zero(const struct ustar *u)
{
	const char *bytes = (const char *)u;

	return !bytes[0] && !memcmp(bytes, bytes + 1, BLOCK - 1);
}

/* 1 with a block that is what it says, 0 at the end. */
static int read_block(struct stream *in, struct ustar *u, struct err *e)
{
	uint64_t sum;
	int rc = stream_read_full(in, u, sizeof *u, e);

	if (rc <= 0)
		return rc < 0 ? -1 : cut_off(e);
	if (is_zero(u))
		return 0;
	if (memcmp(u->magic, "ustar", 5) != 0 ||
	    get_octal(u->checksum, sizeof u->checksum, &sum) < 0 ||
	    sum != sum_of(u))
		return no_archive(e);
	return 1;
}

/* One record off the front of `s`. */
static int take_record(struct span *s, struct span *key, struct span *value)
{
	struct span length, record, end;
	uint64_t n = 0;
	size_t left = s->len;

	if (!span_until(s, ' ', &length) || !length.len || length.len > 5)
		return -1;
	for (size_t i = 0; i < length.len; i++) {
		if (length.data[i] < '0' || length.data[i] > '9')
			return -1;
		n = n * 10 + (uint64_t)(length.data[i] - '0');
	}
	if (n < left - s->len + 2 ||
	    !span_take(s, (size_t)n - (left - s->len) - 1, &record) ||
	    !span_take(s, 1, &end) || *end.data != '\n' ||
	    !span_until(&record, '=', key))
		return -1;
	*value = record;
	return 0;
}

static int take_size(struct span value, uint64_t *out)
{
	*out = 0;
	if (!value.len || value.len > 19)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return -1;
		*out = *out * 10 + (uint64_t)(value.data[i] - '0');
	}
	return 0;
}

static int set_name(struct tar_entry *entry, const void *name, size_t n)
{
	if (n > TAR_NAME_MAX || memchr(name, '\0', n))
		return -1;
	memcpy(entry->name, name, n);
	entry->name[n] = '\0';
	return 0;
}

/* What the records of a pax header say of the next entry. */
static int read_records(struct stream *in, uint64_t size, bool *has_size,
			struct tar_entry *entry, struct err *e)
{
	char text[PAX_MAX];
	struct span s = span_of(text, (size_t)size);
	struct span key, value;
	int rc;

	if (!size || size > sizeof text)
		return no_archive(e);
	rc = stream_read_full(in, text, (size_t)size, e);
	if (rc <= 0)
		return rc < 0 ? -1 : cut_off(e);
	if (tar_skip_pad(in, size, e) < 0)
		return -1;
	while (s.len) {
		if (take_record(&s, &key, &value) < 0)
			return no_archive(e);
		if (span_is(key, "path") &&
		    set_name(entry, value.data, value.len) < 0)
			return no_archive(e);
		if (!span_is(key, "size"))
			continue;
		if (take_size(value, &entry->size) < 0)
			return no_archive(e);
		*has_size = true;
	}
	return 0;
}

/* The name that the block itself has room for. */
static int name_of(const struct ustar *u, struct tar_entry *entry)
{
	size_t n = strnlen(u->name, sizeof u->name);
	size_t m = strnlen(u->prefix, sizeof u->prefix);
	char both[sizeof u->prefix + 1 + sizeof u->name];

	memcpy(both, u->prefix, m);
	if (m)
		both[m++] = '/';
	memcpy(both + m, u->name, n);
	return set_name(entry, both, m + n);
}

int tar_next(struct stream *in, struct tar_entry *out, struct err *e)
{
	bool has_size = false;
	struct ustar u;
	uint64_t size;
	int rc;

	out->name[0] = '\0';
	for (;;) {
		rc = read_block(in, &u, e);
		if (rc <= 0)
			return rc;
		if (get_octal(u.size, sizeof u.size, &size) < 0)
			return no_archive(e);
		if (u.type != TYPE_PAX)
			break;
		if (read_records(in, size, &has_size, out, e) < 0)
			return -1;
	}
	if (u.type != TYPE_FILE && u.type != '\0')
		return err_set(e, ERR_MALFORMED,
			       "the archive has something that is no file");
	if (!out->name[0] && name_of(&u, out) < 0)
		return no_archive(e);
	if (!has_size)
		out->size = size;
	return 1;
}

int tar_skip_pad(struct stream *in, uint64_t size, struct err *e)
{
	static const char zeros[BLOCK];
	size_t n = padding(size);
	char pad[BLOCK];
	int rc = n ? stream_read_full(in, pad, n, e) : 1;

	if (!rc)
		return cut_off(e);
	if (rc > 0 && memcmp(pad, zeros, n) != 0)
		return no_archive(e);
	return rc < 0 ? -1 : 0;
}
