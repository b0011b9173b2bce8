/* SPDX-License-Identifier: Apache-2.0 */
/* A pack index of either version, and every entry of it. */
#include "fuzz.h"

#include "git/pack_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *path = fuzz_file("idx", span_of(data, size));
	struct pack_index x;
	uint64_t offset;
	uint32_t pos, crc;
	struct oid id;
	struct err e;

	if (pack_index_open(path, OID_SHA1, &x, &e) < 0)
		return 0;
	for (uint32_t i = 0; i < x.count; i++) {
		pack_index_id(&x, i, &id);
		(void)!pack_index_offset(&x, i, &offset, &e);
		(void)!pack_index_crc32(&x, i, &crc);
		if (pack_index_find(&x, &id, &pos) && pos >= x.count)
			abort();
	}
	pack_index_close(&x);
	return 0;
}
