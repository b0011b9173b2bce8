/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One buffer between the wire and the file. What was looked at is written and
 * hashed when the buffer is emptied; what was not is never asked for again.
 * No byte is read after the last one of the pack: a sender that keeps the
 * stream open must not make us wait.
 */
#include "git/ingest.h"

#include "base/digest.h"
#include "base/err.h"
#include "base/files.h"

#include <inttypes.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <sys/statvfs.h>

int ingest_input_begin(struct ingest_input *in, struct err *e)
{
	in->data = malloc(INGEST_INPUT_SIZE);
	in->digest = digest_new(DIGEST_SHA1);
	if (!in->data || !in->digest)
		return err_nomem(e);
	return ingest_space(in->dir, in->reserve, 0, e);
}

void ingest_input_fini(struct ingest_input *in)
{
	free(in->data);
	in->data = NULL;
	in->digest = digest_free(in->digest);
}

int ingest_space(const char *dir, uint64_t reserve, uint64_t more,
		 struct err *e)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (!reserve)
		return 0;
	if (statvfs(dir, &fs) < 0)
		return err_errno(e, "%s", dir);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes >= reserve && free_bytes - reserve >= more)
		return 0;
	return err_set(e, ERR_NO_SPACE,
		       "the disk is full: %" PRIu64 " MiB are free and %" PRIu64
		       " MiB must stay so (disk-reserve)",
		       free_bytes >> 20, reserve >> 20);
}

uint64_t ingest_input_offset(const struct ingest_input *in)
{
	return in->base + in->pos;
}

void ingest_input_crc_begin(struct ingest_input *in)
{
	in->crc_from = in->pos;
	in->crc = 0;
}

uint32_t ingest_input_crc(struct ingest_input *in)
{
	in->crc = libdeflate_crc32(in->crc, in->data + in->crc_from,
				   in->pos - in->crc_from);
	in->crc_from = in->pos;
	return in->crc;
}

int ingest_input_flush(struct ingest_input *in, struct err *e)
{
	uint64_t offset = ingest_input_offset(in);

	if (!in->pos)
		return 0;
	if (offset >= in->space_checked) {
		if (ingest_space(in->dir, in->reserve, in->pos, e) < 0)
			return -1;
		in->space_checked = offset + INGEST_SPACE_STEP;
	}
	ingest_input_crc(in);
	digest_update(in->digest, in->data, in->pos);
	if (fd_write_full(in->fd, in->data, in->pos, e) < 0)
		return err_wrap(e, "writing the pack");
	memmove(in->data, in->data + in->pos, in->len - in->pos);
	in->base = offset;
	in->len -= in->pos;
	in->pos = 0;
	in->crc_from = 0;
	return 0;
}

int ingest_input_fill(struct ingest_input *in, struct err *e)
{
	ssize_t n;

	if (in->pos < in->len)
		return 0;
	if (ingest_input_flush(in, e) < 0)
		return -1;
	n = in->read(in->arg, in->data, INGEST_INPUT_SIZE, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_CLOSED,
			       "the pack ends early, after %" PRIu64 " bytes",
			       in->base);
	in->len = (size_t)n;
	if (in->max_bytes && in->base + in->len > in->max_bytes)
		return err_set(e, ERR_LIMIT,
			       "the pack has more than the %" PRIu64
			       " bytes that a push may have (push-size)",
			       in->max_bytes);
	return 0;
}

int ingest_input_take(struct ingest_input *in, void *out, size_t n,
		      struct err *e)
{
	unsigned char *to = out;
	size_t piece;

	while (n) {
		if (ingest_input_fill(in, e) < 0)
			return -1;
		piece = in->len - in->pos < n ? in->len - in->pos : n;
		memcpy(to, in->data + in->pos, piece);
		in->pos += piece;
		to += piece;
		n -= piece;
	}
	return 0;
}
