/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a pack as they come: looked at, written to the file, hashed.
 * Part of pack_ingest (see ingest.h).
 * Limits: one buffer of INGEST_INPUT_SIZE. Threads: one at a time.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct digest;
struct err;

/* One read, one write. */
#define INGEST_INPUT_SIZE ((size_t)256 << 10)
/* The free space is looked at again after so many bytes. */
#define INGEST_SPACE_STEP ((uint64_t)16 << 20)
struct ingest_input {
	ssize_t (*read)(void *arg, void *data, size_t n, struct err *e);
	void *arg;
	unsigned char *data;
	size_t pos, len; /* data[pos..len) is still to be looked at */
	size_t crc_from;
	uint32_t crc;
	uint64_t base; /* of data[0] in the pack */
	int fd;	       /* where it is written, all but the trailer */
	struct digest *digest;
	uint64_t max_bytes; /* 0: none */
	uint64_t reserve;
	uint64_t space_checked; /* next offset at which to look again */
	const char *dir;
};

int ingest_input_begin(struct ingest_input *in, struct err *e) MUST_CHECK;
void ingest_input_fini(struct ingest_input *in);
/* At least one byte to look at; the end of the stream is ERR_CLOSED. */
int ingest_input_fill(struct ingest_input *in, struct err *e) MUST_CHECK;
/* Exactly `n` bytes, a few. */
int ingest_input_take(struct ingest_input *in, void *out, size_t n,
		      struct err *e) MUST_CHECK;
/* Write and hash what was looked at. */
int ingest_input_flush(struct ingest_input *in, struct err *e) MUST_CHECK;
uint64_t ingest_input_offset(const struct ingest_input *in);
/* CRC-32 of the bytes from `_crc_begin` to where we are. */
void ingest_input_crc_begin(struct ingest_input *in);
uint32_t ingest_input_crc(struct ingest_input *in);
/* ERR_NO_SPACE where `more` bytes would not leave the reserve. */
int ingest_space(const char *dir, uint64_t reserve, uint64_t more,
		 struct err *e) MUST_CHECK;
