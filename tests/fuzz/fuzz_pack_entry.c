/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of pack entries, at every offset. */
#include "fuzz.h"

#include "git/pack_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of(data, size);
	struct pack_entry entry;
	struct err e;

	for (uint64_t at = 0; at <= size; at++) {
		if (pack_entry_parse(bytes, at, OID_SHA1, &entry, &e) < 0)
			continue;
		if (entry.data.len > size ||
		    (entry.type == OBJECT_OFS_DELTA && entry.base_offset >= at))
			abort();
	}
	return 0;
}
