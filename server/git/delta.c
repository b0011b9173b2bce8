/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instruction is one byte. With the top bit it copies from the base: its low
 * four bits say which bytes of the offset follow, the next three which bytes of
 * the length (0 means 64 KiB). Without, it is the number of new bytes that
 * follow; 0 is reserved.
 */
#include "git/delta.h"

#include "base/err.h"

#define COPY_FLAG	 0x80
#define COPY_OFFSET_BITS 4
#define COPY_LENGTH_BITS 3
#define COPY_LENGTH_ZERO 0x10000

static bool take_size(struct span *s, uint64_t *out)
{
	uint64_t value = 0;
	uint8_t c = COPY_FLAG;

	for (unsigned shift = 0; c & COPY_FLAG; shift += 7) {
		if (shift > 63 || !span_u8(s, &c))
			return false;
		if (shift == 63 && (c & 0x7e))
			return false;
		value |= (uint64_t)(c & 0x7f) << shift;
	}
	*out = value;
	return true;
}

int delta_header(struct span *delta, uint64_t *base_size_out,
		 uint64_t *result_size_out, struct err *e)
{
	if (!take_size(delta, base_size_out) ||
	    !take_size(delta, result_size_out))
		return err_set(e, ERR_CORRUPT, "a delta without its sizes");
	return 0;
}

/* The bytes of a number that `bits` of the instruction announce. */
static bool take_number(struct span *s, unsigned bits, unsigned n_bits,
			size_t *out)
{
	size_t value = 0;
	uint8_t c;

	for (unsigned i = 0; i < n_bits; i++) {
		if (!(bits & 1u << i))
			continue;
		if (!span_u8(s, &c))
			return false;
		value |= (size_t)c << 8 * i;
	}
	*out = value;
	return true;
}

/* What the next instruction adds: a piece of the base or of the delta. */
static bool take_piece(struct span *delta, struct span base, struct span *out)
{
	size_t offset, length;
	struct span skipped;
	uint8_t op;

	if (!span_u8(delta, &op) || !op)
		return false;
	if (!(op & COPY_FLAG))
		return span_take(delta, op, out);
	if (!take_number(delta, op, COPY_OFFSET_BITS, &offset) ||
	    !take_number(delta, (unsigned)op >> COPY_OFFSET_BITS,
			 COPY_LENGTH_BITS, &length))
		return false;
	if (!length)
		length = COPY_LENGTH_ZERO;
	return span_take(&base, offset, &skipped) &&
	       span_take(&base, length, out);
}

int delta_apply(struct span base, struct span delta, unsigned char *out,
		size_t size, struct err *e)
{
	uint64_t base_size, result_size;
	struct span piece;

	if (delta_header(&delta, &base_size, &result_size, e) < 0)
		return -1;
	if (base_size != base.len || result_size != size)
		return err_set(e, ERR_CORRUPT, "a delta for another base");
	while (delta.len) {
		if (!take_piece(&delta, base, &piece) || piece.len > size)
			return err_set(e, ERR_CORRUPT,
				       "a delta with a false instruction");
		memcpy(out, piece.data, piece.len);
		out += piece.len;
		size -= piece.len;
	}
	if (size)
		return err_set(e, ERR_CORRUPT, "a delta that ends too early");
	return 0;
}
