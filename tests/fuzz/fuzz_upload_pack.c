/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetcher says; the first byte is the version. */
#include "fuzz.h"

#include "git/repository.h"
#include "git/upload_pack.h"

static struct repository *made(void)
{
	static struct repository *r;
	CLEANUP(freep) char *dir = NULL;
	struct err e;

	if (r)
		return r;
	dir = path_join(fuzz_dir(), "r.git");
	if (!dir || repository_create(dir, "main", &e) < 0)
		abort();
	r = repository_open(dir, &e);
	if (!r)
		abort();
	return r;
}

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
	(void)!upload_pack(made(), &s.base, &options, &result, &e);
	return 0;
}
