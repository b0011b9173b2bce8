/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetcher says; the first byte is the version. */
#include "fuzz_repository.h"

#include "git/upload_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upload_pack_options options = {
		.is_stateless = true,
		.refuse_unreachable = true,
		.limits = { .commands = 100 },
	};
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	struct span input = span_of(data, size);
	struct upload_pack_result result;
	struct stream_mem s;
	uint8_t version;
	struct err e;

	if (!span_u8(&input, &version))
		return 0;
	options.version = version % 3;
	(void)!upload_pack_is_light(input, options.version);
	stream_mem_init(&s, input, &out);
	(void)!upload_pack(fuzz_repository(), &s.base, &options, &result, &e);
	return 0;
}
