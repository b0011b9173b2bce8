/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loose objects are read with read(2), not mapped: they are small, and a file
 * that is cut meanwhile is then a short read. The size is not known before the
 * header was inflated, so this streams.
 */
#include "git/loose.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#define CHUNK_BYTES 16384
#define FAN_OUT	    256 /* directories, by the first byte of the id */

/* "commit ", 20 digits and a NUL fit; so does nothing much longer. */
#define HEADER_MAX 32

/* What one inflate() is given to fill at most, as zlib counts in 32 bits. */
#define PIECE_MAX ((size_t)1 << 30)

struct loose {
	char *path;
	int fd;
	uint64_t file_size;
	z_stream z;
	bool is_ended; /* the zlib stream */
	unsigned char in[CHUNK_BYTES];
};

static char *loose_path(const char *objects_dir, const struct oid *id)
{
	char hex[OID_MAX_HEX + 1], *path;

	oid_hex(id, hex);
	return asprintf(&path, "%s/%.2s/%s", objects_dir, hex, hex + 2) < 0
		       ? NULL
		       : path;
}

int loose_find(const char *objects_dir, const struct oid *id, struct err *e)
{
	CLEANUP(freep) char *path = loose_path(objects_dir, id);
	struct stat st;

	if (!path)
		return err_nomem(e);
	if (stat(path, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_errno(e, "looking at %s", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "%s is not a regular file",
			       path);
	return 1;
}

static int damaged(const struct loose *l, const char *how, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s is damaged: %s", l->path, how);
}

static struct loose *loose_free(struct loose *l)
{
	if (!l)
		return NULL;
	inflateEnd(&l->z);
	closep(&l->fd);
	free(l->path);
	free(l);
	return NULL;
}

DEFINE_FREEP(loose)

static int open_file(struct loose *l, struct err *e)
{
	struct stat st;

	l->fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (l->fd < 0 && errno == ENOTDIR)
		return err_set(e, ERR_NOT_FOUND, "%s is not there", l->path);
	if (l->fd < 0)
		return err_errno(e, "opening %s", l->path);
	if (fstat(l->fd, &st) < 0)
		return err_errno(e, "looking at %s", l->path);
	if (!S_ISREG(st.st_mode))
		return damaged(l, "it is not a regular file", e);
	l->file_size = (uint64_t)st.st_size;
	return 0;
}

static struct loose *loose_open(const char *objects_dir, const struct oid *id,
				struct err *e)
{
	CLEANUP(loose_freep) struct loose *l = calloc(1, sizeof *l);

	if (l) {
		l->fd = -1;
		l->path = loose_path(objects_dir, id);
	}
	if (!l || !l->path) {
		err_nomem(e);
		return NULL;
	}
	if (open_file(l, e) < 0)
		return NULL;
	if (inflateInit(&l->z) != Z_OK) {
		err_nomem(e);
		return NULL;
	}
	return TAKE(l);
}

static int fill(struct loose *l, struct err *e)
{
	ssize_t n;

	do
		n = read(l->fd, l->in, sizeof l->in);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "reading %s", l->path);
	if (!n)
		return damaged(l, "it is cut short", e);
	l->z.next_in = l->in;
	l->z.avail_in = (uInt)n;
	return 0;
}

/* Inflate up to `size` bytes, fewer only at the end of the stream. */
static int inflate_some(struct loose *l, unsigned char *out, size_t size,
			size_t *n_out, struct err *e)
{
	size_t room, done = 0;
	int rc;

	while (!l->is_ended && done < size) {
		if (!l->z.avail_in && fill(l, e) < 0)
			return -1;
		room = size - done < PIECE_MAX ? size - done : PIECE_MAX;
		l->z.next_out = out + done;
		l->z.avail_out = (uInt)room;
		rc = inflate(&l->z, Z_NO_FLUSH);
		if (rc == Z_MEM_ERROR)
			return err_nomem(e);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return damaged(l, "its deflated data is malformed", e);
		done += room - l->z.avail_out;
		l->is_ended = rc == Z_STREAM_END;
	}
	*n_out = done;
	return 0;
}

/* A decimal number without sign, blanks or leading zeroes, and nothing else. */
static bool take_size(struct span s, uint64_t *out)
{
	uint64_t value = 0;
	bool has_zero = s.len && s.data[0] == '0';
	uint8_t c;

	if (!s.len || (has_zero && s.len > 1))
		return false;
	while (span_u8(&s, &c)) {
		if (c < '0' || c > '9' || value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(c - '0');
	}
	*out = value;
	return true;
}

/* Inflate the header; `rest_out` is what came after it, in `header`. */
static int read_header(struct loose *l, unsigned char header[HEADER_MAX],
		       enum object_type *type_out, uint64_t *size_out,
		       struct span *rest_out, struct err *e)
{
	struct span text, type;
	size_t n;

	if (inflate_some(l, header, HEADER_MAX, &n, e) < 0)
		return -1;
	*rest_out = span_of(header, n);
	if (!span_until(rest_out, '\0', &text) ||
	    !span_until(&text, ' ', &type) || !take_size(text, size_out))
		return damaged(l, "its header is malformed", e);
	*type_out = object_type_parse(type);
	if (*type_out == OBJECT_NONE)
		return damaged(l, "its type is unknown", e);
	return 0;
}

/* Everything after the header, and nothing after everything. */
static int read_body(struct loose *l, struct span rest, unsigned char *data,
		     size_t size, struct err *e)
{
	unsigned char beyond;
	size_t n;

	if (rest.len > size)
		return damaged(l, "it is longer than it says", e);
	if (rest.len)
		memcpy(data, rest.data, rest.len);
	if (inflate_some(l, data + rest.len, size - rest.len, &n, e) < 0)
		return -1;
	if (n != size - rest.len)
		return damaged(l, "it is shorter than it says", e);
	/* The end, where the checksum is compared. */
	if (inflate_some(l, &beyond, 1, &n, e) < 0)
		return -1;
	if (n)
		return damaged(l, "it is longer than it says", e);
	if (l->z.avail_in || read(l->fd, &beyond, 1) == 1)
		return damaged(l, "there is garbage at its end", e);
	return 0;
}

int loose_read(const char *objects_dir, const struct oid *id, size_t max,
	       struct object *out, struct err *e)
{
	CLEANUP(loose_freep) struct loose *l = loose_open(objects_dir, id, e);
	CLEANUP(freep) unsigned char *data = NULL;
	unsigned char header[HEADER_MAX];
	enum object_type type;
	struct span rest;
	uint64_t size;

	if (!l || read_header(l, header, &type, &size, &rest, e) < 0)
		return -1;
	if (size > max)
		return err_set(e, ERR_LIMIT, "%s has more than %zu bytes",
			       l->path, max);
	if (size / DEFLATE_RATIO_MAX > l->file_size)
		return damaged(l, "it is shorter than it says", e);
	data = malloc((size_t)size + 1);
	if (!data)
		return err_nomem(e);
	if (read_body(l, rest, data, (size_t)size, e) < 0)
		return -1;
	*out = (struct object){ .type = type, .size = (size_t)size };
	if (size)
		out->data = TAKE(data);
	return 0;
}

int loose_info(const char *objects_dir, const struct oid *id,
	       enum object_type *type_out, uint64_t *size_out, struct err *e)
{
	CLEANUP(loose_freep) struct loose *l = loose_open(objects_dir, id, e);
	unsigned char header[HEADER_MAX];
	struct span rest;

	if (!l)
		return -1;
	return read_header(l, header, type_out, size_out, &rest, e);
}

/* -- all of them ----------------------------------------------------------- */

/* Call `each` with the id of every loose object of the directory. */
static int each_of_dir(const char *objects_dir, unsigned first,
		       int (*each)(void *arg, const struct oid *id,
				   struct err *e),
		       void *arg, struct err *e)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closedirp) DIR *dir = NULL;
	char hex[OID_MAX_HEX + 1];
	struct dirent *entry;
	struct oid id;

	if (asprintf(&path, "%s/%02x", objects_dir, first) < 0) {
		path = NULL;
		return err_nomem(e);
	}
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, "listing %s", path);
	while ((errno = 0, entry = readdir(dir))) {
		int n = snprintf(hex, sizeof hex, "%02x%s", first,
				 entry->d_name);

		if (n == 2 * OID_SHA1_SIZE &&
		    oid_parse(span_str(hex), OID_SHA1, &id) &&
		    each(arg, &id, e) < 0)
			return -1;
	}
	return errno ? err_errno(e, "listing %s", path) : 0;
}

int loose_each(const char *objects_dir,
	       int (*each)(void *arg, const struct oid *id, struct err *e),
	       void *arg, struct err *e)
{
	for (unsigned i = 0; i < FAN_OUT; i++)
		if (each_of_dir(objects_dir, i, each, arg, e) < 0)
			return -1;
	return 0;
}
