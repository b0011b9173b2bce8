/* SPDX-License-Identifier: Apache-2.0 */
/* A base and a delta, split where the first two bytes say. */
#include "fuzz.h"

#include "git/delta.h"

#define RESULT_MAX ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size), head, base, delta, rest;
	uint64_t base_size, result_size;
	unsigned char *result;
	struct err e;
	size_t n;

	if (!span_take(&input, 2, &head))
		return 0;
	n = (size_t)head.data[0] << 8 | head.data[1];
	if (!span_take(&input, n, &base))
		return 0;
	delta = rest = input;
	if (delta_header(&rest, &base_size, &result_size, &e) < 0 ||
	    base_size != base.len || result_size > RESULT_MAX)
		return 0;
	/* Exactly as large as promised, so that a stray byte is seen. */
	result = malloc(result_size ? (size_t)result_size : 1);
	if (!result)
		return 0;
	if (delta_apply(base, delta, result, (size_t)result_size, &e) < 0 &&
	    e.code != ERR_CORRUPT)
		abort();
	free(result);
	return 0;
}
