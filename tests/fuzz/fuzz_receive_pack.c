/* SPDX-License-Identifier: Apache-2.0 */
/* What a pusher says: commands, push options, a pack. */
#include "fuzz_repository.h"

#include "git/receive_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct receive_pack_options options = {
		.is_stateless = true,
		.fsck_default = true,
		.quarantine_id = "fuzz",
		.limits = { .object_bytes = 1 << 20,
			    .inflated_bytes = 8 << 20,
			    .memory = 1 << 20,
			    .commands = 100,
			    .push_options = 16 },
	};
	CLEANUP(buf_fini) struct buf out = BUF_INIT;
	struct receive_pack_result result;
	struct stream_mem s;
	struct err e;

	stream_mem_init(&s, span_of(data, size), &out);
	(void)!receive_pack(fuzz_repository(), &s.base, &options, &result, &e);
	return 0;
}
