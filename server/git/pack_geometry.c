/* SPDX-License-Identifier: Apache-2.0 */
/* From the largest down as long as the progression holds; all below it goes
 * together, and what the sum outgrows goes along. */
#include "git/pack_geometry.h"

static int is_step(uint64_t smaller, uint64_t larger)
{
	return larger >= smaller * PACK_GEOMETRY_FACTOR;
}

size_t pack_geometry_split(const uint32_t *counts, size_t n)
{
	uint64_t sum = 0;
	size_t split = n;

	if (n < 2)
		return 0;
	for (size_t i = n - 1; i > 0 && is_step(counts[i - 1], counts[i]); i--)
		split = i;
	/* `split` begins the progression; its first member may be one of two
	 * that do not fit. */
	if (split == 1)
		return 0;
	for (size_t i = 0; i < split; i++)
		sum += counts[i];
	while (split < n && !is_step(sum, counts[split]))
		sum += counts[split++];
	return split;
}
