/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of partial clones, and their spelling in a cache's key. */
#include "fuzz.h"

#include "git/filter.h"
#include "git/repo_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct filter f = { 0 };
	CLEANUP(freep) char *path = NULL;
	struct repo_config *config;
	struct err e;

	path = fuzz_file("config", span_str("[uploadpack]\n"
					    "\tallowFilter = true\n"));
	config = repo_config_load(fuzz_dir(), false, &e);
	if (!config)
		abort();
	if (filter_parse(span_of(data, size), config, &f, &e) == 0) {
		filter_canonical(&f, &text);
		if (f.is_set != (text.len > 0) ||
		    strpbrk(buf_str(&text), "\n+%"))
			abort();
	}
	repo_config_free(config);
	return 0;
}
