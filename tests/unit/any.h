/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that look random and are the same in every run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The state of xorshift64*; set it at the start of a test. */
static uint64_t any_seed = 1;

static inline uint32_t any_u32(void)
{
	any_seed ^= any_seed >> 12;
	any_seed ^= any_seed << 25;
	any_seed ^= any_seed >> 27;
	return (uint32_t)(any_seed * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

static inline void any_bytes(unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)any_u32();
}
